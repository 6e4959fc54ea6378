"""InMemorySessionStorage: sessions in this process's memory, gone when it ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final, Self
from uuid import uuid4

from ..errors import SessionConflict
from ..model import Seen, Session, mark_saved, stored_session
from ..model.times import micros_or_unknown
from ..printable import describe_count
from .address import Address
from .chats import Chat
from .checks import check_ids_once, check_text, check_texts
from .deadline import check_deadline
from .facts import StoreFacts
from .memory_history import MemoryHistory, MemoryRow
from .memory_order import MANY, KeptOrder
from .origin import is_as_read
from .overview import READ_ROWS, OverviewCounts, choose_places, count_columns
from .paths import ContextPath, chat_of
from .query import Cursor, Query
from .rows import (
    GroupCounter,
    RowsById,
    build_table,
    find_page,
    select_rows,
    size_of,
    take_page,
)
from .scans import current_row_note
from .table import GroupCount, Table
from .wrappers.read_only import ReadOnlyStorage

__all__ = ["InMemorySessionStorage"]

_PORTION: Final = 10_000  # rows that are looked at together, which takes some 10 ms


class InMemorySessionStorage:
    """A storage in memory, thread-safe; mirrors the crate's ``InMemorySessionStorage`` (0.6).

    Unlike the crate's, whose copies share one context, it shares nothing that it takes or returns.
    Its attributes are those of ``StorageAttributes``.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> storage = InMemorySessionStorage()
        >>> await storage.save(Session("claim-1", "intake"))
        >>> await storage.get("claim-1")
        Session('claim-1', 'intake', graph_id='default', version=1)
    """

    suspends: ClassVar[bool] = False
    atomic_batches: ClassVar[bool] = True
    place: ClassVar[str] = "memory"
    address: Address = Address("memory")

    def __init__(self) -> None:
        #: Sessions in memory are those of this object alone.
        self.identity = f"memory:{uuid4()}"
        self._rows: dict[str, MemoryRow] = {}
        self._lock = threading.Lock()
        self._noting = False
        #: The orders that pages have asked for, by the column of a query.
        self._orders: dict[str, KeptOrder] = {}
        self._history = MemoryHistory(self._note_writes)

    def _note_writes(self, noting: bool) -> None:
        self._noting = noting

    @property
    def history_table(self) -> MemoryHistory:
        """The history of the sessions; see ``SupportsHistory``."""
        return self._history

    @classmethod
    def from_sessions(cls, sessions: Iterable[Session]) -> Self:
        """Return a storage with copies of sessions, at the versions and times that they have."""
        storage = cls()
        storage._rows = {session.id: storage._build_row(session) for session in sessions}
        return storage

    async def save(self, session: Session) -> None:
        """Store a session and move its version on in place.

        Raises:
            SessionConflict: The stored session is not the one that was read; nothing was written.
            StorageError: A field is not a text.
        """
        check_texts(session, nul=True)
        context = session.context_json()
        now = time.time_ns()
        id, version = session.id, session.version
        with self._lock:
            row = self._rows.get(id)
            if row is None:
                if not session.is_new:
                    raise SessionConflict(session, None)
                created = now // 1000
            # Most sessions hold the row's own object, which saves the longer comparison.
            elif (session.seen is not row.seen or version != row.version) and (
                session.is_new or not is_as_read(session, row.seen, row.created)
            ):
                raise SessionConflict(session, _build_session(id, row))
            else:
                created = row.created
            self._put(session, context, version + 1, created, now)

    async def upsert(self, session: Session) -> None:
        """Store a session over whatever is stored: last write wins."""
        check_texts(session, nul=True)
        context = session.context_json()
        now = time.time_ns()
        with self._lock:
            row = self._rows.get(session.id)
            version, created = (0, now // 1000) if row is None else (row.version, row.created)
            self._put(session, context, version + 1, created, now)

    def _put(
        self, session: Session, context: str | bytes, version: int, created: int, now: int
    ) -> None:
        # The time in nanoseconds marks the state.
        seen = _new(Seen, (self.identity, version, now))
        updated = now // 1000
        fields = (
            session.graph_id,
            session.current_task_id,
            session.status_message,
            context,
            version,
            created,
            updated,
            session.extra,
            seen,
        )
        row = self._rows[session.id] = _new(MemoryRow, fields)
        for order in self._orders.values():
            order.changed.add(session.id)
        if self._noting:
            self._history.note(session.id, row, updated)
        mark_saved(session, version, created, updated, seen)

    def _remove(self, id: str) -> None:
        row = self._rows.pop(id)
        for order in self._orders.values():
            order.changed.add(id)
        if self._noting:
            self._history.note(id, row, time.time_ns() // 1000, deleted=True)

    async def get(self, id: str) -> Session | None:
        """Return the session with this id, or None if it does not exist."""
        check_text(id, "id", nul=True)
        row = self._rows.get(id)
        return None if row is None else _build_session(id, row)

    async def raw(self, id: str) -> dict[str, Any] | None:
        """Return what is stored under an id, by column; see ``SupportsRaw``."""
        check_text(id, "id", nul=True)
        row = self._rows.get(id)
        if row is None:
            return None
        stored = {"id": id, **row._asdict()}
        del stored["seen"]  # what a session remembers, and no column
        return stored

    async def delete(self, id: str) -> None:
        """Delete the session with this id, if there is one."""
        check_text(id, "id", nul=True)
        with self._lock:
            if id in self._rows:
                self._remove(id)

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Save each session as ``save`` does.

        Returns:
            A conflict for each session that was not stored, in the order given.
        """
        self._check_batch(sessions)
        conflicts = []
        for session in sessions:
            try:
                await self.save(session)
            except SessionConflict as conflict:
                conflicts.append(conflict)
        return conflicts

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Store sessions with the versions and times that they have, where their ids are free.

        Returns:
            The ids that were taken; their stored sessions stay as they are.
        """
        self._check_batch(sessions)
        stored = {session.id: self._build_row(session) for session in sessions}
        with self._lock:
            taken = [id for id in stored if id in self._rows]
            for id in stored.keys() - set(taken):
                self._rows[id] = stored[id]
            for order in self._orders.values():
                order.changed.update(stored)
            if self._noting:
                for id in sorted(stored.keys() - set(taken)):
                    self._history.note(id, stored[id], time.time_ns() // 1000)
        return taken

    def _check_batch(self, sessions: Sequence[Session]) -> None:
        check_ids_once(session.id for session in sessions)
        for session in sessions:
            check_texts(session, nul=True)
            session.context_json()

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete sessions, with versions only those that still have them.

        Returns:
            The ids that were deleted, in the order given.
        """
        deleted = []
        with self._lock:
            for index, id in enumerate(ids):
                row = self._rows.get(id)
                if row is not None and (versions is None or row.version == versions[index]):
                    self._remove(id)
                    deleted.append(id)
        return deleted

    async def delete_unchanged(self, sessions: Sequence[Session]) -> list[str]:
        """Delete the sessions that are still as they were read.

        Returns:
            The ids that were deleted, in the order given.
        """
        deleted = []
        with self._lock:
            for session in sessions:
                row = self._rows.get(session.id)
                if row is not None and is_as_read(session, row.seen, row.created):
                    self._remove(session.id)
                    deleted.append(session.id)
        return deleted

    async def restore(self, session: Session) -> None:
        """Store a deleted session again, created when it was, and move its version on.

        Raises:
            SessionConflict: The id is taken.
        """
        check_texts(session, nul=True)
        context = session.context_json()
        now = time.time_ns()
        created = (
            now // 1000 if session.raw_created is None else micros_or_unknown(session.raw_created)
        )
        with self._lock:
            row = self._rows.get(session.id)
            if row is not None:
                raise SessionConflict(session, _build_session(session.id, row))
            self._put(session, context, session.version + 1, created, now)

    async def restore_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Store deleted sessions again, each as ``restore`` does.

        Returns:
            A conflict for each session whose id is taken, in the order given.
        """
        self._check_batch(sessions)
        conflicts = []
        for session in sessions:
            try:
                await self.restore(session)
            except SessionConflict as conflict:
                conflicts.append(conflict)
        return conflicts

    async def close(self) -> None:
        """Do nothing: memory holds no connections, and the sessions stay."""

    async def query(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order."""
        return [_build_session(id, row) for id, row in await self._page(query)]

    async def chats(self, query: Query) -> list[Chat] | None:
        """Return the chats that have messages of the selected sessions; see ``SupportsChats``."""
        most = None if query.limit is None else 10 * query.limit
        while True:
            rows = await self._page(replace(query, limit=most))
            try:
                found = [(id, chat_of(row.context)) for id, row in rows]
            except (ValueError, RecursionError):
                return None
            chats = [Chat(id, chat) for id, chat in found if chat is not None]
            if most is None or len(rows) < most or len(chats) >= (query.limit or 0):
                return chats[: query.limit]
            most = None  # few have messages: all are looked into

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column."""
        wider = query.one_more()
        return build_table(await self._page(wider), query, context)

    async def snapshot(self) -> ReadOnlyStorage:
        """Return a storage of what is stored now; see ``SupportsSnapshot``."""
        snapshot = InMemorySessionStorage()
        snapshot.identity = self.identity
        with self._lock:
            snapshot._rows = self._rows.copy()
        return ReadOnlyStorage(snapshot)

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""
        if not query.filters:
            return len(self._rows)
        return len(await self._select(query))

    async def estimate(self) -> int | None:
        """Return how many sessions there are."""
        return len(self._rows)

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""
        groups = GroupCounter()
        groups.add(await self._select(query))
        return groups.counts()

    async def overview(self, now: datetime, *, exact: bool = False) -> OverviewCounts:
        """Return counts by task and age, by the hour and by size; see ``SupportsOverview``.

        Of many sessions one of each so many is counted, unless ``exact``.
        """
        with self._lock:
            total = len(self._rows)
            n = 1 if exact else max(1, total // READ_ROWS)
            rows = list(self._rows.values())
        if n > 1:
            rows = [rows[place] for place in choose_places(total, n).tolist()]
        return count_columns(
            [row.graph_id for row in rows],
            [row.current_task_id for row in rows],
            [row.created for row in rows],
            [row.updated for row in rows],
            [size_of(row.context) for row in rows],
            now,
            share=len(rows) / max(total, 1) or 1.0,
        )

    async def facts(self) -> StoreFacts:
        """Return facts that name the store, with the size of a history that has versions."""
        size = await self._history.size()
        return StoreFacts(place=self.place, history=size if size.versions else None)

    def _build_row(self, session: Session) -> MemoryRow:
        """Return the row of a session with its own version and times."""
        check_texts(session, nul=True)
        now = time.time_ns()
        created, updated = (
            now // 1000 if known is None else micros_or_unknown(known)
            for known in (session.raw_created, session.raw_updated)
        )
        return MemoryRow(
            session.graph_id,
            session.current_task_id,
            session.status_message,
            session.context_json(),
            session.version,
            created,
            updated,
            session.extra,
            Seen(self.identity, session.version, now),
        )

    def _kept_order(self, column: str) -> KeptOrder:
        with self._lock:
            if (order := self._orders.get(column)) is None:
                by_time = {"updated_at": "updated", "created_at": "created"}
                order = self._orders[column] = KeptOrder(by_time.get(column))
            return order

    async def _page(self, query: Query) -> Sequence[tuple[str, MemoryRow]]:
        """Return the rows of a query's page, in order."""
        limit = query.limit
        if query.ids is not None or limit is None or len(self._rows) <= MANY:
            return take_page(await self._select(query), query)
        if query.id_prefix and query.order_by != "id":
            rare = max(MANY, len(self._rows) // 50)
            portion = self._kept_order("id").find(
                self._rows, self._lock, Query(id_prefix=query.id_prefix, order="id"), rare
            )
            if portion.is_last:
                return find_page(portion.rows, query)
        order = self._kept_order(query.order_by)
        found: list[tuple[str, MemoryRow]] = []
        # Where other conditions leave out sessions, more are looked at than a page has.
        most, rest = max(MANY, 10 * limit) if query.filters else limit, query
        while True:
            portion = order.find(self._rows, self._lock, rest, most)
            tried = take_page(portion.rows, replace(rest, limit=most))
            found += select_rows(tried, query)
            if len(found) >= limit or (portion.is_last and len(tried) < most):
                return found[:limit]
            most *= 8
            if query.order_by == "id":
                rest = query.following(Cursor(query.order, tried[-1][0], None), limit)
            elif most < len(self._rows) // 32:
                found = []
            else:  # few sessions meet the conditions: selecting from all is quicker
                return take_page(await self._select(query), query)

    async def _select(self, query: Query) -> Sequence[tuple[str, MemoryRow]]:
        """Return the rows that a query selects, in no order.

        Many are looked at in portions, between which others take a turn on the event loop.
        """
        rows = self._stored(query)
        if not isinstance(rows, RowsById) or len(rows) <= _PORTION or not query.filters:
            return select_rows(rows, query)
        note = current_row_note()
        found: list[tuple[str, MemoryRow]] = []
        for start in range(0, len(rows), _PORTION):
            found += select_rows(rows.part(start, start + _PORTION), query)
            if note is not None:
                note(min(start + _PORTION, len(rows)), len(rows))
            check_deadline()
            await asyncio.sleep(0)
        return found

    def _stored(self, query: Query) -> Sequence[tuple[str, MemoryRow]]:
        """Return the rows among which are those that a query selects."""
        with self._lock:
            if query.ids is None:
                return RowsById.copy_of(self._rows)
            return [(id, self._rows[id]) for id in set(query.ids) if id in self._rows]

    def __repr__(self) -> str:
        return f"<InMemorySessionStorage: {describe_count(len(self._rows), 'session')}>"


_new = tuple.__new__  # a NamedTuple's own constructor costs a third of a save


def _build_session(id: str, row: MemoryRow) -> Session:
    # Unpacked into names: a call with *row takes a fifth longer.
    graph_id, task, status, context, version, created, updated, extra, seen = row
    return stored_session(
        id, graph_id, task, status, context, version, created, updated, extra, seen
    )
