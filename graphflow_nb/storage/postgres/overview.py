"""Counts for an overview, made by the server: one scan of a small table, or of a part of its pages.

The pages of the part are chosen by ``TABLESAMPLE SYSTEM``, always the same ones, so that a second
look at a table at rest shows the same numbers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

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

#: Bytes of the table that are read at most: some 0.1 s from memory, and 0.5 s from a slow disk.
READ_BYTES: Final = 32 * 2**20

# The kind of the table, and the bytes of it or of what it is divided into. $1 is the quoted name.
_SIZE: Final = """
WITH RECURSIVE tree (oid) AS (
    SELECT $1::text::regclass::oid
    UNION ALL SELECT i.inhrelid FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
)
SELECT sum(pg_relation_size(c.oid)) FILTER (WHERE c.relkind IN ('r', 'm', 'p'))::bigint,
    bool_and(c.relkind IN ('r', 'm', 'p'))
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


async def read_overview(table: OpenTable, now: datetime, *, exact: bool) -> OverviewCounts:
    """Return counts by task and age, by the hour and by size; see ``SupportsOverview``."""
    share = 1.0 if exact else await _choose_share(table)
    part = f" TABLESAMPLE SYSTEM ({100 * share:.6f}) REPEATABLE (0)" if share < 1 else ""
    ages, hours = age_bounds(micros_of(now)), hour_bounds(now)
    statement = _COUNT.format(
        table=table.form.table + part,
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
        share,
    )


async def _choose_share(table: OpenTable) -> float:
    """Return the part of the table's pages to read: 1.0 for all of a small one, or of a view."""

    async def read(connection: Connection) -> Any:
        return await connection.fetchrow(_SIZE, table.form.table)

    try:
        size, sampled = await table.run(read, writes=False)
    except StorageUnavailable:
        raise
    except StorageError:  # servers that only speak the protocol may lack the catalog
        return 1.0
    return min(1.0, READ_BYTES / size) if sampled and size else 1.0


def _read_name(name: bytes | None) -> str:
    return "" if name is None else readable_text(name)
