"""Lesson 5: what it claims of each store, and its exercises with right and wrong answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graphflow_nb.errors import SessionConflict
from graphflow_nb.lessons import LessonStore, Outcome, Race, lesson_store, put
from graphflow_nb.lessons.course import deleted_session as lesson

from ...scope import COMPLETE

KINDS = ["memory", "sqlite", "redis", "postgres"] if COMPLETE else ["sqlite"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[LessonStore]:
    with lesson_store("postgres") as store:
        yield store


@pytest.mark.parametrize("kind", KINDS)
def test_a_save_after_a_delete_brings_it_back_by_every_rule_but_versions(kind: str):
    with lesson_store(kind) as store:
        frame = lesson.comeback_table([store])
    assert not frame.empty
    refused = frame["rule"] == "versions"
    assert (frame["after_delete"] == "no row").equals(refused)
    assert (frame["after_new"] == "balance 100").equals(refused)
    assert (frame["error"] == "SessionConflict").equals(refused)


def test_a_deletion_that_holds_with_graph_flow_0_6(postgres: LessonStore):
    forget = lesson.ask_forget(postgres)
    assert forget.outcome.kind == "not attempted"
    assert forget.check(forget.solution()) == Outcome("correct")
    reason = forget.check("delete it, and delete it once more").reason
    assert "not refused. The row has step 2" in reason
    assert "came back" in reason
    reason = forget.check("delete it, and create an empty one").reason
    assert "not refused. The row has step 2" in reason
    # Where the last write wins, a mark is overwritten like anything else.
    with Race(
        "memory", rule="last write wins", changes={"A": put("n", 1), "B": put("deleted", True)}
    ) as race:
        assert "deleted" not in race.play("A.load B.load B.save A.save").row.context


def save_as_new(store, id, change):
    session = store.get(id)
    change(session)
    try:
        store.save(session)
    except SessionConflict:
        store.save(session.copy())


def look_first(store, id, change):
    session = store.get(id)
    change(session)
    store.get(id)  # is it still there?
    store.save(session)


def give_up(store, id, change):
    session = store.get(id)
    change(session)
    try:
        store.save(session)
    except SessionConflict:
        return


def untouched(store, id, change): ...


@pytest.mark.parametrize("kind", KINDS)
def test_a_save_that_brings_nothing_back(kind: str):
    with lesson_store(kind) as store:
        final = lesson.ask_finish(store)
        assert final.check(untouched).kind == "not attempted"
        assert final.check(lesson.finish) == Outcome("correct")
        assert final.check(save_as_new) == Outcome(
            "incorrect",
            "in the order A.get B.delete A.save the deleted session is back, with balance 110",
        )
        assert "your function ended with SessionConflict" in final.check(look_first).reason
        assert "the row has balance 110, not balance 115" in final.check(give_up).reason
