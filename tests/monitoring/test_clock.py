"""Operations are dated right after the machine slept, and after its clock was set."""

from __future__ import annotations

import io
import logging
import time

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Operation, Recorder
from graphflow_nb.monitoring.clock import EVERY_NS
from graphflow_nb.monitoring.columns import PORTION

HOUR = 3_600_000_000_000
WALL = time.time_ns


class Machine:
    """A machine that sleeps, in which its monotonic clock stops; or whose wall clock is set."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self._patch = patch
        self._missed = 0

    def sleep(self, nanos: int) -> None:
        self._missed += nanos
        missed = self._missed
        self._patch.setattr("time.time_ns", lambda: WALL() + missed)
        awake = time.perf_counter_ns() + 2 * EVERY_NS  # no machine wakes up in less
        while time.perf_counter_ns() < awake:
            pass


@pytest.fixture
def machine(monkeypatch) -> Machine:
    return Machine(monkeypatch)


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
    machine.sleep(slept)
    work()
    began.sort()
    heard.operations.sort(key=lambda operation: operation.start_ns)
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
            machine.sleep(8 * HOUR)
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
    machine.sleep(8 * HOUR)
    before = time.time_ns()
    run(work(2 * PORTION))
    started = recorder.records().started_ns
    assert (started[: PORTION + 100] <= before + 2e6).all()
    assert (started[PORTION + 100 :] >= before).all()
    assert (np.diff(started) >= 0).all()
    assert recorder.records().duration_ns.max() < 60e9


def test_what_a_storage_reports_itself_is_dated_right_too(machine):
    recorder = Recorder()
    machine.sleep(8 * HOUR)
    before = time.time_ns()
    recorder.on_operation(Operation("get", "Own", None, time.perf_counter_ns(), 1))
    [operation] = recorder.operations()
    assert abs(operation.started_at_ns - before) < 2e9


def test_the_requests_of_a_benchmark_have_the_time_at_which_they_began(machine):
    machine.sleep(8 * HOUR)
    before = time.time_ns()
    run = g.open("memory:").benchmark("C", duration=0.1, repeats=2, warmup=0, sessions=10)
    for started in (run.requests()["meant_at"], run.frame()["started_at"]):
        assert started.min().value >= before - 2e6
        assert started.max().value <= time.time_ns()


def test_a_log_record_has_the_time_of_its_writing(machine, run):
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(logging.Formatter("%(created)f"))
    logger = logging.Logger("clock")
    logger.addHandler(handler)
    storage = MonitoredStorage(g.InMemorySessionStorage(), [g.LoggingHook(logger)])
    machine.sleep(8 * HOUR)
    run(storage.get("a"))
    assert abs(float(shown.getvalue()) - time.time()) < 10
