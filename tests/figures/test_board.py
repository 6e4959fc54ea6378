"""The board shows what there is."""

from __future__ import annotations

from graphflow_nb.figures import latency_board

from .data import measured, operations


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
