"""Each run is drawn at its throughput and its durations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import plot_throughput

from .checks import assert_good
from .data import lines


def test_throughput():
    runs = pd.DataFrame(
        {
            "storage": ["A", "A", "A", "$x^"],
            "offered": [100.0, 400.0, 200.0, np.nan],
            "achieved": [100.0, 300.0, 200.0, 50.0],
            "p50_ns": [1000, 3000, 2000, 10],
            "p99_ns": [5000, 9000, 6000, 0],
            "failed": [0, 7, 0, 0],
        }
    )
    ax = plot_throughput(runs)
    solid = [line for line in lines(ax, linestyle="-") if len(line.get_xdata()) == 3]
    assert list(solid[0].get_xdata()) == [100, 200, 300]
    assert list(solid[0].get_ydata()) == [1000, 2000, 3000]
    assert "n = 4 runs, 7 operations failed" in ax.get_title()
    (bad,) = lines(ax, marker="X")
    assert list(bad.get_xdata()) == [300]
    assert "A: 3 runs, at most 300 operations a second" in ax.said
    assert "p50 3 µs and p99 9 µs, 1 fell behind" in ax.said
    assert_good(ax)
    assert_good(plot_throughput(runs.iloc[:0]))
    few = runs.assign(p99_ns=[np.nan, np.nan, 1.0, np.nan], achieved=[100.0, 300.0, 0.0, 0.0])
    assert_good(plot_throughput(few))
    assert "p99 unknown" in plot_throughput(few).said
    assert_good(plot_throughput(few.assign(p50_ns=np.nan, p99_ns=np.nan)))
    assert_good(plot_throughput(runs.assign(achieved=0.0)))
    with pytest.raises(QueryError, match="p99_ns"):
        plot_throughput(runs.drop(columns="p99_ns"))
