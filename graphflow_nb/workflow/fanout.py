"""FanOutTask: several tasks side by side, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..errors import GraphError, TaskExecutionFailed
from ..model import Context
from ..secret_texts import scrub
from .task import NextAction, Task, TaskResult, describe_failure

__all__ = ["FanOutTask"]


class FanOutTask(Task):
    """A task that runs other tasks side by side.

    The children share the context, and what each answers is set in it under
    ``{prefix}.{child}.response``, ``.status`` (both only if the child has one) and
    ``.next_action``. These are keys with dots in them, not paths. The children's actions are
    ignored. All children run to their end; if one fails, the error is that of the first which
    failed (in 0.5.1 the last one), and what the others wrote stays in the context.

    Example:
        >>> from graphflow_nb import Context
        >>> from graphflow_nb.workflow import FanOutTask, NextAction, TaskResult, task
        >>> @task("coverage")
        ... def coverage(context):
        ...     return TaskResult("covered", NextAction.END)
        >>> context = Context()
        >>> (await FanOutTask("checks", [coverage]).run(context)).response
        "FanOutTask 'checks' completed 1 child task(s)"
        >>> dict(context)
        {'fanout.coverage.response': 'covered', 'fanout.coverage.next_action': 'End'}

    Args:
        id: The id of the task.
        children: The tasks that run side by side.
        prefix: The start of the keys.
        next_action: What happens after all of them.

    Raises:
        GraphError: A child is not a task.

    Attributes:
        id, children, prefix, next_action: As passed; the children as a tuple.
    """

    def __init__(
        self,
        id: str,
        children: Iterable[Task],
        *,
        prefix: str = "fanout",
        next_action: NextAction = NextAction.CONTINUE,
    ):
        self.id = id
        self.children = tuple(children)
        for child in self.children:
            if not isinstance(child, Task):
                raise GraphError(
                    "the children of a FanOutTask are Task objects and @task functions, "
                    f"not {child!r}"
                )
        self.prefix = prefix
        self.next_action = next_action

    async def run(self, context: Context) -> TaskResult:
        """Run the children and set what they answer.

        Raises:
            TaskExecutionFailed: A child failed.
        """
        failures: list[TaskExecutionFailed] = []
        async with asyncio.TaskGroup() as group:
            for child in self.children:
                group.create_task(self._run(child, context, failures))
        if failures:
            raise failures[0]
        text = f"FanOutTask '{self.id}' completed {len(self.children)} child task(s)"
        return TaskResult(text, self.next_action, text)

    async def _run(
        self, child: Task, context: Context, failures: list[TaskExecutionFailed]
    ) -> None:
        key = f"{self.prefix}.{child.id}"
        try:
            result = await child.run(context)
            if not isinstance(result, TaskResult):
                raise TypeError(f"it returned {scrub(repr(result))}, not a TaskResult")
            if result.response is not None:
                context.set(f"{key}.response", result.response)
            if result.status_message is not None:
                context.set(f"{key}.status", result.status_message)
            context.set(f"{key}.next_action", str(result.next_action))
        except Exception as error:  # the others run to their end
            failed = TaskExecutionFailed(
                f"FanOut child '{child.id}' failed: {describe_failure(error)}"
            )
            failed.__cause__ = error
            failures.append(failed)
