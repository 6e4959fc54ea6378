"""The order of the sessions in memory, kept between pages: a page looks at its own rows alone.

An order is made when a page asks for it. Writes are only noted: their rows take part in each page,
and when they are many, the order is made again.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.times import UNKNOWN_TIME, micros_or_unknown
from .memory_history import MemoryRow
from .query import Cursor, Query

__all__ = ["MANY", "KeptOrder", "Portion"]

#: Sessions up to which all are looked at for a page: that takes no time.
MANY: Final = 1_000
_LAST: Final = np.iinfo(np.int64).max  # the place of a time that is unknown


class Portion(NamedTuple):
    """The rows among which are the next ones of an order.

    Attributes:
        rows: The id and the row of each, in no order.
        is_last: Whether there is none behind them.
    """

    rows: list[tuple[str, MemoryRow]]
    is_last: bool


class KeptOrder:
    """The ids of all rows in one order, and which were written since.

    Args:
        column: The time of a row by which it orders, ``updated`` or ``created``; None for the ids.

    Attributes:
        changed: The ids that were written since the order was made. A write adds its id, under the
            lock of the rows.
    """

    def __init__(self, column: str | None):
        self._column = column
        self._making = threading.Lock()
        self._ids: list[str] = []
        self._times: NDArray[np.int64] | None = None
        self._is_made = False
        self.changed: set[str] = set()

    def find(
        self, rows: Mapping[str, MemoryRow], lock: threading.Lock, query: Query, most: int
    ) -> Portion:
        """Return rows among which are the first ones behind a query's cursor.

        Args:
            rows: The stored rows.
            lock: What is held while they are written.
            query: The query; only its order and its cursor count.
            most: The number of rows that are wanted.
        """
        with self._making:
            if not self._is_made or len(self.changed) > max(MANY, len(self._ids) // 50):
                self._make(rows, lock)
            with lock:
                changed = list(self.changed)
                low, high = self._bounds(query)
                start, end = self._range(
                    low, high, query.after, query.descending, most + len(changed)
                )
                is_last = start <= low if query.descending else end >= high
                chosen = dict.fromkeys([*self._ids[start:end], *changed])
                found = [(id, row) for id in chosen if (row := rows.get(id)) is not None]
        return Portion(found, is_last)

    def _make(self, rows: Mapping[str, MemoryRow], lock: threading.Lock) -> None:
        with lock:  # no longer than a copy takes, since writes wait for it
            ids, values = list(rows), list(rows.values())
            self.changed.clear()
            self._is_made = False  # until the end, which an interrupt may keep from coming
        if self._column is None:
            ids.sort()
            self._ids, self._is_made = ids, True
            return
        times = np.fromiter(map(attrgetter(self._column), values), np.int64, len(values))
        times[times == UNKNOWN_TIME] = _LAST
        order = np.argsort(times, kind="stable")
        self._ids, self._times = [ids[place] for place in order.tolist()], times[order]
        self._is_made = True

    def _bounds(self, query: Query) -> tuple[int, int]:
        """Return the first and the last place of what a query's id_prefix leaves of the ids."""
        prefix = query.id_prefix
        if self._column is not None or not prefix:
            return 0, len(self._ids)
        size = len(prefix)
        # Cut to the length of the prefix, the ids are in order still.
        return (
            bisect_left(self._ids, prefix, key=lambda id: id[:size]),
            bisect_right(self._ids, prefix, key=lambda id: id[:size]),
        )

    def _range(
        self, low: int, high: int, after: Cursor | None, descending: bool, most: int
    ) -> tuple[int, int]:
        """Return the first and the last place of the next ids; equal times are not parted."""
        size, most = len(self._ids), max(1, most)
        if self._times is None:
            if descending:
                end = high if after is None else min(high, bisect_left(self._ids, after.id))
                return max(low, end - most), max(low, end)
            start = low if after is None else max(low, bisect_right(self._ids, after.id))
            return min(high, start), min(high, start + most)
        if after is not None:
            known = micros_or_unknown(after.time)
            moment = _LAST if known == UNKNOWN_TIME else known
            first, beyond = (
                int(np.searchsorted(self._times, moment, "left")),
                int(np.searchsorted(self._times, moment, "right")),
            )
            most += beyond - first  # of which some are on pages before
            low, high = (0, beyond) if descending else (first, size)
        if high - low > most:
            if descending:
                edge = self._times[high - most]
                low = int(np.searchsorted(self._times, edge, "left"))
            else:
                edge = self._times[low + most - 1]
                high = int(np.searchsorted(self._times, edge, "right"))
        return low, high
