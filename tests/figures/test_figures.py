"""Figures draw what was measured, whatever was measured, and say it."""

from __future__ import annotations

import subprocess
import sys
import warnings
from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import (
    LatencyFigure,
    difference,
    duration_text,
    latency_board,
    naive_and_corrected,
    plot_boxes,
    plot_difference,
    plot_ecdf,
    plot_heatmap,
    plot_histogram,
    plot_percentiles,
    plot_phases,
    plot_throughput,
    plot_timeline,
    stalls,
)
from graphflow_nb.figures.theme import THEMES
from graphflow_nb.monitoring.percentiles import percentile

PLOTS = (
    plot_percentiles,
    plot_ecdf,
    plot_histogram,
    plot_timeline,
    plot_heatmap,
    plot_phases,
    plot_boxes,
)
GROUPED = tuple(plot for plot in PLOTS if plot is not plot_heatmap)
PHASES = ("wait_ns", "encode_ns", "execute_ns", "decode_ns")


def operations(nanos, op="get", storage="S", outcome="ok", started=None, **phases) -> pd.DataFrame:
    """A frame as ``Latency.frame()`` gives it; operations follow each other unless told."""
    nanos = np.asarray(nanos, np.int64)
    n = len(nanos)
    if started is None:
        started = np.cumsum(nanos) - nanos

    def category(values):
        return pd.Categorical([values] * n if isinstance(values, str) else values)

    return pd.DataFrame(
        {
            "op": category(op),
            "storage": category(storage),
            "session_id": pd.Series(["s"] * n, dtype="str"),
            "started_at": pd.DatetimeIndex(
                (np.asarray(started, np.int64) + 1_770_000_000_000_000_000).view("M8[ns]")
            ).tz_localize("UTC"),
            "duration_ns": nanos,
            **{phase: np.asarray(phases.get(phase, np.zeros(n)), np.int64) for phase in PHASES},
            "bytes": np.zeros(n, np.int64),
            "rows": np.zeros(n, np.int64),
            "outcome": category(outcome),
            "error": pd.Series([None] * n, dtype="str"),
        }
    )


def measured(n: int, seed: int = 0, ops=("get", "save"), failed: float = 0.01) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    nanos = random.lognormal(13, 1, n).astype(np.int64)
    return operations(
        nanos,
        op=random.choice(ops, n),
        storage=random.choice(["A", "B"], n),
        outcome=np.where(random.random(n) < failed, "error", "ok"),
        execute_ns=nanos // 2,
        wait_ns=nanos // 10,
    )


def lines(ax, **look):
    return [
        line
        for line in ax.lines
        if len(line.get_xdata())
        and all(getattr(line, f"get_{name}")() == value for name, value in look.items())
    ]


# What is drawn is what was measured


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


def test_ecdf_points_lie_on_the_ecdf():
    nanos = np.random.default_rng(0).exponential(1e6, 200_000).astype(np.int64) + 1
    ax = plot_ecdf(operations(nanos))
    (curve,) = lines(ax, drawstyle="steps-post")
    x, share = curve.get_data()
    assert len(x) < 3000
    assert (x[0], x[-1], share[0], share[-1]) == (nanos.min(), nanos.max(), 0, 1)
    ordered = np.sort(nanos)
    assert share[1:] == pytest.approx(np.searchsorted(ordered, x[1:], "right") / len(nanos))
    assert np.abs(share[1:] - (1 - np.exp(-np.asarray(x[1:]) / 1e6))).max() < 0.01
    assert np.diff(share).max() < 0.01  # no step that a missing point would make


def test_histogram_counts_everyone_once():
    frame = measured(5000)
    ax = plot_histogram(frame)
    total = 0
    for patch, (_, group) in zip(ax.patches[::2], frame.groupby("op", observed=True), strict=True):
        counts, edges, _ = patch.get_data()
        assert np.array_equal(counts, np.histogram(group["duration_ns"], edges)[0])
        assert np.diff(np.log10(edges)) == pytest.approx(1 / 12)
        total += counts.sum()
    assert total == 5000
    (bad,) = lines(ax, marker="X")
    assert sum(bad.get_ydata()) == (frame["outcome"] == "error").sum()


def test_a_timeline_keeps_the_slow_the_failed_and_the_rare():
    n = 300_000
    random = np.random.default_rng(1)
    nanos = random.lognormal(13, 1, n).astype(np.int64)
    op, outcome = np.full(n, "get", object), np.full(n, "ok", object)
    op[[5, 777, 200_000]] = "rare"
    outcome[random.choice(n, 200, replace=False)] = "conflict"
    frame = operations(nanos, op=op, outcome=outcome)
    ax = plot_timeline(frame)
    dots = [line for line in lines(ax) if line.get_marker() in "os" and len(line.get_xdata()) > 1]
    drawn = np.concatenate([line.get_ydata() for line in dots])
    assert len(drawn) < 12_000
    assert np.isin(np.sort(nanos)[-1000:], drawn).all()
    assert [len(line.get_xdata()) for line in dots][1] == 3
    (bad,) = lines(ax, marker="X")
    assert sorted(bad.get_ydata()) == sorted(nanos[outcome == "conflict"])
    assert f"{len(drawn):,} drawn" in ax.said
    assert "200 failed" in ax.get_title()


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


def test_phases_are_parts_of_the_mean():
    nanos = np.arange(1, 1001) * 1000
    slow = nanos > 990_000 - 1
    frame = operations(
        nanos,
        wait_ns=np.where(slow, nanos * 9 // 10, nanos // 10),
        execute_ns=np.where(slow, nanos // 20, nanos // 2),
    )
    ax = plot_phases(frame)
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(2, 5)
    assert widths.sum(axis=1) == pytest.approx(1)
    assert widths[0] == pytest.approx([0.1, 0, 0.5, 0, 0.4], abs=0.001)
    assert widths[1] == pytest.approx([0.9, 0, 0.05, 0, 0.05], abs=0.001)
    texts = [text.get_text() for text in ax.texts]
    assert "usual 500 µs, n = 101" in texts  # p45 to p55
    assert "slow 995 µs, n = 11" in texts  # from p99 on
    assert "get, slow: mean 995 µs (n = 11), wait 90 %" in ax.said
    few = plot_phases(frame.iloc[:50])
    assert "get, slowest: mean 50 µs (n = 1)" in few.said


def test_boxes_are_measured_percentiles():
    frame = measured(4000)
    ax = plot_boxes(frame)
    for box, (_, group) in zip(ax.patches, frame.groupby("storage", observed=True), strict=True):
        quarter, three = np.percentile(group["duration_ns"], [25, 75], method="inverted_cdf")
        assert (box.get_x(), box.get_x() + box.get_width()) == (quarter, three)
    whiskers = ax.collections[0].get_segments()
    group = frame[frame["storage"] == "A"]["duration_ns"]
    p1, p99 = np.percentile(group, [1, 99], method="inverted_cdf")
    assert (whiskers[0][0][0], whiskers[1][1][0]) == (p1, p99)
    assert "whiskers p1 and p99" in ax.said
    assert "whiskers p1 and p99" in " ".join(text.get_text() for text in ax.texts)


def test_failed_operations_are_counted_and_crossed():
    outcome = ["ok", "error", "conflict", "cancelled", "missing"]
    frame = operations([10, 20, 30, 40, 50], outcome=outcome)
    for plot in PLOTS:
        ax = plot(frame)
        assert "n = 5, 3 failed" in ax.get_title()
        assert "n = 5, 3 failed" in ax.said
        if plot is not plot_phases:
            assert lines(ax, marker="X"), plot
    (bad,) = lines(plot_timeline(frame), marker="X")
    assert sorted(bad.get_ydata()) == [20, 30, 40]


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


# Stalls


def test_stalls():
    usual = np.full(1000, 1_000_000)
    started = np.arange(1000) * 1_000_000
    # Nothing ends from 300 ms to 500 ms: who began then waits for the end.
    stuck = (started >= 300_000_000) & (started < 500_000_000)
    nanos = np.where(stuck, 500_000_000 - started + 1_000_000, usual)
    found = stalls(operations(nanos, started=started))
    assert len(found) == 1
    assert abs(found["duration_ns"][0] - 201_000_000) < 2_000_000
    assert found["started_at"][0].value - 1_770_000_000_000_000_000 == 300_000_000
    assert str(found["started_at"].dtype) == "datetime64[ns, UTC]"
    ax = plot_timeline(operations(nanos, started=started))
    assert "Stalls: 1, longest 201 ms." in ax.said


def test_what_is_no_stall():
    slow_kind = operations([500_000_000] * 50)
    assert stalls(slow_kind).empty
    idle = operations([1000] * 100, started=np.arange(100) * 10_000_000_000)
    assert stalls(idle).empty
    # Others go on finishing while one takes long.
    started = np.append(np.arange(1000) * 1_000_000, 0)
    busy = operations(np.append(np.full(1000, 1_000_000), 900_500_000), started=started)
    assert stalls(busy).empty
    assert stalls(operations([])).empty
    assert "No stall" in plot_timeline(busy).said


# Two runs


def test_the_difference_of_two_runs():
    before = operations(np.arange(1, 2001) * 1000, op=["get", "save"] * 1000)
    after = operations(np.arange(1, 2001) * 2000, op=["get", "save"] * 1000)
    found = difference(before, after)
    assert found["tail"].tolist() == [2, 10, 100] * 2
    row = found.iloc[1]
    gets = before[before["op"] == "get"]["duration_ns"]
    assert row["before_ns"] == np.percentile(gets, 90, method="inverted_cdf")
    assert row["change"] == 2
    assert row["low"] <= 2 <= row["high"]
    assert (row["n_before"], row["n_after"]) == (1000, 1000)
    pd.testing.assert_frame_equal(found, difference(before, after))
    assert not found["low"].equals(difference(before, after, seed=1)["low"])
    apart = difference(before, after, how="difference")
    assert apart["change"].tolist() == (apart["after_ns"] - apart["before_ns"]).tolist()
    ax = plot_difference(before, after, how="difference")
    assert f"+{duration_text(row['before_ns'] / 1000)}" in ax.said
    with pytest.raises(QueryError, match="'ratio', 'difference'"):
        difference(before, after, how="quotient")


def test_what_can_not_be_compared_is_named():
    before = operations([1000] * 500, op=["get"] * 495 + ["delete"] * 5)
    after = operations([1000] * 500, op=["get"] * 495 + ["save"] * 5)
    ax = plot_difference(before, after)
    assert "too few to compare: delete, save" in ax.said
    assert "get, n = 495 and 495: p50 1 µs to 1 µs, ×1 (95 % interval ×1 to ×1)" in ax.said
    assert_good(ax)
    assert_good(plot_difference(before.iloc[:3], after.iloc[:3]))
    assert difference(before, after.iloc[:0]).empty


def covered(make, trials: int, tail: int, truth: float) -> float:
    hits = 0
    for seed in range(trials):
        random = np.random.default_rng(seed)
        found = difference(make(random, 1.0), make(random, 1.5), seed=seed)
        row = found[found["tail"] == tail].iloc[0]
        hits += row["low"] <= truth <= row["high"]
    return hits / trials


@pytest.mark.parametrize("tail", [2, 10])
def test_the_interval_covers_the_truth_at_about_its_rate(tail):
    def independent(random, factor):
        return operations(random.lognormal(13, 1, 400) * factor)

    assert 0.90 <= covered(independent, 300, tail, 1.5) <= 0.99


def test_the_interval_knows_that_neighbours_in_time_are_alike():
    def in_moods(random, factor):
        mood = np.repeat(random.lognormal(0, 1, 50), 40)
        return operations(random.lognormal(13, 0.3, 2000) * factor * mood)

    # Operations drawn one by one would cover it in about one trial of six.
    assert 0.88 <= covered(in_moods, 200, 2, 1.5) <= 0.99


# Whatever was measured


def assert_good(ax) -> None:
    """It draws without a warning; nothing is cut off, on top of other text, or too small."""
    figure = ax if isinstance(ax, Figure) else ax.figure
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas.draw()
    renderer = canvas.get_renderer()
    outer = Bbox.from_bounds(0, 0, *canvas.get_width_height()).padded(1)
    for panel in figure.axes:
        box = panel.get_tightbbox(renderer)
        assert outer.contains(box.x0, box.y0), panel
        assert outer.contains(box.x1, box.y1), panel
        for text in panel.findobj(Text):
            if text.get_visible() and text.get_text():
                assert text.get_fontsize() >= 9
        for axis in (panel.xaxis, panel.yaxis):
            shown = [
                tick.label1.get_window_extent(renderer)
                for tick in axis.get_major_ticks()
                if tick.label1.get_text() and tick.label1.get_visible()
            ]
            shown = [each for each in shown if outer.overlaps(each)]
            for one, next_ in pairwise(sorted(shown, key=lambda each: (each.x0, each.y0))):
                assert not one.overlaps(next_), (panel.get_title(), axis)
    assert figure.said
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = figure._repr_png_()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(png) < 300_000


HOSTILE = (
    "$x^",
    "$x^$",
    "$\\frac$",
    "<b>bold</b>",
    "_hidden",
    "a" * 500,
    "two\nlines\ttab",
    "保存\u202e\u0000",
    "\\$100",
    "%s {0}",
)
CASES = {
    "nothing": operations([]),
    "one": operations([1_234_567]),
    "one of 0 ns": operations([0]),
    "all of 0 ns": operations([0] * 200),
    "0 ns and an hour": operations([0, 0, 3_600_000_000_000]),
    "two alike": operations([1000, 1000], started=[0, 0]),
    "a burst of nanoseconds": operations(range(1, 40)),
    "days": operations([1_000_000] * 50, started=np.arange(50) * 7_200_000_000_000),
    "years": operations([1_000_000] * 50, started=np.arange(50) * 7_200_000_000_000_000),
    "thirty kinds": measured(20_000, ops=[f"operation_{i}" for i in range(30)]),
    "all failed": operations(np.arange(1, 500) * 1000, outcome="error"),
    "hostile names": measured(900, ops=HOSTILE).assign(
        storage=lambda frame: frame["op"].astype(object)
    ),
    "no name": operations([5, 6]).assign(op=pd.Series([None, "get"], dtype="category")),
    "many": measured(40_000, failed=0.3),
}


@pytest.mark.parametrize(
    ("case", "theme"),
    [*((case, "light") for case in CASES), ("many", "dark"), ("nothing", "dark")],
)
def test_whatever_was_measured(case, theme):
    frame = CASES[case]
    before = dict(matplotlib.rcParams)
    for plot in PLOTS:
        ax = plot(frame, theme=theme)
        assert f"n = {len(frame):,}" in ax.get_title()
        assert f"n = {len(frame):,}" in ax.said
        assert_good(ax)
    assert_good(latency_board(frame, theme=theme))
    assert_good(plot_difference(frame, frame, theme=theme))
    assert_good(naive_and_corrected(frame["duration_ns"], frame["duration_ns"], theme=theme))
    assert dict(matplotlib.rcParams) == before


def test_a_linear_scale():
    ax = plot_percentiles(CASES["all of 0 ns"], scale="linear")
    assert_good(ax)
    assert_good(plot_percentiles(measured(2000), scale="linear"))
    assert ax.get_yscale() == "linear"
    with pytest.raises(QueryError, match="'log', 'linear'"):
        plot_percentiles(measured(10), scale="cubic")


def test_names_are_shown_to_the_letter():
    frame = operations([1, 2, 3, 4], op=["$x^$", "_hidden", "a\nb", "保"])
    ax = plot_ecdf(frame)
    assert_good(ax)
    # What matplotlib shows of a text without formula.
    texts = [text.get_text().replace(r"\$", "$") for text in ax.get_legend().get_texts()]
    assert [text.split(", n")[0] for text in texts] == ["$x^$", "_hidden", r"a\nb", r"\u4fdd"]
    assert "$x^$: n = 1" in ax.said


def test_more_kinds_than_colours_are_counted_together():
    frame = measured(5000, ops=[f"op{i:02}" for i in range(30)])
    # The six that cost most are named, though seldom.
    frame.loc[frame["op"] == "op29", "duration_ns"] *= 1000
    for plot in GROUPED:
        ax = plot(frame, by="op")
        assert (
            "24 others: n = " in ax.said or "24 others, usual" in ax.said or plot is plot_timeline
        )
    said = plot_ecdf(frame).said
    assert "op29: n = " in said
    seven = plot_ecdf(measured(700, ops=[f"op{i}" for i in range(7)]))
    assert "others" not in seven.said


@pytest.mark.parametrize("plot", GROUPED)
def test_by_another_column(plot):
    frame = measured(500)
    assert_good(plot(frame, by="outcome"))
    assert_good(plot(frame, by="error"))
    with pytest.raises(QueryError, match=r"no column 'nothing'; it has op, storage"):
        plot(frame, by="nothing")


# How it shows itself


def test_axes_and_figures_show_and_say_themselves():
    frame = measured(100)
    format = DisplayFormatter().format
    for made in (plot_ecdf(frame), latency_board(frame)):
        data, about = format(made)
        assert data["image/png"].startswith("iVBOR")
        assert data["text/plain"] == repr(made) == about["image/png"]["alt"]
        assert "get: n = " in repr(made)


def test_a_board_fits_what_there_is():
    def titles(frame):
        return [ax.get_title().split(",")[0] for ax in latency_board(frame).axes]

    assert titles(operations([])) == ["Cumulative distribution", "Timeline"]
    assert titles(operations([1] * 999)) == ["Cumulative distribution", "Timeline"]
    assert titles(operations([1] * 1000)) == ["Percentiles of duration", "Timeline"]
    assert titles(operations([2] * 10, execute_ns=[1] * 10))[2:] == ["Phases"]
    assert titles(operations([1, 2], storage=["A", "B"]))[2:] == ["Durations by storage"]
    big = titles(measured(10_001))
    assert big[:2] == ["Percentiles of duration", "Heat map of durations"]
    assert "Phases" in big


def test_it_draws_on_what_is_given():
    frame = measured(2000)
    figure = Figure()
    for plot in PLOTS:
        ax = figure.add_subplot()
        assert plot(frame, ax=ax) is ax
    panels = LatencyFigure(theme="dark").panels(1, 2)
    assert plot_ecdf(frame, ax=panels[0]) is panels[0]
    inner = Figure().subfigures(1, 2)[0].add_subplot()
    assert plot_ecdf(frame, ax=inner) is inner
    with pytest.raises(QueryError, match="'light', 'dark'"):
        plot_ecdf(frame, theme="pink")
    inner.remove()
    with pytest.raises(QueryError, match="no figure"):
        plot_ecdf(frame, ax=inner)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_colours_stand_out_from_the_ground(theme):
    def light(colour):
        parts = np.array(to_rgb(colour))
        parts = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return parts @ [0.2126, 0.7152, 0.0722]

    def contrast(one, other):
        high, low = sorted((light(one), light(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    assert contrast(theme.ink, theme.paper) > 7
    assert contrast(theme.quiet, theme.paper) > 4.5
    assert contrast(theme.rest, theme.paper) > 3
    assert min(contrast(colour, theme.paper) for colour in theme.colours) > 2


def test_pyplot_is_left_alone():
    code = (
        "import sys, graphflow_nb.notebook.latency\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from graphflow_nb.figures import latency_board\n"
        "from tests.figures.test_figures import measured\n"
        "latency_board(measured(100))._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0 ns"),
        (0.85, "850 ns"),
        (3.2, "3.2 µs"),
        (999.7, "1 ms"),
        (1500, "1.5 ms"),
        (2e6, "2 s"),
        (3.6e9, "3,600 s"),
        (-1500, "-1.5 ms"),
    ],
)
def test_durations_for_people(micros, text):
    assert duration_text(micros) == text
