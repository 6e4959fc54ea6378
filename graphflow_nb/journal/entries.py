"""Entry: one write of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ..model import Session

__all__ = ["Entry", "Op", "State", "UndoReport"]

Op = Literal["save", "upsert", "delete", "restore", "undo"]
State = Literal["done", "unknown", "void"]


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What became of several writes that were to be undone.

    Attributes:
        undone: The number of writes that were undone.
        changed: The ids of sessions that others changed since; their writes were left alone.
        failed: For the id of each session that the store refused, the reason; its writes were left
            alone.
        remaining: The number of writes that were not looked at, since it was stopped.
    """

    undone: int
    changed: list[str]
    failed: dict[str, str]
    remaining: int = 0

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its end."""
        return self.remaining > 0


@dataclass(slots=True)
class Entry:
    """One write of the journal.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> wb.delete("claim-0014")
        ['claim-0014']
        >>> entry = wb.journaled.entries()[-1]
        >>> entry.op, entry.id, entry.before.current_task_id, entry.after
        ('delete', 'claim-0014', 'await_documents', None)

    Attributes:
        number: The number of the entry, counted from 1.
        at: The time when the write began, UTC.
        place: The store, without secrets.
        op: The method that was called; ``undo`` for a write that undid another.
        id: The id of the session.
        before, after: The session before and after the write; None where it did not exist.
        state: ``done``; ``unknown`` if the outcome of the write is unknown; ``void`` if there is
            nothing to undo, because the session was not changed.
        undoes, undone_by: The number of the entry that this one undoes, of the one that undid it.
    """

    number: int
    at: datetime
    place: str
    op: Op
    id: str
    before: Session | None
    after: Session | None
    state: State = "unknown"
    undoes: int | None = None
    undone_by: int | None = None

    def size(self) -> int:
        """Return the approximate number of bytes that the entry takes in memory."""
        return 500 + sum(len(s.context_json()) for s in (self.before, self.after) if s is not None)
