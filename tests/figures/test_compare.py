"""The difference of two runs, and how sure it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graphflow_nb.errors import QueryError
from graphflow_nb.figures import difference, duration_text, plot_difference

from ..scope import one_in, only_complete, size
from .checks import assert_good
from .data import CASES, operations

TRIALS, LONG_TRIALS = size(300, 200), size(200, 60)


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


def covered(make, trials: int, tails: list[int], truth: float) -> list[float]:
    """Return the share of the intervals that cover the truth, for each tail."""
    hits = np.zeros(len(tails))
    for seed in range(trials):
        random = np.random.default_rng(seed)
        found = difference(make(random, 1.0), make(random, 1.5), seed=seed).set_index("tail")
        rows = found.loc[tails]
        hits += ((rows["low"] <= truth) & (truth <= rows["high"])).to_numpy()
    return list(hits / trials)


@only_complete
def test_the_interval_covers_the_truth_at_about_its_rate():
    def independent(random, factor):
        return operations(random.lognormal(13, 1, 400) * factor)

    for share in covered(independent, TRIALS, [2, 10], 1.5):
        assert 0.90 <= share <= 0.99


@only_complete
def test_the_interval_knows_that_neighbours_in_time_are_alike():
    def in_moods(random, factor):
        mood = np.repeat(random.lognormal(0, 1, 50), 40)
        return operations(random.lognormal(13, 0.3, 2000) * factor * mood)

    # Operations drawn one by one would cover it in about one trial of six.
    (share,) = covered(in_moods, LONG_TRIALS, [2], 1.5)
    assert 0.88 <= share <= 0.99


@one_in(4)
@pytest.mark.parametrize(
    ("case", "theme"),
    [*((case, "light") for case in CASES), ("many", "dark"), ("nothing", "dark")],
)
def test_whatever_was_measured(case, theme):
    assert_good(plot_difference(CASES[case], CASES[case], theme=theme))
