"""Many sessions written to PostgreSQL in one transaction: new ones by COPY, others as arrays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg

from ...errors import SessionConflict
from ...model import Session
from ..checks import check_ids_once
from ..trace import current
from .citus import is_distributed
from .connections import Connection
from .inspection import has_triggers
from .limits import MARGIN
from .sql import TRANSACTION, parse_name
from .states import columns_of, write_time
from .table import OpenTable, Work

__all__ = ["import_batch", "restore_batch", "save_batch"]

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
        saved: The version, the times and the mark after the save; None if it conflicts.
        stored: The stored session that it conflicts with; None if it was deleted.
    """

    session: Session
    key: str
    context: str
    saved: tuple[Any, ...] | None = None
    stored: Session | None = None

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
    return await _write_batch(table, sessions, _Batch.save)


async def restore_batch(table: OpenTable, sessions: Sequence[Session]) -> list[SessionConflict]:
    """Restore sessions in one transaction; see ``PostgresSessionStorage.restore_many``."""
    return await _write_batch(table, sessions, _Batch.restore)


async def _write_batch(
    table: OpenTable,
    sessions: Sequence[Session],
    write: Callable[[_Batch], Awaitable[list[_Entry]]],
) -> list[SessionConflict]:
    _check_batch(table, sessions)

    async def work(connection: Connection) -> list[_Entry]:
        async with connection.transaction():
            await connection.allow(_time_for(table, sessions) + MARGIN)
            entries = await write(_Batch(table, connection, sessions))
            await _check_form(table, connection, sessions)
        return entries

    entries = await table.lend(lambda connection: _retry(table, connection, work))
    current().lap("execute")
    conflicts = {}
    for entry in entries:
        if entry.saved is not None:
            table.states.mark_saved(entry.session, entry.saved, entry.fields)
        else:
            conflicts[entry.session.id] = SessionConflict(entry.session, entry.stored)
    return [conflicts[s.id] for s in sessions if s.id in conflicts] if conflicts else []


async def import_batch(table: OpenTable, sessions: Sequence[Session]) -> list[str]:
    """Import sessions in one transaction; see ``PostgresSessionStorage.import_many``."""
    _check_batch(table, sessions)

    async def work(connection: Connection) -> list[str]:
        async with connection.transaction():
            await connection.allow(_time_for(table, sessions) + MARGIN)
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


def _time_for(table: OpenTable, sessions: Sequence[Session]) -> float:
    """Return the seconds that a statement may take: a large batch takes longer than one session."""
    return table.timeout * (1 + len(sessions) // _SESSIONS_PER_TIMEOUT)


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
        self._timeout = _time_for(table, sessions)

    async def save(self) -> list[_Entry]:
        """Save new sessions and those that were read.

        Returns:
            An entry for each session, with ``saved`` filled in.
        """
        new = [session for session in self._sessions if session.is_new]
        read = [self._check(session) for session in self._sessions if not session.is_new]
        if (
            len(new) < _COPY_FROM
            or self._sql.notes
            or await has_triggers(self._connection, self._sql.form.table)
            # Each server gives its rows a version of its own.
            or await is_distributed(self._connection, self._sql.form.table)
        ):
            copied = _Copied([self._check(session) for session in new], False)
        else:
            copied = await self._copy(new)
        if not copied.done:
            await self._insert(copied.entries, self._sql.insert_many, _columns_of)
        await self._update(read)
        return [*copied.entries, *read]

    async def restore(self) -> list[_Entry]:
        """Insert deleted sessions again, with the times of their creation and later versions.

        Returns:
            An entry for each session, with ``saved`` filled in.
        """
        entries = [self._check(session) for session in self._sessions]

        def columns_for(part: Sequence[_Entry]) -> list[list[Any]]:
            columns = _columns_of(part)
            columns.append([write_time(entry.session.raw_created) for entry in part])
            if self._sql.form.versioned:
                columns.append([str(entry.session.version + 1) for entry in part])
            return columns

        await self._insert(entries, self._sql.restore_many, columns_for)
        return entries

    async def _insert(
        self,
        entries: Sequence[_Entry],
        statement: str,
        columns_for: Callable[[Sequence[_Entry]], list[list[Any]]],
    ) -> None:
        """Insert sessions whose ids are free, and find what the others conflict with."""
        for _ in range(_TRIES):
            for part in _split(entries):
                _fill_saved(part, await self._fetch(statement, columns_for(part)))
            left_out = [entry for entry in entries if entry.saved is None]
            await self._find_stored(left_out)
            await self._take_elsewhere(left_out)
            # What had the id may have been deleted meanwhile.
            entries = [e for e in left_out if e.stored is None and e.saved is None]
            if not entries:
                return
        raise self._table.refusal([entry.session.id for entry in entries])

    async def _take_elsewhere(self, entries: Sequence[_Entry]) -> None:
        """Fill in what this transaction stored by triggers, as in a table that inherits."""
        if not any(entry.stored for entry in entries) or not self._sql.form.xmin:
            return
        ours = await self._connection.fetchval(TRANSACTION)
        for entry in entries:
            stored = entry.stored
            if stored is not None and stored.seen is not None and stored.seen.mark == ours:
                marks = [stored.seen.mark] if self._sql.form.versioned else []
                entry.saved = (stored.version, stored.raw_created, stored.raw_updated, *marks)

    async def _update(self, entries: Sequence[_Entry]) -> None:
        """Update sessions that are as they were read, and find what the others conflict with."""
        states = self._table.states
        expected = {entry.key: states.expect(entry.session) for entry in entries}
        for _ in range(_TRIES):
            for part in _split(entries):
                columns = [*_columns_of(part), *columns_of(expected[entry.key] for entry in part)]
                _fill_saved(part, await self._fetch(self._sql.update_many, columns))
            await self._check_written(entries)
            left_out = [entry for entry in entries if entry.saved is None]
            await self._find_stored(left_out)
            ours = None
            if left_out and self._sql.form.xmin:
                ours = await self._connection.fetchval(TRANSACTION)
            kept, again = [], []
            for entry in left_out:
                stored = entry.stored
                if stored is None or stored.seen is None:
                    continue
                # What this transaction wrote, a trigger wrote instead of what was sent.
                if stored.seen.mark == ours or states.is_expected(expected[entry.key], stored):
                    kept.append(entry.session.id)
                elif states.is_only_rewritten(entry.session, stored):
                    expected[entry.key] = states.expect(stored)
                    again.append(entry)
            if kept:
                raise self._table.refusal(kept)
            if not again:
                return
            entries = again

    async def _check_written(self, entries: Sequence[_Entry]) -> None:
        """Raise the error for a refusal if a trigger put an old row in the place of a new one."""
        # Such a trigger leaves the time too.
        odd = [e for e in entries if e.saved is not None and e.saved[2] == e.session.raw_updated]
        await self._find_stored(odd)
        kept = [
            entry.session.id
            for entry in odd
            if entry.stored is not None
            and self._table.states.is_kept(entry.session, entry.fields, entry.stored)
        ]
        if kept:
            raise self._table.refusal(kept)

    async def _find_stored(self, entries: Sequence[_Entry]) -> None:
        """Fill in which sessions are stored now."""
        if not entries:
            return
        keys = [entry.key for entry in entries]
        rows = await self._connection.fetch(self._sql.get_many, keys, timeout=self._timeout)
        stored = {row[0]: self._table.states.read(row) for row in rows}
        for entry in entries:
            entry.stored = stored.get(entry.key)

    async def import_free(self) -> list[str]:
        """Insert the sessions unchanged whose ids are free, and return the ids that are taken."""
        entries = [self._check(session) for session in self._sessions]
        new: set[str] = set()
        left: Sequence[_Entry] = entries
        for _ in range(_TRIES):
            for part in _split(left):
                columns = _columns_of(part)
                columns.append([write_time(entry.session.raw_created) for entry in part])
                columns.append([write_time(entry.session.raw_updated) for entry in part])
                if self._sql.form.versioned:
                    columns.append([str(entry.session.version) for entry in part])
                new.update(row[0] for row in await self._fetch(self._sql.import_many, columns))
            left = [entry for entry in left if entry.key not in new]
            await self._find_stored(left)
            await self._take_elsewhere(left)
            new.update(entry.key for entry in left if entry.saved is not None)
            left = [entry for entry in left if entry.stored is None]
            if not left:
                return [entry.session.id for entry in entries if entry.key not in new]
        raise self._table.refusal([entry.session.id for entry in left])

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
