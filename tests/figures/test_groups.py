"""What is drawn apart, and what together."""

from __future__ import annotations

import pytest

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import plot_ecdf
from graphflow_nb.figures.groups import group_operations, tails_of

from .data import measured


def test_more_kinds_than_colours_are_counted_together():
    frame = measured(5000, ops=[f"op{i:02}" for i in range(30)])
    # The six that cost most are named, though seldom.
    frame.loc[frame["op"] == "op29", "duration_ns"] *= 1000
    said = plot_ecdf(frame).said
    assert "op29: n = " in said
    seven = plot_ecdf(measured(700, ops=[f"op{i}" for i in range(7)]))
    assert "others" not in seven.said


def test_groups_hold_each_operation_once():
    frame = measured(5000, ops=[f"op{i:02}" for i in range(30)])
    groups = group_operations(frame, "op")
    assert [group.number for group in groups] == list(range(7))
    assert sorted(row for group in groups for row in group.rows) == list(range(5000))
    with pytest.raises(QueryError, match="no column 'mood'"):
        group_operations(frame, "mood")


def test_a_percentile_needs_an_operation_beyond_it():
    assert [tails_of(n) for n in (1, 2, 9, 10, 1000)] == [[], [2], [2], [2, 10], [2, 10, 100, 1000]]
