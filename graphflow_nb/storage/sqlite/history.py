"""The history of the sessions in a SQLite file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import msgspec

from ..history import Expired, HistorySize, Steps, VersionRow, missing_history
from ..migration import Migration
from ..paths import is_encodable
from . import history_sql as sql
from .connection import SqliteConnection, transaction
from .odd import Database

__all__ = ["SqliteHistory"]

T = TypeVar("T")

_MOST: Final = 2**63 - 1
_COUNTED: Final = 50_000  # versions that are counted one by one
_NOTE: Final = (
    "graphflow_nb.history.HistoryStorage keeps each version that it saves or deletes in this "
    "table. Other programs don't see it, and no session is changed."
)


_TRIGGER_NOTE: Final = (
    "From now on the file notes each version that any program writes, in the transaction of its "
    "save, which takes a little longer. If a version can't be noted, its save fails."
)


class SqliteHistory:
    """The history table of a SQLite file; see ``HistoryTable``.

    Args:
        connection: The connection to the file.
        place: The file as a URL, for errors.
        check_writable: Raises ReadOnlyError if the file was opened for reading only.
    """

    def __init__(
        self, connection: SqliteConnection, place: str, check_writable: Callable[[], None]
    ):
        self._connection = connection
        self._place = place
        self._check_writable = check_writable

    async def plan(self) -> Migration:
        """Return the statements that create the table; runs nothing."""
        return Migration("sessions", sql.CREATE, _NOTE)

    async def create(self) -> Migration:
        """Create the table if it does not exist; return what was run."""
        self._check_writable()
        plan = await self.plan()
        await self._connection.run(lambda db: _execute(db, plan.statements))
        return plan

    async def drop(self) -> Migration:
        """Remove the table, its triggers and every version; return what was run."""
        self._check_writable()
        await self.stop()
        await self._connection.run(lambda db: _execute(db, sql.DROP))
        return Migration("sessions", sql.DROP, "Every version of every session is removed.")

    async def exists(self) -> bool:
        """Return whether the table exists."""
        return await self._connection.run(_exists, writes=False)

    async def plan_trigger(self, versions: int | None, age: timedelta | None = None) -> Migration:
        """Return the statements that create the table and its triggers; runs nothing."""
        triggers = sql.trigger_statements(temporary=False, versions=versions, age=age)
        statements = (*sql.CREATE, *sql.DROP_TRIGGERS, *triggers)
        return Migration("sessions", statements, _TRIGGER_NOTE)

    async def create_trigger(self, versions: int | None, age: timedelta | None = None) -> Migration:
        """Create the table and its triggers, or replace them; return what was run."""
        self._check_writable()
        plan = await self.plan_trigger(versions, age)
        await self._connection.run(lambda db: _execute(db, plan.statements))
        return plan

    async def drop_trigger(self) -> Migration:
        """Remove the triggers; the table stays. Return what was run."""
        self._check_writable()
        await self._connection.run(lambda db: _execute(db, sql.DROP_TRIGGERS))
        note = "The versions that were noted stay. Later saves are not noted."
        return Migration("sessions", sql.DROP_TRIGGERS, note)

    async def is_triggered(self) -> bool:
        """Return whether triggers of the file note what every program writes."""
        found = await self._connection.run(
            lambda db: db.execute(sql.TRIGGERED).fetchone(), writes=False
        )
        return bool(found[0])

    async def count_whole(self, ids: Sequence[str]) -> dict[str, int]:
        """Return by id how many versions of sessions have a context and no patch."""
        listed = msgspec.json.encode([id for id in ids if is_encodable(id)]).decode()
        rows = await self._run(lambda db: db.execute(sql.COUNT_WHOLE, (listed,)).fetchall())
        return dict(rows)

    async def start(self) -> None:
        """Note every write of this connection from now on, in the transaction of the write."""
        self._check_writable()

        def start(db: Database) -> None:
            db.create_function("history_now", 0, lambda: time.time_ns() // 1000)
            writer = f"graphflow_nb {os.getpid()}"
            db.create_function("history_writer", 0, lambda: writer)
            _execute(db, sql.TEMPORARY_TRIGGERS)

        await self._run(start)

    async def stop(self) -> None:
        """Note the writes of this connection no longer."""
        await self._connection.run(lambda db: _execute(db, sql.DROP_TEMPORARY_TRIGGERS))

    async def append(self, rows: Sequence[VersionRow]) -> None:
        """Append versions with the next numbers of their sessions, all in one transaction."""
        self._check_writable()

        def append(db: Database) -> None:
            with transaction(db):
                for row in rows:
                    # All columns but the number, which the statement finds.
                    db.execute(sql.APPEND, (row.id, *row[2:8], int(row.deleted), *row[9:14]))

        await self._run(append)

    async def read(
        self,
        id: str,
        *,
        first: int | None = None,
        last: int | None = None,
        limit: int | None = None,
        content: bool = True,
    ) -> list[VersionRow]:
        """Return the versions of a session from number ``last`` down to ``first``."""
        if not is_encodable(id):
            return []
        bounds = (_MOST if last is None else last, 0 if first is None else first)
        most = -1 if limit is None else limit
        statement = sql.read(content=content)
        rows = await self._run(lambda db: db.execute(statement, (id, *bounds, most)).fetchall())
        return [_row_of(row) for row in rows]

    async def number_at(self, id: str, moment: int) -> int | None:
        """Return the number that was the newest at a time in µs; None if there was none yet."""
        if not is_encodable(id):
            return None
        row = await self._run(lambda db: db.execute(sql.NUMBER_AT, (id, moment)).fetchone())
        return None if row is None else row[0]

    async def steps(
        self,
        ids: Sequence[str] | None = None,
        *,
        since: int | None = None,
        until: int | None = None,
        limit: int = 100_000,
    ) -> Steps:
        """Return versions of many sessions, without contexts."""
        values: list[Any] = [-_MOST if since is None else since, _MOST if until is None else until]
        if ids is not None:
            values.insert(0, msgspec.json.encode([id for id in ids if is_encodable(id)]).decode())
        statement = sql.steps(some=ids is not None)
        rows = await self._run(lambda db: db.execute(statement, (*values, limit + 1)).fetchall())
        return Steps.from_rows(rows, limit)

    async def ids(self, after: str | None, limit: int) -> list[str]:
        """Return the next ids that have versions, after one of them."""

        def find(db: Database) -> list[str]:
            first = []
            if after is None:
                first = [row[0] for row in db.execute(sql.FIRST_ID) if row[0] is not None]
                if not first:
                    return []
            start = after if after is not None else first[0]
            rows = db.execute(sql.IDS, (start, limit - len(first)))
            return [*first, *(row[0] for row in rows)]

        return await self._run(find)

    async def compact(self, id: str, patches: Mapping[int, tuple[str, int]]) -> int:
        """Replace contexts by patches; return how many were replaced."""
        self._check_writable()

        def compact(db: Database) -> int:
            with transaction(db):
                return sum(
                    db.execute(sql.COMPACT, (patch, size, id, number)).rowcount
                    for number, (patch, size) in patches.items()
                )

        return await self._run(compact)

    async def find_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None
    ) -> Expired:
        """Return what ``remove_expired`` would remove."""

        def find(db: Database) -> Expired:
            found = []
            for id in ids:
                if (last := _last_expired(db, id, versions, before)) is not None:
                    found.append(db.execute(sql.COUNT_TO, (id, last)).fetchone())
            return _sum(found)

        return await self._run(find)

    async def remove_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None, limit: int
    ) -> Expired:
        """Remove versions that a retention does not keep, oldest first, in one transaction."""
        self._check_writable()

        def remove(db: Database) -> Expired:
            gone, left = [], limit
            with transaction(db):
                for id in ids:
                    last = _last_expired(db, id, versions, before)
                    if last is None:
                        continue
                    if left <= 0:
                        break
                    first = db.execute(sql.RANGE, (id,)).fetchone()[0]
                    last = min(last, first + left - 1)
                    gone.append(db.execute(sql.COUNT_TO, (id, last)).fetchone())
                    left -= db.execute(sql.DELETE_TO, (id, last)).rowcount
            return _sum(gone)

        return await self._run(remove)

    async def size(self) -> HistorySize:
        """Return the size of the history; the bytes are estimated from the newest versions."""

        def measure(db: Database) -> HistorySize:
            versions, oldest = db.execute(sql.SIZE).fetchone()
            sessions = None
            if versions <= _COUNTED:
                versions, sessions = db.execute(sql.COUNT).fetchone()
            mean = db.execute(sql.MEAN).fetchone()[0]
            return HistorySize(
                sessions, versions, round(versions * mean), sessions is not None, oldest
            )

        return await self._run(measure, writes=False)

    async def _run(self, work: Callable[[Database], T], *, writes: bool = True) -> T:
        """Run work on the table, or say that there is none."""

        def run(db: Database) -> T:
            if not _exists(db):
                raise missing_history(self._place)
            return work(db)

        return await self._connection.run(run, writes=writes)

    def __repr__(self) -> str:
        return f"<SqliteHistory of {self._place}>"


def _exists(db: Database) -> bool:
    return bool(db.execute(sql.EXISTS).fetchone()[0])


def _execute(db: Database, statements: Sequence[str]) -> None:
    with transaction(db):
        for statement in statements:
            db.execute(statement)


def _row_of(row: Sequence[Any]) -> VersionRow:
    found = VersionRow(*row)
    text: Any = found.context  # as bytes
    return found._replace(
        deleted=bool(found.deleted),
        context=None if text is None else text.decode(errors="surrogateescape"),
        writer=found.writer or "",
    )


def _last_expired(db: Database, id: str, versions: int | None, before: int | None) -> int | None:
    """Return the last number of a session that a retention does not keep; None if it keeps all."""
    first, last = db.execute(sql.RANGE, (id,)).fetchone()
    if last is None:
        return None
    found = first - 1 if versions is None else last - versions
    if before is not None:
        recent = db.execute(sql.RECENT, (id, before)).fetchone()[0]
        recent = last + 1 if recent is None else recent
        # The version before the first recent one was still stored when the age began.
        row = db.execute(sql.IS_DELETED, (id, recent - 1)).fetchone()
        found = max(found, recent - (1 if row is not None and row[0] else 2))
    return found if found >= first else None


def _sum(found: Sequence[Sequence[int]]) -> Expired:
    return Expired(len(found), sum(row[0] for row in found), sum(row[1] for row in found))
