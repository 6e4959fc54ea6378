"""Percentiles that are measured values, and the number of measurements that each needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_measurable", "percentile"]


def is_measurable(count: int, q: float) -> bool:
    """Return whether there are enough measurements for a percentile: one has to lie beyond it.

    Args:
        count: The number of measurements.
        q: The percentile, from 0 to below 100.

    Example:
        >>> from graphflow_nb.monitoring.percentiles import is_measurable
        >>> is_measurable(99, 99), is_measurable(100, 99)
        (False, True)
    """
    return count >= round(1 / (1 - q / 100), 6)


def percentile(values: NDArray[Any], q: float) -> float:
    """Return the smallest measured value that q per cent of the values do not exceed.

    Args:
        values: The measurements, in any order.
        q: The percentile, from 0 to below 100.

    Returns:
        One of the values; NaN if there are too few of them, see ``is_measurable``.

    Example:
        >>> import numpy as np
        >>> from graphflow_nb.monitoring.percentiles import percentile
        >>> percentile(np.arange(1, 101), 90)
        90.0
    """
    if not is_measurable(len(values), q):
        return float("nan")
    # The rank, without what a float adds to 99.9 % of a thousand.
    rank = int(np.ceil(round(len(values) * q / 100, 6)))
    return float(np.partition(values, rank - 1)[rank - 1])
