"""``wb.graph``: a graph with its sessions, and what was observed of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import InMemorySessionStorage, Session
from graphflow_nb.history import HistoryStorage
from graphflow_nb.notebook import graphs as module
from graphflow_nb.notebook.graphs import GraphView
from graphflow_nb.workflow import Graph, NextAction

from ..stores import Store
from ..workflow.test_graph import answering, chain


def ending() -> Graph:
    return chain(answering("a"), answering("b"), answering("c", NextAction.END)).build()


def counts(view: GraphView) -> dict[str, int]:
    return dict(zip(view.tasks["task"], view.tasks["sessions"], strict=True))


def seen(view: GraphView) -> dict[tuple[str, str], tuple[int, int]]:
    rows = view.transitions.itertuples(index=False, name=None)
    return {(row[1], row[2]): (row[4], row[5]) for row in rows}


def stored(id: str, task: str, age: timedelta, graph: str = "g") -> Session:
    session = Session(id, task, graph_id=graph, version=1)
    session.raw_created = session.raw_updated = datetime.now(UTC) - age
    return session


@pytest.fixture
def wb() -> Iterator[g.Workbench]:
    with g.open("memory:") as wb:
        yield wb


@pytest.mark.parametrize(
    "store", ["memory", "sqlite", "documented", "crate-0.6", "redis"], indirect=True
)
def test_counts_and_transitions_in_each_kind_of_store(store: Store):
    with g.open(store.url, writable=True) as wb:
        for number in range(3):
            wb.create(store.id(f"s{number}"), "a", graph_id="g")
        wb.create(store.id("other"), "a", graph_id="other")
        view = wb.graph(ending())
        assert counts(view) == {"a": 3, "b": 0, "c": 0}
        assert seen(view) == {("a", "b"): (0, 0), ("b", "c"): (0, 0)}
        assert "no transition was observed" in repr(view)
        for number in range(2):
            wb.run(ending(), store.id(f"s{number}"))
        wb.run(ending(), store.id("s1"))
        view = wb.graph(ending())
        assert counts(view) == {"a": 1, "b": 1, "c": 1}
        assert seen(view) == {("a", "b"): (2, 0), ("b", "c"): (1, 0)}
        assert "observed 3 transitions of 2 sessions since" in repr(view)
        assert "(3 by wb.run); others are unknown" in repr(view)
        times = view.transitions[["p50", "p99"]]
        assert times.notna().all(axis=None)
        assert times.max(axis=None) < pd.Timedelta(minutes=10)
        assert view.tasks["median_age"].notna().tolist() == [True] * 3


def test_the_frames(wb: g.Workbench):
    view = wb.graph(ending())
    assert {name: str(dtype) for name, dtype in view.tasks.dtypes.items()} == {
        "graph_id": "category",
        "task": "category",
        "in_graph": "boolean",
        "sessions": "Int64",
        "median_age": "timedelta64[us]",
        "oldest_age": "timedelta64[us]",
    }
    dtypes = {name: str(dtype) for name, dtype in view.transitions.dtypes.items()}
    assert dtypes == {
        "graph_id": "category",
        "from": "category",
        "to": "category",
        "in_graph": "boolean",
        "n": "int64",
        "skipped": "int64",
        "p50": "timedelta64[us]",
        "p99": "timedelta64[us]",
    }
    empty = wb.graph()
    assert [*map(str, empty.tasks.dtypes)] == [*map(str, view.tasks.dtypes)]
    assert [*map(str, empty.transitions.dtypes)] == [*dtypes.values()]
    assert len(empty.tasks) == len(empty.transitions) == 0


def test_ages_are_those_of_all_sessions():
    hours = [timedelta(hours=n) for n in (1, 2, 9)]
    sessions = [stored(f"s{n}", "a", age) for n, age in enumerate(hours)]
    sessions += [stored("t", "b", timedelta(hours=4)), stored("u", "b", timedelta(hours=6))]
    with g.wrap(InMemorySessionStorage.from_sessions(sessions)) as wb:
        view = wb.graph(ending())
    ages = view.tasks[["median_age", "oldest_age"]] / pd.Timedelta(hours=1)
    assert ages.round(2).iloc[:2].to_numpy().tolist() == [[2, 9], [5, 6]]
    assert ages.iloc[2].isna().all()  # nobody is there
    assert "a [3 sessions; median 2 h, oldest 9 h]" in repr(view)


def test_a_median_is_exact_or_unknown(monkeypatch: pytest.MonkeyPatch):
    ages = {"a": [1, 2, 3], "b": [4, 5, 60, 61], "c": [6, 70, 80]}
    sessions = [stored(f"{task}{n}", task, timedelta(hours=n)) for task in ages for n in ages[task]]
    with g.wrap(InMemorySessionStorage.from_sessions(sessions)) as wb:
        monkeypatch.setattr(module, "MAX_AGES", 6)
        view = wb.graph(ending())
        assert any("a median is unknown where" in note for note in view.notes)
        found = (view.tasks["median_age"] / pd.Timedelta(hours=1)).round(1).tolist()
        # Two of the four at b: the third is not seen, and half of what is between counts.
        assert (found[0], found[1:]) == (2.0, [pytest.approx(float("nan"), nan_ok=True)] * 2)
        monkeypatch.setattr(module, "MAX_AGES", 7)
        found = (wb.graph(ending()).tasks["median_age"] / pd.Timedelta(hours=1)).round(1).tolist()
        assert found[:2] == [2.0, 32.5]


def test_the_task_of_a_session_is_marked(wb: g.Workbench):
    wb.create("s", "b", graph_id="other", status_message="waiting")
    view = wb.graph(ending(), "s")
    assert "▶ b" in repr(view)
    assert "class n1 current" in view.mermaid()
    assert view.session is not None
    assert view.session.status_message == "waiting"
    assert view.tasks["sessions"].isna().all()
    assert "its graph_id is 'other', which no run compares with 'g'" in repr(view)
    with pytest.raises(g.SessionNotFound):
        wb.graph(ending(), "nobody")


def test_tasks_and_ways_that_the_graph_lacks_are_shown(wb: g.Workbench):
    wb.create("s", "a", graph_id="g")
    wb.create("old", "removed", graph_id="g")
    for task in ("c", "removed"):
        wb.patch("s", [{"op": "replace", "path": "/current_task_id", "value": task}])
    view = wb.graph(ending())
    assert view.tasks["in_graph"].tolist() == [True, True, True, False]
    assert counts(view)["removed"] == 2
    assert seen(view)["a", "c"] == seen(view)["c", "removed"] == (1, 0)
    assert view.transitions["in_graph"].tolist() == [True, True, False, False]
    assert any(note.startswith("broken line: not an edge of the graph") for note in view.notes)
    assert "strange" in view.svg()
    assert "▶ removed" in repr(wb.graph(ending(), "s"))


def test_without_a_graph_what_was_observed_is_drawn():
    storage = InMemorySessionStorage()
    with g.wrap(storage) as wb:

        async def work(task: str) -> None:
            session = await storage.get("s")
            assert session is not None
            session.current_task_id = task
            await storage.save(session)

        wb.create("s", "a", graph_id="g")
        wb.create("t", "a", graph_id="h")
        assert "no transition was observed since" in repr(wb.graph())
        for task in "bc":
            wb.bridge.run(work(task))
            wb.sessions(graph="g")
        wb.bridge.run(work("x"))
        wb.bridge.run(work("a"))
        view = wb.graph()
        assert seen(view) == {("a", "b"): (1, 0), ("b", "c"): (1, 0), ("c", "a"): (0, 1)}
        assert view.transitions["in_graph"].isna().all()
        assert "observed 3 transitions of 1 session since" in repr(view)
        assert "(3 between two reads); others are unknown" in repr(view)
        assert "c → a 1 × indirect" in repr(view).replace("[g; 0 sessions] ", "")
        assert any(note.startswith("indirect: saves in between") for note in view.notes)
        assert set(zip(view.tasks["graph_id"], view.tasks["task"], strict=True)) == {
            *(("g", task) for task in "abc"),
            ("h", "a"),
        }
        assert set(wb.graph("h").tasks["graph_id"]) == {"h"}
        assert "3 transitions of 1 session" not in repr(wb.graph("h"))
        assert wb.graph(id="s").diagram.title == "Observed transitions of graph 'g'"


def test_a_browser_that_follows_changes_observes_them():
    storage = InMemorySessionStorage()
    with g.wrap(storage) as wb:
        wb.create("s", "a", graph_id="g")
        browser = wb.browse()
        session = wb.bridge.run(storage.get("s"))
        assert session is not None
        session.current_task_id = "b"
        wb.bridge.run(storage.save(session))
        browser.listing.read_page()  # as its follower does at each change
        assert seen(wb.graph()) == {("a", "b"): (1, 0)}
        browser.close()


def test_a_journal_from_before_is_observed_once(tmp_path: Path):
    file, url = tmp_path / "writes.journal", f"sqlite:{tmp_path / 'flow.db'}"
    with g.open(url, create=True, journal=file) as wb:
        wb.create("s", "a", graph_id="g")
        wb.patch("s", [{"op": "replace", "path": "/current_task_id", "value": "b"}])
        wb.patch("s", [{"op": "replace", "path": "/status_message", "value": "x"}])
        wb.delete("s")
        wb.undo()
        assert seen(wb.graph()) == {("a", "b"): (1, 0)}
    with g.open(url, writable=True, journal=file) as wb:
        for _ in range(2):
            view = wb.graph()
            assert seen(view) == {("a", "b"): (1, 0)}
            assert "1 by writes in the journal from before" in repr(view)


def test_the_history_that_a_store_keeps_is_taken():
    storage = HistoryStorage(InMemorySessionStorage())
    with g.wrap(storage) as wb:
        other = g.wrap(storage)
        session = other.create("s", "a", graph_id="g")
        for task in "bcc":
            session.current_task_id = task
            other.save(session)
        other.delete("s")
        other.create("s", "a", graph_id="g")
        view = wb.graph()
        assert seen(view) == {("a", "b"): (1, 0), ("b", "c"): (1, 0)}
        assert view.transitions["p50"].notna().all()
        assert "observed 2 transitions of 1 session" in repr(view)
        assert "(2 in the history that the store keeps)" in repr(view)
        assert seen(wb.graph(ending())) == seen(view)


def test_a_storage_that_counts_nothing():
    class Plain:
        """A storage with nothing but what one must have."""

        def __init__(self) -> None:
            self.inner = InMemorySessionStorage()
            self.save, self.get, self.delete = self.inner.save, self.inner.get, self.inner.delete

    with g.wrap(Plain()) as wb:  # type: ignore[arg-type]
        wb.create("s", "a", graph_id="g")
        wb.run(ending(), "s")
        view = wb.graph(ending())
        assert view.notes[0] == "this storage can't count its sessions"
        assert view.tasks["sessions"].isna().all()
        assert seen(view)["a", "b"] == (1, 0)


def test_what_is_no_graph(wb: g.Workbench):
    with pytest.raises(g.GraphError, match="takes a Graph, which GraphBuilder"):
        wb.graph(3)  # type: ignore[arg-type]
    assert "wb.summary() lists the graph ids" in repr(wb.graph("nothing"))


def test_awaited(wb: g.Workbench):
    wb.create("s", "a", graph_id="g")

    async def cell() -> Any:
        return await wb.graph.aio(ending(), "s")

    assert "▶ a" in repr(asyncio.run(cell()))


def test_looking_changes_nothing(wb: g.Workbench):
    wb.create("s", "a", graph_id="g")
    before = wb.get("s")
    for graph in (None, "g", ending()):
        wb.graph(graph)
        wb.graph(graph, "s")
    after = wb.get("s")
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    assert len(wb.journal) == 1


def test_texts_of_any_length_are_bounded(wb: g.Workbench):
    long = "x" * 10**6
    wb.create(long, long, graph_id=long)
    for view in (wb.graph(long), wb.graph(id=long), wb.graph()):
        assert max(map(len, view.notes)) < 400
        assert len(repr(view)) + len(view.svg()) + len(view.mermaid()) < 20_000
