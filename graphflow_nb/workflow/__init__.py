"""Workflow: graph-flow's execution in Python, task by task.

A ``Graph`` of tasks moves a session on, one step a call, as the crate 0.8.1 does it (0.6.0 does the
same; what 0.5.1 does otherwise is said where it differs). ``FlowRunner`` loads the session, runs
its current task, and saves the session once, if the step succeeded.

Example:
    >>> from graphflow_nb import InMemorySessionStorage, Session
    >>> from graphflow_nb.workflow import FlowRunner, GraphBuilder, NextAction, TaskResult, task
    >>> @task("intake")
    ... def intake(context):
    ...     context["amount"] = 120
    ...     return TaskResult("taken in", NextAction.CONTINUE)
    >>> @task("decide")
    ... async def decide(context):
    ...     return TaskResult(f"{context['amount']} approved", NextAction.END)
    >>> graph = (
    ...     GraphBuilder("claims").add_task(intake).add_task(decide)
    ...     .add_edge("intake", "decide").build()
    ... )
    >>> storage = InMemorySessionStorage()
    >>> await storage.save(Session("claim-1", graph.start_task_id, graph_id=graph.id))
    >>> runner = FlowRunner(graph, storage)
    >>> (await runner.run("claim-1")).status
    ExecutionStatus('paused', next_task_id='decide',
        reason='Task completed, continuing to next task')
    >>> (await runner.run("claim-1")).response
    '120 approved'
"""

from .builder import GraphBuilder
from .edge import Edge
from .execution import ExecutionResult, ExecutionStatus
from .fanout import FanOutTask
from .graph import Graph
from .runner import FlowRunner
from .task import NextAction, Task, TaskResult, task

__all__ = [
    "Edge",
    "ExecutionResult",
    "ExecutionStatus",
    "FanOutTask",
    "FlowRunner",
    "Graph",
    "GraphBuilder",
    "NextAction",
    "Task",
    "TaskResult",
    "task",
]
