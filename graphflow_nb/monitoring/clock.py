"""The dates of what is timed on the monotonic clock."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLOCK", "DRIFT_NS", "EVERY_NS", "SINCE_1970", "Clock"]


def _compare_clocks() -> tuple[int, int]:
    """Return how long it took to read both clocks, and their difference, in ns."""
    before, wall, after = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
    return after - before, wall - (before + after) // 2


#: What to add to ``Operation.start_ns`` for nanoseconds since 1970 UTC. The wall clock may jump, so
#: operations are timed on the monotonic one. Of several readings, one was not interrupted.
SINCE_1970: Final = min(_compare_clocks() for _ in range(10))[1]

#: How far the two clocks may drift apart, in ns, before later operations are dated anew.
DRIFT_NS: Final = 1_000_000

#: The least time between two comparisons, in ns: no machine wakes up in less.
EVERY_NS: Final = 1_000_000


class Clock:
    """What the monotonic clock missed since this process began.

    It stops while the machine sleeps, and does not follow when the wall clock is set. To read both
    for each operation would cost a read from memory 10 %, so whoever times operations asks whether
    a comparison is ``due``, and compares the two at most once in a millisecond.

    Attributes:
        due: The time, on ``time.perf_counter_ns``, after which the clocks are compared again.
    """

    __slots__ = ("_lock", "_shifts", "_since", "due")

    def __init__(self) -> None:
        self.due = 0
        self._lock = threading.Lock()
        # What to add to a start, from each time on. Both lists only grow, the shifts first.
        self._shifts = [0]
        self._since = [-(2**63)]

    def compare(self, start: int) -> int:
        """Compare the two clocks, for what begins at this time or later.

        Args:
            start: The time that was just read, on ``time.perf_counter_ns``.

        Returns:
            ``due``.
        """
        self.due = start + EVERY_NS
        if abs(_compare_clocks()[1] - SINCE_1970 - self._shifts[-1]) <= DRIFT_NS:
            return self.due
        shift = min(_compare_clocks() for _ in range(10))[1] - SINCE_1970
        with self._lock:
            if abs(shift - self._shifts[-1]) > DRIFT_NS and start > self._since[-1]:
                self._shifts.append(shift)
                self._since.append(start)
        return self.due

    def shift(self, start: int) -> int:
        """Return the ``Operation.start_ns`` of an operation that began at this time.

        Args:
            start: Its start, on ``time.perf_counter_ns``.
        """
        return start + self._shifts[bisect_right(self._since, start) - 1]

    def shift_all(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ``Operation.start_ns`` of many operations.

        Args:
            starts: Their starts, on ``time.perf_counter_ns``.
        """
        since = np.array(self._since, np.int64)
        shifts = np.array(self._shifts, np.int64)
        return starts + shifts[np.searchsorted(since, starts, "right") - 1]


#: The clock of this process.
CLOCK: Final = Clock()
