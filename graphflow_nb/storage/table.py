"""Table and GroupCount: answers to a query, by column and by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ..model.times import UNKNOWN_TIME, time_of
from .query import Cursor, Query

__all__ = ["GroupCount", "Table", "cut_page"]


@dataclass(frozen=True, slots=True)
class GroupCount:
    """The number of sessions at one task of one graph.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Query, Session
        >>> storage = InMemorySessionStorage.from_sessions([Session("claim-1", "intake")])
        >>> [(c.graph_id, c.current_task_id, c.sessions) for c in await storage.counts(Query())]
        [('default', 'intake', 1)]

    Attributes:
        graph_id, current_task_id: The graph and the task.
        sessions: The number of sessions.
        oldest, newest: The times of the oldest and the newest save, aware, UTC; None where no
            time is known.
    """

    graph_id: str
    current_task_id: str
    sessions: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(slots=True)
class Table:
    """Sessions by column, as a DataFrame needs them; all columns have one length.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Query, Session
        >>> sessions = [Session("claim-1", "intake", context={"amount": 120})]
        >>> storage = InMemorySessionStorage.from_sessions(sessions)
        >>> table = await storage.table(Query(), ["amount"])
        >>> table.id, table.context
        (['claim-1'], [['120']])

    Attributes:
        id, graph_id, current_task_id: Text.
        status_message: Text or None.
        version: The version, int64.
        created, updated: The times, int64, µs since 1970 UTC; ``UNKNOWN_TIME`` where unknown,
            beyond ±``FINITE`` for PostgreSQL's infinities.
        context_bytes: The size of the context in the store, int64.
        messages: The length of the chat history, int64.
        context: For each context path, the JSON text of each value; None where it is absent.
        next: The cursor of the next page; None if this is the last.
        expires: The time at which the store drops the session, int64, µs since 1970 UTC,
            ``UNKNOWN_TIME`` for never; None where no session expires.
        note: A remark on this answer, e.g. that sessions may be missing; None for none.
    """

    id: Sequence[str]
    graph_id: Sequence[str]
    current_task_id: Sequence[str]
    status_message: Sequence[str | None]
    version: NDArray[np.int64]
    created: NDArray[np.int64]
    updated: NDArray[np.int64]
    context_bytes: NDArray[np.int64]
    messages: NDArray[np.int64]
    context: list[Sequence[str | None]]
    next: Cursor | None
    expires: NDArray[np.int64] | None = None
    note: str | None = None

    def __len__(self) -> int:
        return len(self.id)


def cut_page(table: Table, query: Query) -> Table:
    """Return the page without the row that ``Query.one_more`` asked for, and with its ``next``."""
    if query.limit is None or len(table) <= query.limit:
        return table
    n = query.limit
    last = None
    if n and query.order_by != "id":
        micros = int((table.updated if query.order_by == "updated_at" else table.created)[n - 1])
        last = None if micros == UNKNOWN_TIME else time_of(micros)
    return Table(
        id=table.id[:n],
        graph_id=table.graph_id[:n],
        current_task_id=table.current_task_id[:n],
        status_message=table.status_message[:n],
        version=table.version[:n],
        created=table.created[:n],
        updated=table.updated[:n],
        context_bytes=table.context_bytes[:n],
        messages=table.messages[:n],
        context=[column[:n] for column in table.context],
        next=Cursor(query.order, table.id[n - 1], last) if n else query.after,
        expires=None if table.expires is None else table.expires[:n],
        note=table.note,
    )
