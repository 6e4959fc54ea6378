"""The transitions that a client observes, between two states that it showed or saved."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import InMemorySessionStorage, Query, Session
from graphflow_nb.client import observed as module
from graphflow_nb.client.observed import Observed
from graphflow_nb.model.times import EPOCH
from graphflow_nb.storage.history import Steps

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def state(task: str, version: int, seconds: float | None = None, **named: Any) -> Session:
    """Return a session as it is stored that many seconds after it was created."""
    session = Session(named.pop("id", "a"), task, version=version, graph_id=named.pop("graph", "g"))
    session.raw_created = named.pop("created", T0)
    session.raw_updated = None if seconds is None else T0 + timedelta(seconds=seconds)
    return session


def observe(*states: Session, way: Any = "read") -> dict[tuple[str, str], tuple[int, int]]:
    """Return how often each pair of tasks was observed, directly and not."""
    observed = Observed()
    for each in states:
        observed.note(each, way)
    found = observed.list_all().transitions
    return {(each.source, each.target): (each.direct, each.skipped) for each in found}


def test_the_next_version_at_another_task_is_direct():
    assert observe(state("x", 1, 0), state("y", 2, 3)) == {("x", "y"): (1, 0)}
    # Also by a clock that is behind.
    assert observe(state("x", 1, 5), state("y", 2, 3)) == {("x", "y"): (1, 0)}


def test_what_may_have_passed_other_tasks_is_not_direct():
    assert observe(state("x", 1, 0), state("y", 3, 3)) == {("x", "y"): (0, 1)}
    assert observe(state("x", 0, 0), state("y", 0, 3)) == {("x", "y"): (0, 1)}
    # Where nothing counts the saves, a number computed from the text is the version.
    assert observe(state("x", 9), state("y", 5)) == {("x", "y"): (0, 1)}


def test_a_run_is_direct_whatever_the_store_counts():
    assert observe(state("x", 0, 0), state("y", 0, 3), way="run") == {("x", "y"): (1, 0)}


@pytest.mark.parametrize(
    "states",
    [
        [state("x", 1, 0), state("x", 2, 3)],  # it stayed
        [state("x", 2, 3), state("y", 1, 0)],  # what was read before, shown later
        [state("x", 1), state("y", 1)],
        [state("x", 1, 0), state("y", 2, 9, created=T0 + timedelta(seconds=8))],  # created again
        [state("x", 1, 0), state("y", 2, 3, id="b")],
        [state("x", 1, 0), state("y", 2, 3, graph="other")],
    ],
)
def test_what_is_no_transition(states: list[Session]):
    assert observe(*states) == {}


def test_a_state_that_is_no_step_is_where_the_next_one_begins():
    observed = Observed()
    observed.note(state("x", 1, 0))
    observed.note(state("y", 2, 1), None)
    observed.note(state("z", 3, 2))
    assert [(t.source, t.target) for t in observed.list_all().transitions] == [("y", "z")]


def test_times_are_from_save_to_save():
    observed = Observed()
    for n in range(6):
        observed.note(state("xy"[n % 2], n + 1, 10 * n))
    forth, back = observed.list_all().transitions
    assert (forth.direct, list(forth.micros)) == (3, [10_000_000] * 3)
    assert (back.direct, list(back.micros)) == (2, [10_000_000] * 2)
    # A skipped one, and one without times, has none.
    observed.note(state("x", 20, 100))
    observed.note(state("y", 21))
    forth, back = observed.list_all().transitions
    assert (forth.direct, len(forth.micros), back.skipped, len(back.micros)) == (4, 3, 1, 2)


def table_of(*sessions: Session) -> Any:
    return asyncio.run(InMemorySessionStorage.from_sessions(sessions).table(Query()))


def test_tables():
    observed = Observed()
    observed.note_table(table_of(state("x", 1, 0), state("x", 4, 0, id="b")))
    observed.note_table(table_of(state("y", 2, 1), state("x", 4, 0, id="b")))
    observed.note(state("z", 3, 2))
    observed.note_table(table_of(state("z", 3, 2), state("y", 6, 5, id="b")))
    found = observed.list_all()
    assert [(t.source, t.target, t.direct, t.skipped) for t in found.transitions] == [
        ("x", "y", 1, 1),
        ("y", "z", 1, 0),
    ]
    assert (found.ways, found.sessions, found.more) == ({"read": 3}, 2, False)


def test_bounds_are_met_and_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_STATES", 3)
    observed = Observed()
    for id in "abcd":
        observed.note(state("x", 1, 0, id=id))
    for id in "abcd":
        observed.note(state("y", 2, 1, id=id))
    # By then each has put another one out of the three that are kept.
    assert observed.list_all().sessions < 4
    monkeypatch.setattr(module, "MAX_TRANSITIONS", 2)
    for n in range(2, 9):
        observed.note(state(f"t{n}", n, n))
    found = observed.list_all()
    assert found.more
    assert len(found.transitions) == 2
    observed = Observed()
    observed.note(state("x" * 10**6, 1, 0))
    assert observed.list_all().more
    monkeypatch.setattr(module, "MAX_MOVED", 1)
    for id in "ab":
        observed.note(state("x", 1, 0, id=id))
        observed.note(state("y", 2, 1, id=id))
    assert (observed.list_all().sessions, observed.list_all().more) == (1, True)


def test_what_was_listed_does_not_change():
    observed = Observed()
    observed.note(state("x", 1, 0))
    observed.note(state("y", 2, 1))
    before = observed.list_all()
    observed.note(state("x", 3, 2))
    observed.note(state("y", 4, 3))
    assert (before.transitions[0].direct, len(before.transitions[0].micros)) == (1, 1)


def test_each_way_of_a_client():
    with g.open("memory:") as wb:
        session = wb.create("a", "x")
        session.current_task_id = "y"
        wb.save(session)
        wb.patch("a", [{"op": "replace", "path": "/current_task_id", "value": "z"}])
        wb.undo()
        other = Session("a", "w")
        wb.upsert(other)
        wb.bridge.run(_move(wb.storage.inner, "a", "v"))
        wb.get("a")
        wb.bridge.run(_move(wb.storage.inner, "a", "u"))
        wb.sessions()
        found = wb.observed.list_all()
    assert found.ways == {"write": 3, "read": 2}
    assert [(t.source, t.target) for t in found.transitions] == [
        ("x", "y"),
        ("y", "z"),
        ("y", "w"),
        ("w", "v"),
        ("v", "u"),
    ]


def test_the_states_of_a_table_are_nothing_for_the_garbage_collector():
    table = table_of(*(state("x", 1, n, id=f"session-{n}") for n in range(1_200)))
    observed = Observed()
    before = len(gc.get_objects())
    observed.note_table(table)
    assert len(gc.get_objects()) - before < 100


async def _move(storage: Any, id: str, task: str) -> None:
    """Save a session at another task, as a worker does."""
    session = await storage.get(id)
    session.current_task_id = task
    await storage.save(session)


def test_infinite_and_unknown_times_of_a_table():
    observed = Observed()

    class Columns:
        id = ("a", "b")
        graph_id = ("g", "g")
        current_task_id = ("x", "x")
        version = np.array([1, 1])
        created = np.array([-(2**63), 2**63 - 1])
        updated = np.array([2**63 - 1, -(2**63)])

    observed.note_table(Columns())  # type: ignore[arg-type]
    for id in "ab":
        observed.note(state("y", 2, 1, id=id))
    (transition,) = observed.list_all().transitions
    assert (transition.direct, list(transition.micros)) == (2, [])


def test_a_history_has_the_steps_of_everyone():
    rows = [
        ("a", 1, 0, "g", "x", None, False, "trigger"),
        ("a", 2, 5, "g", "y", None, False, "trigger"),
        ("a", 4, 9, "g", "z", None, False, "trigger"),
        ("a", 5, 12, "g", "w", None, False, "observed"),
        ("b", 6, 20, "g", "v", None, False, "written"),
        ("b", 7, 21, "g", "v", None, True, "written"),
        ("b", 8, 22, "g", "u", None, False, "written"),
        ("b", 9, 29, "g", "t", None, False, "written"),
    ]
    observed = Observed()
    observed.note_history(Steps.from_rows(rows, 7))
    found = observed.list_all()
    assert {(t.source, t.target): (t.direct, t.skipped) for t in found.transitions} == {
        ("x", "y"): (1, 0),
        ("y", "z"): (0, 1),
        ("z", "w"): (0, 1),
    }
    assert list(found.transitions[0].micros) == [5]
    assert (found.since, found.more, found.ways) == (EPOCH, True, {"history": 3})
    Observed().note_history(Steps.from_rows([], 7))
