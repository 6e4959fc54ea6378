"""Counts for an overview, made by the server: one scan of a small table, or of a part of its pages.

The part is one page of each n neighbours, since these were written at one time: if all pages were
chosen by chance, days of equal growth would differ by a tenth. Which one of them is by chance, or
what repeats itself after as many rows would be seen always or never. A table that is divided, and
an older server, has the pages that ``TABLESAMPLE SYSTEM`` chooses. They are always the same ones,
so that a second look at a table at rest shows the same numbers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np

from ...errors import StorageError, StorageUnavailable
from ...model.times import describe_time, micros_of
from ..odd import readable_text
from ..overview import (
    MAX_PLACES,
    SIZES,
    Hours,
    OverviewCounts,
    PlaceCount,
    SizeCount,
    age_bounds,
    age_of_class,
    cut_places,
    hour_bounds,
)
from ..trace import current
from .connections import Connection
from .selects import UNCHECKED
from .table import OpenTable

__all__ = ["read_overview"]

#: Bytes of the table that are read at most: some 0.1 s from memory, and 0.3 s from a slow disk.
READ_BYTES: Final = 16 * 2**20

#: The first version that finds rows by a range of their places.
FIRST_WITH_RANGES: Final = 140_000

# The bytes of the table or of what it is divided into, whether a part of them can be read, whether
# they are in one piece, the bytes of a page, and the server's version. $1 is the quoted name.
_SIZE: Final = """
WITH RECURSIVE tree (oid) AS (
    SELECT $1::text::regclass::oid
    UNION ALL SELECT i.inhrelid FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
)
SELECT sum(pg_relation_size(c.oid)) FILTER (WHERE c.relkind IN ('r', 'm', 'p'))::bigint,
    bool_and(c.relkind IN ('r', 'm', 'p')), count(*) = 1 AND bool_and(c.relkind = 'r'),
    current_setting('block_size')::int, current_setting('server_version_num')::int
FROM tree JOIN pg_class AS c ON c.oid = tree.oid
"""

#: Of the columns by which one count is made, those that it lacks, as GROUPING says.
_PLACES, _CREATED, _SAVED, _SIZES = 0b0111, 0b1011, 0b1101, 0b1110

# A comparison with each bound, and no arithmetic on times, since they may be infinite. OFFSET keeps
# the planner from taking a class of times for as many groups as there are times: it would sort
# instead of hash, in ten times as long.
_COUNT: Final = """
WITH counted AS (
    SELECT grouping(g, c, u, s) AS kind, g, t, a, c, u, s, count(*) AS n, sum(b)::bigint AS bytes
    FROM (
        SELECT graph_id AS g, current_task_id AS t,
            coalesce(width_bucket(updated_at, (SELECT $1::text[]::timestamptz[])), 0) AS a,
            coalesce(width_bucket(created_at, (SELECT $2::text[]::timestamptz[])), 0) AS c,
            coalesce(width_bucket(updated_at, (SELECT $2::text[]::timestamptz[])), 0) AS u,
            width_bucket(b, (SELECT $3::text[]::bigint[])) AS s, b
        FROM (
            SELECT graph_id, current_task_id, created_at, updated_at,
                coalesce(pg_column_size(context), 0)::bigint AS b
            FROM {table}
        ) AS sized
    OFFSET 0) AS classed
    GROUP BY GROUPING SETS ((g, t, a), (c), (u), (s))
)
SELECT kind, {graph}, {task}, coalesce(a, c, u, s), n, bytes FROM counted
ORDER BY kind DESC, n DESC LIMIT {limit}
"""


# The planner takes each range for many pages, and would compile the statement for that. Without
# ranges of places it would read all of the table for each page.
_SETTINGS: Final = """
SELECT set_config(name, CASE name WHEN 'jit' THEN 'off' ELSE 'on' END, true) FROM pg_settings
WHERE name IN ('jit', 'enable_tidscan')
"""


class _Part(NamedTuple):
    """What is read: SQL that stands for the table, and the share of the table that it is."""

    source: str
    share: float


# OFFSET keeps the ranges of places inside: joined from outside, each would be a read of all.
EVERY: Final = """
(SELECT s.* FROM (
    SELECT k * {step} + (hashint8(k) & 2147483647) % {step} AS page
    FROM generate_series(0, {last}::bigint) AS k
) AS chosen CROSS JOIN LATERAL (
    SELECT graph_id, current_task_id, created_at, updated_at, context FROM {table}
    WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + 1)::tid OFFSET 0
) AS s) AS part
"""


async def read_overview(table: OpenTable, now: datetime, *, exact: bool) -> OverviewCounts:
    """Return counts by task and age, by the hour and by size; see ``SupportsOverview``."""
    part = _Part(table.form.table, 1.0) if exact else await _choose_part(table)
    ages, hours = age_bounds(micros_of(now)), hour_bounds(now)
    statement = _COUNT.format(
        table=part.source,
        graph=UNCHECKED.format("g"),
        task=UNCHECKED.format("t"),
        limit=MAX_PLACES + 2 * (len(hours) + 1) + len(SIZES) + 1,
    )
    arguments = (
        [describe_time(time) for time in ages],
        [describe_time(time) for time in hours],
        [str(size) for size in SIZES],
    )

    async def read(connection: Connection) -> Any:
        if part.share == 1:
            return await connection.fetch(statement, *arguments)
        async with connection.transaction():
            await connection.execute(_SETTINGS)
            return await connection.fetch(statement, *arguments)

    rows = await table.run_query(read)
    current().lap("execute")
    created, saved = np.zeros((2, len(hours) + 1), np.int64)
    places: dict[tuple[str, str, int], int] = {}
    sizes = []
    for kind, graph, task, number, count, total in rows:
        if kind == _PLACES:
            place = (_read_name(graph), _read_name(task), age_of_class(number))
            places[place] = places.get(place, 0) + count
        elif kind == _SIZES:
            sizes.append(SizeCount(number, count, total))
        else:
            (created if kind == _CREATED else saved)[number] = count
    current().size(0, len(rows))
    current().lap("decode")
    return OverviewCounts(
        now,
        cut_places([PlaceCount(*place, count) for place, count in places.items()]),
        Hours.from_classes(created),
        Hours.from_classes(saved),
        sorted(sizes),
        part.share,
    )


async def _choose_part(table: OpenTable) -> _Part:
    """Return the part of the table to read: all of a small one, or of a view."""
    name = table.form.table

    async def read(connection: Connection) -> Any:
        return await connection.fetchrow(_SIZE, name)

    try:
        size, sampled, whole, page, version = await table.run(read, writes=False)
    except StorageUnavailable:
        raise
    except StorageError:  # servers that only speak the protocol may lack the catalog
        return _Part(name, 1.0)
    if not sampled or not size or size <= READ_BYTES:
        return _Part(name, 1.0)
    pages, step = size // page, -(-size // READ_BYTES)
    if whole and table.form.xmin and version >= FIRST_WITH_RANGES:
        return _Part(EVERY.format(last=(pages - 1) // step, step=step, table=name), 1 / step)
    share = READ_BYTES / size
    return _Part(f"{name} TABLESAMPLE SYSTEM ({100 * share:.6f}) REPEATABLE (0)", share)


def _read_name(name: bytes | None) -> str:
    return "" if name is None else readable_text(name)
