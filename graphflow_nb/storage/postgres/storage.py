"""The storage for sessions in PostgreSQL."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

from ...errors import SessionConflict
from ...model import Session
from ..address import Address
from ..chats import Chat
from ..checks import check_text
from ..facts import PostgresFacts, with_history
from ..history import measure_history
from ..migration import Migration
from ..overview import OverviewCounts
from ..paths import ContextPath
from ..query import Query
from ..table import GroupCount, Table
from ..url import StoreUrl
from ..wrappers.read_only import ReadOnlyStorage
from .batches import import_batch, restore_batch, save_batch
from .deletes import delete_by_id, delete_many, delete_unchanged
from .facts import collect_facts, estimate_sessions, find_slow_orders
from .history import PostgresHistory
from .limits import describe_limits
from .migration import install_trigger, migrate, plan_migration, plan_trigger, remove_trigger
from .odd import (
    delete_odd,
    read_raw,
)
from .queries import Queries
from .ranges import split_table
from .reads import get
from .snapshot import open_snapshot
from .sql import TableForm
from .table import OpenTable
from .watch import watch_table
from .writes import restore, save

__all__ = ["PostgresSessionStorage"]

T = TypeVar("T")


class PostgresSessionStorage:
    """A storage for sessions in a PostgreSQL table, opened by ``connect``.

    It mirrors graph-flow's ``storage_postgres.rs`` (0.6) and opens the older tables too. A save is
    compare-and-swap on ``version``, on ``created_at``, and on the row's ``xmin``, so that a write
    that does not count the version is noticed too: that of graph-flow before 0.6, or one by hand.
    Where the table has no ``version``, ``xmin`` replaces it. Where ``xmin`` can't be relied on
    (partitioned tables, views, CockroachDB), ``updated_at`` in µs since 1970 does its work. Every
    writer of graph-flow sets it, but a change by hand that leaves it, and the version, unchanged is
    not noticed there.

    Workers on graph-flow 0.6 compare the version alone: whatever did not count it, they overwrite.

    Example:
        >>> from graphflow_nb import PostgresSessionStorage, Session, local_postgres
        >>> with local_postgres() as server:
        ...     storage = await PostgresSessionStorage.connect(server.url)
        ...     await storage.save(Session("claim-1", "intake"))
        ...     print(await storage.get("claim-1"))
        ...     await storage.close()
        Session('claim-1', 'intake', graph_id='default', version=1)

    Args:
        table: The open table.
    """

    suspends: ClassVar[bool] = True
    #: Reports wait, encode, execute and decode.
    phases: ClassVar[bool] = True
    #: A batch is written as a whole or not at all.
    atomic_batches: ClassVar[bool] = True

    def __init__(self, table: OpenTable):
        self._table = table
        self._queries = Queries(table)
        self._history = PostgresHistory(table)

    @property
    def history_table(self) -> PostgresHistory:
        """The history of the sessions; see ``SupportsHistory``."""
        return self._history

    @classmethod
    async def connect(
        cls,
        url: str | StoreUrl,
        *,
        table: str = "sessions",
        read_only: bool = False,
        max_connections: int = 4,
        timeout: float = 30.0,
        statement_cache_size: int | None = None,
    ) -> Self:
        """Open a table on the running event loop.

        An existing table is opened in the form that it has and never altered. A missing one is
        created in graph-flow 0.6's form, unless ``read_only``.

        These rights are needed, and no others: CONNECT on the database, USAGE on the schema, and on
        the table, or on a view of it, SELECT for reading; for writing also INSERT, UPDATE and
        DELETE. SELECT on the columns of graph-flow alone is enough too. CREATE on the schema is
        needed only where a missing table is to be created.

        A pooler such as PgBouncer is recognised. Then nothing is kept in its server connections,
        and with ``read_only`` each operation is a read-only transaction.

        Args:
            url: ``postgresql://user:password@host:port/database``, with the parameters of libpq,
                sqlx and others (``storage/postgres/parameters.py`` lists what becomes of each).
                With several hosts (``//h1:p1,h2:p2/``, ``?host=h1,h2``) each new connection
                goes to the first that answers and is what ``target_session_attrs`` asks for.
            table: The name of the table, also ``schema.table``. As in SQL, quote what is not
                lower case.
            read_only: Whether to refuse every write, in the database too.
            max_connections: The most connections to hold.
            timeout: Seconds that connecting or one statement may take. Some two seconds later the
                server itself ends the statement, also if this process was killed; a limit of the
                role or in the URL (``?statement_timeout=5s``) is kept.
            statement_cache_size: The number of prepared statements that each connection keeps;
                None for 100, or behind a pooler none. A number is for poolers in session mode,
                which can't be distinguished from others; 0 for a pooler that is not recognised.

        Raises:
            StorageError: The server, the database or a right is missing, or the table is not a
                sessions table.
            StorageTimeout: There was no answer in time.
        """
        url = StoreUrl(url)
        return cls(
            await OpenTable.connect(
                url,
                table=table,
                read_only=read_only,
                max_connections=max_connections,
                timeout=timeout,
                statement_cache_size=statement_cache_size,
            )
        )

    @property
    def form(self) -> TableForm:
        """The form of the table, as last seen."""
        return self._table.form

    @property
    def address(self) -> Address:
        """Which table it is, for tools that watch databases."""
        return self._table.address

    @property
    def place(self) -> str:
        """Which table it is, without the password."""
        return self._table.place

    @property
    def identity(self) -> str:
        """Which table it is, whatever its URL is; see ``OpenTable.identity``."""
        return self._table.identity

    @property
    def no_restore(self) -> str:
        """Why what is deleted could not be put back as it was; empty where it can be."""
        return self._table.no_restore

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop that the connections belong to."""
        return self._table.loop

    @property
    def read_only(self) -> bool:
        """Whether writes are refused: opened so, or the server was a replica when last seen."""
        return self._table.read_only

    @property
    def standby(self) -> bool:
        """Whether the server is a replica, as last seen.

        A write is always left to the server to refuse, because a replica can be promoted at any
        time.
        """
        return self._table.standby

    @property
    def server_version(self) -> str:
        """The version of the server that was connected to last."""
        return self._table.server_version

    @property
    def limits(self) -> str:
        """After which times the server ends what was left running, and the most connections."""
        table = self._table
        return describe_limits(table.limits, table.max_connections, table.application_name)

    async def run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Run statements of your own on one of the storage's connections.

        The server ends a statement some two seconds after ``timeout=``, even if the call has a
        longer time; ``SET LOCAL statement_timeout`` in a transaction allows more.
        What ``work`` sets or resets in the session, and a transaction that it leaves open, end with
        it.

        Args:
            work: A coroutine function that takes an asyncpg connection.

        Returns:
            What ``work`` returns.

        Raises:
            StorageError: The driver raised an error.
        """
        return await self._table.lend(lambda connection: connection.run_as_user(work, connection))

    # One session

    async def save(self, session: Session) -> None:
        """Save a session if the stored one is still the one that was read.

        Raises:
            SessionConflict: It is not; nothing was written.
            StorageError: It is, but a trigger, a rule or a policy does not let it be changed.
        """
        await save(self._table, session, upsert=False)

    async def upsert(self, session: Session) -> None:
        """Save a session whatever is stored: the last write wins.

        The stored version is incremented, so that workers on graph-flow 0.6 notice.
        """
        await save(self._table, session, upsert=True)

    async def get(self, id: str) -> Session | None:
        """Return the session with this id, or None if it does not exist.

        Raises:
            SessionFormatError: The row with this id is not a session; ``raw`` returns it.
        """
        return await get(self._table, id)

    async def raw(self, id: str) -> dict[str, Any] | None:
        """Return what is stored under an id, by column; see ``SupportsRaw``."""
        check_text(id, "id", nul=True)
        return await read_raw(self._table, id)

    async def delete(self, id: str) -> None:
        """Delete the session with this id, if there is one.

        Raises:
            StorageError: It is there, and a trigger, a rule or a policy keeps it.
        """
        await delete_by_id(self._table, id)
        await delete_odd(self._table, [id])

    async def restore(self, session: Session) -> None:
        """Put a deleted session back with the time of its creation.

        Raises:
            SessionConflict: Its id is taken; nothing was written.
        """
        await restore(self._table, session)

    # Many sessions

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Save each session as ``save`` does, all in one transaction.

        Returns:
            The conflicts, in the order given; these sessions were left out.
        """
        return await save_batch(self._table, sessions)

    async def restore_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Put deleted sessions back, each as ``restore`` does, all in one transaction.

        Returns:
            The conflicts of those whose ids are taken, in the order given.
        """
        return await restore_batch(self._table, sessions)

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Insert sessions with their times where their ids are free, all in one transaction.

        The version is kept where the table has one.

        Returns:
            The ids that are taken; the sessions stored there were left unchanged.
        """
        return await import_batch(self._table, sessions)

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete sessions, all in one transaction.

        Args:
            ids: The ids of the sessions.
            versions: For each id the version that the session must still have; None for any.

        Returns:
            The ids that were deleted, in the order given.

        Raises:
            StorageError: A trigger, a rule or a policy keeps a session; none was deleted.
        """
        deleted = await delete_many(self._table, ids, versions)
        if versions is None:
            gone = {*deleted, *await delete_odd(self._table, ids)}
            deleted = [id for id in dict.fromkeys(ids) if id in gone]
        return deleted

    async def delete_unchanged(self, sessions: Sequence[Session]) -> list[str]:
        """Delete the sessions that are still as they were read, all in one transaction.

        Version, time of creation and ``xmin`` are compared.

        Returns:
            The ids that were deleted, in the order given.

        Raises:
            StorageError: A trigger, a rule or a policy keeps a session; none was deleted.
        """
        return await delete_unchanged(self._table, sessions)

    # Queries

    async def query(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order; ``problems`` of the list names the odd rows.

        Ids are ordered by the column's collation, because only then the primary key serves a page.
        """
        return await self._queries.sessions(query)

    async def chats(self, query: Query) -> list[Chat] | None:
        """Return the chats that have messages of the selected sessions; see ``SupportsChats``."""
        return await self._queries.chats(query)

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column.

        ``context_bytes`` is the size of a context on disk.
        """
        return await self._queries.table(query, context)

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""
        return await self._queries.count(query)

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""
        return await self._queries.counts(query)

    async def overview(self, now: datetime, *, exact: bool = False) -> OverviewCounts:
        """Return counts by task and age, by the hour and by size; see ``SupportsOverview``.

        Of a table of more than 16 MB a part of the pages is read, unless ``exact``. The size of a
        context is that on disk.
        """
        return await self._queries.overview(now, exact=exact)

    async def split(self, parts: int) -> list[str] | None:
        """Return ids that divide the table into ranges; see ``SupportsSplit``.

        They are those that ANALYZE noted, if it noted enough since the table last changed much;
        else they are taken from a sample of the table's pages.
        """
        return await split_table(self._table, parts)

    async def snapshot(self) -> ReadOnlyStorage:
        """Return a storage of what is stored now; see ``SupportsSnapshot``.

        It is a transaction on one more connection, of which there are two at most. The server keeps
        each row for it that is replaced or deleted meanwhile, and ALTER TABLE waits for its end. It
        ends after ten minutes without a read, or sooner where the role, the database or the URL
        has an ``idle_in_transaction_session_timeout`` that says so.

        Raises:
            StorageError: Two are open, or the server can't be reached.
        """
        return ReadOnlyStorage(PostgresSessionStorage(await open_snapshot(self._table)))

    async def estimate(self) -> int | None:
        """Return about how many sessions there are, as the server's statistics say."""
        return await estimate_sessions(self._table)

    async def slow_orders(self) -> dict[str, str]:
        """Return the orders that no index serves in a large table, and for each what would help."""
        return await find_slow_orders(self._table)

    async def facts(self) -> PostgresFacts:
        """Return what the server reports about the table and itself; nothing is changed.

        Raises:
            StorageUnavailable: The server is out of reach.
        """
        facts = await collect_facts(self._table)
        return with_history(facts, await measure_history(self._history))

    # The table itself

    async def plan_migration(self) -> Migration:
        """Return the statements that bring the table to graph-flow 0.6's form; run none of them."""
        return await plan_migration(self._table)

    async def migrate(self) -> Migration:
        """Run what ``plan_migration`` shows, in one transaction, and adapt to the new form.

        It waits at most five seconds for the table's lock. Workers on graph-flow before 0.6 can't
        use the table afterwards if its ids were UUIDs.

        Returns:
            What was run.
        """
        return await migrate(self._table)

    async def plan_trigger(self) -> Migration:
        """Return the statements that make the table announce its changes; run none of them."""
        return plan_trigger(self._table)

    async def install_trigger(self) -> Migration:
        """Run what ``plan_trigger`` shows; it waits at most five seconds for the table's lock.

        Returns:
            What was run.
        """
        return await install_trigger(self._table)

    async def remove_trigger(self) -> Migration:
        """Remove the trigger, if there is one.

        Returns:
            What was run.
        """
        return await remove_trigger(self._table)

    async def watch(
        self, on_change: Callable[[str], None], on_state: Callable[[bool], None]
    ) -> None:
        """Report changes until cancelled; return at once where that can't be done.

        It can't be done if the trigger is not installed, through a pooler that shares its
        connections, and on a replica. In the last two cases a warning is logged.

        Args:
            on_change: Called with the id of each session that changed, ``""`` for any.
            on_state: Called with True when changes are noticed, with False when no longer.
        """
        await watch_table(self._table, on_change, on_state)

    async def close(self) -> None:
        """Close the connections; closing twice is not an error."""
        await self._table.close()

    def __repr__(self) -> str:
        return f"<PostgresSessionStorage {self._table}>"
