"""Workloads draw requests and keys by their shares."""

from __future__ import annotations

import random

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import Workload
from graphflow_nb.benchmark import WORKLOADS
from graphflow_nb.benchmark.workload import make_chooser


def test_shares_and_keys_are_what_they_should_be():
    chance = random.Random(3)
    drawn = [WORKLOADS["B"].request(chance) for _ in range(20_000)]
    assert drawn.count("update") / 20_000 == pytest.approx(0.05, abs=0.005)
    # The k-th most popular of n sessions is asked for in proportion to k^-0.99.
    choose, n = make_chooser("zipfian", random.Random(5)), 1_000
    counts = np.sort(np.bincount([choose(n) for _ in range(200_000)], minlength=n))[::-1]
    weights = np.arange(1, n + 1) ** -0.99
    expected = weights / weights.sum() * 200_000
    # Hashing lets some sessions share a place, which only adds to the most popular.
    assert counts[0] == pytest.approx(expected[0], rel=0.15)
    assert counts[:10].sum() == pytest.approx(expected[:10].sum(), rel=0.15)
    uniform = make_chooser("uniform", random.Random(5))
    flat = np.bincount([uniform(100) for _ in range(100_000)], minlength=100)
    assert flat.min() > 800
    assert flat.max() < 1_200
    latest = make_chooser("latest", random.Random(5))
    places = [latest(count) for count in range(1_000, 3_000)]
    assert np.mean([count - place <= 10 for count, place in enumerate(places, 1_000)]) > 0.3
    assert all(0 <= place < count for count, place in enumerate(places, 1_000))
    for count in (1, 2, 3):
        assert {make_chooser("zipfian", chance)(count) for _ in range(200)} <= set(range(count))
        assert {latest(count) for _ in range(200)} == set(range(count))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shares": {"read": 0.5}}, "add up to 1"),
        ({"shares": {"read": 2.0, "update": -1.0}}, "add up to 1"),
        ({"shares": {"browse": 1.0}}, "unknown request 'browse'"),
        ({"shares": {"read": 1.0}, "keys": "hot"}, "unknown keys 'hot'"),
    ],
)
def test_invalid_workloads_are_refused(given, said):
    with pytest.raises(g.BenchmarkError, match=said):
        Workload(name="mine", **given)
