"""Operations are drawn when they were; no slow, failed or rare one is lost."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from graphflow_nb.figures import plot_heatmap, plot_timeline

from .data import lines, measured, operations


def test_a_timeline_keeps_the_slow_the_failed_and_the_rare():
    n = 300_000
    random = np.random.default_rng(1)
    nanos = random.lognormal(13, 1, n).astype(np.int64)
    op, outcome = np.full(n, "get", object), np.full(n, "ok", object)
    op[[5, 777, 200_000]] = "rare"
    outcome[random.choice(n, 200, replace=False)] = "conflict"
    frame = operations(nanos, op=op, outcome=outcome)
    ax = plot_timeline(frame)
    dots = [line for line in lines(ax, linestyle="None") if line.get_zorder() == 2]
    drawn = np.concatenate([line.get_ydata() for line in dots])
    assert len(drawn) < 2_000
    assert np.isin(np.sort(nanos)[-1000:], drawn).all()
    assert [len(line.get_xdata()) for line in dots][1] == 3
    (bad,) = lines(ax, marker="X")
    assert sorted(bad.get_ydata()) == sorted(nanos[outcome == "conflict"])
    assert f"{len(drawn):,} dots: the slowest 0.5 %" in ax.said
    assert "200 failed" in ax.get_title()


def test_of_many_stalls_the_longest_are_marked_and_the_marks_explained():
    nanos = np.full(2000, 50_000)
    nanos[::50] = np.arange(40) * 1_000_000 + 20_000_000
    ax = plot_timeline(operations(nanos))
    (marks,) = lines(ax, marker="v")
    assert len(marks.get_xdata()) == 10
    ends = np.cumsum(nanos)[::50][-10:]
    assert sorted(marks.get_xdata()) == pytest.approx(ends - nanos[::50][-10:] / 2)
    assert "Stalls: 40, longest 59 ms." in ax.said
    assert "stall: nothing finished for 10 ms or more." in ax.said
    assert "stalls: 40, longest 59 ms (10 marked)" in [
        text.get_text() for text in ax.get_legend().get_texts()
    ]


def test_stalls_name_their_stores():
    nanos = [1_000_000] * 40
    nanos[20], nanos[30] = 40_000_000, 90_000_000
    ax = plot_timeline(operations(nanos, storage=["A"] * 25 + ["B"] * 15), by="storage")
    assert "Stalls: 2, longest 90 ms (B)." in ax.said
    assert "stalls of A 1, B 1." in ax.said
    assert (
        len({line.get_color() for line in lines(ax, marker="v") if len(line.get_xdata()) == 1}) == 2
    )


def test_the_line_of_many_is_their_median_and_the_band_reaches_to_p95():
    frame = operations(np.arange(1, 2001) * 1000, started=np.zeros(2000))
    ax = plot_timeline(frame)
    (line,) = [line for line in ax.lines if line.get_marker() == "None" and line.get_zorder() == 3]
    assert line.get_ydata()[np.isfinite(line.get_ydata())].tolist() == [1_000_000]
    (band,) = ax.collections
    assert band.get_paths()[0].vertices[:, 1].max() == 1_900_000
    assert "n = 2,000" in [t.get_text().split(", ")[-1] for t in ax.texts]


def test_the_scale_of_a_heat_map_names_each_number_once():
    for frame in (operations([1000, 2000, 2000]), operations(range(1, 40)), measured(30_000)):
        ax = plot_heatmap(frame)
        FigureCanvasAgg(ax.figure).draw()
        (bar,) = ax.child_axes
        shown = [tick.get_text() for tick in bar.get_yticklabels() if tick.get_text()]
        assert len(shown) == len(set(shown)) > 0


def test_a_few_operations_stand_at_their_times():
    ax = plot_timeline(operations([1000, 2000, 4000], started=[0, 50_000, 900_000]))
    (dots,) = [line for line in lines(ax) if line.get_marker() == "o"]
    assert list(dots.get_xdata()) == [0, 50_000, 900_000]
    assert list(dots.get_ydata()) == [1000, 2000, 4000]
    days = plot_timeline(operations([1000, 2000], started=[0, 86_400_000_000_000]))
    (dots,) = [line for line in lines(days) if line.get_marker() == "o"]
    assert np.diff(dots.get_xdata()) == pytest.approx(1)


def test_a_heat_map_counts_everyone_once():
    frame = measured(30_000)
    ax = plot_heatmap(frame)
    counts = ax.collections[0].get_array()
    assert counts.sum() == 30_000
    begun = (frame["started_at"] - frame["started_at"].iloc[0]).dt.total_seconds()
    columns = counts.sum(axis=0).filled(0)
    low, high = ax.get_xlim()
    edges = np.linspace(low, high, len(columns) + 1) / 1e9
    if high < 1e6:  # days
        edges = (np.linspace(low, high, len(columns) + 1) - 1_770_000_000 / 86_400) * 86_400
    assert np.abs(columns - np.histogram(begun, edges)[0]).sum() <= 20  # on an edge
