"""The notebook's door to one store."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import pandas as pd

from ..advice import Findings, advise
from ..bridge import Bridge, ForeignLoop, InPlace, LoopThread, dual, running_loop
from ..cards import session as cards
from ..changes import Patch, apply
from ..client.demo import demo_storage
from ..errors import (
    CapabilityError,
    GraphflowError,
    QueryError,
    SessionConflict,
    SessionNotFound,
    StorageError,
)
from ..frames import counts_frame, journal_frame, messages_frame, sessions_frame
from ..journal import Journal, JournaledStorage
from ..model import Context, Session
from ..monitoring import MonitoredStorage, Recorder
from ..storage import (
    Cursor,
    Migration,
    Query,
    SessionStorage,
    connect,
    connect_from_env,
    get_or_create,
)
from ..storage.paths import ContextPath, parse_path
from ..storage.postgres.pools import find_resetting_pools
from ..storage.protocols import SupportsFacts, require
from ..storage.url import REDIS_SCHEMES
from .copying import CopyTo
from .display import register
from .latency import Latency

if TYPE_CHECKING:
    from ..benchmark.campaign import Benchmark
    from .browse import Browser

__all__ = ["Workbench", "open", "workbenches", "wrap"]

_known: WeakSet[Workbench] = WeakSet()

DEFAULT_LIMIT = 10_000
_SERVERS = ("postgresql:", "postgres:", *(f"{scheme}:" for scheme in REDIS_SCHEMES))


class Workbench:
    """One store, monitored: look at its sessions, change them, see what that cost.

    Made by ``graphflow_nb.open(url)`` or ``graphflow_nb.wrap(storage)``. Every method waits for its
    result, in a cell, a widget callback, a thread or a script alike; where waiting is not wanted,
    ``await wb.get.aio(id)`` is the same on the same connections.

    Attributes:
        storage: the monitored storage, a ``SessionStorage`` itself.
        latency: what the operations cost.
    """

    def __init__(
        self,
        storage: MonitoredStorage,
        bridge: Bridge,
        recorder: Recorder,
        journal: Journal | None = None,
    ):
        self.storage = storage
        self.latency = Latency(recorder, self)
        inner = storage.inner
        place = getattr(inner, "place", type(inner).__name__)
        self._journaled = JournaledStorage(
            storage, Journal() if journal is None else journal, inner, place
        )
        self._bridge = bridge
        self._orders = {"updated_at"}  # by which pages were asked for, and the default
        _known.add(self)
        register()

    @dual
    async def get(self, id: str) -> Session:
        """The session of that id.

        Raises:
            SessionNotFound: there is none.
            StorageError: the store failed.
        """
        session = await self.storage.get(id)
        if session is None:
            raise SessionNotFound(id)
        return session

    @dual
    async def save(self, session: Session) -> None:
        """Store a session that was got or made, and move its version on.

        Raises:
            SessionConflict: the stored one is not the one that was read (or a new one's id is
                taken); nothing was written, and the error carries both sides.
            StorageError: the store failed, or can't hold a value.
        """
        await self._journaled.save(_checked(session))

    @dual
    async def upsert(self, session: Session) -> None:
        """Store a session whatever is stored there: last write wins, and others' saves are lost."""
        await self._journaled.upsert(_checked(session))

    @dual
    async def create(
        self,
        id: str,
        task: str,
        *,
        graph_id: str = "default",
        status_message: str | None = None,
        context: Context | Mapping[str, Any] | None = None,
    ) -> Session:
        """Store a new session and return it.

        Raises:
            SessionConflict: the id is taken.
            ContextError: JSON can't hold a value of the context.
            StorageError: the store failed, or can't hold a value.
        """
        session = Session(
            id, task, graph_id=graph_id, status_message=status_message, context=context
        )
        await self._journaled.save(session)
        return session

    @dual
    async def get_or_create(self, id: str, start_task: str, graph_id: str = "default") -> Session:
        """The session of that id, made at ``start_task`` if there is none; safe in a race."""
        return await get_or_create(self._journaled, id, start_task, graph_id)

    @dual
    async def patch(
        self,
        id: str,
        changes: Patch | str | Sequence[Mapping[str, Any]],
        *,
        version: int | None = None,
    ) -> Session:
        """Change parts of a session by a JSON Patch (RFC 6902), and return it as it is then.

        Args:
            id: of the session.
            changes: e.g. ``[{"op": "replace", "path": "/status_message", "value": "mended"}]``. As
                JSON text it keeps the digits of every number. Paths begin with ``/graph_id``,
                ``/current_task_id``, ``/status_message``, ``/context/data`` or
                ``/context/chat_history``; what they do not touch stays as it is stored.
            version: that it must still have; None changes the one that is stored now.

        Raises:
            PatchError: a path that is not there, or a result that graph-flow could not read.
            SessionNotFound: there is no such session.
            SessionConflict: it has another version, or was saved by someone meanwhile; nothing was
                written.
            StorageError: the store failed, or can't hold a value.
        """
        patch = Patch(changes)
        stored = await self.storage.get(id)
        if stored is None:
            raise SessionNotFound(id)
        wanted = apply(stored, patch)
        if version is not None and version != stored.version:
            wanted.version = version
            raise SessionConflict(wanted, stored)
        await self._journaled.save(wanted)
        return wanted

    @dual
    async def delete(self, ids: str | Iterable[str] | Mapping[str, int]) -> list[str]:
        """Delete one session or many; no error for those that are not there.

        Args:
            ids: an id, several (a column of a DataFrame too), or a mapping from id to the version
                that it must still have: what someone saved meanwhile then stays.

        Returns:
            The ids that were deleted.

        Raises:
            QueryError: these are no ids.
            StorageError: the store failed.
        """
        if isinstance(ids, Mapping):
            versions = list(ids.values())
            if not all(type(version) is int for version in versions):
                raise QueryError(f"the versions to delete are counts, not {versions!r}")
            return await self._journaled.delete_many(list(ids), versions)
        if isinstance(ids, str):
            return await self._journaled.delete_many([ids])
        if not isinstance(ids, Iterable):
            raise QueryError(f"what is deleted is an id or a list of ids, not {ids!r}")
        return await self._journaled.delete_many(list(ids))

    @property
    def journal(self) -> pd.DataFrame:
        """What was written through this workbench (or its journal's file), oldest first.

        ``wb.storage`` and other programs write without it.

        Returns:
            Indexed by ``entry`` (int64): ``at`` (datetime64[us, UTC]), ``op`` (category: save,
            upsert, delete, restore, undo), ``session_id`` (text), ``changes`` (text, the paths
            that changed, or ``created``, ``deleted``), ``version_before``, ``version_after``
            (Int64), ``state`` (category: ``done``; ``unknown`` where the store was lost while it
            was writing; ``void`` where nothing is left to undo), ``undoes``, ``undone_by`` (Int64,
            entries).
        """
        return journal_frame(self._journaled.entries())

    @dual
    async def undo(self, entry: int | None = None) -> Session | None:
        """Take back one write of the journal, if the session is still as that write left it.

        A deleted session comes back with the time of its creation, at a higher version.

        Args:
            entry: its number in ``wb.journal``; None for the newest that was not undone.

        Returns:
            The session as it is stored now; None if the write had created it.

        Raises:
            SessionConflict: the session was changed since; nothing was written.
            PatchError: there is no such entry, or it was undone already.
            StorageError: the store failed.
        """
        return await self._journaled.undo(entry)

    @dual
    async def undo_all(self) -> list[str]:
        """Take back all writes of the journal, newest first.

        Returns:
            The ids of sessions that were changed by others since, which were left alone.

        Raises:
            StorageError: the store failed; what was taken back until then stays so.
        """
        return (await self._journaled.undo_all())[1]

    @dual
    async def sessions(
        self,
        *,
        graph: str | None = None,
        task: str | None = None,
        status: str | None = None,
        text: str | None = None,
        id_prefix: str | None = None,
        ids: Sequence[str] | None = None,
        updated_since: datetime | None = None,
        updated_until: datetime | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
        where: Mapping[Any, Any] | None = None,
        has: Sequence[ContextPath] = (),
        context: Sequence[ContextPath] = (),
        order: str = "-updated_at",
        limit: int | None = DEFAULT_LIMIT,
        after: Cursor | None = None,
    ) -> pd.DataFrame:
        """Sessions as a DataFrame, newest first. All of it happens in the store.

        Args:
            graph, task: exactly this graph_id, this current_task_id.
            status: this text occurs in status_message (upper and lower case differ).
            text: this text occurs in the id or in status_message.
            id_prefix: the id begins so.
            ids: the id is one of these, 10,000 at most.
            updated_since, updated_until, created_since, created_until: aware datetimes; "since"
                is included, "until" is not.
            where: context path to the JSON value that must be there, e.g.
                ``{"customer.tier": "gold"}``.
            has: context paths that must be there.
            context: context paths to show, a column each; ``("a.b", "c")`` for keys with dots.
            order: ``updated_at``, ``created_at`` or ``id``; with ``-`` in front descending.
            limit: rows at most, None for all; a warning says when there are more.
            after: ``frame.attrs["next"]`` of the page before.

        Returns:
            ``id`` (text), ``graph_id``, ``current_task_id`` (category), ``status_message`` (text),
            ``version`` (int64), ``created_at``, ``updated_at`` (datetime64[us, UTC]),
            ``context_bytes`` (int64, what the context takes in the store), ``messages`` (int64,
            length of the chat history), in Redis ``expires_at`` (datetime64[us, UTC], missing for
            never), then the context columns: text, boolean, Int64, float64 or
            object as their values need, missing where a session has none.

        Raises:
            QueryError: a filter that means nothing.
            CapabilityError: the storage has no method ``table``.
            StorageError: the store failed.
        """
        context = [context] if isinstance(context, str) else context
        if not isinstance(context, Sequence):
            raise QueryError(f"context= is a list of context paths, not {context!r}")
        for path in context:
            parse_path(path)
        query = Query(
            graph=graph,
            task=task,
            status=status,
            text=text,
            id_prefix=id_prefix,
            ids=ids,
            updated_since=updated_since,
            updated_until=updated_until,
            created_since=created_since,
            created_until=created_until,
            context={} if where is None else where,
            has=has,
            order=order,
            limit=limit,
            after=after,
        )
        frame = await self._frame(query, context)
        if "note" in frame.attrs:
            _tell(frame.attrs["note"])
        if limit == DEFAULT_LIMIT and frame.attrs["next"] is not None:
            total = await self.storage.count(query)
            _tell(f"showing {len(frame):,} of {total:,} sessions; limit=None shows all")
        return frame

    async def _frame(self, query: Query, context: Sequence[ContextPath]) -> pd.DataFrame:
        self._orders.add(query.order_by)
        return sessions_frame(await self.storage.table(query, context), context)

    @dual
    async def messages(
        self,
        id: str | None = None,
        *,
        graph: str | None = None,
        task: str | None = None,
        status: str | None = None,
        id_prefix: str | None = None,
        where: Mapping[Any, Any] | None = None,
        limit: int | None = 1000,
    ) -> pd.DataFrame:
        """Chat messages as a DataFrame: of one session, or of the newest that match.

        Args:
            id: of the one session; None for those that the other arguments select, which are
                those of ``sessions``.
            limit: of sessions, None for all; a warning says when there are more.

        Returns:
            ``session_id`` (category), ``position`` (int64, 0 is the oldest kept), ``role``
            (category), ``content`` (text), ``timestamp`` (datetime64[us, UTC]).

        Raises:
            SessionNotFound: no session has that id.
            CapabilityError: without an id, the storage has no method ``query``.
        """
        if id is not None:
            session = await self.storage.get(id)
            if session is None:
                raise SessionNotFound(id)
            return messages_frame([session])
        query = Query(
            graph=graph,
            task=task,
            status=status,
            id_prefix=id_prefix,
            context={} if where is None else where,
            limit=limit,
        )
        found = await self.storage.query(query.one_more())
        if limit is not None and len(found) > limit:
            _tell(f"messages of the newest {limit:,} sessions; there are more, raise limit=")
        return messages_frame(found[:limit])

    @dual
    async def summary(self) -> pd.DataFrame:
        """How many sessions stand where, and since when nobody touched them.

        Returns:
            ``graph_id``, ``current_task_id`` (category), ``sessions`` (int64), ``oldest_update``,
            ``newest_update`` (datetime64[us, UTC]), ``longest_untouched`` (timedelta64[us]).

        Raises:
            CapabilityError: the storage has no method ``counts``.
        """
        return counts_frame(await self.storage.counts(Query()))

    def browse(
        self,
        *,
        session: str | None = None,
        graph: str | None = None,
        task: str | None = None,
        text: str | None = None,
        status: str | None = None,
        id_prefix: str | None = None,
        updated_since: datetime | None = None,
        updated_until: datetime | None = None,
        where: Mapping[Any, Any] | None = None,
        has: Sequence[ContextPath] = (),
        order: str | None = None,
        page_size: int = 50,
    ) -> Browser:
        """A view in which to find, read, create, edit, copy, delete and restore sessions.

        Args:
            session: the id of one to open at once.
            graph, task, text, status, id_prefix, updated_since, updated_until, where, has: to
                begin with, as for ``sessions``.
            order: as for ``sessions``; left out it is newest first, or by id where the store could
                order by time only by sorting a large table.
            page_size: sessions a page, 1 to 1000.

        Returns:
            A widget. In later cells ``browser.selected`` is the DataFrame of the selected sessions
            and ``browser.session`` the open one.

        Raises:
            QueryError: a filter that means nothing.
        """
        from .browse import Browser  # with its widgets: only when they are wanted
        from .browse.listing import Filters

        if type(page_size) is not int or not 1 <= page_size <= 1000:
            raise QueryError(f"page_size is 1 to 1000 sessions, not {page_size!r}")
        filters = Filters(
            graph=graph,
            task=task,
            text=text,
            status=status,
            id_prefix=id_prefix,
            updated_since=updated_since,
            updated_until=updated_until,
            where={} if where is None else where,
            has=(has,) if isinstance(has, str) else tuple(has),
        )
        filters.query()
        Query(order=order or "id")
        return Browser(self, filters, order=order, page_size=page_size, session=session)

    @property
    def copy_to(self) -> CopyTo:
        """Copy sessions into another store, verified: ``wb.copy_to(other, graph="claims")``.

        See ``help(wb.copy_to)`` for its arguments.
        """
        return CopyTo(self)

    @property
    def benchmark(self) -> Benchmark:
        """Load this store and measure it: ``wb.benchmark("A", duration=10, rate=500)``.

        See ``help(wb.benchmark)`` for its arguments. Nothing is loaded that is read-only or holds
        sessions of others, unless it says so.
        """
        from ..benchmark.campaign import Benchmark

        return Benchmark(self)

    @dual
    async def advise(self) -> Findings:
        """What would help this store, with the figures that show it; changes nothing.

        It looks at what the store tells of itself (only what is cheap: no table is read as a
        whole), and at the operations in ``wb.latency``. Each advice says what was found, a
        statement or a call to copy, and what that costs. What was found in order is said as well,
        and what could not be looked at.

        Returns:
            Shows itself in a notebook; ``.advice`` is the list, ``.frame()`` the DataFrame.
        """
        # Not through the monitor: asking is no operation of the user's.
        inner = self.storage.inner
        try:
            facts, reason = await require(inner, SupportsFacts).facts(), ""
        except StorageError as error:
            facts, reason = None, str(error)
        return advise(
            facts,
            self.latency.frame(),
            orders=sorted(self._orders),
            pools=find_resetting_pools(inner),
            reason=reason,
        )

    @dual
    async def plan_migration(self) -> Migration:
        """The SQL that brings an older PostgreSQL table to graph-flow 0.6's form; runs nothing."""
        return await self.storage.plan_migration()  # type: ignore[no-any-return]

    @dual
    async def migrate(self) -> Migration:
        """Run what ``plan_migration`` shows, in one transaction."""
        return await self.storage.migrate()  # type: ignore[no-any-return]

    @dual
    async def plan_trigger(self) -> Migration:
        """The SQL of a trigger that makes PostgreSQL tell of each change; runs nothing.

        With it ``browse()`` follows changes as they happen instead of looking every two seconds.
        Each write costs some 10 µs more with it.
        """
        return await self.storage.plan_trigger()  # type: ignore[no-any-return]

    @dual
    async def install_trigger(self) -> Migration:
        """Run what ``plan_trigger`` shows."""
        return await self.storage.install_trigger()  # type: ignore[no-any-return]

    @dual
    async def remove_trigger(self) -> Migration:
        """Take the trigger away again, if it is there."""
        return await self.storage.remove_trigger()  # type: ignore[no-any-return]

    @dual
    async def build_index(self) -> int:
        """Make an index for quick pages in Redis, or bring it up to date; no session is touched.

        What this package writes afterwards is kept in it. Workers don't know it: what they save
        stands where it stood, and what they create is not shown until it is built again.

        Returns:
            How many sessions it knows.
        """
        return await self.storage.build_index()  # type: ignore[no-any-return]

    @dual
    async def drop_index(self) -> None:
        """Remove that index, if there is one."""
        await self.storage.drop_index()

    @dual
    async def close(self) -> None:
        """Give back connections and files; what was recorded stays."""
        await self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _card_facts(self) -> tuple[str, Any, str, int]:
        store = repr(self.storage.inner)
        note = "opened for reading only" if getattr(self.storage.inner, "read_only", False) else ""
        counts = None
        try:
            if hasattr(self.storage, "counts"):
                counts = self._bridge.run(self.storage.background.counts(Query()))
        except GraphflowError as error:
            note = str(error)
        return store, counts, note, len(self.latency)

    def __repr__(self) -> str:
        return cards.workbench_text(*self._card_facts())

    def _repr_html_(self) -> str:
        return cards.workbench_html(*self._card_facts())


def workbenches() -> list[Workbench]:
    """All that are in use."""
    return list(_known)


def open(
    url: str | None = None,
    *,
    writable: bool | None = None,
    journal: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Workbench:
    """Open a store.

    Args:
        url: ``"demo"`` (sample sessions that graph-flow wrote, in memory), ``memory:``,
            ``sqlite:path`` or ``postgresql://user@host/database``; None for what DATABASE_URL
            names, or memory (with a logged warning) if it is not set.
        writable: whether sessions can be changed. Left out, a server's database is opened for
            reading only, since it may not be yours to change; memory, demo and local files are
            writable.
        journal: a file that keeps what this workbench writes and what stood there before, so that
            it can be undone after a restart. It holds contexts of sessions, and is made readable
            by its owner alone. Left out, the journal is kept in memory.
        options: of the storage's ``connect``: ``table="schema.table"``, ``timeout=30.0`` seconds,
            ``max_connections=4``, …

    Raises:
        StorageError: the store can't be opened.
    """
    if not (url is None or isinstance(url, str)):
        raise StorageError(f"a store is named by its URL, a text, and not by {url!r}")
    if url == "demo":
        return _in_memory(demo_storage(), writable, journal)
    chosen = url or os.environ.get("DATABASE_URL", "")
    if not writable and (writable is False or chosen.startswith(_SERVERS)) and chosen != "memory:":
        options["read_only"] = True
    bridge = LoopThread.shared()
    # With a URL, from wherever it comes, there is no falling back: a store that is not the one that
    # was meant would take changes that are lost with it.
    storage = bridge.run(connect(chosen, **options) if chosen else connect_from_env(**options))
    if not _suspends(storage):
        return _in_memory(storage, writable, journal)
    return _workbench(storage, bridge, journal)


def _in_memory(
    storage: SessionStorage, writable: bool | None, journal: str | os.PathLike[str] | None
) -> Workbench:
    if writable is False:
        raise StorageError(
            "sessions in memory can't be opened for reading only: they are yours alone, so leave "
            "writable= out"
        )
    return _workbench(storage, InPlace(), journal)


def wrap(
    storage: SessionStorage,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> Workbench:
    """A workbench on a storage that you connected, or wrote, yourself.

    Args:
        storage: anything with the coroutines ``save``, ``get`` and ``delete``; with ``table``,
            ``query``, ``count`` and ``counts`` everything works.
        loop: the event loop that the storage belongs to. Left out, it is the storage's own
            ``loop``, or else the one that runs right now, or else one of our own.
        journal: as for ``open``.

    Raises:
        CapabilityError: it lacks one of the three.
    """
    for method in ("save", "get", "delete"):
        if not callable(getattr(storage, method, None)):
            raise CapabilityError(storage, method)
    if not _suspends(storage):
        return _workbench(storage, InPlace(), journal)
    if loop is None:
        loop = getattr(storage, "loop", running_loop())
    shared = LoopThread.shared()
    bridge = shared if loop is None or loop is shared.loop else ForeignLoop(loop)
    return _workbench(storage, bridge, journal)


def _workbench(
    storage: SessionStorage, bridge: Bridge, journal: str | os.PathLike[str] | None
) -> Workbench:
    recorder = Recorder()
    kept = None if journal is None else Journal.at(journal)
    if isinstance(storage, MonitoredStorage):
        storage.add_hook(recorder)
    else:
        storage = MonitoredStorage(storage, [recorder])
    return Workbench(storage, bridge, recorder, kept)


def _suspends(storage: SessionStorage) -> bool:
    return bool(getattr(storage, "suspends", True))


def _checked(session: Session) -> Session:
    if not isinstance(session, Session):
        raise StorageError(f"what is saved is a Session, not {session!r}")
    return session


def _tell(text: str) -> None:
    # No place in a file: the call may run on another thread, and its path would be noise.
    warnings.warn_explicit(text, UserWarning, "graphflow_nb", 0)
