"""Entry: one write of the journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from ..model import Session
from ..printable import describe_count, printable

__all__ = ["DamagedLine", "Entry", "Op", "Sides", "State", "UndoReport"]

Op = Literal["save", "upsert", "delete", "restore", "undo"]
State = Literal["done", "unknown", "void"]


class Sides(NamedTuple):
    """A session before and after a write; None where it did not exist."""

    before: Session | None
    after: Session | None


class DamagedLine(NamedTuple):
    """A line of a journal's file that can't be read, or that is missing.

    Example:
        >>> from pathlib import Path
        >>> from graphflow_nb.journal import Journal
        >>> Journal.at("writes.journal").close()
        >>> Path("writes.journal").write_text('{"sum":"damaged')
        15
        >>> Journal.at("writes.journal").damaged
        [DamagedLine(line=1, reason='it was cut off')]

    Attributes:
        line: The number of the line in the file, counted from 1.
        reason: What is wrong with it.
    """

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What became of several writes that were to be undone, which it says as a text.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> wb.delete("claim-0014")
        ['claim-0014']
        >>> print(wb.undo_many())
        1 write was undone
        >>> print(wb.undo_many())
        There was nothing to undo

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

    @property
    def left(self) -> list[str]:
        """The ids of the sessions whose writes were not undone, though they were looked at."""
        return [*self.changed, *self.failed]

    def __str__(self) -> str:
        parts = []
        if self.undone or not (self.left or self.remaining):
            parts.append(
                f"{describe_count(self.undone, 'write was', 'writes were')} undone"
                if self.undone
                else "There was nothing to undo"
            )
        if self.changed:
            sessions = describe_count(len(self.changed), "session was", "sessions were")
            parts.append(f"{sessions} left alone, since others changed them ({self.changed[0]!r})")
        if self.failed:
            id, reason = next(iter(self.failed.items()))
            sessions = describe_count(len(self.failed), "session was", "sessions were")
            parts.append(f"{sessions} not undone ({id!r}: {printable(reason)})")
        if self.remaining:
            writes = describe_count(self.remaining, "write")
            parts.append(f"stopped with {writes} to go: the same call goes on")
        return "; ".join(parts)


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
        version_before, version_after: The version before and after the write; None where the
            session did not exist.
        state: ``done``; ``unknown`` if the outcome of the write is unknown; ``void`` if there is
            nothing to undo, because the session was not changed.
        undoes, undone_by: The number of the entry that this one undoes, of the one that undid it.
        size: The number of bytes that the journal takes for it.
        redo: Whether it undoes an undo, and so made the write again.
    """

    number: int
    at: datetime
    place: str
    op: Op
    id: str
    version_before: int | None
    version_after: int | None
    state: State
    undoes: int | None
    undone_by: int | None
    size: int
    redo: bool
    _read: Callable[[int], Sides] = field(repr=False, compare=False)

    def sides(self) -> Sides:
        """Return the session before and after the write, read from the journal.

        Raises:
            JournalError: The journal can't be read, or it no longer holds the entry.
        """
        return self._read(self.number)

    @property
    def before(self) -> Session | None:
        """The session before the write; None where it did not exist. Read from the journal."""
        return None if self.version_before is None else self.sides().before

    @property
    def after(self) -> Session | None:
        """The session after the write; None where it was deleted. Read from the journal."""
        return None if self.version_after is None else self.sides().after
