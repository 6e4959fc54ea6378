"""Sessions in Redis or Valkey, a single server or a cluster."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import uuid4

from ...errors import SessionConflict, StorageError
from ...model import Session
from ...model.times import micros_or_none
from ..address import Address
from ..checks import (
    MOST_CONNECTIONS,
    check_ids_once,
    check_number,
    check_seconds,
    check_text,
    check_texts,
    refuse_write,
)
from ..facts import RedisFacts, with_history
from ..history import measure_history
from ..odd import Found
from ..offloop import run_off_loop
from ..overview import OverviewCounts
from ..paths import ContextPath
from ..query import Query
from ..table import GroupCount, Table
from ..trace import current
from ..url import StoreUrl
from .batches import Batches, position_of, restored
from .building import build
from .client import RedisClient
from .clock import next_time, next_version
from .errors import is_refused
from .facts import collect_facts
from .form import digest, encode
from .history import RedisHistory
from .index import RedisIndex
from .keys import Keys
from .overview import read_overview
from .queries import Queries
from .records import TRIES, New, Records, Write, contention_error

__all__ = ["RedisSessionStorage"]


class RedisSessionStorage:
    """A storage of sessions in Redis or Valkey.

    The stored form is that of graph-flow's documentation: ``SET <id> <json>``. A save is
    compare-and-swap on the whole stored text, so the save of a worker that does not count versions
    is noticed too. ``version`` is the count in the JSON, or a number computed from the text where
    nothing counts. Times are those of the client that saved; a worker's save leaves them unknown.

    Values that are not sessions are never listed, changed or deleted.

    Rights of a user, on the keys of the sessions: ``+get +mget +scan`` to read, and ``+@read
    +@write +@scripting`` to write. ``+info``, ``+ping`` and ``+client|setname`` may be missing.
    Keys that may not be read are left out of listings, with a note. Who lacks SET, as a SET tells
    that changes no key, deletes with ``undo=False`` alone, since undo could put nothing back.

    Example:
        >>> from graphflow_nb import RedisSessionStorage, Session
        >>> from graphflow_nb.private_server import LocalRedis  # or a server of yours
        >>> with LocalRedis() as server:
        ...     storage = await RedisSessionStorage.connect(server.url)
        ...     await storage.save(Session("claim-1", "intake"))
        ...     print(await storage.get("claim-1"))
        ...     await storage.close()
        Session('claim-1', 'intake', graph_id='default', version=1)
    """

    suspends: ClassVar[bool] = True
    #: Reports wait, encode, execute and decode.
    phases: ClassVar[bool] = True
    #: When a batch fails, some of its sessions may have been written.
    atomic_batches: ClassVar[bool] = False

    def __init__(
        self,
        client: RedisClient,
        prefix: str,
        ttl: float | None,
        read_only: bool,
        scan_limit: int,
    ):
        self.prefix = prefix
        self._opened_read_only = read_only
        self._client = client
        self._records = Records(client, prefix, ttl)
        self._index = RedisIndex(client, prefix)
        self._batches = Batches(self._records, self._index)
        self._keys = Keys(client, self._records, self._index, scan_limit)
        self._queries = Queries(client, self._records, self._index, self._keys)
        self.no_restore = ""
        self._history = RedisHistory(client, self._records, self.place, self._check_writable)

    @property
    def history_table(self) -> RedisHistory:
        """The history of the sessions; see ``SupportsHistory``."""
        return self._history

    @classmethod
    async def connect(
        cls,
        url: str | StoreUrl,
        *,
        prefix: str = "",
        ttl: float | None = None,
        read_only: bool = False,
        max_connections: int = 4,
        timeout: float = 30.0,
        scan_limit: int = 200_000,
    ) -> Self:
        """Connect, on the running event loop. A cluster and a replica are recognised.

        Args:
            url: ``redis://user:password@host:6379/0``, ``rediss://`` with TLS, ``unix://path``;
                ``valkey://`` and ``valkeys://`` too. Of a cluster, any of its nodes.
            prefix: The text before each id in its key. Default: none, as in the documented storage.
            ttl: The seconds after its last save at which a session expires. None leaves its expiry
                as it is.
            read_only: Whether to refuse every write.
            max_connections: The largest number of connections.
            timeout: The seconds that one exchange may take.
            scan_limit: The largest number of keys that a query reads where no index serves it.

        Raises:
            StorageError: The server or the password is wrong, an option is invalid, or redis-py is
                not installed.
            StorageTimeout: There was no answer in time.
        """
        url = StoreUrl(url)
        check_text(prefix, "prefix", nul=True)
        if ttl is not None and not (isinstance(ttl, (int, float)) and 0.001 <= ttl < 1e10):
            raise StorageError(f"ttl= must be a number of seconds >= 0.001 or None, not {ttl!r}")
        check_seconds("timeout", timeout)
        check_number("max_connections", max_connections, 1, MOST_CONNECTIONS)
        check_number("scan_limit", scan_limit, 0, 2**53)
        client = await RedisClient.connect(url, max_connections, timeout)
        storage = cls(client, prefix, ttl, read_only, scan_limit)
        try:
            await storage._index.refresh()
            if not storage.read_only:
                storage.no_restore = await storage._find_no_restore()
        except BaseException:
            await client.close()
            raise
        return storage

    async def _find_no_restore(self) -> str:
        """Return why this user could not put back what he deletes; empty where he can.

        To ask for rights is itself a right, of those who look after a server. Nothing is changed:
        of a key that does not exist, a SET that takes existing ones alone makes none.
        """
        key = f"{self.prefix}graphflow_nb:{uuid4().hex}"
        try:
            await self._client.command("SET", key, "", "XX")
        except StorageError as error:  # keys of other names he may be allowed
            if is_refused(error) and not is_refused(error, " key"):
                return "this user lacks the command SET"
        return ""

    @property
    def read_only(self) -> bool:
        """Whether writes are refused: opened so, or the server was a replica when last asked."""
        return self._opened_read_only or self._client.replica

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop that the connections belong to."""
        return self._client.loop

    @property
    def place(self) -> str:
        """The store's URL without the password, and the pattern of its keys."""
        return f"{self._client.url} {self.prefix}*"

    @property
    def identity(self) -> str:
        """The server, database and prefix, however the URL was spelled.

        The server is the one at this machine's port, or else at the host's name and port, so it
        survives a restart: a server alone reports nothing of itself that does. The names
        ``localhost``, ``127.0.0.1``, ``::1``, this machine's own name and a Unix socket are one
        server. A cluster is the first of the addresses that its nodes announce, through whichever
        node it was reached. Another name of a remote host, a tunnel, a proxy, and a port for TLS
        beside the plain one, can't be recognised: they are other stores. A server that took
        another's place at the same address can't be told from it.
        """
        return self._records.store

    @property
    def address(self) -> Address:
        """The server and database, for tools that watch databases."""
        return self._client.address

    @property
    def server_version(self) -> str:
        """The server's name and version, e.g. ``Redis 7.2.4`` or ``Valkey 9.1.2``."""
        return self._client.server

    # One session

    async def save(self, session: Session) -> None:
        """Save a session, if the stored one is still the one that was read.

        Args:
            session: The session; its version and times are set in place.

        Raises:
            SessionConflict: The stored session has another version or does not exist.
            StorageError: The session can't be stored, or the store failed.
        """
        self._check(session)
        trace = current()
        if session.is_new:
            version, now = 1, next_time()
            created: int | None = now
            text = encode(session, version, created, now)
            trace.lap("encode")
            trace.size(len(text), 1)
            there = await self._records.create(New(session.id, text))
        else:
            created = micros_or_none(session.raw_created)
            mark = self._records.seen_mark(session)
            if mark is None:
                # It was not read from this store in this state, so the stored text is read first.
                stored = await self._records.read(session.id)
                trace.lap("execute")
                if stored is None or not self._records.is_as_read(session, stored):
                    raise SessionConflict(
                        session, None if stored is None else self._records.session(stored)
                    )
                created, mark = stored.known_created, digest(stored.text)
            version, now = next_version(session.version), next_time(session.raw_updated)
            text = encode(session, version, created, now)
            trace.lap("encode")
            trace.size(len(text), 1)
            there = await self._records.swap(session.id, mark, text)
        trace.lap("execute")
        if there is not None:
            raise self._records.conflict(session, there)
        await self._finish_save(Write(session, text, version, created, now))

    async def upsert(self, session: Session) -> None:
        """Save a session whatever is stored under its id: last write wins.

        Args:
            session: The session; its version and times are set in place.

        Raises:
            StorageError: The session can't be stored, or the store failed.
        """
        self._check(session)
        trace = current()
        for _ in range(TRIES):
            stored = await self._records.read(session.id)
            trace.lap("execute")
            now = next_time(None if stored is None else stored.known_updated)
            created = now if stored is None else stored.known_created
            version = 1 if stored is None else next_version(stored.version)
            text = encode(session, version, created, now)
            trace.lap("encode")
            if stored is None:
                there = await self._records.create(New(session.id, text))
            else:
                there = await self._records.swap(session.id, digest(stored.text), text)
            trace.lap("execute")
            if there is None:
                trace.size(len(text), 1)
                await self._finish_save(Write(session, text, version, created, now))
                return
        raise contention_error(session.id)

    async def get(self, id: str) -> Session | None:
        """Return the session with this id, or None if it does not exist.

        Raises:
            SessionFormatError: What is stored is nearly a session; ``raw`` returns it.
            StorageError: Something else is stored under that id, or the store failed.
        """
        stored = await self._records.read(id)
        trace = current()
        trace.lap("execute")
        if stored is None:
            return None
        session = self._records.session(stored)
        trace.size(len(stored.text), 1)
        trace.lap("decode")
        return session

    async def raw(self, id: str) -> dict[str, Any] | None:
        """Return the ``key`` and the ``value`` of an id as they are stored; see ``SupportsRaw``."""
        check_text(id, "id", nul=True)
        return await self._records.raw(id)

    async def delete(self, id: str) -> None:
        """Delete the session with this id, or what is nearly one, if there is one.

        Raises:
            StorageError: Something else is stored under that id, or the store failed.
        """
        self._check_writable()
        await self._records.delete(id)
        if self._index.exists:
            await self._index.remove([id])
        current().lap("execute")

    async def restore(self, session: Session) -> None:
        """Put a deleted session back with its time of creation, its version increased by one.

        Where the session knows in which time it was to expire (``session.expires_in``), it gets
        that time again.

        Args:
            session: The session; its version and times are set in place.

        Raises:
            SessionConflict: The id is taken.
        """
        self._check(session)
        write = restored(session)
        there = await self._records.create(New(session.id, write.text, session.expires_in))
        current().lap("execute")
        if there is not None:
            raise self._records.conflict(session, there)
        await self._finish_save(write)

    async def _finish_save(self, write: Write) -> None:
        write.mark_saved(self._records.store)
        if self._index.exists:
            await self._index.put([position_of(write.session)])

    def _check_writable(self) -> None:
        # A replica refuses by itself, until it is promoted.
        if self._opened_read_only:
            raise refuse_write(self._client.url)

    def _check(self, session: Session) -> None:
        self._check_writable()
        check_texts(session, nul=True)

    # Several sessions

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Save each session as ``save`` does, many at once.

        Returns:
            The conflicts, in the order given; their sessions were not saved.

        Raises:
            StorageError: A session can't be stored or an id is given twice: nothing was written.
                Or the store failed: the sessions marked as saved are, the others may be.
        """
        for session in sessions:
            self._check(session)
        check_ids_once(session.id for session in sessions)
        return await self._batches.save(sessions)

    async def restore_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Put deleted sessions back, each as ``restore`` does, many at once.

        Returns:
            A conflict for each session whose id is taken, in the order given.

        Raises:
            StorageError: A session can't be stored or an id is given twice: nothing was written.
                Or the store failed: the sessions marked as saved are, the others may be.
        """
        for session in sessions:
            self._check(session)
        check_ids_once(session.id for session in sessions)
        return await self._batches.restore(sessions)

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Store sessions with the versions and times that they have, where their ids are free.

        One that was read from Redis by ``query`` expires when it was to expire there.

        Returns:
            The ids that were taken; nothing was written under them.

        Raises:
            StorageError: A session can't be stored or an id is given twice: nothing was written.
                Or the store failed: some may have been written.
        """
        for session in sessions:
            self._check(session)
        check_ids_once(session.id for session in sessions)
        return await self._batches.import_new(sessions)

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete sessions.

        Args:
            ids: The ids.
            versions: The version of each; a session with another version now is not deleted. None
                deletes them whatever their versions.

        Returns:
            The ids that were deleted, in the order given.

        Raises:
            StorageError: Something else is stored under one of the ids, or the store failed.
        """
        self._check_writable()
        for id in ids:
            check_text(id, "id", nul=True)
        return await self._batches.delete(ids, versions)

    async def delete_unchanged(self, sessions: Sequence[Session]) -> list[str]:
        """Delete the sessions whose stored text is the one that they were read from.

        The server compares and deletes in one step, so a save by a worker that counts no versions
        is noticed too. Such a session stays.

        Returns:
            The ids that were deleted, in the order given.

        Raises:
            StorageError: The store failed; some may have been deleted.
        """
        self._check_writable()
        for session in sessions:
            check_text(session.id, "id", nul=True)
        return await self._batches.delete_unchanged(sessions)

    # Queries

    async def query(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order, each with the time in which it expires.

        The list names in ``problems`` what is nearly a session. Where the index answered, its note
        says so.

        Raises:
            QueryError: No index serves the query, and there are more keys than ``scan_limit``.
        """
        page = await self._queries.sessions(query)
        left = await self._records.expiries([stored.id for stored in page.found])
        trace = current()
        trace.lap("execute")

        def build() -> list[Session]:
            sessions = [self._records.session(stored) for stored in page.found]
            for session, milliseconds in zip(sessions, left, strict=True):
                session.expires_in = milliseconds
            return sessions

        sessions = await run_off_loop(len(left), build)
        trace.size(sum(len(stored.text) for stored in page.found), len(sessions))
        trace.lap("decode")
        return Found(sessions, page.problems, page.note)

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column, with the time at which each expires.

        Args:
            query: The selection.
            context: The context paths that get a column each.

        Returns:
            The table; ``context_bytes`` is the length of the JSON text.

        Raises:
            QueryError: No index serves the query, and there are more keys than ``scan_limit``.
        """
        return await self._queries.table(query, context)

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored.

        Where the index answered, it is a ``NotedCount``, whose note says so.
        """
        return await self._queries.count(query)

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph.

        Where the index answered, they are a ``NotedList``, whose note says so.
        """
        return await self._queries.counts(query)

    async def overview(self, now: datetime, *, exact: bool = False) -> OverviewCounts:
        """Return counts by task and age, by the hour and by size; see ``SupportsOverview``.

        Of many keys the values of some 10,000 are read, unless ``exact``.
        """
        return await read_overview(self._client, self._records, self._keys, now, exact=exact)

    async def slow_orders(self) -> dict[str, str]:
        """Return the orders that no index serves, each with what would help.

        It is empty for a small store, where every order is quick.
        """
        return await self._queries.slow_orders()

    async def facts(self) -> RedisFacts:
        """Return what the server reports about itself, for advice; nothing is changed."""
        facts = await collect_facts(
            self._client,
            self._index,
            place=self.place,
            read_only=self.read_only,
            prefix=self.prefix,
            ttl=self._records.expire,
        )
        return with_history(facts, await measure_history(self._history))

    # The index

    async def build_index(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> int:
        """Build the index for quick pages, or bring it up to date; other writes go on meanwhile.

        What this package writes afterwards is kept in it. Workers do not know it: a session that
        they save stays at its old place, and one that they create is missing until the index is
        built again. One that was stopped before it was whole is not read.

        Args:
            progress: Called after each batch with the number of sessions read, and of keys if the
                storage has no prefix.
            stop: Asked before each batch; True ends the work there.

        Returns:
            The number of sessions in the index; of those that were read, if it was stopped.

        Raises:
            StorageError: The server may delete parts of an index to make room, or the store failed.
        """
        self._check_writable()
        return await build(self._client, self._records, self._keys, self._index, progress, stop)

    async def drop_index(self) -> None:
        """Delete the index, if there is one; sessions are not changed."""
        self._check_writable()
        await self._index.drop()
        self._index.exists = False

    async def close(self) -> None:
        """Close the connections; closing twice is not an error."""
        await self._client.close()

    def __repr__(self) -> str:
        kind = f"{self._client.server}{' Cluster' if self._client.cluster else ''}"
        keys = f", keys {self.prefix}*" if self.prefix else ""
        mode = ", read-only" if self.read_only else ""
        return f"<RedisSessionStorage {self._client.url}: {kind}{keys}{mode}>"
