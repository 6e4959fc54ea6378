"""FlowRunner: load a session, run one step, save it."""

from __future__ import annotations

from ..errors import GraphError, SessionNotFound
from ..storage import SessionStorage
from .execution import ExecutionResult
from .graph import Graph

__all__ = ["FlowRunner"]


class FlowRunner:
    """A runner of one graph on the sessions of one storage.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> from graphflow_nb.workflow import FlowRunner, GraphBuilder, NextAction, TaskResult, task
        >>> @task("count")
        ... def count(context):
        ...     context["runs"] = context.get("runs", 0) + 1
        ...     return TaskResult(f"run {context['runs']}", NextAction.WAIT_FOR_INPUT)
        >>> storage = InMemorySessionStorage()
        >>> await storage.save(Session("s1", "count"))
        >>> runner = FlowRunner(GraphBuilder("default").add_task(count).build(), storage)
        >>> [(await runner.run("s1")).response, (await runner.run("s1")).response]
        ['run 1', 'run 2']

    Args:
        graph: The graph.
        storage: Anything with the coroutines ``save``, ``get`` and ``delete``.

    Attributes:
        graph, storage: As passed.

    Raises:
        GraphError: ``graph`` is not a graph, such as a builder before its ``build()``.
    """

    def __init__(self, graph: Graph, storage: SessionStorage):
        if not isinstance(graph, Graph):
            raise GraphError(f"FlowRunner takes a Graph, which build() returns, not {graph!r}")
        self.graph = graph
        self.storage = storage

    async def run(self, id: str) -> ExecutionResult:
        """Load a session, run one step, and save the session if the step succeeded.

        A chain of ``CONTINUE_AND_EXECUTE`` is one step and saved once, at its end: if its third
        task fails, what the first two wrote is lost, though what they did elsewhere is not. As in
        the crate, neither the session's ``graph_id`` nor whether it is complete is looked at, and a
        completed session runs its last task again.

        In the crate's own memory storage, tasks and sessions share one context, so that the next
        ``get`` sees what a failed task wrote. Ours shares nothing, as PostgreSQL.

        Args:
            id: The id of the session.

        Raises:
            SessionNotFound: No session has this id.
            TaskNotFound: The graph lacks a task; the session was not saved.
            TaskExecutionFailed: A task failed; the session was not saved.
            SessionConflict: Someone else saved the session meanwhile; this step was not saved.
            StorageError: The store failed, or can't hold a value.
        """
        session = await self.storage.get(id)
        if session is None:
            raise SessionNotFound(id)
        result = await self.graph.execute_session(session)
        await self.storage.save(session)
        return result
