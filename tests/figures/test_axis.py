"""Axes have units, and ticks that can be read."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from graphflow_nb.figures.axis import (
    set_count_axis,
    set_duration_axis,
    set_rate_axis,
    set_share_axis,
    set_time_axis,
)


@pytest.fixture
def ax() -> Axes:
    return Figure((9, 5)).add_subplot()


def ticks(ax: Axes) -> list[str]:
    FigureCanvasAgg(ax.figure).draw()
    low, high = ax.get_ylim()
    return [
        tick.label1.get_text()
        for tick in ax.yaxis.get_major_ticks()
        if low <= tick.get_loc() <= high
    ]


def test_few_counts_are_whole_numbers_from_0(ax):
    set_count_axis(ax.yaxis, 3, "operations in a bin")
    assert ticks(ax) == ["0", "1", "2", "3"]
    assert ax.get_ylabel() == "operations in a bin"


def test_many_counts_have_a_log_scale(ax):
    set_count_axis(ax.yaxis, 12_345, "operations in a bin")
    assert ax.get_yscale() == "log"
    assert ticks(ax)[0] == "1"
    assert ticks(ax)[-1] == "10,000"
    assert ax.get_ylabel() == "operations in a bin (log scale)"


def test_rates(ax):
    set_rate_axis(ax.yaxis, [0.5, 2000], "operations a second")
    assert {"1", "10", "1,000"} <= set(ticks(ax))
    assert ax.get_ylabel() == "operations a second (log scale)"


def test_shares(ax):
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    set_share_axis(ax.yaxis)
    assert ticks(ax) == ["0 %", "50 %", "100 %"]


@pytest.mark.parametrize(
    ("nanos", "scale", "label"),
    [
        ([0, 1000], "log", "duration (log scale; 0 ns at 1 ns)"),
        ([1, 1000], "log", "duration (log scale)"),
        ([0, 1000], "linear", "duration"),
    ],
)
def test_durations(ax, nanos, scale, label):
    set_duration_axis(ax.yaxis, nanos, scale)
    assert ax.get_ylabel() == label
    assert all(text.endswith((" ns", " µs")) or text == "0" for text in ticks(ax))
    assert ("0" in ticks(ax)) == (scale == "linear")


def test_time_is_since_the_first_within_two_minutes_and_of_the_clock_beyond(ax):
    first = 1_770_000_000_000_000_000
    place = set_time_axis(ax.yaxis, first, first + 1_000_000)
    assert place(np.array([first + 500])) == [500]
    assert ticks(ax)[:2] == ["0", "200 µs"]
    assert ax.get_ylabel() == "began after 2026-02-02 02:40:00.000000 UTC"
    place = set_time_axis(ax.yaxis, first, first + 86_400 * 10**9)
    assert np.diff(place(np.array([first, first + 86_400 * 10**9]))) == pytest.approx(1)
    assert ax.get_ylabel() == "began at (UTC), from 2026-02-02 on"
