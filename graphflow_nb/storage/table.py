"""Table and GroupCount: answers to a query, by column and by task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..model.times import FIRST, LAST, UNKNOWN_TIME, describe_time, time_of
from .query import Cursor, Query

__all__ = [
    "GroupCount",
    "NotedCount",
    "NotedList",
    "Table",
    "add_problem",
    "cut_page",
    "merge_counts",
    "note_of",
]

T = TypeVar("T")
_SPAN = LAST - FIRST


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


def merge_counts(one: GroupCount | None, other: GroupCount) -> GroupCount:
    """Return two counts of one graph and task as one."""
    if one is None:
        return other
    oldest = [time for time in (one.oldest, other.oldest) if time is not None]
    newest = [time for time in (one.newest, other.newest) if time is not None]
    return GroupCount(
        one.graph_id,
        one.current_task_id,
        one.sessions + other.sessions,
        min(oldest, default=None),
        max(newest, default=None),
    )


class NotedList(list[T]):
    """What ``query`` or ``counts`` returned, with a remark on this answer.

    Example:
        >>> from graphflow_nb.storage.table import NotedList, note_of
        >>> note_of(NotedList([], "sessions may be missing"))
        'sessions may be missing'

    Args:
        items: The sessions or the counts.
        note: The remark; None for none.
    """

    def __init__(self, items: Iterable[T], note: str | None):
        super().__init__(items)
        self.note = note


class NotedCount(int):
    """A number of sessions, with a remark on this answer.

    Example:
        >>> from graphflow_nb.storage.table import NotedCount, note_of
        >>> count = NotedCount(3, "sessions may be missing")
        >>> count + 1, note_of(count)
        (4, 'sessions may be missing')

    Args:
        count: The number.
        note: The remark; None for none.
    """

    note: str | None

    def __new__(cls, count: int, note: str | None) -> Self:
        self = super().__new__(cls, count)
        self.note = note
        return self


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
        marks: What identifies each stored state beside its version, as ``Seen.mark``; None where
            its times do.
        note: A remark on this answer, e.g. that sessions may be missing; None for none.
        problems: What is wrong with each odd session, by its id: a cell that is not what
            graph-flow writes. Such a cell is missing here, or shown as text.
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
    marks: Sequence[str] | None = None
    note: str | None = None
    problems: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.id)

    @property
    def value_size(self) -> int:
        """The number of characters of the values at the context paths, as JSON text."""
        return sum(len(text) for texts in self.context for text in texts if text is not None)


def cut_page(table: Table, query: Query) -> Table:
    """Return the page without the row that ``Query.one_more`` asked for, and with its ``next``.

    Times that Python's datetime can't hold are named in ``problems``.
    """
    n = query.limit
    if n is not None and len(table) > n:
        last = None
        if n and query.order_by != "id":
            column = table.updated if query.order_by == "updated_at" else table.created
            micros = int(column[n - 1])
            last = None if micros == UNKNOWN_TIME else time_of(micros)
        table = Table(
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
            marks=None if table.marks is None else table.marks[:n],
            note=table.note,
            problems={id: table.problems[id] for id in table.id[:n] if id in table.problems}
            if table.problems
            else {},
        )
    _name_odd_times(table)
    return table


def _name_odd_times(table: Table) -> None:
    if not len(table):
        return
    for name in ("created", "updated"):
        times = getattr(table, name)
        # Unsigned, what is too early is too great as well.
        if (times - FIRST).view(np.uint64).max() <= _SPAN:
            continue
        odd = (times != UNKNOWN_TIME) & ((times < FIRST) | (times > LAST))
        for index in np.flatnonzero(odd).tolist():
            time = describe_time(int(times[index]))
            wrong = f"{name}_at is {time}, which a datetime can't hold"
            add_problem(table.problems, table.id[index], wrong)


def add_problem(problems: dict[str, str], id: str, problem: str) -> None:
    """Add what is wrong with a session to what is known already."""
    known = problems.get(id, "")
    if problem not in known:
        problems[id] = f"{known}; {problem}" if known else problem


def note_of(answer: object) -> str | None:
    """Return the remark of a storage on its answer to a query, None for none.

    Args:
        answer: What ``query``, ``table``, ``count`` or ``counts`` returned.
    """
    return answer.note if isinstance(answer, (Table, NotedCount, NotedList)) else None
