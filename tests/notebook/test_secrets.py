"""No output and no error shows a secret of a URL, wherever in it the secret is."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.ultratb import VerboseTB
from ipywidgets import Widget

import graphflow_nb as g

from ..scope import one_in, size

EXAMPLES = size(500, 5)
#: What takes longer than all else is done for the first examples of a run, and then for one in ten.
FIRST = 6

#: What begins and ends each secret, to be found in outputs in whatever way it was spelled.
MARK = "Zq7"
spellings = st.sampled_from([lambda s: quote(s, safe=""), lambda s: quote_plus(s, safe="")])
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
secrets = st.builds(lambda text: f"{MARK}{text}{MARK}", texts)
FORMS = (
    "postgresql://postgres:{s}@/{d}?host={h}",
    "postgresql:///{d}?host={h}&user=postgres&password={s}",
    "postgresql:///{d}?password={s}&host={h}&user=postgres",
    "postgresql+asyncpg://postgres:{s}@/{d}?host={h}&sslpassword={s}",
    "  'postgresql:///{d}?host={h}&user=postgres&password={s}' ",
    "jdbc:postgresql:///{d}?host={h}&user=postgres&password={s}&sslpassword=x",
)


def shown_by(wb: Any) -> dict[str, str]:
    """Return every text that a workbench and what it makes show of themselves."""
    session = wb.create("a", "t")
    with pytest.raises(g.SessionConflict) as conflict:
        wb.create("a", "t")
    browser = wb.browse()
    page = " ".join(str(widget.get_state()) for widget in _all_widgets(browser))
    findings = wb.advise()
    shown = {
        "workbench": repr(wb) + wb._repr_html_(),
        "storage": repr(wb.storage) + repr(wb.storage.inner) + str(wb.attributes.place),
        "address": repr(wb.attributes.address) + wb.attributes.identity,
        "session": repr(session),
        "browser": page + str(browser._repr_mimebundle_()),
        "advice": repr(findings) + findings._repr_html_() + str(findings.frame()),
        "journal": str(wb.journal.to_dict()) + repr(wb.journaled.journal),
        "latency": repr(wb.latency) + wb.latency._repr_html_() + str(wb.latency.frame().to_dict()),
        "conflict": str(conflict.value) + repr(conflict.value),
        "copy": str(g.open("demo").copy_to(wb, graph="claims", task="payout")),
        "operations": " ".join(map(repr, wb.recorder.operations())),
    }
    browser.close()
    wb.delete("a")
    return shown


def _all_widgets(root: Any) -> list[Widget]:
    found, waiting = [], [root]
    while waiting:
        widget = waiting.pop()
        found.append(widget)
        waiting += [child for child in getattr(widget, "children", ()) if child not in found]
    return found


@pytest.mark.timeout(900)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(form=st.sampled_from(FORMS), secret=secrets, spell=spellings)
def test_no_output_of_an_open_store_shows_it(database, form, secret, spell):
    parts = urlsplit(database)
    host = dict(pair.split("=") for pair in parts.query.split("&"))["host"]
    url = form.format(s=spell(secret), d=parts.path[1:], h=host)
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger("graphflow_nb").addHandler(handler)
    try:
        with g.open(url, writable=True) as wb:
            shown = shown_by(wb) if is_turn(_opened) else {"storage": repr(wb) + repr(wb.storage)}
            shown["errors"] = " ".join(errors_of(wb))
        shown["no table"] = error_of(lambda: g.open(url, table="missing"))
        shown["closed"] = error_of(lambda: wb.get("a"))
    finally:
        logging.getLogger("graphflow_nb").removeHandler(handler)
    shown["log"] = logged.getvalue()
    for place, text in shown.items():
        assert MARK not in text, place


def errors_of(wb: Any) -> list[str]:
    return [
        error_of(lambda: wb.get("\0")),
        error_of(lambda: wb.sessions(order="nonsense")),
        error_of(lambda: wb.create("b", "t\0")),
        error_of(lambda: _raise_in(wb)),
    ]


def _raise_in(wb: Any) -> None:
    wb.bridge.run(wb.storage.inner.run(lambda connection: connection.execute("SELECT 1/0")))


def error_of(call: Any) -> str:
    """Return all that Python and IPython print of an error; empty without one."""
    try:
        call()
    except g.GraphflowError as error:
        plain = "".join(traceback.format_exception(error))
        # Beyond the frames of this test, which have the URL in variables.
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
            frames = frames.tb_next
        return plain + _print_verbosely(error, frames) + repr(error)
    return ""


_opened, _printed = count(), count()


def is_turn(counted: Iterator[int]) -> bool:
    """Return whether it is the turn of an example for what takes longer."""
    number = next(counted)
    return number < FIRST or number % 10 == 1  # in turn with the kinds of errors


def _print_verbosely(error: Exception, frames: Any) -> str:
    """Return what ``%xmode Verbose`` prints of an error, if it is its turn."""
    return str(VerboseTB().text(type(error), error, frames)) if is_turn(_printed) else ""


@one_in(4)
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{MARK} x@127.0.0.1:1/d",
        f"postgresql://127.0.0.1:1/d?password={MARK} blue sky {MARK}",
        f"postgresql://u:{MARK}@127.0.0.1:port/d",
        f"postgresql://u:{MARK}@h@127.0.0.1/d",
        f"postgresql://127.0.0.1/d?password={MARK}&{MARK}",
        f"postgresql://127.0.0.1/d?password={MARK}#{MARK}",
        f"redis://:{MARK}@127.0.0.1:1/0",
        f"redis://:{MARK}@127.0.0.1:1/zero",
        f"redis://127.0.0.1:1?password={MARK}",
        f"rediss://u:{MARK}@127.0.0.1:port",
        f"mysql://u:{MARK}@127.0.0.1/d",
        f"host=127.0.0.1 password={MARK}",
        f"u:{MARK}@127.0.0.1/d",
    ],
)
def test_no_error_of_a_store_that_does_not_open_shows_it(url):
    for call in (
        lambda: g.open(url),
        lambda: g.open("demo").copy_to(url, writable=True),
        lambda: g.compare([url], workload="C", writable=True),
        lambda: g.compare({"mine": url}, workload="C"),
    ):
        text = error_of(call)
        assert text
        assert MARK not in text
