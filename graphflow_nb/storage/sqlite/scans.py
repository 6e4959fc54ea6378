"""What a read would go through in a SQLite file, found out before it runs.

A file has no statistics. Its size is known, and some rows tell how much of it is contexts. Where
filters decide how far a page reads, they are tried on the first sessions of its order.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from math import inf
from typing import Final, NamedTuple, TypeVar

from ..query import Query
from ..scans import ScanEstimate, ScanKind, current_guard
from . import sql
from .odd import Database

__all__ = ["PROBED", "ask_first", "counts_by_index", "is_sorted"]

T = TypeVar("T")

#: Sessions on which the filters of a page are tried, which takes some 20 ms.
PROBED: Final = 5_000
_FEW_PROBED: Final = 500
_PLACES: Final = 50  # where rows are measured
_NEIGHBOURS: Final = 4  # at each of them, since rows may alternate
_ENTRY: Final = 60  # bytes of a row beside its texts, and of its entry in the index of times
# Measured on 10^6 sessions of 2.1 GB, in memory; from a disk it takes longer.
_BYTES_PER_SECOND: Final = 2_000_000_000
#: Seconds that each row takes beside that.
_SECONDS: Final[dict[ScanKind, float]] = {
    "full read": 12e-6,
    "search": 2e-6,
    "sort": 0.5e-6,
    "count": 0.5e-6,
}

#: The rows at some places in the table, by the bytes of its texts and of its context.
_SAMPLE: Final = f"""
WITH RECURSIVE place (number, first) AS (
    SELECT 1, :least UNION ALL
    SELECT number + 1, :least + (:most - :least) * number / {_PLACES}
    FROM place WHERE number < {_PLACES}
)
SELECT coalesce(length(CAST(id AS BLOB)), 0) + coalesce(length(CAST(status_message AS BLOB)), 0)
    + coalesce(length(CAST(graph_id || current_task_id AS BLOB)), 0),
    coalesce(length(CAST(context AS BLOB)), 0)
FROM place JOIN sessions ON sessions.rowid IN (
    SELECT rowid FROM sessions WHERE rowid >= first ORDER BY rowid LIMIT {_NEIGHBOURS}
)
"""


class _Rows(NamedTuple):
    """The rows of a file.

    Attributes:
        number: About how many there are.
        whole: The bytes of one with all of its context.
        inside: Its bytes in the table's own pages, which are read to get at its columns.
        measured: The number of rows that were read to find this out.
    """

    number: int
    whole: float
    inside: float
    measured: int


def ask_first(
    work: Callable[[Database], T], query: Query, *, counts: bool = False, also: str | None = None
) -> Callable[[Database], T]:
    """Return work on a connection, before which the guard of the caller is asked, if there is one.

    Args:
        work: The work, which raises ``ScanRefused`` before it begins if it would read much.
        query: The query that it answers.
        counts: Whether it counts all that the query selects.
        also: A further condition on the contexts as SQL.
    """
    guard = current_guard()
    if guard is None or guard.above_bytes is None or query.ids is not None:
        return work
    above = guard.above_bytes
    context = copy_context()  # who waits for the read may want to know the estimate

    def check_and_work(db: Database) -> T:
        pages, size, free = (
            int(db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "page_size", "freelist_count")
        )
        whole = (pages - free) * size
        if whole > above:
            scan = _estimate(db, query, counts=counts, also=also, whole=whole, page=size)
            if scan is not None:
                context.run(guard.check, scan)
        return work(db)

    return check_and_work


def is_sorted(db: Database, order: str) -> bool:
    """Return whether all sessions are sorted for a page in this order, since no index serves it."""
    plan = db.execute(f"EXPLAIN QUERY PLAN {sql.select('id', Query(order=order)).text}")
    return "TEMP B-TREE" in str(plan.fetchall())


def _estimate(
    db: Database, query: Query, *, counts: bool, also: str | None, whole: int, page: int
) -> ScanEstimate | None:
    """Return what a query would go through; None where an index serves it."""
    on_context = any((also, query.context, query.has, query.lacks, query.compare))
    kind: ScanKind
    if counts:
        kind = "count"
    elif query.limit is None:
        kind = "full read"
    elif query.order_by == "created_at" and is_sorted(db, query.order):
        kind = "sort"
    elif query.filters or also:
        kind = "search"
    else:
        return None
    most = _count_until_full(db, query, also) if kind == "search" else inf
    if most == 0:
        return None
    rows = _measure(db, whole, page)
    tried = rows.measured + (PROBED if kind == "search" else 0)
    each = rows.whole if on_context or kind == "full read" else rows.inside
    number = min(most, _count_in_range(db, query, rows.number))
    read = round(min(number * each, whole))
    work = "search" if on_context and kind != "full read" else kind
    seconds = read / _BYTES_PER_SECOND + number * _SECONDS[work]
    helps = "wb.advise() names an index that helps" if kind == "sort" else ""
    return ScanEstimate(kind, rows.number, read, seconds, helps, "file", tried)


def _measure(db: Database, whole: int, page: int) -> _Rows:
    least, most = db.execute(sql.ROWID_BOUNDS).fetchone()
    sample = db.execute(_SAMPLE, {"least": least, "most": most}).fetchall()
    if not sample:
        return _Rows(0, 0.0, 0.0, 0)
    sizes = [texts + context + _ENTRY for texts, context in sample]
    mean = sum(sizes) / len(sizes)
    inside = sum(_inside(size, page) for size in sizes) / len(sizes)
    number = min(most - least + 1, whole / mean)
    return _Rows(round(number), whole / number, inside, len(sample))


def _inside(size: int, page: int) -> int:
    """Return how many bytes of a row SQLite keeps in the table's own pages; see its file format."""
    if size <= page - 35:
        return size
    least = (page - 12) * 32 // 255 - 23
    kept = least + (size - least) % (page - 4)
    return kept if kept <= page - 35 else least


def counts_by_index(query: Query) -> bool:
    """Return whether an index alone counts what a query selects, which reads a small part."""
    return query.filters == _ranged(query).filters


def _ranged(query: Query) -> Query:
    """Return a query with those filters alone that are a range of an index."""
    since, until = query.updated_since, query.updated_until
    return Query(id_prefix=query.id_prefix, updated_since=since, updated_until=until)


def _count_in_range(db: Database, query: Query, number: int) -> int:
    """Return how many sessions are in the range of an index that a query is bounded to."""
    ranged = _ranged(query)
    if not ranged.filters:
        return number
    return int(db.execute(*sql.count(ranged)).fetchone()[0])


def _count_until_full(db: Database, query: Query, also: str | None) -> float:
    """Return how many sessions are probably looked at until a page is full; 0 for few."""
    assert query.limit is not None
    hits = 0
    for most in (_FEW_PROBED, PROBED):  # the first few often fill the page
        tried, hits = db.execute(*sql.probe(query, most, also=also)).fetchone()
        if hits >= query.limit or tried < most:
            return 0
    return float(query.limit * PROBED / hits) if hits else inf
