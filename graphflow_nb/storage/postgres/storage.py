"""Sessions in PostgreSQL, in each form of graph-flow's table."""

from __future__ import annotations

import json
import logging
import re
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

import asyncpg
import numpy as np

from ...errors import (
    GraphflowError,
    ReadOnlyError,
    SessionConflict,
    StorageError,
    StorageTimeout,
    StorageUnavailable,
)
from ...model import Session, mark_saved, stored_session
from ...model.exactjson import too_wide
from ...model.times import FINITE, UNKNOWN_TIME, micros_or_unknown
from ..address import Address
from ..checks import check_ids_once, check_text, check_texts
from ..facts import PostgresFacts
from ..limits import QUICK_ROWS
from ..migration import Migration
from ..paths import ContextPath
from ..query import Query
from ..table import GroupCount, Table, cut_page
from ..trace import current
from ..url import check_postgres_url, redact, server_of
from . import sql as sql
from .batches import Entry, import_entries, save_entries
from .facts import look
from .link import Link, Opener
from .pool import Connections
from .watch import INSTALLED, Watcher, drop_statements, trigger_statements

__all__ = ["Migration", "PostgresSessionStorage"]

T = TypeVar("T")
log = logging.getLogger("graphflow_nb")

_EPOCH_2000 = 946_684_800_000_000  # PostgreSQL counts µs from 2000-01-01
_NULL = np.iinfo(np.int64).min + 1  # what the statement says for a time that is null

# The table is no longer what it was when the statements were made, or never was.
_OUTDATED = (
    asyncpg.FeatureNotSupportedError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.DatatypeMismatchError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.DataError,
)


_TRIES = 5


class _ReformedError(Exception):
    """The table got another form while a batch was written to it, so that is undone."""


class PostgresSessionStorage:
    """Sessions in a PostgreSQL table; made by ``await PostgresSessionStorage.connect(url)``.

    Mirrors graph-flow's ``storage_postgres.rs`` (0.6) and opens the older tables too. A save is
    compare-and-swap on ``version``, or where the table has none on the row's ``xmin``. Where there
    is no ``xmin`` to rely on either (partitioned tables, views, CockroachDB), ``updated_at`` in µs
    since 1970 stands in for the version: every writer of graph-flow sets it, but a change by hand
    that leaves it as it was is not noticed there.

    Attributes:
        form: what the table looks like, as it was last seen.
        address: which table it is, for tools that watch databases.
        standby: whether the server is a replica, as it last said. A write is always left to the
            server to refuse, since a replica can be promoted at any time.
        server_version: as the server says it that was connected to last.
    """

    suspends: ClassVar[bool] = True
    #: Reports wait, encode, execute and decode.
    phases: ClassVar[bool] = True
    #: A batch is written as a whole or not at all.
    atomic_batches: ClassVar[bool] = True

    def __init__(
        self, name: str, url: str, read_only: bool, timeout: float, statement_cache_size: int | None
    ):
        self._name = name
        self._url = url
        self._read_only = read_only
        self._timeout = timeout
        self._set_form(sql.TableForm(name, False, True))
        self._lacks_xmin = False  # whatever its catalog says
        self.address: Address
        self.standby = False
        self.server_version = ""
        self._open = Opener(
            url,
            read_only=read_only,
            timeout=timeout,
            statement_cache_size=statement_cache_size,
            on_open=self._opened,
        )
        self._connections: Connections

    def _set_form(self, form: sql.TableForm) -> None:
        self.form = form
        self._sql = sql.Statements(form)
        self._packs = True  # until the server turns out to lack the functions for that

    def _opened(self, standby: bool, server_version: str) -> None:
        self.standby = standby
        self.server_version = server_version

    @property
    def read_only(self) -> bool:
        """Whether writes are refused: opened so, or the server was a replica when last seen."""
        return self._read_only or self.standby

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        table: str = "sessions",
        read_only: bool = False,
        max_connections: int = 4,
        timeout: float = 30.0,
        statement_cache_size: int | None = None,
    ) -> Self:
        """Open a table, on the running event loop.

        An existing table is opened in the form that it has and never altered; a missing one is
        created in graph-flow 0.6's form, unless ``read_only``.

        A pooler such as PgBouncer is noticed: then nothing is kept in its server connections, and
        with ``read_only`` each operation is a read-only transaction.

        Args:
            url: ``postgresql://user:password@host:port/database``, options as asyncpg takes them.
                With several hosts (``//h1:p1,h2:p2/``, ``?host=h1,h2``) each new connection goes to
                the first that answers and is what ``target_session_attrs`` asks for.
            table: name of the table, ``schema.table`` too; as in SQL, quote what is not lower case.
            read_only: refuse every write, in the database too.
            max_connections: at most so many are held.
            timeout: seconds that connecting or one statement may take.
            statement_cache_size: prepared statements kept by each connection, None for 100, or
                behind a pooler none. A number is for poolers in session mode, which can't be told
                from others; 0 for a pooler that is not noticed.

        Raises:
            StorageError: no such server, database or right; or the table is no ``sessions`` table.
            StorageTimeout: no answer in time.
        """
        check_postgres_url(url)
        storage = cls(table, url, read_only, timeout, statement_cache_size)
        try:
            pool = await asyncpg.create_pool(
                connect=storage._open,
                connection_class=Link,
                min_size=0,
                max_size=max_connections,
                reset=_nothing_to_reset,
            )
        except Exception as error:
            raise _translated(error, url) from _cause(error, url)
        storage._connections = Connections(pool, max_connections, timeout)
        try:
            form = await storage._run(lambda c: storage._inspect(c, create=True))
            storage._set_form(form)
        except BaseException:
            await storage._connections.close()
            raise
        return storage

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop that the connections belong to."""
        return self._connections.loop

    @property
    def place(self) -> str:
        """Which table it is, without the password."""
        return f"{redact(self._url)} {self.form.table}"

    async def _inspect(self, connection: Any, *, create: bool = False) -> sql.TableForm:
        name = sql.name_parts(self._name)
        if name is None:
            raise StorageError(
                f"{self._name!r} is no name of a table; say 'table' or 'schema.table', and put "
                "double quotes around what is not lower case"
            )
        row = await connection.fetchrow(sql.INSPECT, name)
        if row["present"] and row["columns"] is None:
            # Created after this statement began: its name is known before its columns are.
            row = await connection.fetchrow(sql.INSPECT, name)
        table = row["quoted"]
        self.address = Address(
            "postgresql", *server_of(self._url), row["namespace"] or None, self._name
        )
        if not row["present"]:
            if self.read_only or not create:
                raise StorageError(
                    f"there is no table {table} in {redact(self._url)}"
                    + (", and a replica can create none" if self.standby else "")
                    + (", and a read-only workbench creates none" if self._read_only else "")
                    + "; graphflow_nb.open(url, table='schema.table') opens another"
                )
            # Someone else may be creating it at this very moment.
            races = (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError)
            with suppress(*races, asyncpg.DuplicateTableError):
                await connection.execute(sql.create(table))
            return await self._inspect(connection)
        columns = json.loads(row["columns"] or "{}")
        wrong = [n for n, types in sql.COLUMNS.items() if columns.get(n) not in types]
        if columns.get("id") not in {"uuid", "text", "character varying"}:
            wrong.insert(0, "id")
        if columns.get("version", "bigint") != "bigint":
            wrong.append("version")
        if wrong:
            raise StorageError(
                f"{table} is no table of graph-flow sessions: "
                + ", ".join(f"{n} is {columns.get(n, 'missing')}" for n in wrong)
            )
        xmin = row["xmin"] and not self._lacks_xmin
        form = sql.TableForm(table, columns["id"] == "uuid", "version" in columns, xmin)
        if not row["unique_id"] and not await _keeps_ids_apart(connection, form):
            raise StorageError(f"{table} has no unique index on id, so no save on it would be safe")
        return form

    def _run(self, work: Callable[[Any], Awaitable[T]]) -> Awaitable[T]:
        return self._hold(lambda connection: self._scoped(connection, work))

    def _run_reforming(self, work: Callable[[Any], Awaitable[T]]) -> Awaitable[T]:
        """As ``_run``, once more if the table turns out to have another form."""
        return self._hold(lambda connection: self._retry_reformed(connection, work))

    async def _scoped(self, connection: Any, work: Callable[[Any], Awaitable[T]]) -> T:
        """Await ``work(connection)``, as a read-only transaction where the session can't be so."""
        if self._open.guards and connection.guarded:
            async with connection.transaction(readonly=True):
                return await work(connection)
        return await work(connection)

    async def _hold(self, work: Callable[[Any], Awaitable[T]]) -> T:
        async def seen(connection: Any) -> T:
            try:
                result = await work(connection)
            except asyncpg.ReadOnlySQLTransactionError:
                if not self._read_only:
                    self.standby = await connection.standby()
                raise
            if self.standby:
                self.standby = await connection.standby()
            return result

        try:
            return await self._connections.run(seen)
        except GraphflowError:
            raise
        except asyncpg.ReadOnlySQLTransactionError as error:
            if not self._read_only:
                # The hosts may have changed places, or the first one is there again.
                await self._connections.renew()
            if not self.standby:
                raise _translated(error, self._url) from _cause(error, self._url)
            raise ReadOnlyError(
                f"{redact(self._url)} is a replica, which takes no writes: nothing was written. "
                "Connect to its primary, or name all hosts in the URL, with "
                "target_session_attrs=read-write"
            ) from _cause(error, self._url)
        except Exception as error:
            raise _translated(error, self._url) from _cause(error, self._url)

    async def _reformed(self, connection: Any) -> bool:
        """Whether the table has another form than the statements were made for; adapts to it."""
        form = await self._inspect(connection)
        if form == self.form:
            return False
        log.warning("the table changed to %s; going on with that", form)
        self._set_form(form)
        return True

    async def _retry_reformed(
        self, connection: Any, work: Callable[[Any], Awaitable[T]], *, writes: bool = False
    ) -> T:
        try:
            return await self._scoped(connection, work)
        except _OUTDATED as error:
            if not await self._scoped(connection, self._reformed):
                told_by_xmin = self.form.xmin and not self.form.versioned
                if told_by_xmin and isinstance(error, asyncpg.FeatureNotSupportedError):
                    return await self._retry_without_xmin(connection, work, error, writes)
                raise
            return await self._scoped(connection, work)

    async def _retry_without_xmin(
        self,
        connection: Any,
        work: Callable[[Any], Awaitable[T]],
        error: asyncpg.FeatureNotSupportedError,
        writes: bool,
    ) -> T:
        """For servers whose catalog does not tell that a row's xmin can't be had.

        A trigger may have raised the same error: only what then succeeds shows that it was xmin.
        """
        form = self.form
        self._set_form(replace(form, xmin=False))
        try:
            result = await self._scoped(connection, work)
            if writes and result is None:  # nothing was written
                raise error
        except asyncpg.PostgresError:
            self._set_form(form)
            raise
        self._lacks_xmin = True
        return result

    def _check_writable(self) -> None:
        if self._read_only:
            raise ReadOnlyError(
                f"{redact(self._url)} was opened for reading only: nothing was written"
            )

    def _check_id(self, id: str) -> None:
        check_text(id, "id", nul=False)
        if self.form.uuid:
            try:
                UUID(id)
            except ValueError as error:
                raise StorageError(
                    f"id {id!r} is no UUID, and the id column of {self.form.table} takes nothing "
                    "else; plan_migration() shows the step to text ids"
                ) from error

    def _check_session(self, session: Session) -> str:
        check_texts(session, nul=False)
        self._check_id(session.id)
        if session.extra:
            raise StorageError(
                f"the session has members that this table has no column for: "
                f"{', '.join(session.extra)}; session.copy() keeps them, so take them out of the "
                "JSON first"
            )
        if not 0 <= session.version < 2**63 - 1:
            raise StorageError(f"version {session.version} does not fit the column BIGINT")
        text = session.context_json()
        text = text if isinstance(text, str) else text.decode()
        _check_jsonb(text)
        return text

    async def save(self, session: Session) -> None:
        """Store a session; raises SessionConflict if the stored one is not the one read."""
        await self._write(session, upsert=False)

    async def upsert(self, session: Session) -> None:
        """Store a session whatever is stored there: last write wins.

        The stored version is counted up, so that workers on graph-flow 0.6 notice.
        """
        await self._write(session, upsert=True)

    async def _write(self, session: Session, *, upsert: bool) -> None:
        self._check_writable()
        trace = current()
        context = self._check_session(session)
        new, version = session.is_new, session.version
        created = session.raw_created if isinstance(session.raw_created, datetime) else None
        fields = (
            session.id,
            session.graph_id,
            session.current_task_id,
            session.status_message,
            context,
        )
        trace.lap("encode")
        trace.size(len(context), 1)

        async def write(connection: Any) -> Any:
            if upsert:
                return await connection.fetchrow(self._sql.upsert, *fields)
            if new:
                return await connection.fetchrow(self._sql.insert, *fields)
            if self.form.versioned:
                return await connection.fetchrow(self._sql.update, *fields, version, created)
            return await connection.fetchrow(self._sql.update, *fields, version)

        async def work(connection: Any) -> tuple[Any, Any]:
            row = await self._retry_reformed(connection, write, writes=True)
            if row is None and not self.form.versioned and await self._reformed(connection):
                row = await write(connection)
            if row is not None:
                return row, None
            return None, await connection.fetchrow(self._sql.get, session.id)

        row, stored = await self._hold(work)
        trace.lap("execute")
        if row is None:
            raise SessionConflict(session, None if stored is None else stored_session(*stored))
        mark_saved(session, *row)

    async def get(self, id: str) -> Session | None:
        """The session of that id, or None."""
        self._check_id(id)

        async def read(connection: Any) -> Any:
            return await connection.fetchrow(self._sql.get, id)

        row = await self._run_reforming(read)
        trace = current()
        trace.lap("execute")
        if row is None:
            return None
        session = stored_session(*row)
        trace.size(len(row[4]), 1)
        trace.lap("decode")
        return session

    async def delete(self, id: str) -> None:
        """Delete the session of that id, if there is one."""
        self._check_writable()
        self._check_id(id)

        async def work(connection: Any) -> None:
            await connection.execute(self._sql.delete, id)

        await self._run_reforming(work)
        current().lap("execute")

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Save each as ``save`` does, all in one transaction.

        Returns:
            Those that conflict, in the order given; they were left out.
        """
        self._check_batch(sessions)

        async def work(connection: Any) -> tuple[list[Entry], dict[str, Any]]:
            entries = await self._in_batch(connection, save_entries, sessions)
            left_out = [entry.key for entry in entries if entry.saved is None]
            rows = await connection.fetch(self._sql.get_many, left_out) if left_out else []
            return entries, {row[0]: row for row in rows}

        entries, stored = await self._hold(lambda c: self._retry_batch(c, work))
        current().lap("execute")
        conflicts = {}
        for entry in entries:
            if entry.saved is not None:
                mark_saved(entry.session, *entry.saved)
            else:
                row = stored.get(entry.key)
                there = None if row is None else stored_session(*row)
                conflicts[entry.session.id] = SessionConflict(entry.session, there)
        return [conflicts[s.id] for s in sessions if s.id in conflicts] if conflicts else []

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Put sessions in with their times where their ids are free, all in one transaction.

        The version is kept where the table has one.

        Returns:
            The ids that were taken, whose sessions were left as they are.
        """
        self._check_batch(sessions)

        async def work(connection: Any) -> list[str]:
            return await self._in_batch(connection, import_entries, sessions)  # type: ignore[no-any-return]

        taken = set(await self._hold(lambda c: self._retry_batch(c, work)))
        current().lap("execute")
        return [session.id for session in sessions if session.id in taken]

    def _check_batch(self, sessions: Sequence[Session]) -> None:
        self._check_writable()
        for session in sessions:
            self._check_id(session.id)
        check_ids_once(self._key(session.id) for session in sessions)

    def _entry(self, session: Session) -> Entry:
        context = self._check_session(session)
        current().size(len(context), 1)
        return Entry(session, self._key(session.id), context)

    def _key(self, id: str) -> str:
        """An id as the table spells it."""
        return str(UUID(id)) if self.form.uuid else id

    async def _in_batch(self, connection: Any, write: Any, sessions: Sequence[Session]) -> Any:
        # A large batch takes longer than one session.
        timeout = self._timeout * (1 + len(sessions) // 10_000)
        async with connection.transaction():
            result = await write(connection, self._sql, sessions, self._entry, timeout)
            # What was written holds off whoever would alter the table, until it is committed.
            if sessions and not self.form.versioned and await self._reformed(connection):
                raise _ReformedError
        return result

    async def _retry_batch(self, connection: Any, work: Callable[[Any], Awaitable[T]]) -> T:
        for _ in range(_TRIES):
            # Two batches in another order than ours: one of them is undone by the server.
            with suppress(asyncpg.DeadlockDetectedError, _ReformedError):
                return await self._retry_reformed(connection, work)
        return await work(connection)

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete these, where versions are given only those that still have them; all at once.

        Returns:
            The ids that were deleted, in the order given.
        """
        self._check_writable()
        for id in ids:
            self._check_id(id)

        async def work(connection: Any) -> Any:
            if versions is None:
                return await connection.fetch(self._sql.delete_many, ids)
            texts = [str(version) for version in versions]
            return await connection.fetch(self._sql.delete_versions, ids, texts)

        rows = await self._run_reforming(work)
        current().lap("execute")
        deleted = {row[0] for row in rows}
        # A UUID may have been given in another spelling.
        return [id for id in dict.fromkeys(ids) if self._key(id) in deleted]

    async def restore(self, session: Session) -> None:
        """Put a deleted session back; raises SessionConflict if its id is taken."""
        self._check_writable()
        context = self._check_session(session)
        created = session.raw_created if isinstance(session.raw_created, datetime) else None
        fields = (session.id, session.graph_id, session.current_task_id, session.status_message)

        async def work(connection: Any) -> tuple[Any, Any]:
            version = [session.version + 1] if self.form.versioned else []
            row = await connection.fetchrow(self._sql.restore, *fields, context, created, *version)
            if row is not None:
                return row, None
            return None, await connection.fetchrow(self._sql.get, session.id)

        row, stored = await self._run_reforming(work)
        current().lap("execute")
        if row is None:
            raise SessionConflict(session, None if stored is None else stored_session(*stored))
        mark_saved(session, *row)

    async def slow_orders(self) -> dict[str, str]:
        """The orders that no index serves in a large table, and for each what would help."""

        async def read(connection: Any) -> Any:
            return await connection.fetchrow(sql.ORDERS, self.form.table)

        about, indexed = await self._run(read)
        if about <= QUICK_ROWS:
            return {}
        return {
            order: f"no index serves this order, so about {about:,} sessions are sorted for each "
            f"page; CREATE INDEX CONCURRENTLY ON {self.form.table} ({order}, id); makes it quick"
            for order in ("updated_at", "created_at")
            if order not in indexed
        }

    async def facts(self) -> PostgresFacts:
        """What the server tells of the table and of itself, for advice; changes nothing."""
        return await look(
            self._run,
            self.form,
            place=self.place,
            read_only=self._read_only,
            connections=self._connections.size,
        )

    async def plan_trigger(self) -> Migration:
        """The statements that make the table tell of its changes; runs none of them."""
        return Migration(self.form.table, trigger_statements(self.form.table))

    async def install_trigger(self) -> Migration:
        """Run what ``plan_trigger`` shows; it waits at most five seconds for the table's lock."""
        return await self._execute(await self.plan_trigger())

    async def remove_trigger(self) -> Migration:
        """Take the trigger away again, if it is there."""
        return await self._execute(Migration(self.form.table, drop_statements(self.form.table)))

    async def _execute(self, plan: Migration) -> Migration:
        self._check_writable()

        async def work(connection: Any) -> None:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '5s'")
                for statement in plan.statements:
                    await connection.execute(statement)

        await self._run(work)
        return plan

    async def watch(
        self, on_change: Callable[[str], None], on_state: Callable[[bool], None]
    ) -> None:
        """Tell of changes until cancelled; returns at once where it can't.

        That is if the trigger is not installed, through a pooler that shares its connections, and
        on a replica: in the last two cases a warning is logged.

        Args:
            on_change: called with the id of each session that changed, ``""`` for any.
            on_state: called with True when changes are heard of, with False when no longer.
        """

        async def look(connection: Any) -> tuple[Any, bool]:
            found = await connection.fetchrow(INSTALLED, self.form.table)
            return found, connection.shared

        (installed, channel), shared = await self._run(look)
        if not installed:
            return
        if shared or self.standby:
            log.warning(
                "%s tells of no changes, since it is %s: look for them now and then",
                redact(self._url),
                "a pooler that shares its connections" if shared else "a replica",
            )
            return
        await Watcher(self._open, channel, on_change, on_state).run()

    async def close(self) -> None:
        """Give back the connections; closing twice is no error."""
        await self._connections.close()

    async def query(self, query: Query) -> list[Session]:
        """The selected sessions, in order.

        Ids are ordered by the column's collation, since only so its primary key serves a page.
        """

        async def read(connection: Any) -> Any:
            text, arguments = self._sql.select(query)
            return await connection.fetch(text, *arguments)

        rows = await self._fetch(read, query)
        sessions = [stored_session(*row) for row in rows]
        current().size(sum(len(row[4]) for row in rows), len(rows))
        current().lap("decode")
        return sessions

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """The selected sessions by column; ``context_bytes`` is what a context takes on disk."""
        wider = query.one_more()

        async def read_packed(connection: Any) -> Any:
            try:
                row = await connection.fetchrow(*_flat(self._sql.columns(wider, context)))
            except (asyncpg.UndefinedFunctionError, asyncpg.FeatureNotSupportedError):
                self._packs = False
                return None
            texts = row[1 : 5 + len(context)]
            if row[0] and any(t.count(sql.SEPARATOR) != row[0] - 1 for t in texts):
                return None
            return row

        async def read_rows(connection: Any) -> Any:
            statement = self._sql.columns(wider, context, packed=False)
            return await connection.fetch(*_flat(statement))

        row = await self._fetch(read_packed, query) if self._packs else None
        if row is not None:
            table = _unpack(row, len(context))
        else:
            table = _columns(await self._fetch(read_rows, query), len(context))
        current().size(int(table.context_bytes.sum()), len(table))
        current().lap("decode")
        return cut_page(table, query)

    async def count(self, query: Query) -> int:
        """How many sessions are selected; limit and page are ignored."""

        async def read(connection: Any) -> Any:
            return await connection.fetchval(*_flat(self._sql.count(query)))

        return int(await self._fetch(read, query))

    async def counts(self, query: Query) -> list[GroupCount]:
        """How many of the selected sessions stand at each task of each graph."""

        async def read(connection: Any) -> Any:
            return await connection.fetch(*_flat(self._sql.counts(query)))

        return [GroupCount(*row) for row in sorted(await self._fetch(read, query), key=tuple)]

    async def _fetch(self, read: Callable[[Any], Awaitable[Any]], query: Query) -> Any:
        for _, value in query.conditions():
            if value is not None:
                _check_jsonb(value.decode())
        result = await self._run_reforming(read)
        current().lap("execute")
        return result

    async def plan_migration(self) -> Migration:
        """The statements that bring the table to graph-flow 0.6's form; runs none of them."""
        form = await self._run(self._inspect)
        return Migration(form.table, tuple(form.migration()))

    async def migrate(self) -> Migration:
        """Run what ``plan_migration`` shows, in one transaction, and go on with the new form.

        It waits at most five seconds for the table's lock. Workers on graph-flow before 0.6 can't
        use the table afterwards where its ids were UUIDs.

        Returns:
            What was run.
        """
        self._check_writable()

        async def work(connection: Any) -> Migration:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '5s'")
                plan = Migration(
                    self.form.table, tuple((await self._inspect(connection)).migration())
                )
                for statement in plan.statements:
                    await connection.execute(statement)
            self._set_form(await self._inspect(connection))
            return plan

        return await self._run(work)

    def __repr__(self) -> str:
        mode = ", read-only" if self._read_only else ", a replica" if self.standby else ""
        return f"<PostgresSessionStorage {redact(self._url)}: {self.form}{mode}>"


async def _nothing_to_reset(connection: Any) -> None:
    """Instead of the pool's reset query, see ``Connections``."""


async def _keeps_ids_apart(connection: Any, form: sql.TableForm) -> bool:
    """Whether the server would notice a second row of an id, if the catalog does not say so."""
    try:
        await connection.fetch(sql.Statements(form).unique)
    except asyncpg.InvalidColumnReferenceError:
        return False
    except asyncpg.InsufficientPrivilegeError:
        return True  # it is not told to those who may not write
    return True


def _flat(statement: tuple[str, list[Any]]) -> tuple[Any, ...]:
    return (statement[0], *statement[1])


def _unpack(row: Any, paths: int) -> Table:
    n = row[0]
    texts = [text.split(sql.SEPARATOR) for text in row[1 : 5 + paths]] if n else []
    for i, column in enumerate(texts):
        if i == 3:
            texts[i] = [value[1:] if value else None for value in column]
        elif i > 3:
            texts[i] = [value or None for value in column]
    version, created, updated, size, messages = row[5 + paths :]
    if not n:
        texts = [[] for _ in range(4 + paths)]
    return Table(
        id=texts[0],
        graph_id=texts[1],
        current_task_id=texts[2],
        status_message=texts[3],
        version=_numbers(version, ">i8"),
        created=_times(created),
        updated=_times(updated),
        context_bytes=_numbers(size, ">i4"),
        messages=_numbers(messages, ">i4"),
        context=texts[4:],
        next=None,
    )


def _columns(rows: list[Any], paths: int) -> Table:
    columns: list[Any] = [[row[i] for row in rows] for i in range(9 + paths)]
    return Table(
        id=columns[0],
        graph_id=columns[1],
        current_task_id=columns[2],
        status_message=columns[3],
        version=np.array(columns[4], np.int64),
        created=np.array([micros_or_unknown(time) for time in columns[5]], np.int64),
        updated=np.array([micros_or_unknown(time) for time in columns[6]], np.int64),
        context_bytes=np.array(columns[7], np.int64),
        messages=np.array(columns[8], np.int64),
        context=columns[9:],
        next=None,
    )


def _numbers(data: bytes | None, form: str) -> Any:
    return np.frombuffer(data or b"", form).astype(np.int64)


def _times(data: bytes | None) -> Any:
    times = _numbers(data, ">i8")
    finite = np.abs(times // 2) < FINITE  # halved, since the least number has no absolute value
    return np.where(finite, times + _EPOCH_2000, np.where(times == _NULL, UNKNOWN_TIME, times | 1))


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# Written out, because it is searched in each save and \d{4} takes twice as long.
_EXPONENT = re.compile(r"[0-9][eE][+-]?[0-9][0-9][0-9][0-9]")


def _check_jsonb(text: str) -> None:
    """Raise StorageError for what JSON can hold and JSONB can't, before it is sent."""
    if "\\u0000" in text and _NUL.search(text):
        raise StorageError("context holds the character U+0000 (\\u0000), which JSONB can't hold")
    if _EXPONENT.search(text) and (wrong := too_wide(text)):
        raise StorageError(f"context holds the number {wrong[:40]}, which JSONB can't hold")


def _translated(error: Exception, url: str) -> StorageError:
    """A driver's exception as ours; the only place where that happens for PostgreSQL."""
    place = redact(url)
    said = str(error) or type(error).__name__
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return ReadOnlyError(f"{place} takes no writes: {said}")
    if isinstance(error, (TimeoutError, asyncpg.QueryCanceledError)):
        return StorageTimeout(
            f"{place} gave no answer in time; whether a write took place is not known. "
            "Try again, or connect with a longer timeout="
        )
    if isinstance(
        error, (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)
    ):
        return StorageError(f"{place} refused the user or password: check the URL")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return StorageError(f"{place}: {said}; ask for this right or open it with another user")
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StorageError(f"{place}: {said}; check the URL's last part")
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return StorageUnavailable(f"{place}: {said}; try again later or with max_connections=1")
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return StorageUnavailable(
            f"{place}: no host that answers is what target_session_attrs asks for ({said}). The "
            "workbench connects again by itself: is another host about to take over?"
        )
    if isinstance(
        error, (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
    ):
        return StorageError(
            f"{place}: {said}; a pooler shares its connections: connect with statement_cache_size=0"
        )
    # How asyncpg says that the connection broke while it was in the middle of something.
    broken = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
    if broken or isinstance(
        error,
        (
            OSError,
            asyncpg.InternalClientError,
            asyncpg.PostgresConnectionError,
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.CannotConnectNowError,
        ),
    ):
        return StorageUnavailable(
            f"{place} is out of reach ({said}); whether a write that was under way took place is "
            "not known. The workbench connects again by itself: is the server running?"
        )
    return StorageError(f"{place}: {said}")


def _cause(error: Exception, url: str) -> Exception | None:
    """The error itself, unless it would tell the password."""
    return None if redact(url, error) != str(error) else error
