"""Whole sessions as rows: queries of a storage that can only list its sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import ContextError, SessionFormatError, StorageError
from ..model import Session
from ..model.times import UNKNOWN_TIME, micros_or_unknown
from .capabilities import require
from .checks import check_texts
from .odd import NO_VERSION, Found, context_problem
from .paths import ContextPath
from .protocols import SessionStorage
from .query import Query
from .rows import GroupCounter, build_table, filter_rows, take_page
from .table import GroupCount, Table, add_problem

__all__ = ["ByScanning", "table_of"]

#: What a storage raises for a session that it can't read, and not for a store that failed.
_UNREADABLE = (ContextError, ValueError, LookupError, TypeError)


class _Scanned(NamedTuple):
    """A session as a row, or one that can't be read."""

    graph_id: str
    current_task_id: str
    status_message: str | None
    context: str | bytes
    version: int
    created: int
    updated: int
    session: Session | None
    problem: str

    @classmethod
    def of(cls, session: Session) -> _Scanned:
        """Return the row of a session."""
        texts = (session.graph_id, session.current_task_id, session.status_message)
        try:
            check_texts(session, nul=True)
            context = session.context_json()
            times = micros_or_unknown(session.raw_created), micros_or_unknown(session.raw_updated)
            if problem := context_problem(context):
                raise ContextError(problem)
        except (StorageError, *_UNREADABLE) as error:
            return cls.odd(error)
        return cls(*texts, context, session.version, *times, session, "")

    @classmethod
    def odd(cls, error: Exception) -> _Scanned:
        """Return the row of a session that can't be read."""
        problem = f"it can't be read: {error}" if str(error) else f"it can't be read: {error!r}"
        unknown = (NO_VERSION, UNKNOWN_TIME, UNKNOWN_TIME)
        return cls("", "", None, b"", *unknown, None, problem)


def table_of(sessions: Sequence[Session], now: int) -> Table:
    """Return whole sessions by column, in their order; ``problems`` names what can't be read.

    Args:
        sessions: The sessions.
        now: The time at which they were read, in µs since 1970 UTC, from which on they expire.
    """
    rows = [(session.id, _Scanned.of(session)) for session in sessions]
    table = build_table(rows, Query(), ())
    for id, row in rows:
        if row.problem:
            add_problem(table.problems, id, row.problem)
    left = [session.expires_in for session in sessions]
    table.expires = np.array(
        [UNKNOWN_TIME if ms is None else now + 1_000 * ms for ms in left], np.int64
    )
    return table


class ByScanning:
    """A mixin that gives a storage ``query``, ``table``, ``count`` and ``counts``.

    The storage adds one method: ``list_ids``, which lists the ids of all sessions, or ``scan``,
    which lists the sessions themselves and so saves a ``get`` for each. Where ``scan`` raises an
    error for what it can't read, those of ``list_ids`` are read one by one, if there is that too.
    All sessions are read again for each answer: this is good for thousands of sessions, not for
    millions.

    Example:
        >>> from graphflow_nb import Query, Session
        >>> from graphflow_nb.storage import ByScanning
        >>> class Shelf(ByScanning):
        ...     def __init__(self):
        ...         self.sessions = {}
        ...     async def save(self, session):
        ...         self.sessions[session.id] = session
        ...     async def get(self, id):
        ...         return self.sessions.get(id)
        ...     async def delete(self, id):
        ...         self.sessions.pop(id, None)
        ...     async def list_ids(self):
        ...         return list(self.sessions)
        >>> shelf = Shelf()
        >>> await shelf.save(Session("claim-1", "intake"))
        >>> await shelf.count(Query(task="intake"))
        1
    """

    async def list_ids(self) -> Iterable[str]:
        """Return the ids of all sessions, in any order."""
        raise NotImplementedError(
            "a storage that answers by scanning needs async def list_ids(self) or scan(self)"
        )

    async def scan(self) -> Iterable[Session]:
        """Return all sessions, in any order: by ``get`` for each id, if not overridden."""
        storage = require(self, SessionStorage)
        found = [await storage.get(id) for id in await self.list_ids()]
        return [session for session in found if session is not None]

    async def query(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order; ``problems`` of the list names the odd ones."""
        rows = await self._filtered(query)
        sessions = [(id, row) for id, row in rows if row.session is not None]
        problems = {id: row.problem for id, row in rows if row.session is None}
        found = (row.session for _, row in take_page(sessions, query))
        return Found((session for session in found if session is not None), problems)

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column; ``context_bytes`` is that of the JSON text."""
        wider = query.one_more()
        page = take_page(await self._filtered(wider), wider)
        table = build_table(page, query, context)
        for id, row in page[: query.limit]:
            if row.problem:
                add_problem(table.problems, id, row.problem)
        return table

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""
        return len(await self._filtered(query))

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""
        groups = GroupCounter()
        groups.add(await self._filtered(query))
        return groups.counts()

    async def _filtered(self, query: Query) -> list[tuple[str, _Scanned]]:
        return filter_rows(await self._rows(), query)

    async def _rows(self) -> list[tuple[str, _Scanned]]:
        if type(self).scan is not ByScanning.scan:
            try:
                return [(session.id, _Scanned.of(session)) for session in await self.scan()]
            except _UNREADABLE as error:
                if type(self).list_ids is ByScanning.list_ids:
                    raise SessionFormatError(
                        f"{type(self).__name__}.scan() can't read one of its sessions, so none can "
                        f"be listed: {error!r}. Nothing was changed; let scan() pass over it, or "
                        "add async def list_ids(self), by which the others are read one by one"
                    ) from error
        storage = require(self, SessionStorage)
        rows = []
        for id in await self.list_ids():
            try:
                session = await storage.get(id)
            except _UNREADABLE as error:  # one odd session must not hide the others
                rows.append((id, _Scanned.odd(error)))
            else:
                if session is not None:
                    rows.append((id, _Scanned.of(session)))
        return rows
