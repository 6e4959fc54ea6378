"""One open table of sessions: its form, and how statements are run on it.

Everything in this folder that needs the table is given the ``OpenTable``: the storage, the batches,
the migration, the facts and the watch.
"""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Self, TypeVar
from uuid import UUID

import asyncpg

from ...errors import GraphflowError, StorageDenied, StorageError
from ...model import Session
from ..address import Address
from ..checks import (
    MOST_CONNECTIONS,
    check_no_extra,
    check_number,
    check_seconds,
    check_text,
    check_texts,
    refuse_write,
)
from ..url import StoreUrl, check_postgres_url
from . import sql as sql
from .connections import Connection, Connections, Lending, NotConnected
from .errors import (
    NOT_SPOKEN,
    OUTDATED,
    check_jsonb,
    depends_on_row,
    raise_read_only,
    raise_translated,
)
from .history_sql import HistoryForm
from .inspection import RIGHTS, Found, Inspector, find_missing_rights
from .link import Link, Opener
from .pages import Pages
from .scans import Scans
from .states import RowStates

__all__ = ["OpenTable", "Work"]

T = TypeVar("T")
#: A coroutine function that works on a connection.
Work = Callable[[Connection], Awaitable[T]]

log = logging.getLogger("graphflow_nb")


class OpenTable:
    """A table of sessions in PostgreSQL, opened by ``await OpenTable.connect(url)``.

    It runs coroutine functions on a connection, adapts to a table that changes to another form,
    and raises the driver's errors as ours.

    Args:
        name: The table's name as the user wrote it.
        url: The URL of the server.
        opened_read_only: Whether to refuse every write, in the database too.
        timeout: Seconds that one statement may take.

    Attributes:
        form: The form of the table, as last seen.
        statements: The SQL for a table of this form.
        pages: The ways in which pages are found.
        scans: What reads would go through.
        packs: Whether the server can pack columns; True until it turns out to lack the functions.
        address: The table, for tools that watch databases.
        identity: The server, the database and the table by what they call themselves, so that no
            other spelling of the URL or restart of the server changes it. A replica has that of
            its primary.
        no_restore: Why what is deleted could not be put back as it was, as last seen; empty where
            it can be.
        states: What the rows have to do with the sessions that were read from them.
        standby: Whether the server is a replica, as last seen. A write is always left to the
            server to refuse, because a replica can be promoted at any time.
        server_version: The version of the server that was connected to last.
        limits: After how many milliseconds that server ends what runs, by the setting's name.
        shared: Whether a pooler shares its connections.
        snapshots: Those that are open, see ``snapshot.py``.
        is_closed: Whether it was closed.
        url, opened_read_only, timeout: As given.
    """

    form: sql.TableForm
    statements: sql.Statements
    pages: Pages
    scans: Scans
    packs: bool
    address: Address
    identity: str
    no_restore: str
    states: RowStates
    _opener: Opener
    _connections: Lending

    def __init__(self, name: str, url: StoreUrl, *, opened_read_only: bool, timeout: float):
        self.url = url
        self.opened_read_only = opened_read_only
        self.timeout = timeout
        self.standby = False
        self.server_version = ""
        self.limits: Mapping[str, int] = {}
        self.shared = False
        self.snapshots: set[Lending] = set()
        self.is_closed = False
        self._opened = False
        self._inspector = Inspector(name, url, read_only=opened_read_only)
        self._history: HistoryForm | None = None

    @classmethod
    async def connect(
        cls,
        url: StoreUrl,
        *,
        table: str = "sessions",
        read_only: bool = False,
        max_connections: int = 4,
        timeout: float = 30.0,
        statement_cache_size: int | None = None,
    ) -> Self:
        """Open a table on the running event loop; see ``PostgresSessionStorage.connect``."""
        check_postgres_url(url)
        check_text(table, "table=", nul=False)
        check_seconds("timeout", timeout)
        check_number("max_connections", max_connections, 1, MOST_CONNECTIONS)
        if statement_cache_size is not None:
            check_number("statement_cache_size", statement_cache_size, 0, 10_000)
        self = cls(table, url, opened_read_only=read_only, timeout=timeout)
        self._opener = Opener(
            url,
            read_only=read_only,
            timeout=timeout,
            statement_cache_size=statement_cache_size,
            on_open=self._see_server,
        )
        try:
            self._connections = await Connections.open(self._opener, max_connections, timeout)
        except Exception as error:
            raise_translated(error, url, writes=False, opened=False)
        try:
            self._adopt(await self.lend(self._inspect_first, writes=False))
        except BaseException:
            await self.close()
            raise
        self._opened = True
        return self

    def _see_server(
        self, standby: bool, server_version: str, limits: Mapping[str, int], shared: bool
    ) -> None:
        self.standby = standby
        self.server_version = server_version
        self.limits = limits
        self.shared = shared

    def _adopt(self, found: Found) -> None:
        self.address = found.address
        self.identity = found.identity
        self.no_restore = found.no_restore
        self._shown = found.name
        self._set_form(found.form)

    def _set_form(self, form: sql.TableForm) -> None:
        self.form = form
        self.statements = sql.Statements(form, self._history)
        self.states = RowStates(self.identity, form)
        self.pages = Pages()
        self.scans = Scans(form.table)
        self.packs = True

    def note_in(self, history: HistoryForm | None) -> None:
        """Write a version into a history with each write from now on; None for no longer."""
        self._history = history
        self.statements = sql.Statements(self.form, history)

    @property
    def read_only(self) -> bool:
        """Whether writes are refused: opened so, or the server was a replica when last seen."""
        return self.opened_read_only or self.standby

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop that the connections belong to."""
        return self._connections.loop

    @property
    def max_connections(self) -> int:
        """The most connections that are held."""
        return self._connections.size

    @property
    def place(self) -> str:
        """Which table it is, without the password."""
        return f"{self.url} {self._shown}"

    @property
    def application_name(self) -> str:
        """The name under which the server lists the connections."""
        return self._opener.application_name

    async def open_connection(self) -> Link:
        """Open a connection beside those that are held; the caller closes it."""
        return await self._opener()

    def pin_to(self, snapshot: Lending) -> None:
        """See the table as the transaction of a snapshot does; for a copy of this object."""
        self._connections = snapshot
        self.snapshots = set()
        self._opener = copy(self._opener)
        self._opener.scopes = True  # the link runs all work in savepoints

    async def close(self) -> None:
        """Close the connections, and those of snapshots; closing twice is not an error."""
        self.is_closed = True
        for snapshot in [*self.snapshots]:
            await snapshot.close()
        await self._connections.close()

    # Running

    def run(self, work: Work[T], *, writes: bool = True, beside: str | None = None) -> Awaitable[T]:
        """Return the result of ``work(connection)``.

        Args:
            work: A coroutine function that takes a connection. Where the table was opened for
                reading only through a pooler, it runs in a read-only transaction.
            writes: Whether it may write; the error of what reads says nothing about writes.
            beside: The quoted name of another table that it reads or writes.

        Raises:
            StorageError: The driver raised an error.
        """
        return self.lend(
            lambda connection: self._run_scoped(connection, work), writes=writes, beside=beside
        )

    def run_adapting(self, work: Work[T], *, writes: bool = True) -> Awaitable[T]:
        """Run as ``run`` does, and once more if the table turns out to have another form."""
        return self.lend(lambda connection: self.run_adapting_on(connection, work), writes=writes)

    def run_query(self, work: Work[T]) -> Awaitable[T]:
        """Run a query, which may take long, as ``run_adapting`` does; others keep a connection."""
        return self.lend(
            lambda connection: self.run_adapting_on(connection, work), query=True, writes=False
        )

    async def lend(
        self,
        work: Work[T],
        *,
        query: bool = False,
        writes: bool = True,
        beside: str | None = None,
    ) -> T:
        """Lend a connection to several steps of work; each runs by ``run_adapting_on``.

        Args:
            work: A coroutine function that takes a connection.
            query: Whether it may take long, and leaves a connection to what is short.
            writes, beside: As of ``run``.
        """
        lend = self._connections.run_query if query else self._connections.run

        async def run(connection: Connection) -> T:
            try:
                result = await work(connection)
            except asyncpg.ReadOnlySQLTransactionError:
                if not self.opened_read_only:
                    self.standby = await connection.is_standby()
                raise
            if self.standby:
                self.standby = await connection.is_standby()
            return result

        try:
            try:
                return await lend(run)
            except asyncpg.ReadOnlySQLTransactionError:
                if not self._opener.seeks_primary:
                    raise
                # There was no primary when the connection was made. Nothing was written.
                await self._connections.renew()
                return await lend(run)
        except GraphflowError:
            raise
        except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError) as error:
            if depends_on_row(error) or not (
                lacking := await self._find_missing_rights(error, beside)
            ):
                raise_translated(error, self.url)
            raise StorageDenied(
                f"{self.url}: {self.url.mask(error)}: this user lacks {lacking}. {RIGHTS}"
            ) from error
        except asyncpg.ReadOnlySQLTransactionError as error:
            if not self.opened_read_only:
                # The hosts may have changed places, or the first one is there again.
                await self._connections.renew()
            if self.standby:
                raise_read_only(error, self.url, sought=self._opener.seeks_primary)
            raise_translated(error, self.url)
        except NotConnected as error:
            raise_translated(error.error, self.url, sent=False, opened=self._opened)
        except Exception as error:  # a replica only reads, whatever was to be done
            writes = writes and not self.standby
            raise_translated(error, self.url, writes=writes, opened=self._opened)

    async def run_adapting_on(
        self, connection: Connection, work: Work[T], *, writes: bool = False
    ) -> T:
        """Run work on a lent connection, once more if the table turns out to have another form.

        Args:
            connection: The connection that ``lend`` lent.
            work: A coroutine function that takes a connection.
            writes: Whether the work is a write, which returns None if nothing was written.
        """
        try:
            if self._opener.scopes:
                return await self._run_scoped(connection, work)
            return await work(connection)  # one coroutine less, for what is done most
        except OUTDATED as error:
            if not await self._run_scoped(connection, self.adapt_if_changed):
                if isinstance(error, asyncpg.FeatureNotSupportedError):
                    if await self._has_rules(connection):
                        raise self.refusal() from error
                    if self.form.xmin:
                        return await self._run_without_xmin(connection, work, error, writes)
                raise
            return await self._run_scoped(connection, work)

    async def _has_rules(self, connection: Connection) -> bool:
        """Return whether rules replace writes to the table."""
        with suppress(*NOT_SPOKEN):
            return bool(await connection.fetchval(sql.HAS_RULES, self.form.table))
        return False

    async def adapt_if_changed(self, connection: Connection) -> bool:
        """Adapt to the table's form if it is different from that of the statements.

        Returns:
            Whether it was another.
        """
        found = await self._inspect(connection)
        if found.form == self.form:
            return False
        log.warning("the table changed to %s; the storage uses it in that form now", found.form)
        self._adopt(found)
        return True

    async def _run_scoped(self, connection: Connection, work: Work[T]) -> T:
        """Run work as a transaction where the session can't be read-only, or keep its limits."""
        if self._opener.scopes:
            result: T = await connection.run_scoped(work, connection)
            return result
        return await work(connection)

    async def _run_without_xmin(
        self,
        connection: Connection,
        work: Work[T],
        error: asyncpg.FeatureNotSupportedError,
        writes: bool,
    ) -> T:
        """Run work without ``xmin``, for servers whose catalog does not show that they lack it.

        A trigger may have raised the same error. Only work that succeeds now shows that it was
        ``xmin``.
        """
        form = self.form
        self._set_form(replace(form, xmin=False))
        try:
            result = await self._run_scoped(connection, work)
            if writes and result is None:  # nothing was written
                raise error
        except asyncpg.PostgresError:
            self._set_form(form)
            raise
        self._inspector.lacks_xmin = True
        return result

    # The form

    async def read_form(self, connection: Connection) -> sql.TableForm:
        """Return the form that the table has now, without adapting to it."""
        return (await self._inspect(connection)).form

    async def readopt(self, connection: Connection) -> None:
        """Adapt to the form that the table has now."""
        self._adopt(await self._inspect(connection))

    async def _inspect_first(self, connection: Connection) -> Found:
        """Inspect the table when it is opened, and create it if that is wanted."""

        async def inspect(connection: Connection) -> Found:
            return await self._inspector.inspect(connection, create=True, standby=self.standby)

        attempt = partial(self._run_scoped, connection, inspect)
        return await self._inspector.choose_statement(attempt)

    async def _inspect(self, connection: Connection) -> Found:
        return await self._inspector.inspect(connection, standby=self.standby)

    async def _find_missing_rights(self, error: Exception, beside: str | None) -> str | None:
        """Return the rights that the user lacks, and on what; None where that is not known.

        Args:
            error: The error of the driver, which names what it is about.
            beside: The quoted name of another table than that of the sessions.
        """

        async def find(connection: Connection) -> str | None:
            if hidden := await self._inspector.find_hidden_schemas(connection):
                return f"USAGE on the schema {hidden}"
            history = None if self._history is None else self._history.name
            tables = list(filter(None, (self.form.table, beside or history)))
            return await find_missing_rights(connection, tables, str(error))

        with suppress(Exception):
            return await self._connections.run(find)
        return None

    # What it takes

    def refusal(self, ids: Sequence[str] = ()) -> StorageError:
        """Return the error for a write that changed nothing, although nothing stood against it.

        Args:
            ids: The ids of the sessions that were to be written or deleted; none if unknown.
        """
        table = self.form.table
        which = f" (session {', '.join(map(repr, ids[:3]))}{', …' if ids[3:] else ''})"
        return StorageError(
            f"{self.url}: the database accepted the statement but changed no row: a "
            f"trigger, rule or policy of {table} prevents it{which if ids else ''}. Nothing was "
            f"written; \\d {table} in psql lists them, ask who made them",
            nothing_written=True,
        )

    def check_writable(self) -> None:
        """Raise ReadOnlyError if the table was opened for reading only."""
        if self.opened_read_only:
            raise refuse_write(self.url)

    def check_id(self, id: str) -> None:
        """Raise StorageError if the id column can't hold an id."""
        check_text(id, "id", nul=False)
        if self.form.uuid:
            try:
                UUID(id)
            except ValueError as error:
                raise StorageError(
                    f"id {id!r} is not a UUID, and the id column of {self.form.table} takes "
                    "nothing else; plan_migration() shows the step to text ids",
                    nothing_written=True,
                ) from error

    def check_session(self, session: Session) -> str:
        """Return the context's JSON text of a session that the table can hold.

        Raises:
            StorageError: The table can't hold the session.
        """
        check_texts(session, nul=False)
        self.check_id(session.id)
        check_no_extra(session)
        if not 0 <= session.version < 2**63 - 1:
            raise StorageError(
                f"version {session.version} does not fit the column BIGINT", nothing_written=True
            )
        text = session.context_json()
        text = text if isinstance(text, str) else text.decode()
        check_jsonb(text)
        return text

    def can_hold(self, id: str) -> bool:
        """Return whether the table could hold this id."""
        return self.statements.selects.can_hold(id)

    def normalize_id(self, id: str) -> str:
        """Return an id as the table writes it: a UUID may be given in another spelling."""
        return self.statements.selects.key(id)

    def __repr__(self) -> str:
        mode = ", read-only" if self.opened_read_only else ", a replica" if self.standby else ""
        return f"{self.url}: {self.form}{mode}"
