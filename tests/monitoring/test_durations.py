"""Figures of durations are the same whether they are kept or counted, within 0.1 %."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow_nb.monitoring import Histogram
from graphflow_nb.monitoring.durations import Durations

NANOS = np.random.default_rng(1).exponential(1e6, 5_000).astype(np.int64)


@pytest.mark.parametrize("kept", [0, 1, 2_000, 4_999, 5_000])
def test_figures_are_those_of_all(kept):
    old, new = NANOS[: 5_000 - kept], NANOS[5_000 - kept :]
    found = Durations(new, [Histogram.of(old[::2]), Histogram.of(old[1::2])])
    assert found.count == 5_000
    assert found.mean == NANOS.mean()
    assert found.highest == NANOS.max()
    for q in (50, 90, 99):
        exact = np.percentile(NANOS, q, method="inverted_cdf")
        assert exact <= found.percentile(q) <= exact * 1.0011


def test_too_few_have_no_percentile():
    few = Durations(NANOS[:50], [Histogram.of(NANOS[50:99])])
    assert np.isnan(few.percentile(99))
    assert not np.isnan(Durations(NANOS[:50], [Histogram.of(NANOS[50:100])]).percentile(99))
    none = Durations(NANOS[:0])
    assert none.count == 0
    assert np.isnan(none.mean)
    assert np.isnan(none.percentile(50))
