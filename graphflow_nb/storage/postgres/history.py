"""The history of the sessions in a PostgreSQL table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import asyncpg
import numpy as np

from ...errors import StorageError
from ...model.times import EPOCH, micros_or_none, micros_or_unknown
from ..history import Expired, HistorySize, Steps, VersionRow, missing_history
from ..migration import Migration
from . import history_sql as sql
from .connections import Connection
from .migration import apply_plan
from .sql import SEPARATOR
from .table import OpenTable

__all__ = ["PostgresHistory"]

T = TypeVar("T")

_MOST: Final = 2**63 - 1
_COUNTED: Final = 50_000  # versions that are counted one by one
_TRIES: Final = 5
_NOTE: Final = (
    "graphflow_nb.history.HistoryStorage keeps each version that it saves or deletes in this "
    "table. Workers don't see it, and no session is changed. Who may read it, its owner decides: "
    "it has what sessions have."
)


_TRIGGER_NOTE: Final = (
    "From now on the database notes each version that any client commits, in the transaction of "
    "its save. That adds about 45 µs, as measured: 1.3 times a save that does not wait for the "
    "disk, 1.05 times one that does. If a version can't be noted, its save fails. TRUNCATE is not "
    "noted. Workers need no right on the history and see nothing of it; who may read it, its owner "
    "decides: it has what sessions have. The table is locked for a moment."
)


class PostgresHistory:
    """The history table beside a table of sessions; see ``HistoryTable``.

    Args:
        table: The open table of sessions.
    """

    def __init__(self, table: OpenTable):
        self._table = table
        self._statements: sql.HistoryStatements | None = None

    async def plan(self) -> Migration:
        """Return the statements that create the table; runs nothing."""
        form = await self.find_form()
        return Migration(self._table.form.table, sql.create_statements(form), _NOTE)

    async def create(self) -> Migration:
        """Create the table if it does not exist; return what was run."""
        self._table.check_writable()
        return await apply_plan(self._table, await self.plan())

    async def drop(self) -> Migration:
        """Remove the table, its trigger and every version; return what was run."""
        self._table.check_writable()
        form = await self.find_form()
        await self.stop()
        self._statements = None
        name = self._table.form.table
        note = "Every version of every session is removed."
        return await apply_plan(self._table, Migration(name, sql.drop_statements(form, name), note))

    async def exists(self) -> bool:
        """Return whether the table exists."""
        return bool((await self._find())["present"])

    async def plan_trigger(self, versions: int | None, age: timedelta | None = None) -> Migration:
        """Return the statements that create the table and its trigger; runs nothing."""
        form, table = await self.find_form(), self._table.form
        # Not by the search_path, which the function has of its own.
        name = await self._table.run(lambda c: c.fetchval(sql.QUALIFY, table.table), writes=False)
        statements = sql.trigger_statements(
            form, name, versioned=table.versioned, versions=versions, age=age
        )
        return Migration(table.table, (*sql.create_statements(form), *statements), _TRIGGER_NOTE)

    async def create_trigger(self, versions: int | None, age: timedelta | None = None) -> Migration:
        """Create the table and its trigger, or replace them; return what was run."""
        self._table.check_writable()
        plan = await apply_plan(self._table, await self.plan_trigger(versions, age))
        await self.stop()  # what the trigger notes is not noted twice
        return plan

    async def drop_trigger(self) -> Migration:
        """Remove the trigger; the table stays. Return what was run."""
        self._table.check_writable()
        name = self._table.form.table
        statements = sql.drop_trigger_statements(await self.find_form(), name)
        note = "The versions that were noted stay. Later saves are not noted."
        return await apply_plan(self._table, Migration(name, statements, note))

    async def is_triggered(self) -> bool:
        """Return whether a trigger of the database notes what every client writes."""
        return bool((await self._find())["triggered"])

    async def count_whole(self, ids: Sequence[str]) -> dict[str, int]:
        """Return by id how many versions of sessions have a context and no patch."""

        async def count(connection: Connection, statements: sql.HistoryStatements) -> Any:
            return await connection.fetch(statements.count_whole, list(ids))

        return dict(await self._run(count, writes=False))

    async def start(self) -> None:
        """Note every write of this storage from now on, in the statement that writes.

        What the trigger notes already is not noted twice.
        """
        self._table.check_writable()
        found = await self._find()
        if not found["present"]:
            raise missing_history(self._table.place)
        if not found["triggered"]:
            self._table.note_in(_form_of(found))

    async def stop(self) -> None:
        """Note the writes of this storage no longer."""
        self._table.note_in(None)

    async def find_form(self) -> sql.HistoryForm:
        """Return the names of the history, whether it exists or not."""
        return _form_of(await self._find())

    async def _find(self) -> Any:
        name = self._table.form.table
        found = await self._table.run(
            lambda connection: connection.fetchrow(sql.FIND, name), writes=False
        )
        if not found["fits"]:
            raise StorageError(
                f"the name of the table {name} is too long for one with _history behind it, so it "
                "can't have a history: nothing was created. Keep it elsewhere, by "
                "HistoryStorage(storage, archive=…)",
                nothing_written=True,
            )
        return found

    async def append(self, rows: Sequence[VersionRow]) -> None:
        """Append versions with the next numbers of their sessions, all in one transaction."""
        self._table.check_writable()

        async def append(connection: Connection, statements: sql.HistoryStatements) -> None:
            async with connection.transaction():
                for row in rows:
                    await connection.execute(
                        statements.append,
                        row.id,
                        row.version,
                        _time_of(row.at),
                        row.graph_id,
                        row.current_task_id,
                        row.status_message,
                        None if row.created is None else _time_of(row.created),
                        row.deleted,
                        *row[9:14],
                    )

        for attempt in range(_TRIES):
            try:
                await self._run(append)
                return
            except StorageError as error:  # another client appended the same number
                taken = isinstance(error.__cause__, asyncpg.UniqueViolationError)
                if not taken or attempt == _TRIES - 1:
                    raise

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
        if not self._table.can_hold(id):
            return []
        key = self._table.normalize_id(id)
        bounds = (_MOST if last is None else last, 0 if first is None else first, limit)

        async def read(connection: Connection, statements: sql.HistoryStatements) -> Any:
            text = statements.read if content else statements.list
            return await connection.fetch(text, key, *bounds)

        return [_row_of(row) for row in await self._run(read, writes=False)]

    async def number_at(self, id: str, moment: int) -> int | None:
        """Return the number that was the newest at a time in µs; None if there was none yet."""
        if not self._table.can_hold(id):
            return None
        key, time = self._table.normalize_id(id), _time_of(moment)

        async def find(connection: Connection, statements: sql.HistoryStatements) -> Any:
            return await connection.fetchval(statements.number_at, key, time)

        found: int | None = await self._run(find, writes=False)
        return found

    async def steps(
        self,
        ids: Sequence[str] | None = None,
        *,
        since: int | None = None,
        until: int | None = None,
        limit: int = 100_000,
    ) -> Steps:
        """Return versions of many sessions, without contexts."""
        table = self._table
        values: list[Any] = [
            None if moment is None else _time_of(moment) for moment in (since, until)
        ]
        values.append(limit + 1)
        if ids is not None:
            values.append([table.normalize_id(id) for id in ids if table.can_hold(id)])

        async def read(connection: Connection, statements: sql.HistoryStatements) -> Steps:
            text = statements.steps
            if ids is not None:
                text = statements.steps_of
            packed = await connection.fetchrow(sql.pack_steps(text), *values)
            steps = _unpack_steps(packed, limit)
            if steps is None:
                steps = Steps.from_rows(await connection.fetch(text, *values), limit)
            return steps

        return await self._run(read, writes=False)

    async def ids(self, after: str | None, limit: int) -> list[str]:
        """Return the next ids that have versions, after one of them."""

        async def find(connection: Connection, statements: sql.HistoryStatements) -> list[str]:
            first = []
            start = after
            if start is None:
                start = await connection.fetchval(statements.first_id)
                if start is None:
                    return []
                first = [start]
            rows = await connection.fetch(statements.ids, start, limit - len(first))
            return [*first, *(row[0] for row in rows)]

        return await self._run(find, writes=False)

    async def compact(self, id: str, patches: Mapping[int, tuple[str, int]]) -> int:
        """Replace contexts by patches; return how many were replaced."""
        self._table.check_writable()
        numbers = [str(number) for number in patches]
        texts = [patch for patch, _ in patches.values()]
        sizes = [str(size) for _, size in patches.values()]
        key = self._table.normalize_id(id)

        async def compact(connection: Connection, statements: sql.HistoryStatements) -> int:
            done = await connection.execute(statements.compact, key, numbers, texts, sizes)
            return int(done.split()[-1])

        return await self._run(compact)

    async def find_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None
    ) -> Expired:
        """Return what ``remove_expired`` would remove."""
        values = (list(ids), versions, None if before is None else _time_of(before))

        async def find(connection: Connection, statements: sql.HistoryStatements) -> Any:
            return await connection.fetchrow(statements.find_expired, *values)

        return Expired(*await self._run(find, writes=False))

    async def remove_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None, limit: int
    ) -> Expired:
        """Remove versions that a retention does not keep, oldest first, in one statement."""
        self._table.check_writable()
        values = (list(ids), versions, None if before is None else _time_of(before), limit)

        async def remove(connection: Connection, statements: sql.HistoryStatements) -> Any:
            return await connection.fetchrow(statements.remove_expired, *values)

        return Expired(*await self._run(remove))

    async def size(self) -> HistorySize:
        """Return the size of the history."""

        async def measure(connection: Connection, statements: sql.HistoryStatements) -> HistorySize:
            versions, size = await connection.fetchrow(statements.estimate)
            if versions > _COUNTED:
                return HistorySize(None, versions, size, False, None)
            sessions, versions, oldest = await connection.fetchrow(statements.count)
            return HistorySize(sessions, versions, size, True, micros_or_none(oldest))

        return await self._run(measure, writes=False)

    async def _run(
        self,
        work: Callable[[Connection, sql.HistoryStatements], Awaitable[T]],
        *,
        writes: bool = True,
    ) -> T:
        """Run work with the statements on the history, or say that there is none."""
        if self._statements is None:
            found = await self._find()
            if not found["present"]:
                raise missing_history(self._table.place)
            self._statements = sql.HistoryStatements(_form_of(found))
        statements = self._statements
        try:
            return await self._table.run(
                lambda connection: work(connection, statements),
                writes=writes,
                beside=statements.table,
            )
        except StorageError as error:
            if not isinstance(error.__cause__, asyncpg.UndefinedTableError):
                raise
            self._statements = None
            raise missing_history(self._table.place) from error.__cause__

    def __repr__(self) -> str:
        return f"<PostgresHistory of {self._table.place}>"


def _form_of(found: Any) -> sql.HistoryForm:
    return sql.HistoryForm(**{field.name: found[field.name] for field in fields(sql.HistoryForm)})


def _row_of(row: Any) -> VersionRow:
    columns: list[Any] = [*row]
    columns[3], columns[7] = micros_or_unknown(columns[3]), micros_or_none(columns[7])
    columns[-1] = columns[-1] or ""  # the writer
    return VersionRow(*columns)


def _unpack_steps(row: Any, limit: int) -> Steps | None:
    """Return the steps of a row of ``pack_steps``; None where a text has the separator inside."""
    count, *texts, numbers, times, deleted = row
    if not count:
        return Steps.from_rows([], limit)
    columns = [text.split(SEPARATOR) for text in texts]
    if any(len(column) != count for column in columns):
        return None
    id, graph, task, status, source = (column[:limit] for column in columns)
    return Steps(
        id=id,
        graph_id=[text[1:] for text in graph],
        current_task_id=[text[1:] for text in task],
        status_message=[text[1:] if text else None for text in status],
        source=source,
        number=np.frombuffer(numbers, ">i8")[:limit].astype(np.int64),
        at=np.frombuffer(times, ">i8")[:limit].astype(np.int64),
        deleted=np.frombuffer(deleted, bool)[:limit],
        more=count > limit,
    )


def _time_of(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
