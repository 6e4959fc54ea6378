"""One session's row, written on the worker thread within a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import msgspec

from ...errors import SessionConflict, StorageError
from ...model import Seen, Session, mark_saved, stored_session
from ..checks import check_no_extra, check_texts
from ..origin import is_as_read
from . import sql
from .odd import Database, fetch_session
from .sql import CREATED, VERSION

__all__ = [
    "Fields",
    "Saved",
    "check_made",
    "delete_as_read",
    "fields_of",
    "insert_restored",
    "read_session",
    "write_session",
]

_new = tuple.__new__  # quicker than a NamedTuple's own constructor

# Structs, because creating a NamedTuple takes twice as long.


class Fields(msgspec.Struct, frozen=True):
    """The columns of a session that a save replaces."""

    graph_id: str
    current_task_id: str
    status_message: str | None
    context: str

    def row(
        self, id: str, version: int, created: int, updated: int
    ) -> tuple[str | int | None, ...]:
        """Return the session's row."""
        return (
            id,
            self.graph_id,
            self.current_task_id,
            self.status_message,
            self.context,
            version,
            created,
            updated,
        )


class Saved(msgspec.Struct, frozen=True):
    """The result of a save.

    Attributes:
        seen: The state that is stored now.
        created, updated: The times in it, in µs since 1970 UTC.
    """

    seen: Seen
    created: int
    updated: int

    def mark(self, session: Session) -> None:
        """Set the session's version and times after its row was written."""
        mark_saved(session, self.seen.version, self.created, self.updated, self.seen)


def read_session(row: Sequence[Any], store: str) -> Session:
    """Return the session of a row.

    Args:
        row: The columns ``sql.ROW``.
        store: The identity of the store.
    """
    id, graph, task, status, context, version, created, updated = row
    seen = _seen(row, store)
    return stored_session(id, graph, task, status, context, version, created, updated, None, seen)


def _seen(row: Sequence[Any], store: str) -> Seen:
    """Return the state of a row, marked by its times and a checksum of the other columns.

    Who writes with SQL may count no versions and set no times. A cryptographic digest would take
    a tenth of a read.
    """
    _, graph, task, status, context, version, created, updated = row
    rest = f"{graph}\0{task}" if status is None else f"{graph}\0{task}\0{status}"
    check = crc32(rest.encode(), crc32(context.encode()))
    return _new(Seen, (store, version, f"{created} {updated} {check}"))


def fields_of(session: Session) -> Fields:
    """Return the columns of a session.

    Raises:
        StorageError: SQLite can't store a field, or the table has no column for a member.
    """
    check_texts(session, nul=True)
    check_no_extra(session)
    text = session.context_json()
    context = text if isinstance(text, str) else text.decode()
    return Fields(session.graph_id, session.current_task_id, session.status_message, context)


def write_session(
    db: Database, session: Session, fields: Fields, now: int, store: str, *, upsert: bool
) -> Saved:
    """Insert or update a session's row.

    Args:
        db: The connection, in a transaction.
        session: The session.
        fields: The session's columns.
        now: The time of the save in µs since 1970 UTC.
        store: The identity of the store.
        upsert: Whether to write whatever is stored.

    Raises:
        SessionConflict: The stored session is not the one that was read.
        SessionFormatError: The stored row is not a session.
    """
    row = fetch_session(db, session.id)
    if not upsert and (row is None) is not session.is_new:
        raise SessionConflict(session, None if row is None else read_session(row, store))
    if row is None:
        new = fields.row(session.id, 1, now, now)
        if not db.execute(sql.INSERT, new).rowcount:
            check_made(db, session.id, 1)
        return Saved(_seen(new, store), now, now)
    if not upsert and not is_as_read(session, _seen(row, store), row[CREATED]):
        raise SessionConflict(session, read_session(row, store))
    version = row[VERSION] + 1
    values = (
        fields.graph_id,
        fields.current_task_id,
        fields.status_message,
        fields.context,
        version,
        now,
        session.id,
    )
    if not db.execute(sql.UPDATE, values).rowcount:
        check_made(db, session.id, version)
    created = row[CREATED]
    return Saved(_seen(fields.row(session.id, version, created, now), store), created, now)


def insert_restored(
    db: Database, session: Session, fields: Fields, created: int, now: int, store: str
) -> Saved:
    """Insert the row of a deleted session again, at its next version.

    Args:
        db: The connection.
        session: The session.
        fields: The session's columns.
        created, now: The times to store in µs since 1970 UTC.
        store: The identity of the store.

    Raises:
        SessionConflict: The id is taken.
    """
    new = fields.row(session.id, session.version + 1, created, now)
    try:
        inserted = db.execute(sql.INSERT, new).rowcount
    except sqlite3.IntegrityError:
        row = fetch_session(db, session.id)
        raise SessionConflict(session, None if row is None else read_session(row, store)) from None
    if not inserted:
        check_made(db, session.id, session.version + 1)
    return Saved(_seen(new, store), created, now)


def delete_as_read(db: Database, session: Session, store: str) -> bool:
    """Delete a session's row if it is as it was read, and return whether it was.

    Args:
        db: The connection, in a transaction.
        session: The session.
        store: The identity of the store.
    """
    row = fetch_session(db, session.id)
    if row is None or not is_as_read(session, _seen(row, store), row[CREATED]):
        return False
    if not db.execute(sql.DELETE, (session.id,)).rowcount:
        check_made(db, session.id, None)
    return True


def check_made(db: Database, id: str, version: int | None) -> None:
    """Check that a write was made although the driver says that it changed no row.

    Args:
        db: The connection, in the transaction of the write.
        id: The id of the session.
        version: The version that was written; None if the session was deleted.

    Raises:
        StorageError: The write was refused by a trigger.
    """
    row = db.execute(sql.VERSION_OF, (id,)).fetchone()
    if (None if row is None else row[0]) != version:
        raise StorageError(
            "SQLite accepted the statement but changed no row: a trigger of the table sessions "
            f"prevents it (session {id!r}). Nothing was written; .schema sessions in sqlite3 shows "
            "it, ask who made it",
            nothing_written=True,
        )
