"""Tables that Citus divides among servers, or keeps on each of them.

On the server that is asked they look like plain tables that are empty: their rows are in shards.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, NamedTuple

from .errors import NOT_SPOKEN

__all__ = ["ONE_CONNECTION", "ShardBytes", "is_distributed", "read_shard_bytes"]

_HAS_CITUS: Final = "SELECT pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"
#: $1 is the quoted name of the table, as below.
_IS_DISTRIBUTED: Final = (
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition "
    "WHERE logicalrelid = $1::text::regclass)"
)
_SHARD_BYTES: Final = (
    "SELECT coalesce(pg_catalog.citus_relation_size($1::text::regclass), 0)::bigint, "
    "coalesce(pg_catalog.citus_table_size($1::text::regclass), 0)::bigint"
)
#: Lets each server be asked by one connection: each has a transaction, and a snapshot, of its own.
ONE_CONNECTION: Final = (
    "SELECT pg_catalog.set_config(name, '1', true) FROM pg_catalog.pg_settings "
    "WHERE name = 'citus.max_adaptive_executor_pool_size'"
)


class ShardBytes(NamedTuple):
    """The size of all shards of a table: of their rows, and of what is stored outside of them."""

    rows: int
    outside: int


async def is_distributed(connection: Any, table: str) -> bool:
    """Return whether the rows of a table are in shards.

    Args:
        connection: The connection.
        table: The quoted name of the table.
    """
    with suppress(*NOT_SPOKEN):
        async with connection.transaction():
            if await connection.fetchval(_HAS_CITUS):
                return bool(await connection.fetchval(_IS_DISTRIBUTED, table))
    return False


async def read_shard_bytes(connection: Any, table: str) -> ShardBytes | None:
    """Return the size of all shards of a table, which its servers are asked for; None without.

    Args:
        connection: The connection.
        table: The quoted name of the table.
    """
    if not await is_distributed(connection, table):
        return None
    rows, whole = await connection.fetchrow(_SHARD_BYTES, table)
    return ShardBytes(rows, max(0, whole - rows))
