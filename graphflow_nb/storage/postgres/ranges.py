"""Ids that divide a table into ranges of about equal size: by its statistics, else by a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...errors import StorageError, StorageTimeout, StorageUnavailable
from .connections import Connection
from .facts import PAGE_BYTES
from .table import OpenTable

__all__ = ["split_table"]

#: Pages that are read for each range. Where ids grow with time, a page has neighbours alone: with
#: 50 of them, the largest of 10,000 ranges has some 1.6 times the sessions of the mean.
_PAGES: Final = 50
#: Notes of ANALYZE for each range: each has as many sessions behind it as the others.
_NOTES: Final = 4

# The size of a table with its partitions, whether pages of it can be sampled, and the ids that
# ANALYZE noted, as far as the table is still as it was then. A replica knows no number of changes,
# so the size is compared too. $1 is the quoted name.
_SIZE: Final = f"""
WITH RECURSIVE tree (oid) AS (
    SELECT $1::text::regclass::oid
    UNION ALL SELECT i.inhrelid FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
)
SELECT (SELECT sum(pg_relation_size(oid))::bigint FROM tree) / {PAGE_BYTES},
    (SELECT bool_and(p.relkind IN ('r', 'm', 'p')) FROM tree JOIN pg_class AS p USING (oid)),
    (SELECT s.histogram_bounds::text::text[] FROM pg_stats AS s
        WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = 'id'
            AND NOT s.inherited AND c.relkind = 'r' AND NOT c.relhassubclass
            AND pg_stat_get_mod_since_analyze(c.oid) <= 0.1 * c.reltuples
            AND pg_relation_size(c.oid) <= 1.1 * c.relpages * {PAGE_BYTES}::float8)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = $1::text::regclass
"""
# The server orders ids by the column's collation. $1 are the shares of the rows before each.
_DIVIDE: Final = (
    "SELECT percentile_disc($1::text[]::float8[]) WITHIN GROUP (ORDER BY id)::text[] FROM {table}"
)


async def split_table(table: OpenTable, parts: int) -> list[str] | None:
    """Return the ids for ``SupportsSplit``; None where the server can't find them.

    Raises:
        StorageUnavailable, StorageTimeout: See ``SupportsSplit``.
    """
    if parts == 1:
        return []  # where the server can't divide a table either
    try:
        return await _split(table, parts)
    except (StorageUnavailable, StorageTimeout):
        raise
    except StorageError as error:  # servers that only speak the protocol may lack the catalog
        if error.__cause__ is None:  # ours alone, as that of a closed storage
            raise
        return None


async def _split(table: OpenTable, parts: int) -> list[str] | None:
    name = table.form.table

    async def measure(connection: Connection) -> Any:
        return await connection.fetchrow(_SIZE, name)

    pages, sampled, noted = await table.run(measure, writes=False)
    if noted is not None and len(noted) > _NOTES * parts:
        return choose(noted, parts)
    if not sampled:
        return None
    share = _PAGES * parts / max(1, pages)
    part = f" TABLESAMPLE SYSTEM ({100 * share:.6f})" if share < 0.5 else ""
    shares = [str(n / parts) for n in range(1, parts)]

    async def divide(connection: Connection) -> Any:
        return await connection.fetchval(_DIVIDE.format(table=name + part), shares)

    found = await table.run(divide, writes=False)
    return list(dict.fromkeys(id for id in found or [] if id is not None))


def choose(ids: Sequence[str], parts: int) -> list[str]:
    """Return the ids of many in order that divide them into ranges of equal size."""
    return list(dict.fromkeys(ids[len(ids) * n // parts] for n in range(1, parts)))
