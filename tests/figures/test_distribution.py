"""Curves, bins and boxes count each operation once."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow_nb.figures import plot_boxes, plot_ecdf, plot_histogram

from .data import lines, measured, operations


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
