"""What is told of latency is true: storages whose law of latency is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter_ns

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import Latency, MonitoredStorage, Recorder

N = 20_000
# Each law by its quantile function, in nanoseconds.
LAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fixed": lambda p: np.full_like(p, 250_000),
    "exponential": lambda p: -2e6 * np.log1p(-p),
    "two modes": lambda p: np.where(p < 0.93, 150_000 + p * 1e4, 8e6 + p * 1e5),
    "one stall of 1 s": lambda p: np.where(p < 1 - 0.5 / N, 200_000, 1e9),
}


class Lawful(g.InMemorySessionStorage):
    """Gets take what a clock that it moves itself says."""

    def __init__(self, nanos: np.ndarray):
        super().__init__()
        self.now = 10**15
        self._left = iter(nanos.tolist())

    def clock(self) -> int:
        return self.now

    async def get(self, id):
        self.now += next(self._left)


def draws(law: str) -> np.ndarray:
    """Values that stand for the law, in the order of chance."""
    quantiles = LAWS[law]((np.arange(N) + 0.5) / N).astype(np.int64)
    return np.random.default_rng(1).permutation(quantiles)


@pytest.mark.parametrize("limit", [N, 500], ids=["kept", "past the bound"])
@pytest.mark.parametrize("law", LAWS)
def test_percentiles_are_those_of_the_law(law, limit, monkeypatch, run):
    storage = Lawful(draws(law))
    monkeypatch.setattr("graphflow_nb.monitoring.storage.perf_counter_ns", storage.clock)
    recorder = Recorder(limit=limit)
    monitored = MonitoredStorage(storage, [recorder])

    async def work():
        for _ in range(N):
            await monitored.get("a")

    run(work())
    row = Latency(recorder).summary().loc["get"]
    assert row["count"] == N
    for q in (50, 90, 99):
        true = float(LAWS[law](np.array([q / 100]))[0])
        assert row[f"p{q}_us"] * 1000 == pytest.approx(true, rel=0.01, abs=2)
    true = LAWS[law]((np.arange(N) + 0.5) / N).mean()
    assert row["mean_us"] * 1000 == pytest.approx(true, rel=0.001)
    assert row["max_us"] * 1000 == pytest.approx(draws(law).max())


class Busy:
    """Three methods that wait actively, on the real clock, and note how long they took."""

    suspends = False

    def __init__(self, nanos: np.ndarray):
        self._left = iter(nanos.tolist())
        self.took: list[int] = []

    async def get(self, id):
        start = perf_counter_ns()
        end = start + next(self._left)
        while perf_counter_ns() < end:
            pass
        self.took.append(perf_counter_ns() - start)

    async def save(self, session): ...
    async def delete(self, id): ...


@pytest.mark.parametrize("law", ["fixed", "exponential", "two modes"])
def test_the_real_clock_agrees_with_what_the_storage_saw_itself(law, run):
    storage = Busy(draws(law)[:2_000])
    recorder = Recorder()
    monitored = MonitoredStorage(storage, [recorder])

    async def work():
        for _ in range(2_000):
            await monitored.get("a")

    run(work())
    recorded = recorder.records().duration_ns
    seen = np.array(storage.took)
    assert (recorded >= seen).all()
    # One by one: what else the machine does may come between the two clocks of some.
    assert np.percentile(recorded - seen, 80) <= 0.01 * np.median(seen)


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


@pytest.mark.parametrize("concurrency", [1, 8])
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
        # One server, set arrivals: a request starts when it is due and the one before has ended.
        # What the storage itself noted of its own time is all that goes in.
        service = np.array([end - start for start, end in storage.took])
        expected, free = [], 0
        for when, took in zip(due - due[0], service, strict=True):
            free = max(when, free) + took
            expected.append(free - when)
        p99 = np.percentile(expected, 99, method="inverted_cdf")
        assert p99 > 0.8e9
        row = run.summary().iloc[0]
        assert row["p99_us"] * 1000 == pytest.approx(p99, rel=0.01)
        assert row["naive_p99_us"] < 20_000
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


def test_requests_of_a_rate_begin_on_time(run):
    """The load generator itself is on time while the store is quick."""
    found = g.open("memory:").benchmark(
        "C", rate=500, duration=2.0, repeats=1, warmup=0, sessions=10
    )
    requests = found.requests()
    assert len(requests) == 1_000
    assert all(a < b for a, b in pairwise(requests["meant_at"]))
    assert requests["late_ns"].median() < 200_000
