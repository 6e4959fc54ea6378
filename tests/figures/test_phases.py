"""Phases are parts of the mean duration."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow_nb.figures import plot_phases

from .data import operations


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
