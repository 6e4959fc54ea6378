"""Phases are parts of the mean duration."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow_nb.figures import plot_boxes, plot_phases

from .data import measured, operations


def test_phases_are_parts_of_the_mean():
    nanos = np.arange(1, 1001) * 1000
    slow = nanos > 990_000 - 1
    frame = operations(
        nanos,
        wait_ns=np.where(slow, nanos * 9 // 10, nanos // 10),
        execute_ns=np.where(slow, nanos // 20, nanos // 2),
    )

    def measure(ax, bars=2):
        widths = np.array([bar.get_width() for bar in ax.patches]).reshape(bars, 5)
        return widths / widths.sum(axis=1, keepdims=True), widths.sum(axis=1)

    ax = plot_phases(frame)
    shares, totals = measure(ax)
    assert totals == pytest.approx([500_000, 995_000])  # in time, not in shares
    assert shares[0] == pytest.approx([0.1, 0, 0.5, 0, 0.4], abs=0.001)
    assert shares[1] == pytest.approx([0.9, 0, 0.05, 0, 0.05], abs=0.001)
    texts = [text.get_text() for text in ax.texts]
    assert "500 µs, n = 101" in texts  # p45 to p55
    assert "995 µs, n = 11" in texts  # from p99 on
    assert "wait 896 µs" in texts
    assert "get, typical: mean 500 µs (n = 101), wait 50 µs (10 %)" in ax.said
    assert "get, slowest 1 %: mean 995 µs (n = 11), wait 896 µs (90 %)" in ax.said
    assert "longest bar: get, slowest 1 %, 90 % wait" in ax.said
    few = plot_phases(frame.iloc[:50])
    assert "get, slowest: mean 50 µs (n = 1)" in few.said
    shares, totals = measure(plot_phases(frame, shares=True))
    assert totals == pytest.approx(1)
    assert shares[1] == pytest.approx([0.9, 0, 0.05, 0, 0.05], abs=0.001)


def test_no_group_of_thirty_is_merged():
    for plot in (plot_phases, plot_boxes):
        assert (
            "others" not in plot(measured(400, ops=[f"op{i:02}" for i in range(30)]), by="op").said
        )
