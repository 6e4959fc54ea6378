"""Task, TaskResult and NextAction: one step of a workflow, and what it wants to happen next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from ..errors import ContextError, GraphError, StorageError
from ..model import Context
from ..model.masks import mask_in_use

__all__ = ["NextAction", "Task", "TaskResult", "describe_failure", "task"]


_WITHOUT_TARGET: Final = {"Continue", "ContinueAndExecute", "WaitForInput", "End"}


@dataclass(frozen=True, slots=True)
class NextAction:
    """What a task wants to happen after it.

    Use the constants and ``go_to``. 0.5.1 has ``GoBack`` too, which stays at the task and waits, as
    ``WAIT_FOR_INPUT`` does.

    Example:
        >>> from graphflow_nb.workflow import NextAction
        >>> str(NextAction.CONTINUE), str(NextAction.go_to("payout"))
        ('Continue', 'GoTo("payout")')

    Attributes:
        kind: The crate's name of the action.
        target: The task to go to; None for every other action.

    Raises:
        GraphError: There is no such action.

    The actions without a target:
        CONTINUE: Move along the edge and stop there.
        CONTINUE_AND_EXECUTE: Move along the edge and run the next task in the same call.
        WAIT_FOR_INPUT: Stay at the task until someone runs the session again.
        END: Stay at the task; the workflow is complete.
    """

    kind: str
    target: str | None = None

    CONTINUE: ClassVar[NextAction]
    CONTINUE_AND_EXECUTE: ClassVar[NextAction]
    WAIT_FOR_INPUT: ClassVar[NextAction]
    END: ClassVar[NextAction]

    def __post_init__(self) -> None:
        known = self.kind == "GoTo" if self.target is not None else self.kind in _WITHOUT_TARGET
        if not known or not isinstance(self.target, str | None):
            raise GraphError(f"there is no action {self.kind!r} with the target {self.target!r}")

    @classmethod
    def go_to(cls, id: str) -> Self:
        """Return the action that moves to a task without an edge, and stops there.

        Args:
            id: The id of the task.
        """
        return cls("GoTo", id)

    def __str__(self) -> str:
        """Return Rust's debug form, which ``FanOutTask`` stores."""
        return self.kind if self.target is None else f"{self.kind}({_quote(self.target)})"


NextAction.CONTINUE = NextAction("Continue")
NextAction.CONTINUE_AND_EXECUTE = NextAction("ContinueAndExecute")
NextAction.WAIT_FOR_INPUT = NextAction("WaitForInput")
NextAction.END = NextAction("End")

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def _quote(text: str) -> str:
    """Return a text in Rust's debug form."""
    return '"%s"' % "".join(
        _ESCAPES.get(char) or (char if char.isprintable() else f"\\u{{{ord(char):x}}}")
        for char in text
    )


@dataclass(slots=True)
class TaskResult:
    """What a task answers.

    Example:
        >>> from graphflow_nb.workflow import NextAction, TaskResult
        >>> TaskResult("Please send photos.", NextAction.WAIT_FOR_INPUT, "waiting").status_message
        'waiting'

    Attributes:
        response: The answer to the caller, which is not stored; None for none.
        next_action: What happens next.
        status_message: The session's status after the task. None clears the previous one.
    """

    response: str | None = None
    next_action: NextAction = NextAction.CONTINUE
    status_message: str | None = None

    def __repr__(self) -> str:
        texts = (self.response, self.status_message)
        response, status = (None if t is None else mask_in_use().hide_in(t) for t in texts)
        return f"TaskResult({response!r}, {self.next_action!r}, {status!r})"


class Task(ABC):
    """One step of a workflow.

    A failure is an exception: the step is not saved. See also ``task``, which makes a task of a
    function.

    Example:
        >>> from graphflow_nb import Context
        >>> from graphflow_nb.workflow import NextAction, Task, TaskResult
        >>> class Greet(Task):
        ...     id = "greet"
        ...     async def run(self, context):
        ...         return TaskResult(f"Hello, {context['name']}.", NextAction.END)
        >>> (await Greet().run(Context({"name": "Ana"}))).response
        'Hello, Ana.'

    Attributes:
        id: The id, unique in its graph. A class that sets none has its full name as the id, as in
            the crate.
    """

    id: str

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "id" not in cls.__dict__:
            cls.id = f"{cls.__module__}.{cls.__qualname__}"

    @abstractmethod
    async def run(self, context: Context) -> TaskResult:
        """Do the work and say what happens next.

        Args:
            context: The session's context, not a copy: what is set in it is saved with the session.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}>"


class _FunctionTask(Task):
    """A task that calls a plain or an async function."""

    def __init__(self, id: str, function: Callable[[Context], TaskResult | Awaitable[TaskResult]]):
        self.id = id
        self.function = function
        self.__doc__ = function.__doc__

    async def run(self, context: Context) -> TaskResult:
        result = self.function(context)
        # Not isinstance(…, Awaitable), which takes longer than the rest of a short step.
        return result if type(result) is TaskResult else await _resolve(result)


async def _resolve(result: TaskResult | Awaitable[TaskResult]) -> TaskResult:
    return await result if isinstance(result, Awaitable) else result


def task(
    id: str,
) -> Callable[[Callable[[Context], TaskResult | Awaitable[TaskResult]]], Task]:
    """Return a decorator that makes a task of a plain or an async function of the context.

    A plain function runs on the event loop, which waits for it: use an async one for what takes
    time.

    Example:
        >>> from graphflow_nb.workflow import TaskResult, task
        >>> @task("intake")
        ... def intake(context):
        ...     return TaskResult("taken in")
        >>> intake.id
        'intake'

    Args:
        id: The id of the task.

    Raises:
        GraphError: ``id`` is not a text, such as where ``@task`` is written without an id.
    """
    if not isinstance(id, str):
        raise GraphError(f'a task needs an id: @task("intake"), not @task on {id!r}')
    return lambda function: _FunctionTask(id, function)


def describe_failure(error: BaseException) -> str:
    """Return the text of an exception in the crate's form; its class where it has no text."""
    for kind, prefix in ((ContextError, "Context error: "), (StorageError, "Storage error: ")):
        if isinstance(error, kind):
            return f"{prefix}{error}"
    return str(error) or type(error).__name__
