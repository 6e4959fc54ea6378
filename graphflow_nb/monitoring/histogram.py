"""Counts of durations, in buckets that are a thousandth of the value wide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Histogram"]

_LONGEST = 2**63 - 1  # ns
_HALF = 10  # 2^10 buckets for each doubling: three significant digits


class Histogram:
    """A histogram of nanoseconds of any range, at most 0.1 % off, that can be merged with others.

    The buckets are those of HdrHistogram (G. Tene) at three significant digits with a lowest value
    of 1: single nanoseconds up to 2,048, then 1,024 buckets for each doubling.

    Attributes:
        counts: The number of durations in each bucket, int64, up to the highest bucket that is not
            empty or further.
        total_ns: The sum of the durations, exact.
        lowest_ns: The shortest duration, exact; 0 if the histogram is empty.
        highest_ns: The longest duration, exact; 0 if the histogram is empty.

    Example:
        >>> import numpy as np
        >>> from graphflow_nb.monitoring import Histogram
        >>> histogram = Histogram.of(np.arange(1, 1001))
        >>> len(histogram), histogram.percentile(99)
        (1000, 990.0)
    """

    def __init__(self) -> None:
        self.counts = np.zeros(0, np.int64)
        self.total_ns = 0
        self.lowest_ns = 0
        self.highest_ns = 0

    @classmethod
    def of(cls, nanos: NDArray[np.int64]) -> Self:
        """Return the histogram of durations.

        Args:
            nanos: The durations in ns, 0 or more.
        """
        histogram = cls()
        histogram.add(nanos)
        return histogram

    def copy(self) -> Histogram:
        """Return another histogram with the same counts."""
        copy = Histogram()
        copy.merge(self)
        return copy

    def add(self, nanos: NDArray[np.int64]) -> None:
        """Count durations.

        Args:
            nanos: The durations in ns, 0 or more.
        """
        if len(nanos):
            counts = np.bincount(_bucket(nanos))
            self._add(counts, int(nanos.sum()), int(nanos.min()), int(nanos.max()))

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        if len(other):
            self._add(other.counts, other.total_ns, other.lowest_ns, other.highest_ns)

    def _add(self, counts: NDArray[np.int64], total: int, lowest: int, highest: int) -> None:
        self.lowest_ns = min(self.lowest_ns, lowest) if len(self) else lowest
        self.highest_ns = max(self.highest_ns, highest)
        self.total_ns += total
        if len(counts) > len(self.counts):
            self.counts = np.pad(self.counts, (0, len(counts) - len(self.counts)))
        self.counts[: len(counts)] += counts

    def percentile(self, q: float) -> float:
        """Return the duration that q per cent do not exceed, at most 0.1 % above the true value.

        Args:
            q: The percentile, 0 to 100.

        Returns:
            Nanoseconds.
        """
        wanted = max(1, int(np.ceil(len(self) * q / 100 - 1e-9)))
        bucket = int(np.searchsorted(np.cumsum(self.counts), wanted))
        return float(min(_highest(bucket), self.highest_ns))

    def __len__(self) -> int:
        return int(self.counts.sum())

    def state(self) -> dict[str, Any]:
        """Return the histogram as JSON values, which ``from_state`` takes."""
        used = np.flatnonzero(self.counts)
        return {
            "buckets": used.tolist(),
            "counts": self.counts[used].tolist(),
            "total_ns": self.total_ns,
            "lowest_ns": self.lowest_ns,
            "highest_ns": self.highest_ns,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the histogram of a ``state``.

        Raises:
            ValueError: It is not one that ``state`` returns.
        """
        used, counts = state["buckets"], state["counts"]
        totals = [state[name] for name in ("total_ns", "lowest_ns", "highest_ns")]
        whole = all(type(value) is int and value >= 0 for value in (*used, *counts, *totals))
        total, lowest, highest = totals
        if (
            not whole
            or len(used) != len(counts)
            or used != sorted(set(used))
            or sum(counts) > _LONGEST
            or not lowest <= highest <= _LONGEST
            or (used and used[-1] != _bucket(np.array([highest]))[0])
        ):
            raise ValueError("its counts are not those of durations")
        histogram = cls()
        histogram.counts = np.zeros(used[-1] + 1 if used else 0, np.int64)
        histogram.counts[used] = counts
        histogram.total_ns, histogram.lowest_ns, histogram.highest_ns = total, lowest, highest
        return histogram


def _bucket(nanos: NDArray[np.int64]) -> NDArray[np.int64]:
    # frexp returns the number of binary digits; the first bits of a duration name its bucket.
    digits = np.frexp(nanos.astype(np.float64))[1]
    shift = np.maximum(digits - _HALF - 1, 0)
    return np.asarray((shift << _HALF) + (nanos >> shift), np.int64)


def _highest(bucket: int) -> int:
    """Return the longest duration that is counted in this bucket."""
    shift = max((bucket >> _HALF) - 1, 0)
    return ((bucket - (shift << _HALF) + 1) << shift) - 1
