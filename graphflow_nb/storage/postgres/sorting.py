"""The order of all sessions by a time, found here instead of in the server.

A server sends nothing until it has sorted, writes what it sorts to its disk, and takes a quarter of
its time for that. It still orders the ids of sessions that have one time: its rules for texts are
those of the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.times import FINITE
from ..query import Query
from .connections import Connection
from .table import OpenTable

__all__ = ["Unsortable", "can_sort", "rank_ids", "sort_rows"]

#: Whether few sessions have one time, as ANALYZE noted, and ids are compared as all texts of the
#: database are. $1 is the quoted name of the table, $2 the column of the times.
_SORTABLE: Final = (
    "SELECT EXISTS (SELECT FROM pg_stats WHERE tablename = relname AND attname = $2 "
    "AND schemaname = relnamespace::regnamespace::text AND n_distinct < -0.9) "
    "AND EXISTS (SELECT FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid "
    "WHERE attrelid = pg_class.oid AND attname = 'id' AND attcollation = typcollation) "
    "FROM pg_class WHERE oid = $1::text::regclass"
)


class Unsortable(Exception):
    """The exception for times that have to be compared in the server."""


class _Sorted(NamedTuple):
    """The order of rows by their times.

    Attributes:
        order: The places of the rows, in order.
        tied: Where in ``order`` a row has the time of another one.
        keys: What was compared of each row in ``tied``.
    """

    order: NDArray[np.int64]
    tied: NDArray[np.int64]
    keys: NDArray[np.uint64]


async def can_sort(connection: Connection, table: OpenTable, query: Query) -> bool:
    """Return whether rows that come in any order can be sorted here."""
    if query.order_by == "id":
        return False
    return bool(await connection.fetchval(_SORTABLE, table.form.table, query.order_by))


async def rank_ids(
    connection: Connection, table: OpenTable, ids: Sequence[str | None]
) -> NDArray[np.int64]:
    """Return the rank of each id among them, as the server compares ids."""
    ordered = await connection.fetchval(table.statements.selects.rank(), ids)
    ranks = np.empty(len(ids), np.int64)
    ranks[np.array(ordered, np.int64) - 1] = np.arange(len(ids))
    return ranks


async def sort_rows(
    times: NDArray[np.int64],
    rank: Callable[[NDArray[np.int64]], Awaitable[NDArray[np.int64]]],
    *,
    descending: bool,
    thread: Executor | None = None,
) -> NDArray[np.int64] | None:
    """Return the places of rows in their order by time and id; None if they are in it.

    Args:
        times: The times, as a ``Table`` has them.
        rank: Returns the rank of the id at each of some places.
        descending: Whether both descend.
        thread: Where they are compared; None for a thread of the loop.

    Raises:
        Unsortable: Not all times can be told apart.
    """
    sort = partial(_sort_times, times, descending=descending)
    found = await asyncio.get_running_loop().run_in_executor(thread, sort)
    if found is None:
        return None
    order, tied, keys = found
    if len(tied):
        places = order[tied]
        ranks = await rank(places)
        order[tied] = places[np.lexsort((-ranks if descending else ranks, keys))]
    return order


def _sort_times(times: NDArray[np.int64], *, descending: bool) -> _Sorted | None:
    if (times == FINITE).any():  # PostgreSQL's last thirty years
        raise Unsortable
    # Unsigned, with the unknown time, which is the smallest number, as the greatest.
    keys = times.view(np.uint64) + np.uint64(2**63 - 1)
    if descending:
        keys = ~keys
    if (keys[1:] > keys[:-1]).all():
        return None
    order = np.argsort(keys)
    keys = keys.take(order)
    same = keys[1:] == keys[:-1]
    tied = np.zeros(len(keys), bool)
    tied[1:] = same
    tied[:-1] |= same
    places = np.flatnonzero(tied)
    return _Sorted(order, places, keys[places])
