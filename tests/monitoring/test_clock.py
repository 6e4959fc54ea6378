"""Operations are dated right after the machine slept, and after its clock was set."""

from __future__ import annotations

import io
import logging
import time

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Operation, Recorder
from graphflow_nb.monitoring.columns import PORTION

HOUR = 3_600_000_000_000
MONOTONIC = time.perf_counter_ns


class Sleep:
    """A machine whose monotonic clock stopped, or whose wall clock was set."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self._patch = patch

    def stop_monotonic(self, nanos: int) -> None:
        def stopped() -> int:
            return MONOTONIC() - nanos

        self._patch.setattr("time.perf_counter_ns", stopped)
        self._patch.setattr("graphflow_nb.monitoring.storage.perf_counter_ns", stopped)


@pytest.fixture
def machine(monkeypatch) -> Sleep:
    return Sleep(monkeypatch)


class Short(g.InMemorySessionStorage):
    async def get(self, id):
        if id == "bad":
            raise g.StorageError("no")
        return await super().get(id)


class Phased(Short):
    """It goes the longer way, on which phases are reported."""

    phases = True


class Heard:
    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def on_operation(self, operation):
        self.operations.append(operation)


@pytest.mark.parametrize("slept", [8 * HOUR, -HOUR], ids=["slept", "clock set back"])
@pytest.mark.parametrize("kind", [Short, Phased])
def test_each_operation_has_the_time_at_which_it_began(machine, kind, slept, run):
    recorder, second, heard = Recorder(), Recorder(), Heard()
    storage = MonitoredStorage(kind(), [recorder, second, heard])
    began = []

    def work() -> None:
        for call in (storage.get("a"), storage.save(g.Session("a", "t")), storage.delete("a")):
            began.append(time.time_ns())
            run(call)
        began.append(time.time_ns())
        with pytest.raises(g.StorageError):
            run(storage.get("bad"))

    work()
    machine.stop_monotonic(slept)
    work()
    for operations in (heard.operations, recorder.operations(), second.operations()):
        late = [o.started_at_ns - at for o, at in zip(operations, began, strict=True)]
        assert max(map(abs, late)) < 2e9
        assert all(0 <= o.duration_ns < 60e9 for o in operations)
    assert recorder.operations() == second.operations() == heard.operations
    frame = g.Latency(recorder).frame()
    assert np.abs(frame["started_at"].astype("int64") - began).max() < 2e9


def test_one_that_spans_the_sleep_began_before_it(machine, run):
    class Sleeping(g.InMemorySessionStorage):
        async def get(self, id):
            machine.stop_monotonic(8 * HOUR)
            await super().get(id)

    recorder = Recorder()
    before = time.time_ns()
    run(MonitoredStorage(Sleeping(), [recorder]).get("a"))
    [operation] = recorder.operations()
    assert abs(operation.started_at_ns - before) < 2e9


def test_many_blocks_before_and_after(machine, run):
    recorder = Recorder()
    storage = MonitoredStorage(g.InMemorySessionStorage(), [recorder])

    async def work(count: int) -> None:
        for _ in range(count):
            await storage.get("a")

    run(work(PORTION + 100))
    machine.stop_monotonic(8 * HOUR)
    before = time.time_ns()
    run(work(2 * PORTION))
    started = recorder.records().started_ns
    assert (started[: PORTION + 100] <= before + 2e6).all()
    assert (started[PORTION + 100 :] >= before).all()
    assert (np.diff(started) >= 0).all()
    assert recorder.records().duration_ns.max() < 60e9


def test_what_a_storage_reports_itself_is_dated_right_too(machine):
    recorder = Recorder()
    machine.stop_monotonic(8 * HOUR)
    before = time.time_ns()
    recorder.on_operation(Operation("get", "Own", None, time.perf_counter_ns(), 1))
    [operation] = recorder.operations()
    assert abs(operation.started_at_ns - before) < 2e9


def test_the_requests_of_a_benchmark_have_the_time_at_which_they_began(machine, monkeypatch):
    def stopped() -> int:
        return MONOTONIC() - 8 * HOUR

    machine.stop_monotonic(8 * HOUR)
    monkeypatch.setattr("graphflow_nb.benchmark.load.perf_counter_ns", stopped)
    before = time.time_ns()
    run = g.open("memory:").benchmark("C", duration=0.1, repeats=2, warmup=0, sessions=10)
    for started in (run.requests()["meant_at"], run.frame()["started_at"]):
        assert started.min().value >= before - 2e6
        assert started.max().value <= time.time_ns()
    assert abs(run.began.timestamp() * 1e9 - before) < 10e9


def test_a_log_record_has_the_time_of_its_writing(machine, run):
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(logging.Formatter("%(created)f"))
    logger = logging.Logger("clock")
    logger.addHandler(handler)
    storage = MonitoredStorage(g.InMemorySessionStorage(), [g.LoggingHook(logger)])
    machine.stop_monotonic(8 * HOUR)
    run(storage.get("a"))
    assert abs(float(shown.getvalue()) - time.time()) < 10
