"""Figures of durations, of which the older ones may be in histograms alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .histogram import Histogram
from .percentiles import is_measurable, percentile

__all__ = ["Durations"]


class Durations:
    """Mean, percentiles and maximum of durations, those beyond a recorder's bound included.

    With the latter, percentiles come from histograms, at most 0.1 % above the true value.

    Example:
        >>> import numpy as np
        >>> from graphflow_nb.monitoring import Histogram
        >>> from graphflow_nb.monitoring.durations import Durations
        >>> found = Durations(np.array([1000, 3000]), [Histogram.of(np.array([2000]))])
        >>> found.count, found.mean, found.percentile(50)
        (3, 2000.0, 2000.0)

    Args:
        nanos: The durations that are kept, in ns.
        past: The histograms of the others.

    Attributes:
        count: The number of durations.
    """

    def __init__(self, nanos: NDArray[np.int64], past: Iterable[Histogram] = ()):
        self._nanos = nanos
        self._all = Histogram.of(nanos)
        for histogram in past:
            self._all.merge(histogram)
        self.count = len(self._all)

    @property
    def mean(self) -> float:
        """The mean in ns, exact; NaN without durations."""
        return self._all.total_ns / self.count if self.count else float("nan")

    @property
    def highest(self) -> int:
        """The longest in ns, exact."""
        return self._all.highest_ns

    def percentile(self, q: float) -> float:
        """Return the duration in ns that q per cent do not exceed; NaN if there are too few.

        Args:
            q: The percentile, from 0 to below 100.
        """
        if self.count == len(self._nanos):
            return percentile(self._nanos, q)
        return self._all.percentile(q) if is_measurable(self.count, q) else float("nan")
