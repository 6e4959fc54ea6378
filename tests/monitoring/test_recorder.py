"""What is recorded is exact, stays within its bounds, and can be merged, kept and read again."""

from __future__ import annotations

import json
import sys
import threading
import time
import tracemalloc
import uuid
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

import graphflow_nb as g
from graphflow_nb import Latency, MonitoredStorage, Recorder, Session
from graphflow_nb.monitoring import Histogram, Records
from graphflow_nb.monitoring.columns import PORTION
from graphflow_nb.monitoring.operation import ORIGINS, kind_of

GET = kind_of("get", "X")
NANOS = st.integers(0, 3_600_000_000_000)


def operation(**given) -> g.Operation:
    return g.Operation(
        **{"op": "get", "storage": "X", "session_id": "a", "start_ns": 5, "duration_ns": 7} | given
    )


OPERATIONS = st.builds(
    g.Operation,
    op=st.sampled_from(["get", "save", "table"]),
    storage=st.sampled_from(["X", "Ÿ $x$"]),
    session_id=st.none() | st.uuids().map(str) | st.text(max_size=40),
    start_ns=st.integers(0, 2**60),
    duration_ns=NANOS,
    wait_ns=NANOS,
    encode_ns=NANOS,
    execute_ns=st.sampled_from([0, 2**31, 2**33]),
    decode_ns=NANOS,
    bytes=st.integers(0, 10**9),
    rows=st.integers(0, 10**6),
    outcome=st.sampled_from(["ok", "missing", "conflict", "error", "cancelled"]),
    error=st.none() | st.just("StorageError"),
    origin=st.sampled_from(ORIGINS),
)


@given(st.lists(OPERATIONS, max_size=50))
def test_what_goes_in_comes_out(operations):
    recorder = Recorder()
    for each in operations:
        recorder.on_operation(each)
    ordered = sorted(operations, key=lambda o: o.start_ns)
    assert recorder.operations() == ordered
    again = Records.from_parquet(recorder.records().parquet())
    assert again.operations() == ordered


@pytest.mark.parametrize(
    "id", [None, 5, [1], "\ud800", "a" * 36, "A1B2c3d4-0000-4000-8000-000000000000", "x\0y", ""]
)
def test_ids_that_no_store_takes_are_recorded_too(id):
    recorder = Recorder()
    for each in (id, "00000000-0000-4000-8000-000000000000"):
        recorder.put(1, 2, each, GET)
    shown = [o.session_id for o in recorder.operations()]
    assert shown[1] == "00000000-0000-4000-8000-000000000000"
    if id is None or (isinstance(id, str) and id != "\ud800"):
        assert shown[0] == id
    else:
        assert isinstance(shown[0], str)
    assert len(Latency(recorder).frame()) == 2


def test_ids_that_only_together_look_like_uuids():
    recorder = Recorder()
    whole = "00000000-0000-4000-8000-000000000000" * 2
    for id in (whole[:30], whole[30:]):
        recorder.put(1, 2, id, GET)
    assert [o.session_id for o in recorder.operations()] == [whole[:30], whole[30:]]


@given(st.lists(NANOS, min_size=1), st.lists(NANOS))
def test_the_histogram_counts_as_hdr_histogram_does(one, other):
    peer = HdrHistogram(1, 3_600_000_000_000, 3)
    ours, second = Histogram.of(np.array(one, np.int64)), Histogram.of(np.array(other, np.int64))
    ours.merge(second)
    for value in one + other:
        peer.record_value(value)
    for value in one + other:
        bucket = np.flatnonzero(Histogram.of(np.array([value], np.int64)).counts)
        assert ours.counts[bucket] == peer.get_count_at_value(value)
    assert len(ours) == len(one + other)
    assert ours.total_ns == sum(one + other)
    assert (ours.lowest_ns, ours.highest_ns) == (min(one + other), max(one + other))
    for q in (50, 90, 99, 100):
        exact = float(np.percentile(one + other, q, method="inverted_cdf"))
        assert exact <= ours.percentile(q) <= exact * 1.001 + 1
    again = Histogram.from_state(ours.state())
    assert (again.counts == ours.counts).all()
    assert again.state() == ours.state()


def test_an_operation_takes_at_most_64_bytes():
    tracemalloc.start()
    try:
        recorder = Recorder()
        for number in range(200_000):
            phases = (number, 2 * number, 10**8 + number, 7, number % 60_000, 1)
            start = number * 100_000
            recorder.put(start, start + number, str(uuid.UUID(int=number * 2**90)), GET, phases)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(recorder) == 200_000
    assert size < 200_000 * 64


def test_ids_too_long_for_that_shorten_what_is_kept_and_nothing_else():
    recorder = Recorder(limit=100_000)
    for number in range(100_000):
        recorder.put(number, number + 3, f"{number:0300}", GET)
    assert 15_000 < len(recorder) < 30_000
    assert recorder._bytes <= 100_000 * 64
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


def test_a_loaded_file_goes_on_with_what_was_forgotten(tmp_path):
    recorder = Recorder(limit=100)
    for number in range(30_000):
        recorder.put(number, 2 * number, None, GET)
    latency = Latency(recorder)
    latency.save(tmp_path / "a.parquet")
    again = Latency.load(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(again.summary(), latency.summary())
    pd.testing.assert_frame_equal(again.frame(), latency.frame())
    assert len(again) == len(latency) == 30_000
    # Any tool reads the columns.
    columns = pd.read_parquet(tmp_path / "a.parquet")
    assert columns["duration_ns"].tolist() == latency.frame()["duration_ns"].tolist()
    assert set(latency.frame(background=True).columns) == set(columns.columns)
    with pytest.raises(g.StorageError, match="only what a workbench records"):
        again.clear()


def test_a_file_from_before_origins_were_recorded_is_loaded(tmp_path):
    """There, what this package did by itself was marked by a boolean, and nothing else was."""
    recorder = Recorder(limit=3)
    for origin in ("user", "background", "user", "background"):
        recorder.put(1, 2, "a", kind_of("get", "X", origin=origin))
    pq.write_table(as_form_1(recorder.records().parquet()), tmp_path / "old.parquet")
    old = Records.load(tmp_path / "old.parquet")
    assert [o.origin for o in old.operations()] == ["background", "user", "background"]
    assert old.counts() == recorder.counts()
    assert Latency(old).frame(background=True)["background"].tolist() == [True, False, True]


def as_form_1(content: bytes) -> pa.Table:
    table = pq.read_table(pa.BufferReader(content))
    kept = json.loads(table.schema.metadata[b"graphflow_nb"])
    for entry in kept["past"]:
        entry["background"] = entry.pop("origin") == "background"
    kept["form"] = 1
    return table.drop(["origin"]).replace_schema_metadata({"graphflow_nb": json.dumps(kept)})


def test_files_that_are_none(tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(g.StorageError, match="can't be read"):
        Latency.load(path)
    path.write_bytes(b"nothing of this kind")
    with pytest.raises(g.StorageError, match="can't be read as records") as caught:
        Latency.load(path)
    assert caught.value.__cause__ is not None
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(g.StorageError, match="no records of graphflow_nb"):
        Latency.load(path)
    with pytest.raises(g.StorageError, match="can't be written"):
        Latency(Recorder()).save(tmp_path / "no folder" / "x")
    assert list(tmp_path.iterdir()) == [path]


def test_workbenches_merge_in_the_order_of_time():
    one, two = Recorder(), Recorder(limit=1)
    for number in range(10):
        (one, two)[number % 2].put(number, number + 1, str(number), GET)
    merged = Latency(one).merged(Latency(two))
    assert [o.session_id for o in merged.records().operations()] == ["0", "2", "4", "6", "8", "9"]
    assert len(merged) == 10
    assert merged.summary().loc["get", "count"] == 10
    # What was merged can be merged on, and what went into it goes on by itself.
    one.put(20, 21, "later", GET)
    assert len(merged.merged(merged)) == 20


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


def test_background_traffic_is_marked_and_left_out():
    wb = g.open("demo")
    wb.get("claim-0014")
    repr(wb)  # counts for its card
    wb.bridge.run(wb.storage.background.get("claim-0014"))
    assert wb.latency.frame()["op"].tolist() == ["get"]
    every = wb.latency.frame(background=True)
    assert every["op"].tolist() == ["get", "counts", "get"]
    assert every["background"].tolist() == [False, True, True]
    assert every["origin"].tolist() == ["user", "background", "background"]
    assert wb.latency.frame()["origin"].tolist() == ["user"]
    assert len(wb.latency) == 1
    assert wb.latency.summary()["count"].sum() == 1


def test_what_is_read_for_the_journal_is_counted_and_told_apart(run):
    recorder = Recorder()
    storage = MonitoredStorage(g.InMemorySessionStorage(), [recorder])
    run(storage.save(Session("a", "t")))
    run(storage.for_journal.get("a"))
    latency = Latency(recorder)
    frame = latency.frame()
    assert frame["origin"].tolist() == ["user", "journal"]
    assert str(frame["origin"].dtype) == "category"
    assert latency.summary()["count"].to_dict() == {"get": 1, "save": 1}
    assert len(latency) == 2
    assert not any(operation.background for operation in recorder.operations())


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
    monkeypatch.setattr("graphflow_nb.monitoring.recorder._PATIENCE", 3)
    recorder = Recorder()
    recorder.block.take()
    for number in range(PORTION + 10):
        recorder.put(number, number, str(number), GET)
    assert [o.session_id for o in recorder.operations()] == list(map(str, range(PORTION + 10)))


def test_hooks_hear_of_plain_calls_too(run):
    class Hook:
        def __init__(self):
            self.heard = []

        def on_operation(self, operation):
            self.heard.append(operation)

    hook, recorder, second = Hook(), Recorder(), Recorder()
    storage = MonitoredStorage(g.InMemorySessionStorage(), [recorder, hook, second], name="mine")
    session = Session("a", "t")
    run(storage.save(session))
    run(storage.get("a"))
    run(storage.get("b"))
    with pytest.raises(g.SessionConflict):
        run(storage.save(Session("a", "t")))
    assert hook.heard == recorder.operations() == second.operations()
    told = [(o.op, o.storage, o.session_id, o.outcome) for o in hook.heard]
    assert told == [
        ("save", "mine", "a", "ok"),
        ("get", "mine", "a", "ok"),
        ("get", "mine", "b", "missing"),
        ("save", "mine", "a", "conflict"),
    ]


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
            time.sleep(0.005)
    finally:
        stop.set()
        thread.join()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
