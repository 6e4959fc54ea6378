"""What is told of latency is true: storages whose law of latency is known."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import Latency, MonitoredStorage, Recorder

from ..scope import one_in

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


@one_in(3)
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
    # One by one: what else a busy machine does comes between the two clocks of many.
    assert np.percentile(recorded - seen, 20) <= 0.01 * np.median(seen)
