"""One session's row, written on the worker thread within a transaction."""

from __future__ import annotations

import sqlite3

import msgspec

from ...errors import SessionConflict
from ...model import Session, stored_session
from ...model.times import micros_of
from ..checks import check_no_extra, check_texts
from . import sql
from .sql import CREATED, VERSION

__all__ = ["Fields", "Saved", "fields_of", "insert_restored", "write_session"]

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
    """The result of a save: the version, and the time of creation in µs since 1970 UTC."""

    version: int
    created: int


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
    db: sqlite3.Connection, session: Session, fields: Fields, now: int, *, upsert: bool
) -> Saved:
    """Insert or update a session's row.

    Args:
        db: The connection, in a transaction.
        session: The session.
        fields: The session's columns.
        now: The time of the save in µs since 1970 UTC.
        upsert: Whether to write whatever is stored.

    Raises:
        SessionConflict: The stored session is not the one that was read.
    """
    row = db.execute(sql.GET, (session.id,)).fetchone()
    if not upsert and (row is None) is not session.is_new:
        raise SessionConflict(session, None if row is None else stored_session(*row))
    if row is None:
        db.execute(sql.INSERT, fields.row(session.id, 1, now, now))
        return Saved(1, now)
    # A session that was deleted and created again may have the same version.
    known = session.created_at
    recreated = known is not None and micros_of(known) != row[CREATED]
    if not upsert and (row[VERSION] != session.version or recreated):
        raise SessionConflict(session, stored_session(*row))
    version = row[VERSION] + 1
    db.execute(
        sql.UPDATE,
        (
            fields.graph_id,
            fields.current_task_id,
            fields.status_message,
            fields.context,
            version,
            now,
            session.id,
        ),
    )
    return Saved(version, row[CREATED])


def insert_restored(
    db: sqlite3.Connection, session: Session, fields: Fields, now: int, saved: Saved
) -> None:
    """Insert the row of a deleted session again.

    Raises:
        SessionConflict: The id is taken.
    """
    try:
        db.execute(sql.INSERT, fields.row(session.id, saved.version, saved.created, now))
    except sqlite3.IntegrityError:
        row = db.execute(sql.GET, (session.id,)).fetchone()
        raise SessionConflict(session, None if row is None else stored_session(*row)) from None
