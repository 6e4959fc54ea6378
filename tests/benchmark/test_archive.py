"""A file of a run or of records that is damaged, another's or hostile: our error, little memory."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import graphflow_nb as g
from graphflow_nb.monitoring import Records
from graphflow_nb.monitoring.loading import KEY
from graphflow_nb.monitoring.operation import MEASURES

from ..scope import COMPLETE, need, only_complete

ROWS = 2_000
PAST = {
    "op": "get",
    "storage": "S",
    "outcome": "ok",
    "error": None,
    "origin": "user",
    "buckets": [5],
    "counts": [2],
    "total_ns": 10,
    "lowest_ns": 5,
    "highest_ns": 5,
}


def make_parquet(rows=ROWS, past=(), form=2, **columns):
    """Return records as they are saved, with what is wrong in them."""
    texts = {"op": "get", "storage": "S", "outcome": "ok", "error": "", "origin": "user"}
    table = {name: pa.repeat(text, rows) for name, text in texts.items()}
    table |= {"session_id": pa.repeat("a", rows)}
    table |= {"started_at": pa.array(np.zeros(rows, np.int64), pa.timestamp("ns", tz="UTC"))}
    for name in ("duration_ns", *MEASURES):
        table[name] = pa.array(np.zeros(rows, np.int64))
    table = pa.table(table | columns)
    kept = {KEY: json.dumps({"form": form, "past": list(past)})}
    written = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(kept), written, compression="zstd")
    return written.getvalue()


def make_run(folder: Path) -> bytes:
    run = g.open("memory:").benchmark("C", duration=0.1, repeats=2, warmup=0, sessions=5)
    run.save(folder / "good.run")
    return (folder / "good.run").read_bytes()


def with_member(run: bytes, name: str, change, compression=zipfile.ZIP_STORED) -> bytes:
    """Return the run with one member changed."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(run)) as old, zipfile.ZipFile(written, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, change(content) if member == name else content, compression)
    return written.getvalue()


def damage(content: bytes, count: int):
    """Yield what becomes of a file on its way: cut, with other bytes, with none, another's."""
    chance = random.Random(7)
    yield from (b"", b"PK", b"PAR1", b"PAR1" * 3, b"\0" * 1000, b"{}", content * 2, content[::-1])
    for _ in range(count):
        yield content[: chance.randrange(len(content))]
        changed = bytearray(content)
        for _ in range(chance.choice((1, 3, 30))):
            changed[chance.randrange(len(content))] = chance.randrange(256)
        yield bytes(changed)


def damage_metadata(content: bytes, count: int):
    """Yield a Parquet file with other bytes in its metadata, some of which end pyarrow's process.

    Only if they are read as they are: the loader reads a row of each column first.
    """
    chance = random.Random(7)
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(chance.choice((1, 3))):
            changed[chance.randrange(start, len(content) - 8)] = chance.randrange(256)
        yield bytes(changed)


COUNT = 400 if COMPLETE else 40


def test_damaged_records(tmp_path):
    with g.open("demo") as wb:
        for _ in range(50):
            wb.get("claim-0014")
        wb.latency.save(tmp_path / "good")
    path = tmp_path / "damaged.parquet"
    refused = 0
    good = (tmp_path / "good").read_bytes()
    for content in (*damage(good, COUNT), *damage_metadata(good, 5 * COUNT)):
        path.write_bytes(content)
        try:
            Records.load(path)
        except g.StorageError as error:
            assert str(path) in str(error)  # noqa: PT017, most are refused, not all
            refused += 1
    assert refused > COUNT


def test_damaged_runs(tmp_path):
    path = tmp_path / "damaged.run"
    refused = 0
    for content in damage(make_run(tmp_path), COUNT):
        path.write_bytes(content)
        try:
            g.Run.load(path)
        except g.BenchmarkError as error:
            assert str(path) in str(error)  # noqa: PT017
            refused += 1
    assert refused > COUNT


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "content",
    [
        make_parquet(form=3),
        make_parquet(past=[5]),
        make_parquet(past=[{}]),
        make_parquet(past=[PAST | {"buckets": [10**9], "highest_ns": 5}]),
        make_parquet(past=[PAST | {"buckets": [-1]}]),
        make_parquet(past=[PAST | {"counts": [2**70]}]),
        make_parquet(past=[PAST | {"counts": [1, 2]}]),
        make_parquet(past=[PAST | {"counts": ["1"]}]),
        make_parquet(past=[PAST | {"lowest_ns": 9}]),
        make_parquet(past=[PAST | {"outcome": "no"}]),
        make_parquet(past=[PAST | {"op": None}]),
        make_parquet(past=[PAST | {"op": f"op{n}"} for n in range(1_001)]),
        make_parquet(op=pa.array([f"op{n}" for n in range(ROWS)])),
        make_parquet(op=pa.array([1] * ROWS)),
        make_parquet(op=pa.array([None] * ROWS, pa.string())),
        make_parquet(origin=pa.array(["other"] * ROWS)),
        make_parquet(duration_ns=pa.array(np.full(ROWS, -1))),
        make_parquet(duration_ns=pa.array([None] * ROWS, pa.int64())),
        make_parquet(duration_ns=pa.array([[1]] * ROWS)),
        make_parquet(rows_=pa.array(["a"] * ROWS), bytes=pa.array(["a"] * ROWS)),
    ],
)
def test_records_that_are_not_as_they_were_saved(content, tmp_path):
    path = tmp_path / "odd.parquet"
    path.write_bytes(content)
    with pytest.raises(g.StorageError, match=r"odd\.parquet"):
        Records.load(path)


def test_what_is_made_like_a_saved_one_is_loaded(tmp_path):
    path = tmp_path / "good.parquet"
    path.write_bytes(make_parquet(past=[PAST]))
    records = Records.load(path)
    assert len(records) == ROWS
    assert records.forgotten == 2
    path.write_bytes(make_parquet(rows=0))
    assert len(Records.load(path)) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: DEEP,
        lambda text: b"{}",
        lambda text: text[:-2],
        lambda text: text.replace(b'"form": 1', b'"form": "1"').replace(b"form", b"farm"),
        lambda text: text.replace(b'"notes": [', b'"notes": [5,'),
        lambda text: text.replace(b'"repeats": 2', b'"repeats": 1e999'),
        lambda text: text.replace(b'"repeats": 2', b'"repeats": [1]'),
        lambda text: text.replace(b'"began": "', b'"began": "x'),
        lambda text: text.replace(b'"label": "memory"', b'"label": "other"'),
    ],
)
def test_runs_that_are_not_as_they_were_saved(change, tmp_path):
    run = make_run(tmp_path)
    path = tmp_path / "odd.run"
    path.write_bytes(with_member(run, "run.json", change))
    assert path.read_bytes() != run
    with pytest.raises(g.BenchmarkError, match=r"odd\.run"):
        g.Run.load(path)


def test_a_journal_that_is_something_else(tmp_path):
    path = tmp_path / "writes.journal"
    contents = [make_parquet(), make_run(tmp_path), DEEP, b"\0" * 10_000, b"\xff\n" * 500, b"{}\n"]
    for content in contents:
        path.write_bytes(content)
        try:
            g.open("memory:", journal=path).close()
        except g.GraphflowError as error:
            assert str(path) in str(error)  # noqa: PT017
        assert path.read_bytes().startswith(content)  # nothing of another's file is lost


# The peak of this process; that of getrusage begins with that of the process that started it.
LOAD = """
import sys
import graphflow_nb as g
from graphflow_nb.monitoring import Records
import pyarrow.parquet, graphflow_nb.benchmark.run
def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
for path in sys.argv[1:]:
    try:
        (g.Run if path.endswith(".run") else Records).load(path)
    except g.GraphflowError as error:
        said = str(error)
    else:
        said = "loaded"
    print(path, (peak() - before) // 1024, said, sep="\\t")
"""


@only_complete
def test_hostile_files_take_little_memory(tmp_path):
    need("/proc, from which the peak is read", sys.platform == "linux")
    long = "a" * 20_000_000
    bombs = {
        "rows": make_parquet(rows=3_000_000),
        "text": make_parquet(op=pa.array([long] + ["b"] * (ROWS - 1))),
        "often": make_parquet(session_id=pa.array([long[:400_000]] * 50 + [""] * (ROWS - 50))),
        "bucket": make_parquet(past=[PAST | {"buckets": [50_000_000]}]),
        "buckets": make_parquet(
            past=[
                PAST | {"op": f"o{n}", "buckets": [55_295], "highest_ns": 2**63 - 1}
                for n in range(1_000)
            ]
        ),
    }
    run = make_run(tmp_path)
    paths = []
    for name, content in bombs.items():
        paths.append(tmp_path / f"{name}.parquet")
        paths[-1].write_bytes(content)
        paths.append(tmp_path / f"{name}.run")
        paths[-1].write_bytes(with_member(run, "requests-0.parquet", lambda _, c=content: c))
    paths.append(tmp_path / "zip.run")
    zeros = with_member(run, "run.json", lambda text: b" " * 300_000_000, zipfile.ZIP_DEFLATED)
    paths[-1].write_bytes(zeros)
    assert max(path.stat().st_size for path in paths) < 600_000
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, paths)],
        capture_output=True, text=True, check=True, env=os.environ,
    )  # fmt: skip
    told = {Path(path).name: rest for path, *rest in map(str.split, done.stdout.splitlines())}
    assert max(int(rest[0]) for rest in told.values()) < 200, done.stdout
