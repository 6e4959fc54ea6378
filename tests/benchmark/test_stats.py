"""Intervals contain the true value as often as they should."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow_nb.benchmark.stats import estimate


def test_intervals_are_those_of_student():
    # Five values whose logarithms are 1 to 5: mean 3, standard error 0.7071, t(4) = 2.776.
    found = estimate(np.exp([1.0, 2, 3, 4, 5]).tolist())
    assert found == pytest.approx(np.exp([3, 3 - 1.9631, 3 + 1.9631]), rel=1e-3)
    assert estimate([7.0])[0] == pytest.approx(7)
    assert np.isnan(estimate([7.0])[1:]).all()
    assert np.isnan(estimate([])).all()
    assert estimate([float("nan"), 4.0, 4.0]) == pytest.approx((4, 4, 4))
    rng, hits = np.random.default_rng(1), 0
    for _ in range(2_000):
        low, high = estimate(rng.lognormal(3, 0.5, 5).tolist())[1:]
        hits += low <= np.exp(3) <= high
    assert hits / 2_000 == pytest.approx(0.95, abs=0.015)
