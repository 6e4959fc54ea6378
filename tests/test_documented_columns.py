"""The columns and dtypes that docstrings name are those of the frames, with and without rows."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.figures import stalls
from graphflow_nb.workflow import Graph, GraphBuilder, NextAction, TaskResult, task

_DTYPES = (
    r"text|category|Int64|int64|float64|boolean|bool|timedelta64\[\w+\]|datetime64\[\w+, UTC\]"
)
_BRACKETS = r"\((?:[^()]|\([^()]*\))*\)"


def read_columns(text: str) -> dict[str, str]:
    """Return the dtype of each column that a text names: "``id`` (text), ``n``, ``m`` (int64)"."""
    found, waiting = {}, []
    for name, brackets in re.findall(rf"``([^`]+)``(?:\s*({_BRACKETS}))?", text):
        waiting = [*waiting, name] if name.isidentifier() else []
        if dtype := re.search(rf"(?<!\w)(?:{_DTYPES})(?![\w\[])", brackets):
            found |= dict.fromkeys(waiting, dtype[0])
            waiting = []
    return found


def returned(function: Any) -> str:
    """Return what a docstring says of what its function returns."""
    text = inspect.getdoc(function) or ""
    return re.split(r"\n(?=Raises:|Example:)", text.partition("Returns:\n")[2])[0]


def attribute(owner: Any, name: str) -> str:
    """Return what a docstring says of an attribute of its class."""
    text = (inspect.getdoc(owner) or "").partition("Attributes:\n")[2]
    (said,) = re.findall(
        rf"(?ms)^    (?:\w+, )*{name}(?:, \w+)*: (.*?)(?=^    \w[\w, ]*: |\Z)", text
    )
    return str(said)


def build_graph() -> Graph:
    @task("intake")
    def intake(context: g.Context) -> TaskResult:
        return TaskResult(None, NextAction.CONTINUE, "taken in")

    @task("closed")
    def close(context: g.Context) -> TaskResult:
        return TaskResult(None, NextAction.END, "closed")

    builder = GraphBuilder("claims").add_task(intake).add_task(close)
    return builder.add_edge("intake", "closed").build()


def make_workbench(url: str, sessions: int) -> g.Workbench:
    wb = g.open(url, create=True) if url.startswith("sqlite") else g.open(url)
    wb.install_history()
    for n in range(sessions):
        session = wb.create(f"claim-{n}", "intake", graph_id="claims", context={"n": n})
        session.context.add_user_message("hello")
        wb.save(session)
        wb.run(build_graph(), session.id, until="input")
    return wb


#: What is said in the same place of other stores, arguments or frames.
ELSEWHERE = {
    "sessions": {"expires_at"},
    "stuck": {"expires_at", "sessions", "usual"},
    "Overview.days": {"hour"},
    "Overview.hours": {"day"},
}


def name_frames(wb: g.Workbench) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return each kind of frame with what is said of it."""
    advice, overview, timeline = wb.advise(), wb.overview(), wb.timeline()
    graph, sessions = wb.graph(build_graph()), returned(wb.sessions)
    found = {
        "sessions": (sessions, wb.sessions()),
        "stuck": (sessions + returned(wb.stuck), wb.stuck("0 s")),
        "messages": (returned(wb.messages), wb.messages()),
        "summary": (returned(wb.summary), wb.summary()),
        "journal": (returned(type(wb).journal), wb.journal),
        "latency": (returned(wb.latency.frame), wb.latency.frame()),
        "stalls": (returned(stalls), stalls(wb.latency.frame())),
        "advice": (returned(advice.frame), advice.frame()),
        "transitions": (inspect.getdoc(type(timeline).transitions) or "", timeline.transitions),
    }
    for owner, names in (
        (overview, ("tasks", "ages", "graphs", "days", "hours", "sizes")),
        (graph, ("tasks", "transitions")),
        (timeline, ("stays",)),
    ):
        for name in names:
            said = attribute(type(owner), name)
            found[f"{type(owner).__name__}.{name}"] = said, getattr(owner, name)
    return found


@pytest.mark.parametrize("sessions", [0, 3])
@pytest.mark.parametrize("place", ["memory:", "sqlite:"])
@pytest.mark.filterwarnings("ignore")
def test_the_columns_are_those_of_the_docstring(place: str, sessions: int, tmp_path: Path):
    url = f"{place}{tmp_path}/sessions.db" if place == "sqlite:" else place
    with make_workbench(url, sessions) as wb:
        for kind, (said, frame) in name_frames(wb).items():
            documented = read_columns(said)
            for name in ELSEWHERE.get(kind, ()):
                del documented[name]
            columns = frame.reset_index() if frame.index.name else frame
            dtypes = {name: str(dtype) for name, dtype in columns.dtypes.items()}
            if kind == "latency" and place == "memory:":  # "NaN there": it reports no phases
                dtypes |= {n: "int64" for n, dtype in dtypes.items() if dtype == "float64"}
            assert documented == {n: dtype.replace("str", "text") for n, dtype in dtypes.items()}, (
                kind
            )
