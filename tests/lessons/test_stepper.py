"""A stepper: what it runs, what it shows of memory and store, and that looking changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.errors import (
    GraphError,
    LessonError,
    ReadOnlyError,
    SessionNotFound,
    TaskExecutionFailed,
)
from graphflow_nb.lessons import Stepper, lesson_store
from graphflow_nb.lessons import stepper as module
from graphflow_nb.lessons.step import MAX_ROWS, compare_sessions
from graphflow_nb.workflow import Graph, GraphBuilder, NextAction, TaskResult, task


@task("intake")
def intake(context: g.Context) -> TaskResult:
    context["claim"] = 30
    return TaskResult("taken in", NextAction.CONTINUE_AND_EXECUTE, "claim taken in")


@task("check")
def check(context: g.Context) -> TaskResult:
    context["checked"] = True
    return TaskResult("checked", NextAction.CONTINUE, "claim checked")


@task("pay")
def pay(context: g.Context) -> TaskResult:
    context["paid"] = 30
    if not context.get("bank_open"):
        raise RuntimeError("the bank is closed")
    return TaskResult("paid", NextAction.END, "claim paid")


@pytest.fixture
def graph() -> Graph:
    builder = GraphBuilder("claims").add_task(intake).add_task(check).add_task(pay)
    return builder.add_edge("intake", "check").add_edge("check", "pay").build()


@pytest.fixture(params=["memory", "sqlite"])
def wb(request: pytest.FixtureRequest) -> Iterator[g.Workbench]:
    with lesson_store(request.param) as store:
        wb = store.open()
        wb.create("claim-1", "intake", graph_id="claims")
        yield wb


@pytest.fixture
def stepper(wb: g.Workbench, graph: Graph) -> Stepper:
    return Stepper(wb, graph, "claim-1")


def read_all(wb: g.Workbench) -> list[str]:
    return [wb.get(id).to_json() for id in wb.sessions(order="id")["id"]]


def test_a_step_shows_the_session_in_memory_and_its_row(stepper: Stepper, wb: g.Workbench):
    step = stepper.step()
    assert step.tasks == ("intake", "check")
    assert step.outcome == "paused at pay: Task completed, continuing to next task"
    assert [operation.op for operation in step.operations] == ["get", "save"]
    assert step.saving == f"saved 1 time; the row is at version {wb.get('claim-1').version}"
    assert step.stored is not None
    assert step.stored.to_json() == wb.get("claim-1").to_json()
    assert not step.unsaved
    assert {change.path[-1] for change in step.changes} >= {"claim", "checked"}
    assert "≠" not in repr(step)


def test_a_failed_step_shows_what_is_in_memory_only(stepper: Stepper, wb: g.Workbench):
    stepper.step()
    before = read_all(wb)
    step = stepper.step()
    assert isinstance(step.error, TaskExecutionFailed)
    assert step.outcome == f"failed: {step.error}"
    assert step.saving.startswith("nothing: the row is as it was before the step")
    assert repr(step.unsaved) == "add /context/data/paid: 30"
    assert not step.changes
    assert read_all(wb) == before
    (pair,) = [p for p in compare_sessions(step.memory, step.stored) if p.differs]
    assert pair == ("data: paid", "30", None, True)
    assert "≠ data: paid: memory 30 | store nothing" in repr(step)
    assert 'class="gfnb-differs"' in step._repr_html_()


def test_it_goes_on_after_what_made_it_fail_is_mended(stepper: Stepper, wb: g.Workbench):
    stepper.step()
    stepper.step()
    session = wb.get("claim-1")
    session.context["bank_open"] = True
    wb.save(session)
    step = stepper.step()
    assert step.outcome == "completed"
    assert "someone else saved the session since the step before" in step.note


def test_looking_changes_neither_the_store_nor_the_next_step(stepper: Stepper, wb: g.Workbench):
    stepper.step()
    stepper.step()
    before, operations = read_all(wb), len(wb.recorder.records().foreground())
    journal = len(wb.journal)
    assert stepper.back().number == 1
    assert stepper.back().number == 0
    assert stepper.forward().number == 1
    assert stepper.at(0).stored is not None
    assert "Looking changes nothing: the store is where step 2 left it" in repr(stepper)
    assert read_all(wb) == before
    assert len(wb.recorder.records().foreground()) == operations + len(before) + 1
    assert len(wb.journal) == journal
    assert stepper.step().number == 3
    assert stepper.shown.before is not None
    assert stepper.shown.before.current_task_id == "pay"


@pytest.mark.parametrize("number", [-1, 2, 1.0, True, "1", None])
def test_a_step_that_does_not_exist_is_not_looked_at(stepper: Stepper, number: Any):
    stepper.step()
    with pytest.raises(LessonError, match=r"there are 0 to 1$"):
        stepper.at(number)
    with pytest.raises(LessonError):
        stepper.forward()
    assert stepper.shown.number == 1


def test_of_many_steps_the_newest_are_kept_and_that_is_said(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MAX_STEPS", 3)
    wb = g.open("memory:")
    wb.create("claim-1", "intake", graph_id="claims")
    stepper = Stepper(wb, graph, "claim-1")
    for _ in range(5):
        stepper.step()
    assert [step.number for step in stepper.steps] == [3, 4, 5]
    with pytest.raises(LessonError, match="there are 3 to 5; of all steps the newest 3 are kept"):
        stepper.at(1)


def test_a_session_that_is_deleted_meanwhile_is_a_failed_step(stepper: Stepper, wb: g.Workbench):
    wb.delete("claim-1")
    step = stepper.step()
    assert isinstance(step.error, SessionNotFound)
    assert (step.before, step.memory, step.stored) == (None, None, None)
    assert step.saving == "nothing: no task ran"


def test_of_a_session_that_a_task_deletes_it_is_not_known_what_was_saved(wb: g.Workbench):
    @task("remove")
    async def remove(context: g.Context) -> TaskResult:
        await wb.storage.inner.delete("claim-2")
        return TaskResult(None, NextAction.END)

    wb.create("claim-2", "remove")
    step = Stepper(wb, GraphBuilder("g").add_task(remove).build(), "claim-2").step()
    assert isinstance(step.error, g.SessionConflict)
    assert step.stored is None
    assert step.saving.startswith("not known: the row is gone")


class Mortal(g.InMemorySessionStorage):
    """A storage that can be out of reach."""

    dead = False

    async def get(self, id: str) -> g.Session | None:
        if self.dead:
            raise g.StorageUnavailable("the server was killed")
        return await super().get(id)


def test_a_store_that_is_out_of_reach_is_a_failed_step_that_ran_nothing(graph: Graph):
    storage = Mortal()
    wb = g.wrap(storage)
    wb.create("claim-1", "intake", graph_id="claims")
    stepper = Stepper(wb, graph, "claim-1")
    stepper.step()
    storage.dead = True
    step = stepper.step()
    assert step.outcome == "failed: the server was killed"
    assert step.saving == "nothing: no task ran"
    assert step.note == "the row could not be read again: the server was killed"
    storage.dead = False
    assert stepper.step().tasks == ("pay",)


def test_a_row_that_was_saved_while_the_step_ran_is_not_overwritten(wb: g.Workbench):
    @task("slow")
    async def slow(context: g.Context) -> TaskResult:
        other = await wb.storage.inner.get("claim-2")
        other.status_message = "theirs"
        await wb.storage.inner.save(other)
        return TaskResult("mine", NextAction.END, "mine")

    wb.create("claim-2", "slow")
    stepper = Stepper(wb, GraphBuilder("slow").add_task(slow).build(), "claim-2")
    step = stepper.step()
    assert isinstance(step.error, g.SessionConflict)
    assert step.saving.startswith("the row is not the one that was read")
    assert step.stored is not None
    assert step.stored.status_message == "theirs"
    assert "status" in [p.name for p in compare_sessions(step.memory, step.stored) if p.differs]


def test_what_cannot_be_written_as_json_is_said(wb: g.Workbench):
    @task("odd")
    def odd(context: g.Context) -> TaskResult:
        context["list"] = []
        context["list"].append(float("nan"))
        return TaskResult(None, NextAction.END)

    wb.create("claim-2", "odd")
    step = Stepper(wb, GraphBuilder("odd").add_task(odd).build(), "claim-2").step()
    assert step.error is not None
    assert step.memory is None
    assert "the session in memory can't be written as JSON" in step.note
    assert step.saving.startswith("nothing")


def test_many_values_are_cut_and_that_is_said(wb: g.Workbench):
    session = wb.get("claim-1")
    session.context.update({f"key{n}": n for n in range(MAX_ROWS * 2)})
    session.context["long"] = "x" * 100_000
    wb.save(session)

    @task("intake")
    def wait(context: g.Context) -> TaskResult:
        return TaskResult(None, NextAction.WAIT_FOR_INPUT)

    step = Stepper(wb, GraphBuilder("many").add_task(wait).build(), "claim-1").step()
    for shown in (repr(step), step._repr_html_()):
        assert f"{MAX_ROWS * 2 + 4 - MAX_ROWS} more values, not shown" in shown
        assert len(shown) < 50_000


def test_what_cannot_be_stepped_is_refused(wb: g.Workbench, graph: Graph):
    with pytest.raises(SessionNotFound):
        Stepper(wb, graph, "claim-9")
    with pytest.raises(GraphError, match="takes a Graph"):
        Stepper(wb, GraphBuilder("claims"), "claim-1")  # type: ignore[arg-type]
    read_only = g.wrap(g.storage.ReadOnlyStorage(wb.storage.inner))
    with pytest.raises(ReadOnlyError, match="no step can be run"):
        Stepper(read_only, graph, "claim-1")


def test_its_panel_runs_and_looks(wb: g.Workbench, graph: Graph):
    stepper = Stepper(wb, graph, "claim-1", name="walk")
    bundle: Any = stepper._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "step 0 of 0" in data["text/plain"]
    assert "<svg" in data["text/html"]
    panel = stepper.panel
    panel.click("Run one step")
    assert panel.said.startswith("step 1: paused at pay")
    panel.click("Run one step")
    assert "failed: Task execution failed" in panel.said
    panel.click("Look back")
    assert "walk.back()" in panel.line.value
    assert "step 1 of 2. Looking changes nothing" in panel.view.value
    panel.click("Look at the newest")
    assert stepper.shown.number == 2
    stepper.at(0)  # in another cell
    assert "step 0 of 2" in panel.view.value
