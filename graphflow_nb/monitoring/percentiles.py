"""Percentiles that were really measured, and whether there are enough measurements for one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["percentile", "told"]


def told(count: int, q: float) -> bool:
    """Whether so many measurements tell this percentile: at least one has to lie beyond it."""
    return count >= round(1 / (1 - q / 100), 6)


def percentile(values: NDArray[Any], q: float) -> float:
    """The smallest measured value that q per cent do not exceed; NaN if n is too small for it."""
    if not told(len(values), q):
        return float("nan")
    # The rank, without what a float adds to 99.9 % of a thousand.
    rank = int(np.ceil(round(len(values) * q / 100, 6)))
    return float(np.partition(values, rank - 1)[rank - 1])
