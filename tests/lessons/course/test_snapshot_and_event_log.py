"""Lesson 1: its claims on each store, and its exercises right, wrong and untouched."""

from __future__ import annotations

import pytest

from graphflow_nb import Context, InMemorySessionStorage, Workbench, wrap
from graphflow_nb.errors import LessonError
from graphflow_nb.history import HistoryStorage
from graphflow_nb.lessons import Stepper
from graphflow_nb.lessons.course import snapshot_and_event_log as lesson
from graphflow_nb.workflow import GraphBuilder, TaskResult, task


def run_steps(wb: Workbench, id: str, count: int) -> Stepper:
    lesson.start(wb, id)
    stepper = Stepper(wb, lesson.GRAPH, id)
    for _ in range(count):
        assert stepper.step().error is None
    return stepper


# The claims of the text


def test_five_steps_are_five_saves_of_one_row_that_forgets_step_3(wb: Workbench):
    stepper = run_steps(wb, "snapshot/claim-1", 5)
    assert len(wb.sessions(id_prefix="snapshot/claim-1")) == 1
    row = wb.get("snapshot/claim-1")
    stored = [step.stored for step in stepper.steps]
    assert all(one is not None for one in stored)
    assert [one.context["amount"] for one in stored[1:] if one] == [900, 640, 720, 570, 570]
    assert row.version - stored[0].version == 5  # type: ignore[union-attr]
    assert row.context["amount"] == 570
    assert 720 not in row.context.values()
    assert stepper.shown.outcome == "completed"


def test_another_process_goes_on_from_the_row_alone(wb: Workbench):
    run_steps(wb, "snapshot/claim-2", 3)
    step = Stepper(wb, lesson.GRAPH, "snapshot/claim-2").step()
    assert step.tasks == ("deduct",)
    assert [operation.op for operation in step.operations] == ["get", "save"]


def test_the_event_log_tells_what_was_at_each_step(wb: Workbench):
    id = "snapshot/claim-3"
    lesson.start(wb, id)
    stepper, log = Stepper(wb, lesson.GRAPH, id), lesson.EventLog(wb, id)
    states = {}
    for number in range(1, 6):
        log.append(stepper.step())
        states[number] = dict(wb.get(id).context)
    assert len(wb.sessions(id_prefix=f"{id}/event-")) == 5
    assert {number: log.state_at(number) for number in states} == states
    assert log.state_at(3) == {"amount": 720, "inspector": "Ana"}
    assert log.state_at(0) == {}
    costs = lesson.compare_costs(wb, log)
    assert costs.loc["rows"].to_dict() == {"snapshot": 1, "event log": 5}
    assert costs.loc["calls that read the newest state"].to_dict() == {
        "snapshot": 1,
        "event log": 6,
    }
    assert costs.loc["bytes of context", "event log"] > costs.loc["bytes of context", "snapshot"]


def test_a_claim_that_is_started_again_is_new_and_has_no_events(wb: Workbench):
    id = "snapshot/claim-8"
    for _ in range(2):
        stepper, log = run_steps(wb, id, 0), lesson.EventLog(wb, id)
        log.append(stepper.step())
        assert (wb.get(id).context["amount"], len(log.read())) == (900, 1)


def test_a_missing_event_makes_the_newest_state_wrong(wb: Workbench):
    """What the teacher's note has a class try."""
    id = "snapshot/claim-4"
    lesson.start(wb, id)
    stepper, log = Stepper(wb, lesson.GRAPH, id), lesson.EventLog(wb, id)
    for number in range(1, 6):
        step = stepper.step()
        if number != 4:
            log.append(step)
    assert log.state_at(5) == {"amount": 720, "inspector": "Ana", "paid": True}
    assert dict(wb.get(id).context) == {"amount": 570, "paid": True}


def test_a_step_after_the_end_is_a_version_and_an_event_that_change_nothing(exercise_wb: Workbench):
    """What the teacher's note has a class try."""
    id = "snapshot/claim-6"
    stepper, log = run_steps(exercise_wb, id, 5), lesson.EventLog(exercise_wb, id)
    before = exercise_wb.get(id)
    for _ in range(10):
        event = log.append(stepper.step())
        assert (event["set"], event["removed"]) == ({}, [])
    after = exercise_wb.get(id)
    assert after.version - before.version == 10
    assert dict(after.context) == dict(before.context)
    assert len(log.list_ids()) == 10


def test_a_history_of_versions_knows_the_amount_of_step_3():
    storage = HistoryStorage(InMemorySessionStorage())
    with wrap(storage) as wb:
        stepper = run_steps(wb, "claim-1", 5)
        third = stepper.at(3).stored
        assert third is not None
        session = wb.bridge.run(storage.archive.session_at("claim-1", third.version))
        assert session is not None
        assert session.context["amount"] == 720


def test_the_chat_history_only_grows_and_is_bounded():
    context = Context(max_messages=3)
    for number in range(5):
        context.add_user_message(str(number))
    assert [message.content for message in context.chat_history] == ["2", "3", "4"]


def test_a_step_that_was_not_saved_is_no_event(exercise_wb: Workbench):
    @task("fail")
    def fail(context: Context) -> TaskResult:
        raise RuntimeError("no")

    exercise_wb.create("snapshot/claim-5", "fail")
    graph = GraphBuilder("fails").add_task(fail).build()
    step = Stepper(exercise_wb, graph, "snapshot/claim-5").step()
    log = lesson.EventLog(exercise_wb, "snapshot/claim-5")
    with pytest.raises(LessonError, match="step 1 was not saved"):
        log.append(step)
    assert log.read() == []


# The exercises


def ignores_the_number(events, number):
    return lesson.fold_events(events, 99)


def forgets_what_is_removed(events, number):
    state = {}
    for event in events[:number]:
        state.update(event["set"])
    return state


def empties_the_log(events, number):
    return lesson.fold_events([events.pop(0) for _ in events[:number]], number)


def begins_anew(context, amount):
    context["amount"] = amount
    context["amounts"] = [amount]


def sets_no_list(context, amount):
    context["amount"] = amount
    context.get("amounts", []).append(amount)


def forgets_the_amount(context, amount):
    context["amounts"] = [*context.get("amounts", []), amount]


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [
        ("which_question", "How long did step 2 take?", "the time of the last save only"),
        ("which_question", "Who was the inspector before that was removed?", "is gone from the"),
        ("state_at", ignores_the_number, "after step 0 of [] the state is {}"),
        ("state_at", forgets_what_is_removed, "the state is"),
        ("state_at", empties_the_log, "it changes the events"),
        ("state_at", lambda events, number: events["set"], "your <lambda> failed in its line 1"),
        ("remember", begins_anew, "after step 2 context['amounts'] has to be [900, 640]"),
        ("remember", sets_no_list, "[900], and it is None"),
        ("remember", forgets_the_amount, "after step 1 context['amount'] has to be 900"),
    ],
)
def test_a_wrong_answer_is_told_why(name, answer, reason):
    outcome = getattr(lesson, name).check(answer)
    assert outcome.kind == "incorrect"
    assert reason in outcome.reason


@pytest.mark.parametrize("name", ["which_question", "state_at", "remember"])
def test_the_solution_is_correct_and_nothing_is_not_attempted(name):
    exercise = getattr(lesson, name)
    assert exercise.check(...).kind == "not attempted"
    assert exercise.check(exercise.solution()).kind == "correct"


def changes_in_place(context, amount):
    context["amount"] = amount
    context.setdefault("amounts", []).append(amount)


def test_another_way_to_keep_the_amounts_is_correct():
    assert lesson.remember.check(changes_in_place).kind == "correct"
