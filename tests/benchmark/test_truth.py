"""A stall is not hidden by the load that meets it, and the load itself is on time."""

from __future__ import annotations

import asyncio
import statistics
from itertools import pairwise
from time import perf_counter_ns

import numpy as np
import pytest

import graphflow_nb as g

from ..scope import only_complete


class Stalling(g.InMemorySessionStorage):
    """Each get takes a millisecond, one takes a second."""

    suspends = True

    def __init__(self, stalled: int):
        super().__init__()
        self._stalled = stalled
        self._gets = 0
        self.took: list[tuple[int, int]] = []

    async def get(self, id):
        self._gets += 1
        start = perf_counter_ns()
        await asyncio.sleep(1.0 if self._gets == self._stalled else 0.001)
        found = await super().get(id)
        self.took.append((start, perf_counter_ns()))
        return found


@pytest.mark.parametrize("concurrency", [1, pytest.param(8, marks=only_complete)])
def test_a_stall_is_not_hidden_in_an_open_loop(concurrency):
    """The corrected p99 is what queueing says, the naive one shows nothing of the stall."""
    rate, seconds = 100, 6
    storage = Stalling(stalled=200)
    run = g.wrap(storage).benchmark(
        "C",
        rate=rate,
        concurrency=concurrency,
        duration=float(seconds),
        repeats=1,
        warmup=0,
        sessions=10,
        shared=True,
    )
    requests = run.requests()
    assert len(requests) == rate * seconds
    due = requests["meant_at"].astype("int64").to_numpy()
    assert np.allclose(np.diff(due), 1e9 / rate, atol=2)
    if concurrency == 1:
        # One server, set arrivals: a request waits from when it is due until its own end, which the
        # storage itself noted. So pauses of a busy machine between two requests are in both.
        starts, ends = np.array(storage.took).T
        expected = ends - due - (starts - due).min()
        p99 = np.percentile(expected, 99, method="inverted_cdf")
        assert p99 > 0.8e9
        row = run.summary().iloc[0]
        assert row["p99_us"] * 1000 == pytest.approx(p99, rel=0.01)
        assert row["naive_p99_us"] < 200_000  # a busy machine has pauses of its own
    else:
        # The others go on meanwhile: one request alone waits for the stall.
        assert (requests["response_ns"] > 0.9e9).sum() == 1
    assert (requests["response_ns"] == requests["late_ns"] + requests["service_ns"]).all()
    assert (requests["late_ns"] >= 0).all()


def test_the_same_stall_in_a_closed_loop_counts_once():
    storage = Stalling(stalled=200)
    run = g.wrap(storage).benchmark(
        "C", duration=3.0, repeats=1, warmup=0, sessions=10, shared=True
    )
    requests = run.requests()
    assert (requests["response_ns"] > 0.9e9).sum() == 1
    assert (requests["late_ns"] == 0).all()
    assert run.summary().iloc[0]["p99_us"] < 100_000


def test_what_could_not_be_asked_is_told():
    """A store that falls behind for good: what was due and never made counts as having waited."""
    storage = Stalling(stalled=-1)
    run = g.wrap(storage).benchmark(
        "C", rate=2_000, concurrency=1, duration=1.0, repeats=1, warmup=0, sessions=10, shared=True
    )
    requests = run.requests()
    assert len(requests) == 2_000
    never = requests[requests["request"] == "none"]
    assert len(never) > 200
    assert (never["outcome"] == "cancelled").all()
    assert (never["error"] == "NeverMade").all()
    # They fell due in the second, and the run was given up after another one.
    assert never["response_ns"].between(0.9e9, 2.5e9).all()
    row = run.summary().iloc[0]
    assert row["failed"] == len(never)
    assert row["per_s"] < 1_100
    assert row["p99_us"] > 0.5e6


def measure_lateness() -> float:
    """Return how late this thread is at set times if it does nothing else, in nanoseconds."""
    began = perf_counter_ns()
    late = []
    for meant in range(began, began + 100_000_000, 2_000_000):
        while (now := perf_counter_ns()) < meant:
            pass
        late.append(now - meant)
    return statistics.quantiles(late)[0]


def test_requests_of_a_rate_begin_on_time(run):
    """The load generator adds no lateness to the machine's own while the store is quick."""
    added = []
    while len(added) < 20 and (not added or min(added) > 200_000):
        machine = measure_lateness()
        found = g.open("memory:").benchmark(
            "C", rate=500, duration=0.5, repeats=1, warmup=0, sessions=10
        )
        machine = max(machine, measure_lateness())
        requests = found.requests()
        assert len(requests) == 250
        assert all(a < b for a, b in pairwise(requests["meant_at"]))
        added.append(requests["late_ns"].quantile(0.25) - machine)
    assert min(added) < 200_000
