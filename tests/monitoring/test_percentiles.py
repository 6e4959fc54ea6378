"""A percentile is a value that was measured, and told only where enough values were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphflow_nb.monitoring.percentiles import is_measurable, percentile

ENOUGH = {50: 2, 90: 10, 99: 100, 99.9: 1000, 99.99: 10_000}


@pytest.mark.parametrize("q", ENOUGH)
def test_a_percentile_needs_a_value_beyond_it(q):
    assert not is_measurable(ENOUGH[q] - 1, q)
    assert is_measurable(ENOUGH[q], q)
    assert np.isnan(percentile(np.arange(ENOUGH[q] - 1), q))
    assert percentile(np.arange(ENOUGH[q]), q) == round(ENOUGH[q] * q / 100) - 1


@given(st.lists(st.integers(0, 10**9), min_size=100, max_size=300), st.sampled_from([50, 90, 99]))
def test_it_is_the_smallest_value_that_so_many_do_not_exceed(values, q):
    found = percentile(np.array(values), q)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * q / 100
    assert sum(value < found for value in values) < len(values) * q / 100
