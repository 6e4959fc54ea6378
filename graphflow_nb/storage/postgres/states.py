"""The state of a row: what a session remembers of it, and whether the row is still in it.

``version`` alone does not identify a state. A worker that does not count its saves leaves it, and a
session that was deleted and created again may have it too. So the time of creation is compared as
well, and the row's *mark*: its ``xmin``, the id of the transaction that wrote it, or where that
can't be relied on, the time of the last save.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from ...model import Seen, Session, mark_saved, stored_session
from ...model.times import datetime_of, describe_time, micros_or_none
from ..content import content_hash
from .sql import TableForm

__all__ = ["Expected", "RowStates", "columns_of", "has_content", "write_time"]

#: The mark of no row.
_NEVER: Final = -1

_new = tuple.__new__  # quicker than a NamedTuple's own constructor


class Expected(NamedTuple):
    """The state that a row must be in for a write, in the order of the statements' parameters.

    Attributes:
        version: The version; in a table without one, the mark.
        created: The time of creation; None for any.
        mark: The mark; None for any.
    """

    version: int
    created: datetime | None
    mark: int | None


class _SeenRow(Seen):
    """The state of a row, with what the row held.

    Attributes:
        row: The id, the graph, the task, the status, the context's JSON text, and perhaps more. The
            texts are those of the session itself, so that they take no room of their own.
    """

    row: Sequence[Any]


class RowStates:
    """What the rows of one table have to do with the sessions that were read from them.

    Args:
        store: The ``identity`` of the storage.
        form: The form of the table. Where it has no version, the mark is the version.
    """

    def __init__(self, store: str, form: TableForm):
        self._store = store
        self._versioned = form.versioned
        self._by_xmin = form.xmin

    def read(self, row: Any) -> Session:
        """Return the session of a row of ``Statements.get``."""
        # Without a version the mark is not sent twice. The row's length shows that also where
        # another call has adapted to another form meanwhile.
        if len(row) > 8:
            id, graph_id, task, status, context, version, created, updated, mark = row
        else:
            id, graph_id, task, status, context, version, created, updated = row
            mark = version
        seen = _new(_SeenRow, (self._store, version, mark))
        seen.row = row
        return stored_session(
            id, graph_id, task, status, context, version, created, updated, None, seen
        )

    def mark_saved(self, session: Session, saved: Any, fields: Sequence[Any]) -> None:
        """Set what a session remembers after a save.

        Args:
            session: The session.
            saved: The version, the times and the mark, as the statement returned them.
            fields: What was sent, in the order of ``Statements.get``.
        """
        version, created, updated, *marks = saved
        seen = _new(_SeenRow, (self._store, version, marks[0] if marks else version))
        seen.row = fields
        mark_saved(session, version, created, updated, seen)

    def expect(self, session: Session) -> Expected:
        """Return the state that a session was read in; the rule is that of ``is_as_read``."""
        version, created = session.version, session.raw_created
        if isinstance(created, int):
            created = datetime_of(created)
        seen, mark = session.seen, None
        if seen is not None and seen.version == version:
            if seen.store == self._store:
                mark = int(seen.mark)
            elif created is None:
                mark = _NEVER
        if mark is not None:
            if not self._versioned:
                version = mark
            if self._by_xmin:  # no other row has it, and to send a time takes 7 µs
                created = None
        return Expected(version, created, mark)

    def is_expected(self, expected: Expected, stored: Session) -> bool:
        """Return whether a stored session is in a state."""
        assert stored.seen is not None
        return (
            stored.version == expected.version
            and (expected.created is None or stored.raw_created == expected.created)
            and (expected.mark is None or stored.seen.mark == expected.mark)
        )

    def is_only_rewritten(self, session: Session, stored: Session) -> bool:
        """Return whether only the mark is another than when a session was read.

        An update that sets a row to what it is already changes its mark, and so does an ALTER TABLE
        that writes all rows again.
        """
        seen = session.seen
        if not isinstance(seen, _SeenRow) or seen.store != self._store:
            return False
        # A version that was set by hand since claims another state.
        if seen.version != session.version:
            return False
        if self._versioned and seen.version != stored.version:
            return False
        times = [
            (micros_or_none(s.raw_created), micros_or_none(s.raw_updated))
            for s in (session, stored)
        ]
        return times[0] == times[1] and has_content(stored, seen.row)

    def is_kept(self, session: Session, fields: Sequence[Any], stored: Session) -> bool:
        """Return whether a row has the content that was read, after another one was written.

        Args:
            session: The session that was saved.
            fields: What was sent, in the order of ``Statements.get``.
            stored: What is stored now.
        """
        if has_content(stored, fields):
            return False
        return not isinstance(session.seen, _SeenRow) or has_content(stored, session.seen.row)


def has_content(stored: Session, row: Sequence[Any]) -> bool:
    """Return whether a stored session has the content of a row, in any form of its JSON."""
    graph_id, task, status, context = row[1:5]
    other = stored_session(stored.id, graph_id, task, status, context, 0, None, None)
    return content_hash(stored) == content_hash(other)


def columns_of(states: Iterable[Expected]) -> list[list[str | None]]:
    """Return states by column, as the statements on many sessions take them: as texts."""
    columns: list[list[str | None]] = [[], [], []]
    for version, created, mark in states:
        columns[0].append(str(version))
        columns[1].append(write_time(created))
        columns[2].append(None if mark is None else str(mark))
    return columns


def write_time(time: datetime | int | None) -> str | None:
    """Return a session's time as SQL writes it."""
    if isinstance(time, int):
        return describe_time(time)
    if time is None:
        return None
    if time.tzinfo is not None:
        return time.isoformat()
    return "infinity" if time == datetime.max else "-infinity"
