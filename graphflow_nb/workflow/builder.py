"""GraphBuilder: collects tasks and edges, and checks them as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final, Self

from ..errors import GraphError, InvalidEdge, TaskNotFound
from ..model import Context
from .edge import Edge
from .graph import Graph
from .task import Task

__all__ = ["GraphBuilder"]

TASK_TIMEOUT: Final = 300.0  # seconds, as in the crate


class GraphBuilder:
    """A builder of graphs; each method returns the builder.

    Example:
        >>> from graphflow_nb.workflow import GraphBuilder, TaskResult, task
        >>> @task("intake")
        ... def intake(context):
        ...     return TaskResult()
        >>> GraphBuilder("claims").add_task(intake).add_edge("intake", "payout").build()
        Traceback (most recent call last):
        graphflow_nb.errors.InvalidEdge: Invalid edge: Edge 'intake' -> 'payout' references task
        'payout' which was not added to graph 'claims'

    Args:
        id: The id of the graph.

    Raises:
        GraphError: The id is not a text.
    """

    def __init__(self, id: str):
        if not isinstance(id, str):
            raise GraphError(f"the id of a graph must be a text, not {id!r}")
        self.id = id
        self._tasks: dict[str, Task] = {}
        self._edges: list[Edge] = []
        self._start: str | None = None
        self._task_timeout = TASK_TIMEOUT
        self._max_execution_steps: int | None = None

    def add_task(self, task: Task) -> Self:
        """Add a task, in place of one with the same id. The first one is the start task.

        Args:
            task: The task.

        Raises:
            GraphError: It is not a task, or its id is not a text.
        """
        if not isinstance(task, Task):
            raise GraphError(f"a graph takes Task objects and @task functions, not {task!r}")
        if not isinstance(task.id, str):
            raise GraphError(f"a task's id must be a text, not {task.id!r}")
        self._tasks[task.id] = task
        return self

    def add_edge(self, source: str, target: str) -> Self:
        """Add an edge that is taken if no conditional edge is; of several, the first.

        Args:
            source: The id of the task that it leaves.
            target: The id of the task that it leads to.
        """
        self._edges.append(Edge(source, target))
        return self

    def add_conditional_edge(
        self, source: str, condition: Callable[[Context], bool], yes: str, no: str
    ) -> Self:
        """Add an edge that is taken if a condition is true, and one for when none is.

        The second is an edge as ``add_edge`` adds it, so of one task only the first counts.

        Args:
            source: The id of the task that both leave.
            condition: A function of the context; its name is shown in the diagram.
            yes: The id of the task for true.
            no: The id of the task for false.

        Raises:
            GraphError: The condition is not a function.
        """
        if not callable(condition):
            raise GraphError(f"a condition is a function of the context, not {condition!r}")
        self._edges += [Edge(source, yes, condition), Edge(source, no)]
        return self

    def set_start_task(self, id: str) -> Self:
        """Set the task at which sessions start. Default: the first one that was added.

        Args:
            id: The id of the task.
        """
        self._start = id
        return self

    def with_task_timeout(self, timeout: float | timedelta) -> Self:
        """Set how long each task may take.

        Args:
            timeout: Seconds, or a timedelta. Default: 300 s.

        Raises:
            GraphError: It is negative, or no time at all.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        if isinstance(seconds, bool) or not (isinstance(seconds, int | float) and seconds >= 0):
            raise GraphError(f"a task's timeout must be 0 seconds or more, not {timeout!r}")
        self._task_timeout = seconds
        return self

    def with_max_execution_steps(self, limit: int) -> Self:
        """Set how many tasks one call may chain with ``CONTINUE_AND_EXECUTE``.

        Steps are counted after each move, so 3 allows three tasks and fails on the way to a fourth.

        Args:
            limit: The number of tasks. Default: no limit, as in the crate.

        Raises:
            GraphError: It is not an integer >= 0.
        """
        if type(limit) is not int or limit < 0:
            raise GraphError(f"max_execution_steps must be an integer >= 0, not {limit!r}")
        self._max_execution_steps = limit
        return self

    def build(self) -> Graph:
        """Return the graph, if its edges and its start task exist.

        0.5.1 checks neither: such a session fails when it is at a task that does not exist.

        Raises:
            InvalidEdge: An edge names a task that was not added.
            TaskNotFound: The start task was not added.
            GraphError: Several of these at once; ``problems`` has all.
        """
        problems = tuple(self._find_problems())
        if len(problems) == 1:
            raise problems[0]
        if problems:
            lines = "".join(f"\n- {problem}" for problem in problems)
            raise GraphError(
                f"graph '{self.id}' has {len(problems)} problems and was not built:{lines}",
                problems=problems,
            )
        start = self._start if self._start is not None else next(iter(self._tasks), None)
        return Graph(
            self.id,
            self._tasks,
            self._edges,
            start,
            self._task_timeout,
            self._max_execution_steps,
        )

    def _find_problems(self) -> Iterator[GraphError]:
        for edge in self._edges:
            for end in dict.fromkeys((edge.source, edge.target)):
                if end not in self._tasks:
                    yield InvalidEdge(
                        f"Edge '{edge.source}' -> '{edge.target}' references task '{end}' which "
                        f"was not added to graph '{self.id}'"
                    )
        if self._start is not None and self._start not in self._tasks:
            yield TaskNotFound(f"Start task '{self._start}' was not added to graph '{self.id}'")
