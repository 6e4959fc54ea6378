"""Lesson 3: each exercise with the right answer, two wrong ones and untouched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from graphflow_nb.errors import SessionConflict
from graphflow_nb.lessons import Exercise, LessonStore, Outcome, Prediction, Race, lesson_store
from graphflow_nb.lessons.course import lost_update as lesson

from ...scope import COMPLETE

KINDS = ["memory", "sqlite", "redis", "postgres"] if COMPLETE else ["sqlite"]


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[LessonStore]:
    with lesson_store(request.param) as store:
        yield store


def check(exercise: Exercise, answer: object) -> tuple[str, str]:
    outcome = exercise.check(answer)
    return outcome.kind, outcome.reason


def test_the_orders_that_lose_a_change(store: LessonStore):
    losing = lesson.ask_losing(store)
    assert losing.check(...) == Outcome("not attempted", "the answer is still ...")
    assert losing.check(losing.solution()) == Outcome("correct")
    assert losing.check("c, b, e") == Outcome("correct")
    kind, reason = check(losing, ["b", "c"])
    assert kind == "incorrect"
    assert reason.startswith("order e was played, and it loses a change. The row has balance 110")
    kind, reason = check(losing, ["a", "b", "c", "e"])
    assert reason == "order a was played, and nothing is lost: it has balance 115"
    assert check(losing, ["x"])[1].startswith("the orders are a, b, c, d, e")


def test_the_remedy_for_two_sums(store: LessonStore):
    remedy = lesson.ask_remedy(store)
    assert remedy.outcome.kind == "not attempted"
    assert remedy.check(remedy.solution()) == Outcome("correct")
    assert check(remedy, "give up")[1].startswith("in 18 of 20 orders the change of one writer")
    assert "both changed /context/data/balance" in check(remedy, "merge the values")[1]


def ignore_conflicts(store, id, change):
    session = store.get(id)
    change(session)
    with suppress(SessionConflict):
        store.save(session)


def save_again(store, id, change):
    session = store.get(id)
    change(session)
    while True:
        try:
            return store.save(session)
        except SessionConflict:
            pass


def change_twice(store, id, change):
    session = store.get(id)
    change(session)
    try:
        store.save(session)
    except SessionConflict:
        session = store.get(id)
        change(session)
        change(session)
        store.save(session)


def untouched(store, id, change): ...


def test_a_save_that_loses_nothing(store: LessonStore):
    safe = lesson.ask_safe_add(store)
    assert safe.check(untouched).kind == "not attempted"
    assert safe.check(lesson.add_safely) == Outcome("correct")
    kind, reason = check(safe, ignore_conflicts)
    assert kind == "incorrect"
    assert reason == (
        "in the order A.get B.get A.save B.save the row has balance 110, not balance 115. "
        "The change of B is missing."
    )
    assert "does its loop end?" in check(safe, save_again)[1]
    assert "is one made twice?" in check(safe, change_twice)[1]
    assert (
        "your function ended for A with TypeError" in check(safe, lambda store: store.get("x"))[1]
    )
    assert "def add_safely" in repr(safe.solution())


def test_each_prediction_has_what_happens_among_its_choices(store: LessonStore):
    with Race(store, rule="last write wins") as race:
        stored = race.play("A.load B.load A.save B.save").row.context["balance"]
        lost = int((race.play_all()["lost"] != "").sum())
    with Race(store, rule="versions") as race:
        unknown = int((race.play_all()["lost"] != "").sum())
    for prediction, happened in [
        (lesson.stale, str(stored)),
        (lesson.how_often, str(lost)),
        (lesson.refused, str(unknown)),
    ]:
        assert isinstance(prediction, Prediction)
        assert prediction.compare(happened).happened == happened
