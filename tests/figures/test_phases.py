"""Phases are parts of the mean duration."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow_nb.figures import latency_board, plot_boxes, plot_phases
from graphflow_nb.figures.groups import group_operations, highest_p99

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


def test_the_note_names_the_bar_of_the_group_with_the_highest_p99():
    steady = np.arange(200) + 8_000_000
    rare = steady // 8
    rare[:2] = 90_000_000  # beyond p99, so that the mean of the slowest is the longest bar
    frame = operations(
        np.append(steady, rare), storage=["A"] * 200 + ["B"] * 200, execute_ns=[500_000] * 400
    )
    found = highest_p99(group_operations(frame, "storage"))
    assert found is not None
    by = ["storage", "op"]
    assert "longest bar: B · get" in plot_phases(frame, by=by).said
    said = plot_phases(frame, by=by, highest=found.name).said
    assert "longest bar of A, whose p99 is the highest: A · get, slowest 1 %" in said
    board = latency_board(frame).said
    assert "highest p99, in bold: A · get, 8 ms" in board
    assert "longest bar of A, whose p99 is the highest" in board
    assert board.count("A · get: n 200") == 1  # one row, not one more for all of A
    assert "A, all" not in board
