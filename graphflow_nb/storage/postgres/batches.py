"""Many sessions written to PostgreSQL in one transaction: new ones by COPY, others as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg

from ...errors import SessionConflict
from ...model import Session, mark_saved, stored_session
from ...model.times import describe_time
from ..checks import check_ids_once
from ..trace import current
from .connections import Connection
from .sql import parse_name
from .table import OpenTable, Work

__all__ = ["import_batch", "save_batch"]

T = TypeVar("T")

_COPY_FROM: Final = 500  # sessions; with fewer, arrays are as fast
_CHUNK: Final = 5000  # sessions in one statement with arrays
_SESSIONS_PER_TIMEOUT: Final = 10_000
_TRIES: Final = 5


class _TableChangedError(Exception):
    """The table changed to another form while a batch was written; the batch is rolled back."""


@dataclass(slots=True)
class _Entry:
    """A session that is being written.

    Attributes:
        session: The session.
        key: The session's id as the table writes it.
        context: The session's context as JSON text.
        saved: The version, created_at and updated_at after the save; None if it conflicts.
    """

    session: Session
    key: str
    context: str
    saved: tuple[int, datetime, datetime] | None = None

    @property
    def fields(self) -> tuple[Any, ...]:
        s = self.session
        return self.key, s.graph_id, s.current_task_id, s.status_message, self.context


class _Copied(NamedTuple):
    """The result of a COPY of new sessions; False if an id was taken."""

    entries: list[_Entry]
    done: bool


async def save_batch(table: OpenTable, sessions: Sequence[Session]) -> list[SessionConflict]:
    """Save sessions in one transaction; see ``PostgresSessionStorage.save_many``."""
    _check_batch(table, sessions)

    async def work(connection: Connection) -> tuple[list[_Entry], dict[str, Any]]:
        async with connection.transaction():
            entries = await _Batch(table, connection, sessions).save()
            await _check_form(table, connection, sessions)
        left_out = [entry.key for entry in entries if entry.saved is None]
        rows = await connection.fetch(table.statements.get_many, left_out) if left_out else []
        return entries, {row[0]: row for row in rows}

    entries, stored = await table.lend(lambda connection: _retry(table, connection, work))
    current().lap("execute")
    conflicts = {}
    for entry in entries:
        if entry.saved is not None:
            mark_saved(entry.session, *entry.saved)
        else:
            row = stored.get(entry.key)
            found = None if row is None else stored_session(*row)
            conflicts[entry.session.id] = SessionConflict(entry.session, found)
    return [conflicts[s.id] for s in sessions if s.id in conflicts] if conflicts else []


async def import_batch(table: OpenTable, sessions: Sequence[Session]) -> list[str]:
    """Import sessions in one transaction; see ``PostgresSessionStorage.import_many``."""
    _check_batch(table, sessions)

    async def work(connection: Connection) -> list[str]:
        async with connection.transaction():
            taken = await _Batch(table, connection, sessions).import_free()
            await _check_form(table, connection, sessions)
        return taken

    taken = set(await table.lend(lambda connection: _retry(table, connection, work)))
    current().lap("execute")
    return [session.id for session in sessions if session.id in taken]


def _check_batch(table: OpenTable, sessions: Sequence[Session]) -> None:
    table.check_writable()
    for session in sessions:
        table.check_id(session.id)
    check_ids_once(table.normalize_id(session.id) for session in sessions)


async def _check_form(
    table: OpenTable, connection: Connection, sessions: Sequence[Session]
) -> None:
    """Raise an error that rolls the batch back if the table has another form now.

    The rows of the batch keep clients from altering the table from here until the commit.
    """
    if sessions and not table.form.versioned and await table.adapt_if_changed(connection):
        raise _TableChangedError


async def _retry(table: OpenTable, connection: Connection, work: Work[T]) -> T:
    for _ in range(_TRIES):
        # The server rolls one of two batches back that lock rows in a different order.
        with suppress(asyncpg.DeadlockDetectedError, _TableChangedError):
            return await table.run_adapting_on(connection, work)
    return await work(connection)


class _Batch:
    """Sessions that are written within an open transaction.

    Args:
        table: The table to write to.
        connection: The connection that has the transaction.
        sessions: The sessions, with different ids.
    """

    def __init__(self, table: OpenTable, connection: Connection, sessions: Sequence[Session]):
        self._table = table
        self._sql = table.statements  # for the whole batch, also if another call adapts the table
        self._connection = connection
        # Always in the same order, so that two batches wait for each other without a deadlock.
        self._sessions = sorted(sessions, key=lambda session: session.id)
        # A large batch takes longer than one session.
        self._timeout = table.timeout * (1 + len(sessions) // _SESSIONS_PER_TIMEOUT)

    async def save(self) -> list[_Entry]:
        """Save new sessions and those that were read.

        Returns:
            An entry for each session, with ``saved`` filled in.
        """
        new = [session for session in self._sessions if session.is_new]
        read = [self._check(session) for session in self._sessions if not session.is_new]
        if len(new) < _COPY_FROM:
            copied = _Copied([self._check(session) for session in new], False)
        else:
            copied = await self._copy(new)
        if not copied.done:
            for part in _split(copied.entries):
                columns = _columns_of(part)
                _fill_saved(part, await self._fetch(self._sql.insert_many, columns))
        for part in _split(read):
            columns = [*_columns_of(part), [str(entry.session.version) for entry in part]]
            if self._sql.form.versioned:
                columns.append([_write_time(entry.session.raw_created) for entry in part])
            _fill_saved(part, await self._fetch(self._sql.update_many, columns))
        return [*copied.entries, *read]

    async def import_free(self) -> list[str]:
        """Insert the sessions unchanged whose ids are free, and return the ids that are taken."""
        entries = [self._check(session) for session in self._sessions]
        new: set[str] = set()
        for part in _split(entries):
            columns = _columns_of(part)
            columns.append([_write_time(entry.session.raw_created) for entry in part])
            columns.append([_write_time(entry.session.raw_updated) for entry in part])
            if self._sql.form.versioned:
                columns.append([str(entry.session.version) for entry in part])
            new.update(row[0] for row in await self._fetch(self._sql.import_many, columns))
        return [entry.session.id for entry in entries if entry.key not in new]

    def _check(self, session: Session) -> _Entry:
        context = self._table.check_session(session)
        current().size(len(context), 1)
        return _Entry(session, self._table.normalize_id(session.id), context)

    async def _fetch(self, statement: str, columns: list[list[Any]]) -> Sequence[Any]:
        rows: Sequence[Any] = await self._connection.fetch(
            statement, *columns, timeout=self._timeout
        )
        return rows

    async def _copy(self, sessions: Sequence[Session]) -> _Copied:
        """Copy new sessions straight into the table; roll that back if an id is taken.

        The sessions are checked on the way, while the server takes in those before.
        """
        entries: list[_Entry] = []
        more = (1,) if self._sql.form.versioned else ()

        def records() -> Iterator[tuple[Any, ...]]:
            for session in sessions:
                entry = self._check(session)
                entries.append(entry)
                yield entry.fields + more

        columns = ["id", "graph_id", "current_task_id", "status_message", "context"]
        if self._sql.form.versioned:
            columns.append("version")
        parts = parse_name(self._sql.form.table)
        assert parts is not None
        try:
            async with self._connection.transaction():
                await self._connection.copy_records_to_table(
                    parts[-1],
                    schema_name=parts[0] if len(parts) > 1 else None,
                    columns=columns,
                    records=records(),
                    timeout=self._timeout,
                )
                # All rows of one COPY have the same version and the same times.
                row = await self._connection.fetchrow(self._sql.get, entries[0].key)
        except (
            asyncpg.UniqueViolationError,
            asyncpg.WrongObjectTypeError,  # a view, which takes rows only by INSERT
            asyncpg.FeatureNotSupportedError,
        ):
            return _Copied([self._check(session) for session in sessions], False)
        saved = tuple(row[5:])
        for entry in entries:
            entry.saved = saved
        return _Copied(entries, True)


def _split(entries: Sequence[_Entry]) -> list[Sequence[_Entry]]:
    return [entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK)]


def _columns_of(entries: Sequence[_Entry]) -> list[list[Any]]:
    return [list(column) for column in zip(*(entry.fields for entry in entries), strict=True)]


def _fill_saved(entries: Sequence[_Entry], rows: Sequence[Any]) -> None:
    saved = {row[0]: tuple(row[1:]) for row in rows}
    for entry in entries:
        entry.saved = saved.get(entry.key)


def _write_time(time: datetime | int | None) -> str | None:
    """Return a session's time as SQL writes it."""
    if isinstance(time, int):
        return describe_time(time)
    if time is None:
        return None
    if time.tzinfo is not None:
        return time.isoformat()
    return "infinity" if time == datetime.max else "-infinity"
