"""Sessions in this process's memory: gone when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
from msgspec import Raw

from ..errors import SessionConflict
from ..session import Session, mark_saved, stored_session
from .base import check_text, check_texts
from .query import (
    ContextPath,
    GroupCount,
    Query,
    Table,
    cut_page,
    holds,
    message_count,
    micros_of,
    parse_path,
    time_of,
    value_at,
)

__all__ = ["InMemorySessionStorage"]


class _Row(NamedTuple):
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: str | bytes
    version: int
    created: int
    updated: int
    extra: dict[str, Raw] | None


class InMemorySessionStorage:
    """Sessions in memory, thread-safe; mirrors the crate's ``InMemorySessionStorage`` (0.6).

    Unlike the crate's, whose copies share one context, nothing handed in or out is shared.
    """

    #: Its coroutines never suspend, so they can be driven without an event loop.
    suspends: ClassVar[bool] = False

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()

    #: Which store it is: that of this process.
    place: ClassVar[str] = "memory"

    @classmethod
    def from_sessions(cls, sessions: Iterable[Session]) -> Self:
        """A store that holds copies of sessions with the versions and times that they have."""
        storage = cls()
        for session in sessions:
            check_texts(session, nul=True)
            now = time.time_ns() // 1000
            created, updated = (
                now if known is None else micros_of(known)
                for known in (session.created_at, session.updated_at)
            )
            storage._rows[session.id] = _Row(
                session.graph_id,
                session.current_task_id,
                session.status_message,
                session.context_json(),
                session.version,
                created,
                updated,
                session._extra,
            )
        return storage

    async def save(self, session: Session) -> None:
        """Store a session; raises SessionConflict if the stored one is not the one read."""
        check_texts(session, nul=True)
        context = session.context_json()
        now = time.time_ns() // 1000
        id, version, known = session.id, session.version, session._created
        with self._lock:
            row = self._rows.get(id)
            if row is None:
                if not session.is_new:
                    raise SessionConflict(session, None)
                created = now
            elif (
                row.version != version
                or (version == 0 and session.is_new)
                # Deleted and made anew, a session may have the same version.
                or (known is not None and known != row.created)
            ):
                raise SessionConflict(session, _session(id, row))
            else:
                created = row.created
            self._put(session, context, version + 1, created, now)

    async def upsert(self, session: Session) -> None:
        """Store a session whatever is stored there: last write wins."""
        check_texts(session, nul=True)
        context = session.context_json()
        now = time.time_ns() // 1000
        with self._lock:
            row = self._rows.get(session.id)
            version, created = (0, now) if row is None else (row.version, row.created)
            self._put(session, context, version + 1, created, now)

    def _put(
        self, session: Session, context: str | bytes, version: int, created: int, now: int
    ) -> None:
        fields = (
            session.graph_id,
            session.current_task_id,
            session.status_message,
            context,
            version,
            created,
            now,
            session._extra,
        )
        self._rows[session.id] = _row(_Row, fields)
        mark_saved(session, version, created, now)

    async def get(self, id: str) -> Session | None:
        """The session of that id, or None."""
        check_text(id, "id", nul=True)
        row = self._rows.get(id)
        return None if row is None else _session(id, row)

    async def delete(self, id: str) -> None:
        """Delete the session of that id, if there is one."""
        check_text(id, "id", nul=True)
        with self._lock:
            self._rows.pop(id, None)

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete these, where versions are given only those that still have them.

        Returns:
            The ids that were deleted, in the order given.
        """
        deleted = []
        with self._lock:
            for index, id in enumerate(ids):
                row = self._rows.get(id)
                if row is not None and (versions is None or row.version == versions[index]):
                    del self._rows[id]
                    deleted.append(id)
        return deleted

    async def restore(self, session: Session) -> None:
        """Put a deleted session back; raises SessionConflict if its id is taken."""
        check_texts(session, nul=True)
        context = session.context_json()
        now = time.time_ns() // 1000
        created = now if session.created_at is None else micros_of(session.created_at)
        with self._lock:
            row = self._rows.get(session.id)
            if row is not None:
                raise SessionConflict(session, _session(session.id, row))
            self._put(session, context, session.version + 1, created, now)

    async def close(self) -> None:
        """Nothing to give back; the sessions stay."""

    async def query(self, query: Query) -> list[Session]:
        """The selected sessions, in order."""
        return [_session(id, row) for id, row in self._select(query)]

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """The selected sessions by column."""
        found = self._select(query.one_more())
        rows = [row for _, row in found]
        contexts = [row.context for row in rows]

        def values(path: tuple[str, ...]) -> list[str | None]:
            texts = [value_at(text, path) for text in contexts]
            return [None if text is None else bytes(text).decode() for text in texts]

        table = Table(
            id=[id for id, _ in found],
            graph_id=[row.graph_id for row in rows],
            current_task_id=[row.current_task_id for row in rows],
            status_message=[row.status_message for row in rows],
            version=np.array([row.version for row in rows], np.int64),
            created=np.array([row.created for row in rows], np.int64),
            updated=np.array([row.updated for row in rows], np.int64),
            context_bytes=np.array(
                [len(t if isinstance(t, bytes) else t.encode()) for t in contexts], np.int64
            ),
            messages=np.array([message_count(text) for text in contexts], np.int64),
            context=[values(parse_path(path)) for path in context],
            next=None,
        )
        return cut_page(table, query)

    async def count(self, query: Query) -> int:
        """How many sessions are selected; limit and page are ignored."""
        return sum(1 for _ in self._matching(query))

    async def counts(self, query: Query) -> list[GroupCount]:
        """How many of the selected sessions stand at each task of each graph."""
        groups: dict[tuple[str, str], list[int]] = {}
        for _, row in self._matching(query):
            groups.setdefault((row.graph_id, row.current_task_id), []).append(row.updated)
        return [
            GroupCount(graph, task, len(times), time_of(min(times)), time_of(max(times)))
            for (graph, task), times in sorted(groups.items())
        ]

    def _matching(self, query: Query) -> list[tuple[str, _Row]]:
        with self._lock:
            if query.ids is None:
                rows = list(self._rows.items())
            else:
                rows = [(id, self._rows[id]) for id in set(query.ids) if id in self._rows]
        for name in ("updated", "created"):
            if (since := getattr(query, f"{name}_since")) is not None:
                rows = [r for r in rows if getattr(r[1], name) >= micros_of(since)]
            if (until := getattr(query, f"{name}_until")) is not None:
                rows = [r for r in rows if getattr(r[1], name) < micros_of(until)]
        if query.graph is not None:
            rows = [r for r in rows if r[1].graph_id == query.graph]
        if query.task is not None:
            rows = [r for r in rows if r[1].current_task_id == query.task]
        if (status := query.status) is not None:
            rows = [r for r in rows if (s := r[1].status_message) is not None and status in s]
        if (text := query.text) is not None:
            rows = [r for r in rows if text in r[0] or text in (r[1].status_message or "")]
        if query.id_prefix is not None:
            rows = [r for r in rows if r[0].startswith(query.id_prefix)]
        for path, value in query.conditions():
            rows = [r for r in rows if holds(r[1].context, path, value)]
        return rows

    def _select(self, query: Query) -> list[tuple[str, _Row]]:
        column = {"updated_at": "updated", "created_at": "created"}.get(query.order_by)

        def key(item: tuple[str, _Row]) -> tuple[int, str]:
            return (getattr(item[1], column) if column else 0, item[0])

        rows = sorted(self._matching(query), key=key, reverse=query.descending)
        if (after := query.after) is not None:
            last = (micros_of(after.time) if after.time and column else 0, after.id)
            rows = [r for r in rows if (key(r) < last if query.descending else key(r) > last)]
        return rows[: query.limit]

    def __repr__(self) -> str:
        return f"<InMemorySessionStorage: {len(self._rows)} sessions>"


_row = tuple.__new__  # a NamedTuple's own constructor costs a third of a save


def _session(id: str, row: _Row) -> Session:
    graph_id, task, status, context, version, created, updated, extra = row
    session = stored_session(id, graph_id, task, status, context, version, created, updated)
    session._extra = extra
    return session
