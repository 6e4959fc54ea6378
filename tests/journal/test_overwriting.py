"""What others overwrote of ours is shown beside it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import graphflow_nb as g

from ..stores import Store


@pytest.fixture
def wb(store: Store) -> Any:
    workbench = g.open(store.url, writable=True)
    yield workbench
    workbench.close()


def set_theirs(wb: g.Workbench, id: str, status: str | None = None, **values: Any) -> None:
    """Save a session as a worker does, past the journal."""
    inner = wb.storage.inner
    session = wb.bridge.run(inner.get(id))
    if status is not None:
        session.status_message = status
    for key, value in values.items():
        session.context[key] = value
    wb.bridge.run(inner.save(session))


def set_ours(wb: g.Workbench, id: str, key: str, value: Any) -> None:
    wb.patch(id, [{"op": "add", "path": f"/context/data/{key}", "value": value}])


def answers(wb: g.Workbench) -> list[bool | None]:
    column = wb.journal["overwritten_since"]
    assert column.dtype == "boolean"
    return [None if pd.isna(value) else bool(value) for value in column]


def test_what_others_overwrote_is_shown(wb, store):
    a, b, c, d = (store.id(name) for name in "abcd")
    for id in (a, b, c, d):
        wb.create(id, "t", context={"x": 0}, undo=False)
    set_ours(wb, a, "x", 1)
    set_ours(wb, b, "x", 1e21)
    set_ours(wb, c, "x", 1)
    set_ours(wb, d, "x", 1)
    assert answers(wb) == [False] * 4
    set_theirs(wb, a, x=2)  # over ours
    set_theirs(wb, b, status="beside", y=1)  # beside ours
    wb.bridge.run(wb.storage.inner.delete(c))
    before = len(wb.latency.frame())
    assert answers(wb) == [True, False, True, False]
    assert len(wb.latency.frame()) == before
    # What was overwritten before our next write stays known, and needs no read.
    set_ours(wb, a, "x", 3)
    set_ours(wb, d, "x", 3)
    assert answers(wb) == [True, False, True, False, False, False]
    wb.delete(d)
    assert answers(wb)[-1] is None, "a delete leaves nothing to overwrite"
    wb.undo()
    assert answers(wb)[-1] is False


def test_looking_changes_nothing_and_needs_no_store(wb, store):
    a = store.id("a")
    wb.create(a, "t")
    before = wb.get(a)
    assert answers(wb) == [False]
    after = wb.get(a)
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    wb.close()
    if store.kind not in ("memory", "own"):
        assert answers(wb) == [None]
        assert "could not be read" in wb.journal.attrs["note"]


def test_the_sessions_that_are_read_are_bounded(monkeypatch):
    monkeypatch.setattr("graphflow_nb.journal.overwriting.MAX_READ", 3)
    wb = g.open("memory:")
    for n in range(5):
        wb.create(f"s{n}", "t")
    assert answers(wb) == [None, None, False, False, False]
    assert "only the 3 sessions written last" in wb.journal.attrs["note"]
