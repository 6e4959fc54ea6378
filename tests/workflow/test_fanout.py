"""Tasks side by side, as one."""

from __future__ import annotations

import asyncio

import pytest

from graphflow_nb import Context, Session
from graphflow_nb.errors import TaskExecutionFailed
from graphflow_nb.workflow import FanOutTask, NextAction, Task, TaskResult, task

from .test_graph import chain, failing, step


def child(id: str, result: TaskResult) -> Task:
    @task(id)
    async def run(context: Context) -> TaskResult:
        await asyncio.sleep(0)
        return result

    return run


def test_what_the_children_answer_is_in_the_context():
    fan = FanOutTask(
        "fan",
        [
            child("x", TaskResult("said", NextAction.END, "status of x")),
            child("y", TaskResult(None, NextAction.go_to('the "end"\n'))),
        ],
    )
    session = Session("s", "fan")
    result = step(chain(fan).build(), session)
    text = "FanOutTask 'fan' completed 2 child task(s)"
    assert (result.response, session.status_message) == (text, text)
    assert result.status.reason == "No outgoing edge found from current task"  # fan's own action
    assert dict(session.context) == {
        "fanout.x.response": "said",
        "fanout.x.status": "status of x",
        "fanout.x.next_action": "End",
        "fanout.y.next_action": 'GoTo("the \\"end\\"\\n")',
    }


def test_prefix_and_action():
    fan = FanOutTask("fan", [child("x", TaskResult())], prefix="p", next_action=NextAction.END)
    session = Session("s", "fan")
    assert step(chain(fan).build(), session).status.kind == "completed"
    assert dict(session.context) == {"p.x.next_action": "Continue"}
    empty = asyncio.run(FanOutTask("none", []).run(Context()))
    assert empty.response == "FanOutTask 'none' completed 0 child task(s)"


def test_the_children_run_side_by_side_on_one_context():
    met = asyncio.Barrier(2)

    def meeting(id: str) -> Task:
        @task(id)
        async def run(context: Context) -> TaskResult:
            context[id] = True
            await met.wait()
            return TaskResult(str(sorted(context)))

        return run

    context = Context()
    asyncio.run(FanOutTask("fan", [meeting("x"), meeting("y")]).run(context))
    assert context["x"] is context["y"] is True


def test_the_first_failure_is_the_error_and_all_others_run_to_their_end():
    first = asyncio.Event()

    @task("late")
    async def late(context: Context) -> TaskResult:
        await first.wait()
        raise TaskExecutionFailed("too late")

    @task("soon")
    async def soon(context: Context) -> TaskResult:
        first.set()
        raise ValueError("too soon")

    @task("good")
    async def good(context: Context) -> TaskResult:
        await first.wait()
        context["written"] = True
        return TaskResult("fine")

    session = Session("s", "fan")
    with pytest.raises(TaskExecutionFailed) as caught:
        step(chain(FanOutTask("fan", [late, soon, good])).build(), session)
    assert str(caught.value) == (
        "Task execution failed: Task 'fan' failed: "
        "Task execution failed: FanOut child 'soon' failed: too soon"
    )
    assert session.context["written"] is True
    assert session.context["fanout.good.response"] == "fine"
    assert "fanout.late.next_action" not in session.context


def test_the_time_limit_is_that_of_the_whole_and_ends_the_children():
    ended = []

    @task("slow")
    async def slow(context: Context) -> TaskResult:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return TaskResult()

    graph = chain(FanOutTask("fan", [slow, slow])).with_task_timeout(0.02).build()
    with pytest.raises(TaskExecutionFailed, match="Task 'fan' timed out after 20ms"):
        step(graph, Session("s", "fan"))
    assert ended == [True, True]


@pytest.mark.parametrize("answer", ["done", TaskResult({1, 2})], ids=["a text", "a set"])
def test_a_child_that_answers_something_else_fails_and_the_others_run_to_their_end(answer):
    context = Context()
    children = [child("odd", answer), child("good", TaskResult("fine"))]
    with pytest.raises(TaskExecutionFailed, match="FanOut child 'odd' failed"):
        asyncio.run(FanOutTask("fan", children).run(context))
    assert context["fanout.good.response"] == "fine"


def test_an_interrupt_ends_all_children():
    ended = []

    @task("slow")
    async def slow(context: Context) -> TaskResult:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return TaskResult()

    async def run() -> None:
        running = asyncio.create_task(FanOutTask("fan", [slow, slow]).run(Context()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())
    assert ended == [True, True]


def test_a_fan_inside_a_fan():
    inner = FanOutTask("inner", [failing("x", ValueError("no"))], prefix="in")
    with pytest.raises(TaskExecutionFailed) as caught:
        asyncio.run(FanOutTask("outer", [inner]).run(Context()))
    assert str(caught.value).endswith(
        "FanOut child 'inner' failed: Task execution failed: FanOut child 'x' failed: no"
    )
