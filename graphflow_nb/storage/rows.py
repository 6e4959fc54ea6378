"""Rows: a query answered in Python, for stores that can't answer it themselves.

A storage of your own has two ways. ``ByScanning`` (``scanned.py``) adds all four query methods to
one method that lists its sessions. A storage that can select some of its sessions by itself makes
a ``Row`` of each, and answers with these functions, as the storages for memory and Redis do:

    query     take_page(filter_rows(rows, query), query)
    table     build_table(take_page(filter_rows(rows, wider), wider), query, context), where
              wider = query.one_more()
    count     len(filter_rows(rows, query))
    counts    counter = GroupCounter(); counter.add(filter_rows(rows, query)); counter.counts()
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter, itemgetter
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from ..model.times import (
    FIRST,
    LAST,
    UNKNOWN_TIME,
    datetime_of,
    micros_of,
    micros_or_unknown,
)
from .conditions import fold, holds
from .odd import readable_text
from .paths import ContextPath, Spellings, find_value, message_count, spellings
from .query import Query
from .table import GroupCount, Table, cut_page

__all__ = [
    "GroupCounter",
    "Row",
    "RowsById",
    "Timed",
    "build_table",
    "filter_rows",
    "find_page",
    "select_rows",
    "size_of",
    "take_page",
]

_MANY = 1_000  # rows; so many are sorted at once
_LAST = 2**63  # the time by which a session whose time is unknown is ordered


class Row(Protocol):
    """A session without its id; times are µs since 1970 UTC, ``UNKNOWN_TIME`` where unknown.

    Example:
        >>> from typing import NamedTuple
        >>> from graphflow_nb import Query
        >>> from graphflow_nb.storage import filter_rows
        >>> class Record(NamedTuple):
        ...     graph_id: str
        ...     current_task_id: str
        ...     status_message: str | None
        ...     context: str | bytes
        ...     version: int
        ...     created: int
        ...     updated: int
        >>> moment = 1_700_000_000_000_000
        >>> record = Record("claims", "intake", None, "{}", 1, moment, moment)
        >>> [id for id, _ in filter_rows([("claim-1", record)], Query(task="intake"))]
        ['claim-1']
    """

    @property
    def graph_id(self) -> str:
        """The id of the graph."""
        ...

    @property
    def current_task_id(self) -> str:
        """The id of the current task."""
        ...

    @property
    def status_message(self) -> str | None:
        """The status message, if any."""
        ...

    @property
    def context(self) -> str | bytes:
        """The JSON text of the context."""
        ...

    @property
    def version(self) -> int:
        """The version."""
        ...

    @property
    def created(self) -> int:
        """The time of creation."""
        ...

    @property
    def updated(self) -> int:
        """The time of the last save."""
        ...


class Timed(Protocol):
    """What has the times by which sessions are ordered, as a ``Row`` has them."""

    @property
    def created(self) -> int:
        """The time of creation."""
        ...

    @property
    def updated(self) -> int:
        """The time of the last save."""
        ...


R = TypeVar("R", bound=Row)
T = TypeVar("T", bound=Timed)


class RowsById(Sequence[tuple[str, R]]):
    """Ids and rows, without a tuple of each, which takes longer than a page.

    Args:
        ids: The id of each session.
        rows: Its row.
    """

    def __init__(self, ids: Sequence[str], rows: Sequence[R]):
        self._ids = ids
        self._rows = rows

    @classmethod
    def copy_of(cls, rows: Mapping[str, R]) -> Self:
        """Return the rows of a mapping by id, which others may change meanwhile."""
        return cls(list(rows), list(rows.values()))

    def part(self, start: int, end: int) -> Self:
        """Return the rows from one place to another."""
        return type(self)(self._ids[start:end], self._rows[start:end])

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[tuple[str, R]]:
        return zip(self._ids, self._rows, strict=True)

    def __getitem__(self, place: Any) -> Any:
        """Return the id and the row at a place."""
        if isinstance(place, slice):
            return list(zip(self._ids[place], self._rows[place], strict=True))
        return self._ids[place], self._rows[place]


def filter_rows(rows: Sequence[tuple[str, R]], query: Query) -> list[tuple[str, R]]:
    """Return the rows that the conditions of a query select; order, limit and page are ignored.

    Args:
        rows: The id and the row of each session.
        query: The query.
    """
    return list(select_rows(rows, query))


def find_page(rows: Sequence[tuple[str, R]], query: Query) -> list[tuple[str, R]]:
    """Return the page of rows that a query asks for, in order.

    Looking into a context takes longer than all else. So the first rows of the order are looked
    into, and the others only if these do not fill the page.

    Args:
        rows: The id and the row of each session.
        query: The query.
    """
    if query.limit is not None and len(rows) > _MANY and any(query.conditions()):
        others = select_rows(rows, replace(query, context={}, has=(), lacks=(), compare=()))
        most = max(_MANY, 10 * query.limit)
        tried = take_page(others, replace(query, limit=most))
        found = filter_rows(tried, query)
        if len(found) >= query.limit or len(tried) < most:
            return found[: query.limit]
    return take_page(select_rows(rows, query), query)


def select_rows(rows: Sequence[tuple[str, R]], query: Query) -> Sequence[tuple[str, R]]:
    """Return the rows as ``filter_rows`` does; the rows themselves if all are selected."""
    if query.ids is not None:
        wanted = set(query.ids)
        rows = [r for r in rows if r[0] in wanted]
    for name in ("updated", "created"):
        if (since := getattr(query, f"{name}_since")) is not None:
            rows = [r for r in rows if getattr(r[1], name) >= micros_of(since)]
        if (until := getattr(query, f"{name}_until")) is not None:
            end = micros_of(until)
            rows = [r for r in rows if UNKNOWN_TIME != getattr(r[1], name) < end]
    if query.graph is not None:
        rows = [r for r in rows if r[1].graph_id == query.graph]
    if query.task is not None:
        rows = [r for r in rows if r[1].current_task_id == query.task]
    # Two loops each: a scan of many sessions is not to call a function that does nothing.
    if (status := query.status) is not None:
        found = [r for r in rows if r[1].status_message is not None]
        if query.ignore_case:
            status = fold(status)
            rows = [r for r in found if status in fold(r[1].status_message or "")]
        else:
            rows = [r for r in found if status in (r[1].status_message or "")]
    if (text := query.text) is not None:
        if query.ignore_case:
            text = fold(text)
            rows = [
                r for r in rows if text in fold(r[0]) or text in fold(r[1].status_message or "")
            ]
        else:
            rows = [r for r in rows if text in r[0] or text in (r[1].status_message or "")]
    if query.id_prefix is not None:
        rows = [r for r in rows if r[0].startswith(query.id_prefix)]
    for condition in query.conditions():
        rows = [r for r in rows if holds(r[1].context, condition)]
    return rows


def take_page(rows: Sequence[tuple[str, T]], query: Query) -> list[tuple[str, T]]:
    """Return the page of rows that a query asks for, in order; its conditions are ignored.

    Args:
        rows: The id and the row of each session.
        query: The query.
    """
    column = {"updated_at": "updated", "created_at": "created"}.get(query.order_by)
    if query.limit is not None and len(rows) > _MANY:
        rows = _take_candidates(rows, column, query, query.limit)

    def key(item: tuple[str, T]) -> tuple[int, str]:
        time = getattr(item[1], column) if column else 0
        return (_order_of(time), item[0])

    ordered = sorted(rows, key=key, reverse=query.descending)
    if (after := query.after) is not None:
        time = 0 if column is None else _order_of(micros_or_unknown(after.time))
        last = (time, after.id)
        ordered = [r for r in ordered if (key(r) < last if query.descending else key(r) > last)]
    return ordered[: query.limit]


def _take_candidates(
    rows: Sequence[tuple[str, T]], column: str | None, query: Query, limit: int
) -> Sequence[tuple[str, T]]:
    """Return the rows of a page, and few others, without sorting all.

    Args:
        rows: The id and the row of each session.
        column: The time by which the page is ordered; None for the id.
        query: The query.
        limit: The most rows on the page.
    """
    after, descending = query.after, query.descending
    if column is None:
        found_by_id: Iterable[tuple[str, T]] = rows
        if after is not None:
            last = after.id
            found_by_id = (r for r in rows if (r[0] < last if descending else r[0] > last))
        take = heapq.nlargest if descending else heapq.nsmallest
        return take(min(limit, len(rows)), found_by_id, key=itemgetter(0))
    times = np.fromiter(map(attrgetter(column), map(itemgetter(1), rows)), np.int64, len(rows))
    times[times == UNKNOWN_TIME] = np.iinfo(np.int64).max
    if descending:  # no time is the least number, so each has an opposite
        times = -times
    places = np.arange(len(times))
    if after is not None:
        known = _order_of(micros_or_unknown(after.time))
        moment = min(known, np.iinfo(np.int64).max)
        moment = -moment if descending else moment
        places = np.flatnonzero(times >= moment)
        limit += int(np.count_nonzero(times == moment))  # of which some are on pages before
    if limit and len(places) > limit:
        found = times[places]
        places = places[found <= np.partition(found, limit - 1)[limit - 1]]
    return [rows[place] for place in places.tolist()]


def _order_of(time: int) -> int:
    return _LAST if time == UNKNOWN_TIME else time


def build_table(
    found: Sequence[tuple[str, Row]], query: Query, context: Sequence[ContextPath]
) -> Table:
    """Return rows by column.

    Args:
        found: The id and the row of each session on the page, in order; one more than the query's
            limit if there is another page (``query.one_more()``).
        query: The query.
        context: The context paths to show, a column each.
    """
    rows = [row for _, row in found]
    contexts = [row.context for row in rows]

    def values(path: Spellings) -> list[str | None]:
        texts = [find_value(text, path) for text in contexts]
        return [None if text is None else readable_text(bytes(text)) for text in texts]

    columns = Table(
        id=[id for id, _ in found],
        graph_id=[row.graph_id for row in rows],
        current_task_id=[row.current_task_id for row in rows],
        status_message=[row.status_message for row in rows],
        version=np.array([row.version for row in rows], np.int64),
        created=np.array([row.created for row in rows], np.int64),
        updated=np.array([row.updated for row in rows], np.int64),
        context_bytes=np.array([size_of(text) for text in contexts], np.int64),
        messages=np.array([message_count(text) for text in contexts], np.int64),
        context=[values(spellings(path)) for path in context],
        next=None,
    )
    return cut_page(columns, query)


def size_of(context: str | bytes) -> int:
    """Return the bytes of a context's JSON text."""
    # Most texts are ASCII, and need not be encoded to know their size.
    if isinstance(context, str) and not context.isascii():
        return len(context.encode())
    return len(context)


class GroupCounter:
    """A count of rows at each task of each graph, which takes the rows portion by portion.

    Example:
        >>> from graphflow_nb.storage import GroupCounter
        >>> counter = GroupCounter()
        >>> counter.add([])
        >>> counter.counts()
        []
    """

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[int]] = {}

    def add(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Count rows, each with its id."""
        times = self._times
        for _, row in rows:
            key = (row.graph_id, row.current_task_id)
            if key in times:
                times[key].append(row.updated)
            else:
                times[key] = [row.updated]

    def counts(self) -> list[GroupCount]:
        """Return the counts, ordered by graph and task."""
        counts = []
        for (graph, task), times in sorted(self._times.items()):
            known = [time for time in times if FIRST <= time <= LAST]
            oldest, newest = map(datetime_of, (min(known, default=None), max(known, default=None)))
            counts.append(GroupCount(graph, task, len(times), oldest, newest))
        return counts
