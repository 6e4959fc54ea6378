"""One session written to PostgreSQL: what the server answers, and what that means.

A statement that changed no row has two kinds of reasons. The stored row is another one than was
read: that is a conflict. Or it is that very row, and a trigger, a rule or a policy kept the
statement from changing it: that is a refusal. Only then the row is looked at, so an ordinary write
is one statement.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import asyncpg

from ...errors import SessionConflict, StorageError
from ...model import Session
from ..trace import current
from .connections import Connection
from .inspection import has_triggers
from .sql import TRANSACTION
from .states import has_content, write_time
from .table import OpenTable

__all__ = ["restore", "save"]

_TRIES: Final = 5


async def save(table: OpenTable, session: Session, *, upsert: bool) -> None:
    """Save a session; see ``PostgresSessionStorage.save`` and ``upsert``."""
    table.check_writable()
    trace = current()
    context = table.check_session(session)
    fields = (
        table.normalize_id(session.id),
        session.graph_id,
        session.current_task_id,
        session.status_message,
        context,
    )
    trace.lap("encode")
    trace.size(len(context), 1)
    work = _Save(table, session, fields, upsert=upsert)
    saved = await table.lend(work.run)
    trace.lap("execute")
    table.states.mark_saved(session, saved, fields)


class _Save:
    """A save of one session.

    Args:
        table: The table to write to.
        session: The session.
        fields: Its id, its other columns and the JSON text of its context.
        upsert: Whether it is saved whatever is stored.
    """

    def __init__(
        self, table: OpenTable, session: Session, fields: tuple[Any, ...], *, upsert: bool
    ):
        self._table = table
        self._session = session
        self._fields = fields
        self._upsert = upsert
        self._expected = table.states.expect(session)

    async def run(self, connection: Connection) -> Any:
        """Return the version, the times and the mark that are stored now."""
        table = self._table
        row = await table.run_adapting_on(connection, self._write, writes=True)
        if row is None and not table.form.versioned and await table.adapt_if_changed(connection):
            row = await self._write(connection)
        for _ in range(_TRIES):
            if row is not None:
                break
            row = await self._check_stored(connection) or await self._write(connection)
        if row is None:
            raise table.refusal([self._session.id])
        if self._upsert:
            *row, kept = row
            if kept:
                await self._check_upserted(connection)
        # A trigger that returns the old row leaves its time too.
        elif row[2] is not None and row[2] == self._session.raw_updated:
            await self._check_written(connection, row)
        return row

    async def _write(self, connection: Connection) -> Any:
        sql = self._table.statements
        if self._upsert:
            return await connection.fetchrow(sql.upsert, *self._fields)
        if self._session.is_new:
            return await connection.fetchrow(sql.insert, *self._fields)
        version, created, mark = self._expected
        if sql.form.versioned:
            return await connection.fetchrow(sql.update, *self._fields, version, created, mark)
        return await connection.fetchrow(sql.update, *self._fields, version, created)

    async def _check_stored(self, connection: Connection) -> Any:
        """Raise the error for a save that changed no row, unless trying again may succeed.

        Returns:
            The version, the times and the mark that are stored, if a trigger stored the session
            elsewhere, as in a table that inherits from this one; None to try again.
        """
        table, session = self._table, self._session
        row = await connection.fetchrow(table.statements.get, self._fields[0])
        if self._upsert:
            if row is not None:
                await self._check_not_replaced(connection, table.states.read(row))
            raise table.refusal([session.id])
        if row is None:
            if session.is_new:  # refused, or what had the id was deleted meanwhile
                return None
            raise SessionConflict(session, None)
        stored = table.states.read(row)
        if session.is_new and await _is_stored_elsewhere(table, connection, self._fields, stored):
            return row[5:]
        if not session.is_new:
            if table.states.is_expected(self._expected, stored):
                raise table.refusal([session.id])
            if table.states.is_only_rewritten(session, stored):
                self._expected = table.states.expect(stored)
                return None
            await self._check_not_replaced(connection, stored)
        raise SessionConflict(session, stored)

    async def _check_not_replaced(self, connection: Connection, stored: Session) -> None:
        """Raise StorageError if a trigger writes the row itself instead of what was sent.

        Then the row has changed, as if by another writer. Whether it is so is tried, with what is
        stored now, in a transaction that is rolled back.

        Args:
            connection: The connection.
            stored: What is stored now.
        """
        table, session = self._table, self._session
        if not table.form.xmin or not await has_triggers(connection, table.form.table):
            return
        transaction = connection.transaction()
        await transaction.start()
        try:
            self._expected = table.states.expect(stored)
            if await self._write(connection) is not None:
                return
            row = await connection.fetchrow(table.statements.get, self._fields[0])
            ours = await connection.fetchval(TRANSACTION)
        except asyncpg.PostgresError:
            return
        finally:
            await transaction.rollback()
        seen = None if row is None else table.states.read(row).seen
        if seen is not None and seen.mark == ours:
            raise StorageError(
                f"{table.url}: session {session.id!r} was not saved: a trigger of "
                f"{table.form.table} writes the row itself instead of what was sent. What the "
                "trigger wrote is stored, perhaps over the save of another writer: read the "
                f"session again; \\d {table.form.table} in psql lists the triggers, ask who made "
                "them"
            )

    async def _check_upserted(self, connection: Connection) -> None:
        """Raise the error for a refusal if a row that an upsert left as it was is not as sent."""
        row = await connection.fetchrow(self._table.statements.get, self._fields[0])
        if row is not None and not has_content(self._table.states.read(row), self._fields):
            raise self._table.refusal([self._session.id])

    async def _check_written(self, connection: Connection, saved: Any) -> None:
        """Raise the error for a refusal if a trigger put the old row in the place of the new one.

        Args:
            connection: The connection.
            saved: What the save returned.
        """
        states, session = self._table.states, self._session
        row = await connection.fetchrow(self._table.statements.get, self._fields[0])
        # Another row than this save left is that of another writer.
        if row is None or row[5:] != saved[:]:
            return
        if states.is_kept(session, self._fields, states.read(row)):
            raise self._table.refusal([session.id])


async def restore(table: OpenTable, session: Session) -> None:
    """Put a deleted session back; see ``PostgresSessionStorage.restore``."""
    table.check_writable()
    context = table.check_session(session)
    created = write_time(session.raw_created)
    fields = (
        table.normalize_id(session.id),
        session.graph_id,
        session.current_task_id,
        session.status_message,
    )

    async def work(connection: Connection) -> Any:
        sql = table.statements
        version = [session.version + 1] if sql.form.versioned else []
        for _ in range(_TRIES):
            row = await connection.fetchrow(sql.restore, *fields, context, created, *version)
            if row is not None:
                return row
            row = await connection.fetchrow(sql.get, fields[0])
            if row is not None:
                stored = table.states.read(row)
                if await _is_stored_elsewhere(table, connection, (*fields, context), stored):
                    return row[5:]
                raise SessionConflict(session, stored)
        raise table.refusal([session.id])

    saved = await table.run_adapting(work)
    current().lap("execute")
    table.states.mark_saved(session, saved, (*fields, context))


async def _is_stored_elsewhere(
    table: OpenTable, connection: Connection, fields: tuple[Any, ...], stored: Session
) -> bool:
    """Return whether what is stored is what was inserted, and triggers store rows elsewhere.

    That they do is tried with another id, in a transaction that is rolled back.

    Args:
        table: The table.
        connection: The connection.
        fields: What was sent: the id, the other columns and the JSON text of the context.
        stored: What is stored now.
    """
    if not has_content(stored, fields) or not await has_triggers(connection, table.form.table):
        return False
    other = str(uuid4())
    transaction = connection.transaction()
    await transaction.start()
    try:
        if await connection.fetchrow(table.statements.insert, other, *fields[1:]) is not None:
            return False
        return await connection.fetchrow(table.statements.get, other) is not None
    except asyncpg.PostgresError:
        return False
    finally:
        await transaction.rollback()
