"""The histogram counts as its model does."""

from __future__ import annotations

import numpy as np
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from graphflow_nb.monitoring import Histogram

NANOS = st.integers(0, 3_600_000_000_000)


@given(st.lists(NANOS, min_size=1), st.lists(NANOS))
def test_the_histogram_counts_as_hdr_histogram_does(one, other):
    peer = HdrHistogram(1, 3_600_000_000_000, 3)
    ours, second = Histogram.of(np.array(one, np.int64)), Histogram.of(np.array(other, np.int64))
    ours.merge(second)
    for value in one + other:
        peer.record_value(value)
    for value in one + other:
        bucket = np.flatnonzero(Histogram.of(np.array([value], np.int64)).counts)
        assert ours.counts[bucket] == peer.get_count_at_value(value)
    assert len(ours) == len(one + other)
    assert ours.total_ns == sum(one + other)
    assert (ours.lowest_ns, ours.highest_ns) == (min(one + other), max(one + other))
    for q in (50, 90, 99, 100):
        exact = float(np.percentile(one + other, q, method="inverted_cdf"))
        assert exact <= ours.percentile(q) <= exact * 1.001 + 1
    again = Histogram.from_state(ours.state())
    assert (again.counts == ours.counts).all()
    assert again.state() == ours.state()
