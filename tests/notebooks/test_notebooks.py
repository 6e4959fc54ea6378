"""The notebooks are committed executed, and still do what they show."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest

from ..scope import one_in, only_complete

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


#: Benchmarks take as long as they measure, and a large store has to be filled.
SLOW = {"03_latency": only_complete, "06_a_million_sessions": only_complete}


@one_in(6)
@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=SLOW.get(p.stem, ()), id=p.stem) for p in NOTEBOOKS]
)
def test_each_cell_runs_in_a_fresh_kernel(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SESSIONS", "20000")  # of the store that one of them fills
    from notebooks.execute import execute  # which takes a second to import

    execute(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_executed_without_a_trace_of_the_machine(path: Path):
    check_executed(path, 500_000)


def check_executed(path: Path, limit: int) -> None:
    """Fail unless a notebook has the outputs of one run, of fewer bytes than a limit."""
    text = path.read_text()
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert len(text.encode()) < limit
    for cell in code:
        for saved, after in pairwise(cell["outputs"]):
            if "gfnb-saved" in "".join(saved.get("data", {}).get("text/html", "")):
                # A saved view hides it, as the place of its widget.
                assert not "".join(after.get("data", {"text": "more"}).get("text/html", "more"))
    assert not re.search(r"/(home|root|Users|tmp|work)/|://[^/\s\"]+:[^/\s\"]+@", unquote(text))
