"""Percentiles are durations that were measured."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import naive_and_corrected, plot_percentiles
from graphflow_nb.monitoring.percentiles import percentile

from ..scope import one_in
from .checks import assert_good
from .data import CASES, lines, measured, operations


@pytest.mark.parametrize("n", [1, 7, 99, 100, 1000, 54_321])
def test_percentiles_are_durations_that_were_measured(n):
    nanos = np.random.default_rng(n).lognormal(13, 2, n).astype(np.int64)
    ax = plot_percentiles(operations(nanos))
    (curve,) = lines(ax, drawstyle="steps-post")
    x, y = (np.asarray(each) for each in curve.get_data())
    assert x[0] == 1
    assert x[-1] == pytest.approx(n)
    assert (y[0], y[-1]) == (nanos.min(), nanos.max())
    # Right of a point it is the percentile that numpy finds, and no step is left out that shows.
    ranks = np.round(n - n / x).astype(int)
    shares = 100 * (ranks + 0.5) / n
    assert np.array_equal(y, np.percentile(nanos, shares, method="inverted_cdf"))
    assert ((np.diff(ranks) == 1) | (x[1:] / x[:-1] < 1.02)).all()
    dots = [line for line in lines(ax, linestyle="None") if line.get_marker() == "o"]
    marks = {
        int(tail): int(value) for line in dots for tail, value in zip(*line.get_data(), strict=True)
    }
    assert set(marks) == {t for t in (2, 10, 100, 1000, 10_000, 100_000) if t <= n}
    for tail, value in marks.items():
        assert value == np.sort(nanos)[-(-n * (tail - 1) // tail) - 1]
        if tail <= 100:
            assert value == percentile(nanos, 100 - 100 / tail)


def test_naive_and_corrected():
    naive = np.arange(1, 1001) * 1000
    ax = naive_and_corrected(naive, naive * 3.0)
    first, second = (np.max(line.get_ydata()) for line in lines(ax, drawstyle="steps-post"))
    assert (first, second) == (1_000_000, 3_000_000)
    assert "since it began: n = 1,000, p50 500 µs, p90 900 µs, p99 990 µs, p99.9 999 µs" in ax.said
    assert "since it was due: n = 1,000, p50 1.5 ms" in ax.said
    for wrong in ([[1, 2]], ["a"], [1.0, float("nan")]):
        with pytest.raises(QueryError, match="nanoseconds"):
            naive_and_corrected(naive, wrong)


def test_a_linear_scale():
    ax = plot_percentiles(CASES["all of 0 ns"], scale="linear")
    assert_good(ax)
    assert_good(plot_percentiles(measured(2000), scale="linear"))
    assert ax.get_yscale() == "linear"
    with pytest.raises(QueryError, match="'log', 'linear'"):
        plot_percentiles(measured(10), scale="cubic")


@one_in(4)
@pytest.mark.parametrize(
    ("case", "theme"),
    [*((case, "light") for case in CASES), ("many", "dark"), ("nothing", "dark")],
)
def test_whatever_was_measured(case, theme):
    nanos = CASES[case]["duration_ns"]
    assert_good(naive_and_corrected(nanos, nanos, theme=theme))
