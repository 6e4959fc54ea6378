"""Lesson 2: what it claims of the row and of the ledger holds, and its exercise tells right from
wrong by real crashes."""

from __future__ import annotations

import re
from itertools import count

import pytest

from graphflow_nb.lessons import Crash, LessonStore
from graphflow_nb.lessons.course import crash_and_resume as lesson

from ...scope import COMPLETE, one_in
from .conftest import KINDS

numbers = count(1)


def crash(store: LessonStore, **options: bool) -> Crash:
    return lesson.crash_order(store, f"order-{next(numbers)}", **options)


def count_sent(crash: Crash, word: str) -> int:
    return int(crash.ledger.effect[crash.ledger.sent].str.contains(word).sum())


@one_in(4)
def test_before_the_save_the_mail_is_out_and_the_row_does_not_know(store: LessonStore):
    with crash(store) as order:
        order.start(stop_at="before the save")
        session = order.session()
        assert session.current_task_id == "confirm"
        assert "confirmed" not in session.context
        assert count_sent(order, "e-mail") == 1
        order.kill()
        order.resume()
        happened = {0: "not at all", 1: "once", 2: "twice"}[count_sent(order, "e-mail")]
        assert happened == "twice"
        assert happened in lesson.predict_before.choices
        assert count_sent(order, "charge") == (2 if store.kind == "memory" else 1)


@one_in(4)
def test_a_chain_is_saved_once_so_the_card_is_charged_twice(store: LessonStore):
    with crash(store, chained=True) as order:
        order.start(stop_at="before the save")
        assert order.session().current_task_id == "charge"
        order.kill()
        order.resume()
        assert count_sent(order, "charge") == count_sent(order, "e-mail") == 2
        if store.kind != "memory":
            assert order.session().version == 2


def test_a_cell_can_be_run_again(start_store):
    for _ in range(2):
        with lesson.crash_order(start_store("sqlite"), "again") as order:
            order.start(stop_at="before the save")
            assert order.session().current_task_id == "confirm"


def test_the_same_silence_of_a_server_has_two_rows(start_store):
    versions = {}
    for fate in ("delivered", "lost"):
        with crash(start_store("postgres")) as order:
            order.start(stop_at="request sent but not answered")
            order.kill(fate)
            versions[fate] = order.session().version
    assert versions == {"delivered": 3, "lost": 2}
    assert "either: the process can't know" in lesson.predict_sent.choices


@pytest.mark.parametrize(
    ("key", "outcome", "reason"),
    [
        (lesson.GOOD_KEY, "correct", ""),
        ("{order}", "incorrect", "'e-mail to Ana about .*' was ignored each time"),
        ("{order}/{task}/{attempt}", "incorrect", "'charge .*' was sent 2 times"),
        (..., "not attempted", "still"),
    ],
)
@pytest.mark.parametrize("kind", KINDS if COMPLETE else ["sqlite"])
def test_a_key_is_judged_by_what_was_sent(start_store, kind, key, outcome, reason):
    judged = lesson.key_exercise(start_store(kind)).check(key)
    assert judged.kind == outcome
    assert re.search(reason, judged.reason)


def test_a_key_that_is_none_is_refused_before_anything_runs(start_store):
    exercise = lesson.key_exercise(start_store("sqlite"))
    for key, reason in ((7, "a key is a text"), ("{customer}", "its fields are"), ("{", "fields")):
        assert reason in exercise.check(key).reason
    assert exercise.solution().answer == lesson.GOOD_KEY


def test_the_last_task_of_an_order_that_is_finished_runs_again(start_store):
    """graph-flow keeps no mark that a flow has ended: the session stays at its last task."""
    with lesson.crash_order(start_store("sqlite"), "finished") as order:
        order.start()
        assert order.session().current_task_id == "ship"
        version = order.session().version
        order.resume()
        assert order.session().version == version + 1
        assert count_sent(order, "charge") == count_sent(order, "e-mail") == 1
