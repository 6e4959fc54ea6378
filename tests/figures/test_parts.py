"""What is written beside a drawing is what was given."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from graphflow_nb.figures import plot_boxes, plot_ecdf, plot_percentiles, plot_timeline
from graphflow_nb.figures.fonts import find_undrawable
from graphflow_nb.figures.parts import spread, thin_out

from .checks import assert_good
from .data import lines, operations


def test_names_are_shown_to_the_letter():
    frame = operations([1, 2, 3, 4], op=["$x^$", "_hidden", "a\nb", "保"])
    ax = plot_ecdf(frame)
    assert_good(ax)
    kept = r"\u4fdd" if find_undrawable("保") else "保"
    # What matplotlib shows of a text without formula.
    texts = [text.get_text().replace(r"\$", "$") for text in ax.get_legend().get_texts()]
    assert [text.split(", n")[0] for text in texts] == ["$x^$", "_hidden", r"a\nb", kept]
    assert "$x^$: n = 1" in ax.said


def test_failed_operations_are_crossed_where_they_lie():
    outcome = ["ok", "error", "conflict", "cancelled", "missing"]
    frame = operations([10, 20, 30, 40, 50], outcome=outcome)
    (bad,) = lines(plot_timeline(frame), marker="X")
    assert sorted(bad.get_ydata()) == [20, 30, 40]
    (bad,) = lines(plot_boxes(frame), marker="X")
    assert list(bad.get_xdata()) == [20, 30, 40]


def test_of_many_values_those_are_kept_that_lie_apart():
    values = np.random.default_rng(0).lognormal(0, 2, 10_000)
    kept = values[thin_out(values, 15)]
    assert 8 <= len(kept) <= 17
    assert values.max() in kept


def test_names_at_the_side_do_not_overlap():
    places = np.array([0.5, 0.99, 1.0, 0.51, 0.1])
    found = spread(places, 0.1)
    assert np.diff(np.sort(found)).min() > 0.0999
    assert found.max() <= 1
    assert found.min() >= 0
    assert np.array_equal(np.argsort(found), np.argsort(places, kind="stable"))
    assert spread(np.array([0.2, 0.8]), 0.1).tolist() == [0.2, 0.8]
    for plot in (plot_timeline, plot_percentiles):
        ax = plot(operations([5] * 70, op=[f"operation {i}" for i in range(7)] * 10))
        assert_good(ax)
        drawn = [text for text in ax.texts if "operation" in text.get_text()]
        boxes = [text.get_window_extent() for text in drawn]
        assert len(boxes) == 7
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
