"""How a graph moves a session: every corner that graph-flow's source has."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from graphflow_nb import Context, ContextError, Session, StorageError
from graphflow_nb.errors import GraphError, TaskExecutionFailed, TaskNotFound
from graphflow_nb.workflow import (
    ExecutionResult,
    ExecutionStatus,
    Graph,
    GraphBuilder,
    NextAction,
    Task,
    TaskResult,
    task,
)


def answering(id: str, action: NextAction = NextAction.CONTINUE, status: str | None = None) -> Task:
    """Return a task that notes that it ran, and answers this."""

    @task(id)
    def run(context: Context) -> TaskResult:
        context["ran"] = [*context.get("ran", []), id]
        return TaskResult(f"{id} done", action, status)

    return run


def failing(id: str, error: BaseException) -> Task:
    @task(id)
    async def run(context: Context) -> TaskResult:
        context["failed"] = True
        raise error

    return run


def chain(*tasks: Task) -> GraphBuilder:
    """Return a builder with an edge from each task to the next."""
    builder = GraphBuilder("g")
    for one in tasks:
        builder.add_task(one)
    for one, other in pairwise(tasks):
        builder.add_edge(one.id, other.id)
    return builder


def step(graph: Graph, session: Session) -> ExecutionResult:
    return asyncio.run(graph.execute_session(session))


def paused(next: str, reason: str) -> ExecutionStatus:
    return ExecutionStatus("paused", next, reason)


MOVED = "Task completed, continuing to next task"
CHAINED = NextAction.CONTINUE_AND_EXECUTE


def test_continue_moves_along_the_edge_and_stops():
    session = Session("s", "a", status_message="old")
    result = step(chain(answering("a"), answering("b")).build(), session)
    assert result == ExecutionResult("a done", paused("b", MOVED))
    assert session.current_task_id == "b"
    assert session.context["ran"] == ["a"]
    assert session.status_message is None  # the task's, also when that is none


@pytest.mark.parametrize("action", [NextAction.CONTINUE, CHAINED], ids=str)
def test_without_an_edge_the_session_stays_and_is_paused(action):
    session = Session("s", "a")
    result = step(chain(answering("a", action, "said")).build(), session)
    assert result.status == paused("a", "No outgoing edge found from current task")
    assert (session.current_task_id, session.status_message) == ("a", "said")


@pytest.mark.parametrize(
    ("action", "kind"),
    [(NextAction.WAIT_FOR_INPUT, "waiting_for_input"), (NextAction.END, "completed")],
    ids=str,
)
def test_waiting_and_the_end_stay_at_the_task_and_run_it_again(action, kind):
    graph = chain(answering("a", action), answering("b")).build()
    session = Session("s", "a")
    for _ in range(2):
        assert step(graph, session) == ExecutionResult("a done", ExecutionStatus(kind))
    assert session.current_task_id == "a"
    assert session.context["ran"] == ["a", "a"]


def test_a_chain_runs_in_one_call_and_answers_for_its_last_task():
    session = Session("s", "a")
    graph = chain(answering("a", CHAINED), answering("b", CHAINED), answering("c"), answering("d"))
    assert step(graph.build(), session) == ExecutionResult("c done", paused("d", MOVED))
    assert session.context["ran"] == ["a", "b", "c"]


def test_go_to_needs_no_edge_and_does_not_run_its_target():
    graph = chain(answering("a", NextAction.go_to("c")), answering("b")).add_task(answering("c"))
    session = Session("s", "a")
    assert step(graph.build(), session).status == paused(
        "c", "Task requested jump to specific task"
    )
    assert session.current_task_id == "c"
    assert session.context["ran"] == ["a"]


def test_tasks_that_the_graph_lacks():
    graph = chain(answering("a", NextAction.go_to("x"), "going")).build()
    session = Session("s", "a", status_message="old")
    with pytest.raises(TaskNotFound, match=r"^Task not found: x$"):
        step(graph, session)
    assert (session.current_task_id, session.status_message) == ("a", "going")
    with pytest.raises(TaskNotFound, match=r"^Task not found: gone$"):
        step(graph, Session("s", "gone"))


@pytest.mark.parametrize(("limit", "ran"), [(0, 1), (1, 1), (3, 3)])
def test_the_limit_of_steps_is_counted_after_each_move(limit, ran):
    builder = chain(answering("a", CHAINED), answering("b", CHAINED)).add_edge("b", "a")
    session = Session("s", "a")
    steps = max(limit, 1)
    text = (
        f"Task execution failed: Aborted after {steps} chained ContinueAndExecute steps "
        f"(max_execution_steps = {limit}). Possible cycle in graph 'g'"
    )
    with pytest.raises(TaskExecutionFailed) as caught:
        step(builder.with_max_execution_steps(limit).build(), session)
    assert str(caught.value) == text
    assert len(session.context["ran"]) == ran


def test_the_limit_allows_as_many_tasks_and_is_not_for_other_steps():
    tasks = [answering("a", CHAINED), answering("b", CHAINED), answering("c", NextAction.END)]
    builder = chain(*tasks).with_max_execution_steps(3)
    assert step(builder.build(), Session("s", "a")).status.kind == "completed"


class _Silent(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no account"), "no account"),
        (TaskExecutionFailed("no account"), "Task execution failed: no account"),
        (ContextError("no account"), "Context error: no account"),
        (StorageError("no account"), "Storage error: no account"),
        (TimeoutError("the bank's"), "the bank's"),
        (_Silent(), "_Silent"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_says_which_task_and_keeps_its_cause(error, text):
    with pytest.raises(TaskExecutionFailed) as caught:
        step(chain(failing("a", error)).build(), Session("s", "a"))
    assert str(caught.value) == f"Task execution failed: Task 'a' failed: {text}"
    assert caught.value.__cause__ is error
    assert caught.value.nothing_written


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError], ids=str)
def test_an_interrupt_is_not_a_failure_of_the_task(error):
    with pytest.raises(error):
        step(chain(failing("a", error())).build(), Session("s", "a"))


def test_a_task_that_takes_too_long_is_cancelled():
    ended = []

    @task("slow")
    async def slow(context: Context) -> TaskResult:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return TaskResult()

    graph = chain(slow).with_task_timeout(0.05).build()
    text = "^Task execution failed: Task 'slow' timed out after 50ms$"
    with pytest.raises(TaskExecutionFailed, match=text):
        step(graph, Session("s", "slow"))
    assert ended == [True]


def test_a_task_that_never_suspends_is_not_cut_off_and_needs_no_loop():
    graph = chain(answering("a", NextAction.END)).with_task_timeout(0).build()
    with pytest.raises(StopIteration) as done:
        graph.execute_session(Session("s", "a")).send(None)
    assert done.value.value.status.kind == "completed"


def test_what_returns_something_else_than_a_result_fails_as_its_task():
    class Plain(Task):
        id = "plain"

        def run(self, context: Context) -> TaskResult:  # type: ignore[override]
            return TaskResult()

    @task("odd")
    def odd(context: Context) -> TaskResult:
        return "done"  # type: ignore[return-value]

    @task("word")
    def word(context: Context) -> TaskResult:
        return TaskResult("done", "End")  # type: ignore[arg-type]

    for one, text in (
        (Plain(), "its run is not an async function"),
        (odd, "it returned 'done'"),
        (word, "its next_action is 'End'"),
    ):
        with pytest.raises(TaskExecutionFailed, match=f"Task '{one.id}' failed: {text}"):
            step(chain(one).build(), Session("s", one.id))


@pytest.mark.parametrize("wrong", [("Stop",), ("GoTo",), ("End", "a"), ("GoTo", 7)])
def test_there_are_no_other_actions(wrong):
    with pytest.raises(GraphError, match="there is no action"):
        NextAction(*wrong)


# Edges


def edges(*conditions: tuple[str, bool], plain: str | None = None) -> tuple[Graph, list[str]]:
    """Return a graph with an edge from a to each target, and the conditions that are called."""
    called: list[str] = []
    builder = chain(answering("a"))
    for target in ("b", "c", "d", "no1", "no2"):
        builder.add_task(answering(target))
    if plain:
        builder.add_edge("a", plain)
    for number, (target, answer) in enumerate(conditions, 1):

        def condition(context: Context, target: str = target, answer: bool = answer) -> bool:
            called.append(target)
            return answer

        builder.add_conditional_edge("a", condition, target, f"no{number}")
    return builder.build(), called


def test_the_first_true_condition_is_taken_and_later_ones_are_not_called():
    graph, called = edges(("b", False), ("c", True), plain="d")
    assert graph.find_next_task("a", Context()) == "c"
    assert called == ["b", "c"]
    graph, called = edges(("b", True), ("c", True))
    assert graph.find_next_task("a", Context()) == "b"
    assert called == ["b"]


def test_else_is_the_first_edge_without_a_condition():
    assert edges(("b", False), ("c", False))[0].find_next_task("a", Context()) == "no1"
    assert edges(("b", False), plain="d")[0].find_next_task("a", Context()) == "d"
    assert edges()[0].find_next_task("a", Context()) is None


def test_a_condition_sees_what_the_task_wrote():
    @task("a")
    def write(context: Context) -> TaskResult:
        context["large"] = True
        return TaskResult()

    builder = chain(write).add_task(answering("b")).add_task(answering("c"))
    builder.add_conditional_edge("a", lambda context: context.get("large"), "b", "c")
    session = Session("s", "a")
    step(builder.build(), session)
    assert session.current_task_id == "b"


def test_a_condition_that_fails_names_its_edge():
    builder = chain(answering("a")).add_task(answering("b"))
    builder.add_conditional_edge("a", lambda context: context["none"] > 1, "b", "b")
    text = "Task execution failed: The condition of edge 'a' -> 'b' failed: 'none'"
    with pytest.raises(TaskExecutionFailed, match=text):
        step(builder.build(), Session("s", "a"))


def test_a_graph_does_not_change_with_its_builder():
    builder = chain(answering("a"))
    graph = builder.build()
    builder.add_task(answering("b")).add_edge("a", "b")
    assert list(graph.tasks) == ["a"]
    assert graph.edges == ()
    assert graph.get_task("b") is None
