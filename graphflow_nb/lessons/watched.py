"""A graph that can be watched while a runner runs it."""

from __future__ import annotations

from copy import copy

from ..model import Context, Session
from ..workflow import ExecutionResult, Graph, Task, TaskResult

__all__ = ["WatchedGraph"]


class WatchedGraph(Graph):
    """A graph that keeps the session that a runner holds, and which tasks ran on it.

    It runs as the graph does, once. ``wb.run`` returns neither of a step that fails.

    Args:
        graph: The graph.

    Attributes:
        before: The session as the runner read it; None before that.
        session: The session that the runner holds, which the tasks change; None before that.
        ran: The ids of the tasks that ran, in order.
    """

    def __init__(self, graph: Graph):
        self.ran: list[str] = []
        self.before: Session | None = None
        self.session: Session | None = None
        super().__init__(
            graph.id,
            {id: _WatchedTask(task, self.ran) for id, task in graph.tasks.items()},
            graph.edges,
            graph.start_task_id,
            graph.task_timeout,
            graph.max_execution_steps,
        )

    async def execute_session(self, session: Session) -> ExecutionResult:
        """Run a step, as ``Graph.execute_session`` does, and keep the session."""
        self.before, self.session = copy(session), session
        return await super().execute_session(session)


class _WatchedTask(Task):
    """A task that notes when it runs."""

    def __init__(self, task: Task, ran: list[str]):
        self.id, self._task, self._ran = task.id, task, ran

    async def run(self, context: Context) -> TaskResult:
        """Note the task, and run it."""
        self._ran.append(self.id)
        return await self._task.run(context)
