"""Table and GroupCount: what a store answers to a query, by column."""

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
    """How many sessions stand at one task of one graph; times are aware, UTC."""

    graph_id: str
    current_task_id: str
    sessions: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(slots=True)
class Table:
    """Sessions by column, as a store hands them to a DataFrame; all columns are of one length.

    Attributes:
        id, graph_id, current_task_id: text.
        status_message: text or None.
        version: int64.
        created, updated: int64, µs since 1970 UTC; ``UNKNOWN_TIME`` where unknown, beyond
            ±``FINITE`` for PostgreSQL's infinities.
        context_bytes: int64, what the context takes in the store.
        messages: int64, length of the chat history.
        context: for each path asked for, the value's JSON text, or None where it is absent.
        next: where the next page starts, None if this is the last.
        expires: int64, µs since 1970 UTC at which the store drops the session, ``UNKNOWN_TIME`` for
            never; None where no session expires.
        note: what is to be known about this answer, e.g. that it may lack sessions.
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
    """Drop the row that ``Query.one_more`` asked for and say where the next page starts."""
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
