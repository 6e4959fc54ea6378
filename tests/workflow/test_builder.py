"""What a graph is built from, and all that is wrong with it at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from graphflow_nb import InMemorySessionStorage
from graphflow_nb.errors import GraphError, InvalidEdge, TaskNotFound
from graphflow_nb.workflow import FanOutTask, FlowRunner, GraphBuilder

from .test_graph import answering, chain


def test_the_first_task_is_the_start_unless_another_is_set():
    assert GraphBuilder("g").build().start_task_id is None
    assert chain(answering("a"), answering("b")).build().start_task_id == "a"
    builder = chain(answering("a"), answering("b")).set_start_task("b")
    assert builder.build().start_task_id == "b"


def test_a_task_replaces_one_with_the_same_id():
    first, second = answering("a"), answering("a")
    graph = chain(first, answering("b")).add_task(second).build()
    assert graph.get_task("a") is second
    assert (list(graph.tasks), graph.start_task_id) == (["a", "b"], "a")


def test_an_edge_to_a_task_that_was_not_added():
    with pytest.raises(InvalidEdge) as caught:
        chain(answering("a")).add_edge("a", "b").build()
    assert str(caught.value) == (
        "Invalid edge: Edge 'a' -> 'b' references task 'b' which was not added to graph 'g'"
    )


def test_a_start_that_was_not_added():
    with pytest.raises(TaskNotFound) as caught:
        chain(answering("a")).set_start_task("b").build()
    assert str(caught.value) == "Task not found: Start task 'b' was not added to graph 'g'"


def test_all_that_is_wrong_is_said_at_once():
    builder = chain(answering("a")).add_edge("x", "y").add_edge("z", "z").set_start_task("s")
    builder.add_conditional_edge("a", lambda context: True, "yes", "a")
    with pytest.raises(GraphError) as caught:
        builder.build()
    kinds = [(type(problem).__name__, problem.args[0]) for problem in caught.value.problems]
    assert [kind for kind, _ in kinds] == ["InvalidEdge"] * 4 + ["TaskNotFound"]
    for problem, missing in zip(kinds, ["'x'", "'y'", "'z'", "'yes'", "'s'"], strict=True):
        assert missing in problem[1]
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    assert "graph 'g' has 5 problems and was not built" in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda builder: builder.add_task(lambda context: None),
        lambda builder: builder.with_task_timeout(-1),
        lambda builder: builder.with_task_timeout(float("nan")),
        lambda builder: builder.with_task_timeout("5 s"),
        lambda builder: builder.add_task(FanOutTask(7, [])),
        lambda builder: builder.add_task(FanOutTask("fan", ["a"])),
        lambda builder: builder.add_conditional_edge("a", "is_large", "b", "c"),
        lambda builder: GraphBuilder(7),
        lambda builder: FlowRunner(builder, InMemorySessionStorage()),
        lambda builder: builder.with_max_execution_steps(-1),
        lambda builder: builder.with_max_execution_steps(2.0),
        lambda builder: builder.with_max_execution_steps(True),
    ],
)
def test_wrong_arguments_are_refused(call):
    with pytest.raises(GraphError):
        call(GraphBuilder("g"))


def test_limits():
    graph = chain(answering("a")).build()
    assert (graph.task_timeout, graph.max_execution_steps) == (300, None)
    builder = chain(answering("a")).with_task_timeout(timedelta(minutes=1))
    graph = builder.with_max_execution_steps(7).build()
    assert (graph.task_timeout, graph.max_execution_steps) == (60, 7)
