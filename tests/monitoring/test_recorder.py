"""The recorder keeps each operation once, within its bounds, from many threads."""

from __future__ import annotations

import sys
import threading
import time
import tracemalloc
import uuid
from collections.abc import Iterator

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import Latency, MonitoredStorage, Recorder
from graphflow_nb.monitoring.columns import PORTION
from graphflow_nb.monitoring.operation import kind_of

from ..scope import only_complete

GET = kind_of("get", "X")


@only_complete
def test_an_operation_takes_at_most_64_bytes():
    count = 12 * PORTION + 1  # the block is nearly empty
    tracemalloc.start()
    try:
        recorder = Recorder()
        for number in range(count):
            phases = (number, 2 * number, 10**8 + number, 7, number % 60_000, 1)
            start = number * 100_000
            recorder.put(start, start + number, str(uuid.UUID(int=number * 2**90)), GET, phases)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(recorder) == count
    assert size < count * 64


def test_ids_too_long_for_that_shorten_what_is_kept_and_nothing_else():
    recorder = Recorder(limit=100_000)
    for number in range(100_000):
        recorder.put(number, number + 3, f"{number:0300}", GET)
    assert 15_000 < len(recorder) < 30_000
    assert recorder.nbytes <= 100_000 * 64
    assert recorder.counts() == {GET: 100_000}
    assert recorder.operations()[-1].session_id == f"{99_999:0300}"


@pytest.mark.parametrize("limit", [1, 10, PORTION - 1, PORTION, PORTION + 1, 20_000])
def test_past_the_bound_counts_are_exact_and_percentiles_go_on(limit):
    recorder = Recorder(limit=limit)
    rng = np.random.default_rng(1)
    nanos = rng.exponential(1e6, 40_000).astype(np.int64)
    kinds = [kind_of("get", "X"), kind_of("save", "X", "error", "E"), kind_of("save", "X")]
    for number, duration in enumerate(nanos.tolist()):
        recorder.put(number, number + duration, "a", kinds[number % 3])
    assert len(recorder) == limit
    kept = recorder.records()
    assert len(kept) == limit
    assert kept.duration_ns.tolist() == nanos[-limit:].tolist()
    assert sum(recorder.counts().values()) == 40_000
    summary = Latency(recorder).summary()
    assert summary["count"].tolist() == [13_334, 26_666]
    assert summary["errors"].tolist() == [0, 13_333]
    for op, mine in (("get", nanos[::3]), ("save", np.delete(nanos, np.s_[::3]))):
        row = summary.loc[op]
        assert row["mean_us"] == pytest.approx(mine.mean() / 1000)
        assert row["max_us"] == mine.max() / 1000
        for q in (50, 90, 99):
            exact = np.percentile(mine, q, method="inverted_cdf") / 1000
            assert exact <= row[f"p{q}_us"] <= exact * 1.0011


def test_since_tells_each_operation_once():
    recorder = Recorder(limit=20_000)
    seen, mark = [], 0
    for number in range(50_000):
        recorder.put(number, number, str(number), GET)
        if number % 7_001 == 0:
            news, mark = recorder.since(mark)
            seen += [o.session_id for o in news.operations()]
    news, mark = recorder.since(mark)
    seen += [o.session_id for o in news.operations()]
    assert seen == list(map(str, range(50_000)))
    recorder.clear()
    assert len(recorder.since(mark)[0]) == 0
    recorder.put(1, 2, "new", GET)
    assert [o.session_id for o in recorder.since(mark)[0].operations()] == ["new"]


@pytest.mark.parametrize("limit", [10, PORTION, 20_000])
@pytest.mark.parametrize("steps", [(50_000, 1), (5, 50_000), (30_000, 30_000), (3, 9_000, 40_000)])
def test_since_counts_nothing_from_before_its_mark(limit, steps):
    recorder = Recorder(limit=limit)
    mark, number = 0, 0
    other = recorder.since()[1]  # somebody else's, who asks at the end only
    for count in steps:
        kind = kind_of("get", f"step {count}")
        for _ in range(count):
            recorder.put(number, number + 1, str(number), kind)
            number += 1
        news, mark = recorder.since(mark)
        assert news.counts() == {kind: count}
        assert len(news) == min(count, limit)
        assert news.forgotten == count - len(news)
    assert recorder.since(mark)[0].counts() == {}
    assert recorder.since(other)[0].counts() == recorder.counts()
    assert recorder.records().counts() == recorder.counts()
    assert sum(recorder.counts().values()) == number


def test_many_marks_that_nobody_asks_with_cost_nothing(monkeypatch):
    monkeypatch.setattr("graphflow_nb.monitoring.recorder.MARKS", 3)
    recorder = Recorder(limit=10)
    for number in range(20_000):
        recorder.put(number, number + 1, "a", GET)
        if number % 2_000 == 0:
            recorder.since()
    assert recorder.counts() == {GET: 20_000}
    mark = recorder.since()[1]
    recorder.put(1, 2, "a", GET)
    assert recorder.since(mark)[0].counts() == {GET: 1}


def test_the_newest_are_the_newest_alone():
    recorder = Recorder(limit=10)
    for number in range(30):
        recorder.put(number, number + 1, str(number), GET)
    assert recorder.records(newest=5).counts() == {GET: 5}
    assert recorder.records().bound_note == "the newest 10 of 30 operations are kept"


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns after every few steps."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_since_tells_each_operation_once_while_they_come_in(restless):
    recorder = Recorder()
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            recorder.put(number, number, "a", GET)
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    seen, mark = [], 0
    for _ in range(400):
        news, mark = recorder.since(mark)
        seen.append(news.started_ns)
    stop.set()
    thread.join()
    told = np.concatenate(seen)
    assert len(told) == mark > 1_000
    assert (np.diff(told) == 1).all()


def test_many_threads_record_into_one():
    """No operation is lost or mixed with another, while others look on."""
    recorder = Recorder(limit=300_000)
    storage = MonitoredStorage(g.InMemorySessionStorage(), [recorder])
    each, threads = 25_000, 6
    stop = threading.Event()

    def work(name: int) -> None:
        for number in range(each):
            coroutine = storage.get(f"{name}-{number}")
            with pytest.raises(StopIteration):
                coroutine.send(None)

    def look() -> None:
        while not stop.is_set():
            for o in recorder.records(newest=1_000).operations():
                assert 0 <= o.duration_ns < 60e9
                assert o.outcome == "missing"

    workers = [threading.Thread(target=work, args=(name,)) for name in range(threads)]
    watcher = threading.Thread(target=look)
    for thread in (*workers, watcher):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    watcher.join()
    found = [o.session_id for o in recorder.operations()]
    assert len(found) == each * threads
    assert set(found) == {f"{n}-{i}" for n in range(threads) for i in range(each)}
    durations = recorder.records().duration_ns
    assert (durations >= 0).all()


def test_a_place_that_is_never_written_costs_one_operation_only(monkeypatch):
    """An interrupt may hit a thread between taking a place and writing there."""
    monkeypatch.setattr("graphflow_nb.monitoring.recorder.PATIENCE_MS", 3)
    recorder = Recorder()
    recorder.block.take()
    for number in range(PORTION + 10):
        recorder.put(number, number, str(number), GET)
    assert [o.session_id for o in recorder.operations()] == list(map(str, range(PORTION + 10)))


def test_a_frame_made_while_operations_come_in():
    recorder = Recorder()
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            recorder.put(number, number + 1, "a", GET)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        sizes = []
        for _ in range(8):
            sizes.append(len(Latency(recorder).frame()))
            while len(recorder) <= sizes[-1] < recorder.limit:  # until more came in
                time.sleep(0)
    finally:
        stop.set()
        thread.join()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_a_recorder_is_bounded(run):
    recorder = Recorder(limit=10)
    storage = MonitoredStorage(g.InMemorySessionStorage(), [recorder])
    for i in range(25):
        run(storage.get(str(i)))
    assert [o.session_id for o in recorder.operations()] == [str(i) for i in range(15, 25)]
    recorder.clear()
    assert len(recorder) == 0
    with pytest.raises(g.StorageError, match="at least one"):
        Recorder(limit=0)
