"""Figures with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Estimate", "estimate"]

# Student's t at 97.5 %, for 1 degree of freedom, 2, …; beyond, the normal distribution's.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160),
    *(2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056),
    *(2.052, 2.048, 2.045, 2.042),
)


class Estimate(NamedTuple):
    """A geometric mean and its 95 % confidence interval; NaN where there are too few values.

    Attributes:
        value: The mean.
        low, high: The ends of the interval.
    """

    value: float
    low: float
    high: float


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of the repeats' figures, with an interval from how much they differ.

    Operations close in time are not independent; repeats that alternate between stores nearly are.
    So the interval is Student's over repeats, not over operations. It is computed on logarithms,
    since latencies differ by factors.

    Args:
        values: One figure of each repeat, above 0; NaN where a repeat has none.

    Example:
        >>> from graphflow_nb.benchmark.stats import estimate
        >>> [round(figure, 2) for figure in estimate([90.0, 100.0, 111.0])]
        [99.97, 77.04, 129.72]
    """
    logs = np.log([value for value in values if value > 0])
    if not len(logs):
        return Estimate(float("nan"), float("nan"), float("nan"))
    mean = float(logs.mean())
    half = float("nan")
    if len(logs) > 1:
        freedom = len(logs) - 1
        t = _T[freedom - 1] if freedom <= len(_T) else 1.96
        half = t * float(logs.std(ddof=1)) / len(logs) ** 0.5
    return Estimate(*(float(np.exp(at)) for at in (mean, mean - half, mean + half)))
