"""ExecutionResult and ExecutionStatus: what one step came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ..model.masks import mask_in_use

__all__ = [
    "COMPLETED",
    "JUMPED",
    "MOVED",
    "NO_EDGE",
    "WAITING",
    "ExecutionResult",
    "ExecutionStatus",
]

#: The reasons of a pause, in the crate's words.
MOVED: Final = "Task completed, continuing to next task"
NO_EDGE: Final = "No outgoing edge found from current task"
JUMPED: Final = "Task requested jump to specific task"


class ExecutionStatus(NamedTuple):
    """Where a step left the session. It is not stored. 0.5.1 has ``Error`` too, and never gives it.

    Example:
        >>> from graphflow_nb.workflow import ExecutionStatus
        >>> ExecutionStatus("completed").kind
        'completed'

    Attributes:
        kind: ``paused`` (the next run goes on), ``waiting_for_input`` or ``completed``. A session
            that is run again after ``completed`` runs the same task again.
        next_task_id: The task that the next run runs, of a pause; else None.
        reason: The reason of a pause, in the crate's words; else None.
    """

    kind: Literal["paused", "waiting_for_input", "completed"]
    next_task_id: str | None = None
    reason: str | None = None

    def __repr__(self) -> str:
        if self.kind != "paused":
            return f"ExecutionStatus({self.kind!r})"
        return (
            f"ExecutionStatus('paused', next_task_id={self.next_task_id!r}, reason={self.reason!r})"
        )


WAITING: Final = ExecutionStatus("waiting_for_input")
COMPLETED: Final = ExecutionStatus("completed")


@dataclass(slots=True)
class ExecutionResult:
    """What one call of ``FlowRunner.run`` or ``Graph.execute_session`` came to.

    Example:
        >>> from graphflow_nb.workflow import ExecutionResult, ExecutionStatus
        >>> ExecutionResult("paid", ExecutionStatus("completed"))
        ExecutionResult(response='paid', status=ExecutionStatus('completed'))

    Attributes:
        response: The answer of the last task that ran; None for none.
        status: Where the step left the session.
    """

    response: str | None
    status: ExecutionStatus

    def __repr__(self) -> str:
        shown = None if self.response is None else mask_in_use().hide_in(self.response)
        return f"ExecutionResult(response={shown!r}, status={self.status!r})"
