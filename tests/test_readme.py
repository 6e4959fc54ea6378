"""README keeps what it promises: its lines run, its table and its links are true, it is short."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from graphflow_nb.storage.stores import STORES

from .test_examples import FLAGS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = ["README.md", "CONTRIBUTING.md"]


def test_its_lines_print_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(lines, {}, "README.md", None, None)
    assert len(test.examples) == 10
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    assert not said, "".join(said)


def test_its_table_agrees_with_the_table_of_stores() -> None:
    rows = [
        [part.strip(" `") for part in line.strip("|").split("|")]
        for line in README.splitlines()
        if line.startswith("|") and "writable?" not in line and "---" not in line
    ]
    stated = {url: (name, extra, writable) for name, url, extra, writable in rows}
    assert stated.pop("demo")[1:] == ("", "yes, in memory")
    assert stated.pop("graphflow_nb.wrap(storage)")[1:] == ("", "yes")
    kinds = {kind.example: kind for kind in STORES.values()}
    for url, (name, extra, writable) in stated.items():
        assert name.startswith(kinds[url].label)
        assert extra == (kinds[url].extra or "")
        assert writable == ("with `writable=True" if kinds[url].is_server else "yes")


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text()):
        assert (ROOT / target).exists(), target


def test_its_commands_work_on_a_fresh_machine() -> None:
    """They are run by CI; here, that they are still those two."""
    python, pip = "python3 -m venv --without-pip .venv && ", "python3 -m pip --python .venv "
    assert re.findall(r"```sh\n(.*?)\n```", README) == [
        f"{python}{pip}install -q -c constraints.txt -e '.[lab]' && .venv/bin/graphflow-nb lab",
        # The newest pip takes half the time of that of Python 3.11. The tests import a fifth of the
        # modules, and compiling all takes twenty seconds.
        f"{python}{pip}install -q pip && .venv/bin/pip install -q --no-compile "
        "-c constraints.txt -e '.[test]' && .venv/bin/python -m pytest",
    ]


def test_it_fits_one_screen() -> None:
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert len(prose.split()) <= 650
