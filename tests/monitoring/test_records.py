"""What was recorded comes out as it went in, from a file too."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphflow_nb as g
from graphflow_nb import Latency, Recorder
from graphflow_nb.monitoring import Records
from graphflow_nb.monitoring.operation import ORIGINS, kind_of

GET = kind_of("get", "X")
NANOS = st.integers(0, 3_600_000_000_000)


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
    with pytest.raises(g.StorageError, match="merged or loaded operations"):
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
