"""Graph: tasks and the edges between them, and how a session moves along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic
from types import CoroutineType
from typing import Any

from ..diagrams import Diagram
from ..errors import TaskExecutionFailed, TaskNotFound
from ..model import Context, Session
from ..secret_texts import scrub
from .drawing import build_diagram
from .edge import Edge
from .execution import (
    COMPLETED,
    JUMPED,
    MOVED,
    NO_EDGE,
    WAITING,
    ExecutionResult,
    ExecutionStatus,
)
from .task import NextAction, Task, TaskResult, describe_failure
from .timeout import TimedOut, finish_within, format_duration

__all__ = ["Graph"]


class Graph:
    """Tasks and the edges between them; ``GraphBuilder`` makes one, and it never changes.

    It shows itself as a Mermaid diagram where the notebook draws these, else as SVG or text.

    Example:
        >>> from graphflow_nb import Session
        >>> from graphflow_nb.workflow import GraphBuilder, NextAction, TaskResult, task
        >>> @task("intake")
        ... def intake(context):
        ...     return TaskResult("taken in", NextAction.END, "claim taken in")
        >>> graph = GraphBuilder("claims").add_task(intake).build()
        >>> session = Session("claim-1", graph.start_task_id, graph_id=graph.id)
        >>> await graph.execute_session(session)
        ExecutionResult(response='taken in', status=ExecutionStatus('completed'))
        >>> session.status_message
        'claim taken in'

    Attributes:
        id: The id, which sessions carry as ``graph_id``.
        tasks: The tasks by id, in the order in which they were added.
        edges: The edges, in the order in which they were added.
        start_task_id: The task at which sessions start; None where there are no tasks.
        task_timeout: The seconds that a task may take.
        max_execution_steps: The number of tasks that one call may chain; None for no limit.
    """

    def __init__(
        self,
        id: str,
        tasks: Mapping[str, Task],
        edges: Sequence[Edge],
        start_task_id: str | None,
        task_timeout: float,
        max_execution_steps: int | None,
    ):
        self.id = id
        self.tasks = dict(tasks)
        self.edges = tuple(edges)
        self.start_task_id = start_task_id
        self.task_timeout = task_timeout
        self.max_execution_steps = max_execution_steps
        self._outgoing: dict[str, list[Edge]] = {}
        for edge in edges:
            self._outgoing.setdefault(edge.source, []).append(edge)

    async def execute_session(self, session: Session) -> ExecutionResult:
        """Run the session's current task, and those chained to it, and move the session.

        Nothing is saved here. If it fails, the session is left as the failed step left it, and must
        not be saved. ``status_message`` becomes that of the task, also where that is None. 0.5.1
        has no ``max_execution_steps``: a cycle of chained tasks never ends.

        Args:
            session: The session, which is changed in place.

        Raises:
            TaskNotFound: The graph lacks the current task, or the one that a task goes to.
            TaskExecutionFailed: A task failed or took too long, or too many were chained.
        """
        steps = 0
        while True:
            current = session.current_task_id
            result = await self._run_task(current, session.context)
            session.status_message = result.status_message
            action = result.next_action
            kind = action.kind
            if kind == "WaitForInput":
                return ExecutionResult(result.response, WAITING)
            if kind == "End":
                return ExecutionResult(result.response, COMPLETED)
            if kind == "GoTo":
                if action.target not in self.tasks:
                    raise TaskNotFound(str(action.target))
                session.current_task_id = action.target
                return _pause(result, action.target, JUMPED)

            target = self.find_next_task(current, session.context)
            if target is None:
                return _pause(result, current, NO_EDGE)
            session.current_task_id = target
            if kind == "Continue":
                return _pause(result, target, MOVED)
            steps += 1
            limit = self.max_execution_steps
            if limit is not None and steps >= limit:
                raise TaskExecutionFailed(
                    f"Aborted after {steps} chained ContinueAndExecute steps "
                    f"(max_execution_steps = {limit}). Possible cycle in graph '{self.id}'"
                )

    async def _run_task(self, id: str, context: Context) -> TaskResult:
        task = self.tasks.get(id)
        if task is None:
            raise TaskNotFound(id)
        try:
            began = monotonic()
            running: Any = task.run(context)
            if type(running) is not CoroutineType:
                raise TypeError("its run is not an async function")
            # As with the crate's timeout, a task begins before the clock is looked at, and one that
            # never suspends is not cut off. The timer, which it does without, takes longer than the
            # rest of a step in memory.
            try:
                waiting = running.send(None)
            except StopIteration as done:
                result = done.value
            else:
                left = self.task_timeout - (monotonic() - began)
                result = await finish_within(running, waiting, left)
            if not isinstance(result, TaskResult):
                raise TypeError(f"it returned {scrub(repr(result))}, not a TaskResult")
            if not isinstance(result.next_action, NextAction):
                raise TypeError(
                    f"its next_action is {scrub(repr(result.next_action))}, not a NextAction"
                )
        except TimedOut as error:
            limit = format_duration(self.task_timeout)
            raise TaskExecutionFailed(f"Task '{id}' timed out after {limit}") from error
        except Exception as error:
            raise TaskExecutionFailed(f"Task '{id}' failed: {describe_failure(error)}") from error
        return result

    def find_next_task(self, current_task_id: str, context: Context) -> str | None:
        """Return the task to which the edges lead from a task; None if none does.

        The first conditional edge that is true is taken, in the order in which they were added, and
        later conditions are not called; else the first edge without a condition, wherever it is
        among them.

        Args:
            current_task_id: The task to leave.
            context: The context for the conditions.

        Raises:
            TaskExecutionFailed: A condition failed.
        """
        otherwise: str | None = None
        for edge in self._outgoing.get(current_task_id, ()):
            if edge.condition is None:
                otherwise = edge.target if otherwise is None else otherwise
            elif _is_true(edge, context):
                return edge.target
        return otherwise

    def get_task(self, id: str) -> Task | None:
        """Return the task with this id, or None if there is none."""
        return self.tasks.get(id)

    def diagram(self, current: str | None = None) -> Diagram:
        """Return the graph as a diagram, which has it as Mermaid, SVG and text.

        Args:
            current: The id of a task to mark, such as a session's ``current_task_id``.
        """
        return build_diagram(self.id, self.tasks.values(), self.edges, self.start_task_id, current)

    def mermaid(self, current: str | None = None) -> str:
        """Return the graph as the text of a Mermaid diagram.

        Args:
            current: The id of a task to mark.
        """
        return self.diagram(current).mermaid()

    def svg(self, current: str | None = None) -> str:
        """Return the graph as an SVG picture.

        Args:
            current: The id of a task to mark.

        Raises:
            GraphError: networkx is not installed, which the extra ``lab`` brings.
        """
        return self.diagram(current).svg()

    def __repr__(self) -> str:
        return self.diagram().text()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.diagram().mimebundle()


def _is_true(edge: Edge, context: Context) -> bool:
    assert edge.condition is not None
    try:
        return bool(edge.condition(context))
    except Exception as error:
        raise TaskExecutionFailed(
            f"The condition of edge '{edge.source}' -> '{edge.target}' failed: "
            f"{describe_failure(error)}"
        ) from error


def _pause(result: TaskResult, target: str, reason: str) -> ExecutionResult:
    return ExecutionResult(result.response, ExecutionStatus("paused", target, reason))
