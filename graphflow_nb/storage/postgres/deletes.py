"""Sessions deleted from PostgreSQL, and those that a trigger, a rule or a policy keeps.

A delete of one session by its id is one statement, others are a transaction. Where a session is
kept, both are rolled back, with whatever a trigger did instead: nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg

from ...errors import StorageError
from ...model import Session
from ..trace import current
from .connections import Connection
from .sql import TRANSACTION
from .states import Expected, columns_of
from .table import OpenTable

__all__ = ["delete_by_id", "delete_many", "delete_unchanged"]

_TRIES: Final = 5
_ANY: Final = None  # the state that a session must be in: any


async def delete_by_id(table: OpenTable, id: str) -> None:
    """Delete the session with an id; see ``PostgresSessionStorage.delete``."""
    table.check_writable()
    table.check_id(id)
    id = table.normalize_id(id)

    async def work(connection: Connection) -> bool:
        try:
            await connection.execute(table.statements.delete, id)
        except asyncpg.DivisionByZeroError:
            return False
        return True

    try:
        deleted = await table.run_adapting(work)
    except StorageError as error:
        if not _is_by_rules(error):
            raise
        deleted = False
    current().lap("execute")
    if not deleted:  # deleted by others just now, or kept
        await _delete(table, {id: _ANY}, {})


async def delete_many(
    table: OpenTable, ids: Sequence[str], versions: Sequence[int] | None
) -> list[str]:
    """Delete sessions by their ids; see ``PostgresSessionStorage.delete_many``."""
    table.check_writable()
    for id in ids:
        table.check_id(id)
    wanted: dict[str, Expected | None] = {}
    for index, id in enumerate(ids):
        version = None if versions is None else versions[index]
        wanted[table.normalize_id(id)] = _ANY if version is None else Expected(version, None, None)
    deleted = await _delete(table, wanted, {})
    return [id for id in dict.fromkeys(ids) if table.normalize_id(id) in deleted]


async def delete_unchanged(table: OpenTable, sessions: Sequence[Session]) -> list[str]:
    """Delete sessions as they were read; see ``PostgresSessionStorage.delete_unchanged``."""
    table.check_writable()
    for session in sessions:
        table.check_id(session.id)
    read = {table.normalize_id(session.id): session for session in sessions}
    deleted = await _delete(
        table, {key: table.states.expect(session) for key, session in read.items()}, read
    )
    return [session.id for key, session in read.items() if key in deleted]


async def _delete(
    table: OpenTable, wanted: Mapping[str, Expected | None], read: Mapping[str, Session]
) -> set[str]:
    """Delete sessions in one transaction, and return the ids that were deleted.

    Args:
        table: The table.
        wanted: For the id of each session, as the table writes it, the state that the session must
            be in; None for any.
        read: The sessions as they were read, by the same ids, where they are known.

    Raises:
        StorageError: Something keeps a session that is there and in its state.
    """

    async def work(connection: Connection) -> set[str]:
        async with connection.transaction():
            return await _Delete(table, connection, read).run(wanted)

    try:
        deleted = await table.run_adapting(work)
    except StorageError as error:
        if not _is_by_rules(error):
            raise
        if kept := await _find_wanted(table, wanted):
            raise table.refusal(kept) from error.__cause__
        deleted = set()
    current().lap("execute")
    return deleted


def _is_by_rules(error: StorageError) -> bool:
    """Return whether rules replace the statement, which then can't return what it deleted."""
    return error.nothing_written and isinstance(error.__cause__, asyncpg.FeatureNotSupportedError)


async def _find_wanted(table: OpenTable, wanted: Mapping[str, Expected | None]) -> list[str]:
    """Return the ids of the sessions that are stored and in their states."""
    keys = list(wanted)
    rows = await table.run_adapting(
        lambda connection: connection.fetch(table.statements.get_many, keys)
    )
    found = []
    for stored in map(table.states.read, rows):
        state = wanted[stored.id]
        if state is None or table.states.is_expected(state, stored):
            found.append(stored.id)
    return found


class _Delete:
    """A delete of sessions within an open transaction.

    Args:
        table, read: As for ``_delete``.
        connection: The connection that has the transaction.
    """

    def __init__(self, table: OpenTable, connection: Connection, read: Mapping[str, Session]):
        self._table = table
        self._connection = connection
        self._read = read

    async def run(self, wanted: Mapping[str, Expected | None]) -> set[str]:
        """Return the ids that were deleted; see ``_delete``."""
        deleted: set[str] = set()
        for attempt in range(_TRIES):
            deleted |= {row[0] for row in await self._fetch(wanted)}
            left = {key: state for key, state in wanted.items() if key not in deleted}
            if not left:
                break
            wanted = await self._find_others(left, last=attempt > 0)
            if not wanted:
                break
        return deleted

    async def _fetch(self, wanted: Mapping[str, Expected | None]) -> Sequence[Any]:
        sql, fetch = self._table.statements, self._connection.fetch
        states = [state for state in wanted.values() if state is not None]
        if not states:
            rows: Sequence[Any] = await fetch(sql.delete_many, list(wanted))
        else:
            rows = await fetch(sql.delete_unchanged, list(wanted), *columns_of(states))
        return rows

    async def _find_others(
        self, left: Mapping[str, Expected | None], *, last: bool
    ) -> dict[str, Expected | None]:
        """Return those of the sessions that were not deleted for which to try again.

        Args:
            left: The sessions that were not deleted.
            last: Whether trying again has been tried.
        """
        table, again, kept = self._table, dict[str, Expected | None](), []
        rows = await self._connection.fetch(table.statements.get_many, list(left))
        stored = [table.states.read(row) for row in rows]
        ours = None
        if stored and table.form.xmin:
            ours = await self._connection.fetchval(TRANSACTION)
        for session in stored:
            state, read = left[session.id], self._read.get(session.id)
            assert session.seen is not None
            if ours is not None and session.seen.mark == ours:
                kept.append(session.id)  # a trigger wrote it instead
            elif state is None:
                if last:
                    kept.append(session.id)
                again[session.id] = state
            elif table.states.is_expected(state, session):
                kept.append(session.id)
            elif read is not None and table.states.is_only_rewritten(read, session):
                again[session.id] = table.states.expect(session)
        if kept:
            raise table.refusal(kept)
        return again
