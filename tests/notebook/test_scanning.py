"""``wb.scan`` and ``wb.to_parquet``: everything once, at constant memory, and on where it ended."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zlib import crc32

import pandas as pd
import pyarrow.parquet as pq
import pytest

import graphflow_nb as g
from graphflow_nb.files import open_privately
from graphflow_nb.frames import sessions_frame
from graphflow_nb.notebook import parquet
from graphflow_nb.storage import offloop
from graphflow_nb.storage.pagesize import PageSize

from ..scope import need, only_complete
from ..two_sessions import PLACES, open_with_two_sessions
from .browse.kit import wait_until


@pytest.fixture
def wb(store):
    with open_with_two_sessions(store) as wb:
        yield wb


def filled(path: Path, count: int, **context: object) -> g.Workbench:
    wb = g.open(f"sqlite:{path}", create=True)
    sessions = [g.Session(f"s-{n:05}", "intake", context={"n": n, **context}) for n in range(count)]
    wb.bridge.run(wb.storage.save_many(sessions))
    return wb


@pytest.mark.parametrize("store", [*PLACES, "redis"], indirect=True)
def test_a_scan_has_every_session_once(store, wb):
    wb.delete(wb.sessions()["id"])
    for n in range(25):
        wb.create(store.id(f"s-{n:02}"), "intake" if n % 2 else "review", context={"n": n})
    frames = list(wb.scan(context=["n"], batch_size=10))
    found = pd.concat(frames, ignore_index=True)
    expected = wb.sessions(context=["n"], order="id", limit=None)
    assert sorted(map(len, frames)) == [5, 10, 10]
    assert found["id"].tolist() == expected["id"].tolist()
    assert found["n"].tolist() == expected["n"].tolist()
    assert list(found) == list(expected)
    assert sum(map(len, wb.scan(task="review", batch_size=4))) == 13
    assert list(wb.scan(task="nowhere")) == []


@pytest.mark.parametrize("store", [*PLACES, "redis"], indirect=True)
def test_a_scan_of_messages_has_every_message_once(store, wb):
    for n in range(7):
        session = wb.create(store.id(f"s-{n}"), "intake", context={"secret": "x" * n})
        for number in range(n % 3):
            session.context.add_user_message(f"é {n} {number}")
        wb.save(session)
    columns = ["session_id", "position", "role", "content", "timestamp"]
    expected = wb.messages().sort_values(["session_id", "position"])[columns]
    scan = wb.scan_messages(batch_size=2)
    first = next(scan)
    rest = [*wb.scan_messages(batch_size=3, after=scan.after)]
    found = pd.concat([first, *rest])[columns]
    assert found.astype(str).values.tolist() == expected.astype(str).values.tolist()
    assert len(found) == 8
    assert all(len(frame) for frame in rest)
    assert sum(map(len, wb.scan_messages(task="intake"))) == 6
    assert list(wb.scan_messages(task="nowhere")) == []


def test_a_scan_reads_less_at_a_time_where_values_are_large(tmp_path, monkeypatch):
    small = partial(PageSize, bytes=100_000)
    monkeypatch.setattr("graphflow_nb.notebook.scanning.PageSize", small)
    monkeypatch.setattr("graphflow_nb.notebook.scanning.PAGE_BYTES", 100_000)
    wb = filled(tmp_path / "a.db", 300, large="x" * 10_000)
    sizes = [len(frame) for frame in wb.scan(context=["large"])]
    assert sum(sizes) == 300
    assert max(sizes[1:]) < 10
    for id in ("s-00001", "s-00002", "s-00003"):
        session = wb.get(id)
        session.context.add_user_message("y" * 90_000)
        wb.save(session)
    assert [len(frame) for frame in wb.scan_messages()] == [1, 1, 1]
    wb.close()


def test_messages_of_all_sessions_have_a_bound_and_it_is_said(monkeypatch):
    monkeypatch.setattr("graphflow_nb.notebook.tables.MAX_CHATS", 2)
    wb = g.open("memory:")
    for id in "abc":
        session = wb.create(id, "t")
        session.context.add_user_message(id)
        wb.save(session)
        wb.create(f"{id}-silent", "t")
    with pytest.warns(UserWarning, match=r"newest 2 sessions; .*wb\.scan_messages\(\) reads all"):
        assert wb.messages(limit=None)["content"].tolist() == ["c", "b"]


def test_a_scan_of_messages_names_what_is_odd(tmp_path):
    filled(tmp_path / "a.db", 5).close()
    odd = (
        "[1]",
        '{"data":{},"chat_history":{"messages":"none"}}',
        '{"chat_history":{"messages":[3]}}',
    )
    with sqlite3.connect(tmp_path / "a.db") as db:
        for n, text in enumerate(odd):
            db.execute("UPDATE sessions SET context = ? WHERE id = ?", (text, f"s-0000{n}"))
    with g.open(f"sqlite:{tmp_path / 'a.db'}") as wb:
        frames = list(wb.scan_messages())
        named = {id for frame in frames for id in frame.attrs.get("problems", {})}
        assert named == {"s-00000", "s-00001", "s-00002"}


def test_a_scan_goes_on_where_another_ended():
    wb = g.open("demo")
    scan = wb.scan(batch_size=50)
    first = next(scan)
    after = json.loads(json.dumps(scan.after))
    rest = [*wb.scan(batch_size=50, after=after)]
    assert [*first["id"], *(id for frame in rest for id in frame["id"])] == sorted(
        wb.sessions(limit=None)["id"]
    )
    assert scan.rows == 50
    assert "50 sessions read" in repr(scan)
    # A scan whose loop was left early goes on too.
    assert sum(map(len, scan)) == 70


def test_a_scan_can_be_awaited():
    async def cell():
        with g.open("demo") as wb:
            return [len(frame) async for frame in wb.scan(batch_size=100)]

    assert asyncio.run(cell()) == [100, 20]


def test_a_scan_is_read_by_one_at_a_time(tmp_path):
    wb = g.open(f"sqlite:{tmp_path / 's.db'}", create=True)
    for id in "abc":
        wb.create(id, "t")

    async def read() -> None:
        scan = wb.scan(batch_size=1, snapshot=True)
        frame, refused = await asyncio.gather(anext(scan), anext(scan), return_exceptions=True)
        assert frame["id"].tolist() == ["a"]
        assert isinstance(refused, g.QueryError)
        assert [frame["id"].tolist() async for frame in scan] == [["b"], ["c"]]

    asyncio.run(read())
    wb.close()


def test_a_scan_goes_on_after_the_store_failed(monkeypatch):
    storage = g.InMemorySessionStorage.from_sessions(g.Session(id, "t") for id in "abcd")
    failing = iter([False, True, False, False])

    class Failing(g.InMemorySessionStorage):
        async def table(self, query, context=()):
            if next(failing):
                raise g.StorageError("the store is away")
            return await storage.table(query, context)

    scan = g.wrap(Failing()).scan(batch_size=2)
    assert list(next(scan)["id"]) == ["a", "b"]
    with pytest.raises(g.StorageError, match="away"):
        next(scan)
    assert [list(frame["id"]) for frame in scan] == [["c", "d"]]


def test_an_interrupt_loses_no_session(monkeypatch):
    frames = iter([KeyboardInterrupt, None, None, KeyboardInterrupt, None])
    monkeypatch.setattr("graphflow_nb.notebook.scanning.sessions_frame", _interrupted(frames))
    scan, found = g.open("demo").scan(batch_size=50), []
    while scan.rows < 120:
        try:
            for frame in scan:
                found.extend(frame["id"])
        except KeyboardInterrupt:
            assert scan.after == (
                None if not found else {"order": "id", "id": found[-1], "time": None}
            )
    assert found == sorted(g.open("demo").sessions(limit=None)["id"])


def _interrupted(moments):
    def make(*arguments, **named):
        if (error := next(moments)) is not None:
            raise error
        return sessions_frame(*arguments, **named)

    return make


def test_a_notebook_shows_how_far_a_scan_is(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "graphflow_nb.notebook.scanning.show_count",
        lambda step, unit: shown.append((step, unit)) or (lambda *count: shown.append(count)),
    )
    wb = g.open("demo")
    assert sum(map(len, wb.scan(batch_size=50))) == 120
    assert shown == [("reading …", "sessions"), (50, None), (100, 120), (120, 120)]
    shown.clear()
    assert sum(map(len, wb.scan(batch_size=200))) == 120
    assert shown == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"batch_size": 0}, "batch_size must be 1 to 100,000"),
        ({"batch_size": True}, "batch_size must be"),
        ({"context": 3}, "list of context paths"),
        ({"context": [""]}, "context path"),
        ({"context": [f"a{n}" for n in range(501)]}, "at most 500 paths, not 501"),
        ({"nonsense": 1}, "unknown filter nonsense"),
        ({"after": {"order": "-updated_at", "id": "a", "time": None}}, "ordered by id"),
    ],
)
def test_a_wrong_argument_of_a_scan_is_named_at_once(arguments, problem):
    with pytest.raises(g.QueryError, match=problem):
        g.open("demo").scan(**arguments)


@pytest.mark.parametrize("store", [*PLACES, "redis"], indirect=True)
def test_parquet_has_the_contexts_to_the_letter(store, wb, tmp_path):
    for n in range(7):
        session = g.Session(store.id(f"s-{n}"), "intake")
        session.context.update(amount=n + 0.5, name=f"é\U0001f600 {n}", nested={"a.b": [n, None]})
        wb.save(session)
    report = wb.to_parquet(tmp_path / "all", rows_per_file=3)
    frame = pd.read_parquet(tmp_path / "all")
    ids = sorted(wb.sessions(limit=None)["id"])
    assert (report.rows, report.complete, [file.rows for file in report.files]) == (
        9,
        True,
        [3, 3, 3],
    )
    assert sorted(frame["id"]) == ids
    for row in frame.itertuples():
        session = wb.get(row.id)
        text = session.context_json()
        assert row.context == (text if isinstance(text, str) else text.decode())
        assert row.version == session.version
        assert row.updated_at.to_pydatetime() == session.updated_at
        assert row.messages == len(session.context.chat_history)
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "all").iterdir())


def test_each_file_has_the_same_schema_and_a_misfit_is_said(tmp_path):
    wb = g.open("memory:")
    values = {
        "a": 1,
        "b": 2**63,
        "c": "text",
        "d": None,
        "e": 1.5,
        "f": True,
        "g": [1],
    }
    for id, value in values.items():
        wb.create(id, "t", context={"x": value})
    wb.create("h", "t")
    kinds = {"json": str, "string": str, "boolean": bool, "int64": int, "float64": float}
    for kind in kinds:
        report = wb.to_parquet(tmp_path / kind, context={"x": kind}, rows_per_file=2)
        files = sorted((tmp_path / kind).glob("*.parquet"))
        assert len({pq.read_schema(file).to_string() for file in files}) == 1
        column = [v for file in files for v in pq.read_table(file)["x"].to_pylist()]
        kept = {id: v for id, v in zip("abcdefgh", column, strict=True) if v is not None}
        if kind == "json":
            assert {id: json.loads(text) for id, text in kept.items()} == values
        else:
            assert all(type(value) is kinds[kind] for value in kept.values())
            fit = {id for id, v in values.items() if type(v) is kinds[kind]}
            if kind == "int64":
                fit -= {"b"}
            if kind == "float64":
                fit |= {"a", "b"}  # 2 ** 63 is a float exactly
            assert set(kept) == fit
            misfit = report.misfits["x"]
            assert misfit.count == 6 - len(fit)
            assert f"{misfit.count} values of x" in str(report)


def test_numbers_that_a_float_can_not_hold_are_missing_and_said(tmp_path):
    wb = g.open("memory:")
    texts = {"a": "9007199254740993", "b": "1e400", "c": "1e5", "d": "-0", "e": "0.1"}
    for id, text in texts.items():
        session = wb.create(id, "t")
        wb.save(session.with_context_json('{"data":{"x":%s}}' % text))
    report = wb.to_parquet(tmp_path, context={"x": "float64"})
    found = pd.read_parquet(tmp_path)["x"].tolist()
    assert [math.isnan(x) for x in found[:2]] == [True, True]
    assert found[2:] == [1e5, 0.0, 0.1]
    assert (report.misfits["x"].count, report.misfits["x"].first) == (2, "a")


def test_what_is_redacted_never_reaches_a_file(tmp_path):
    wb = g.open("demo")

    def without_iban(session):
        if session.graph_id != "claims":
            return None
        session.context.pop("iban", None)
        return session

    report = wb.to_parquet(tmp_path, redact=without_iban)
    assert report.rows == 80
    assert report.left_out == 40
    assert not pd.read_parquet(tmp_path)["context"].str.contains('"iban"').any()
    with pytest.raises(g.QueryError, match="leave context= out"):
        wb.to_parquet(tmp_path / "b", redact=without_iban, context=["amount"])


def test_an_odd_row_is_named_and_hides_no_other(tmp_path):
    filled(tmp_path / "a.db", 2500).close()
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.execute("UPDATE sessions SET context = '[broken' WHERE id < 's-01500'")
        db.execute("UPDATE sessions SET id = x'ff' WHERE id = 's-02499'")
    with g.open(f"sqlite:{tmp_path / 'a.db'}") as wb:
        report = wb.to_parquet(tmp_path / "whole")
        assert (report.rows, report.odd_rows, len(report.odd)) == (999, 1501, 1000)
        assert "1,501 odd rows (first 's-00000'" in str(report)
        paths = wb.to_parquet(tmp_path / "paths", context=["n"])
        assert (paths.rows, paths.odd_rows) == (2500, 1501)
        frames = list(wb.scan(batch_size=700))
        assert sum(map(len, frames)) == 2500
        assert len({id for frame in frames for id in frame.attrs.get("problems", {})}) == 1501


def test_it_goes_on_behind_the_last_complete_file(tmp_path):
    wb = filled(tmp_path / "a.db", 1000)
    folder = tmp_path / "out"

    def stop(done, total):
        if done > 600:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wb.to_parquet(folder, rows_per_file=250, progress=stop)
    assert sorted(os.listdir(folder)) == [
        "_manifest.jsonl",
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    # Sorted before what was written: the export has the state of when each part was read.
    wb.create("a", "t")
    report = wb.to_parquet(folder, rows_per_file=250)
    assert (report.rows, report.resumed, report.complete) == (1000, 500, True)
    assert pd.read_parquet(folder)["id"].is_unique
    assert wb.to_parquet(folder, rows_per_file=250).resumed == 1000
    # The one that is not in a file is said to be new, with the call that writes it.
    assert report.changed == 1
    assert "1 session was saved since it began and may be missing or older here" in str(report)
    newer = wb.to_parquet(tmp_path / "new", updated_since=report.began.isoformat())
    assert pd.read_parquet(tmp_path / "new")["id"].tolist() == ["a"]
    assert newer.changed == 0
    # Beside the first and the last line one for each file, so that no line grows with their number.
    assert len((folder / "_manifest.jsonl").read_bytes().splitlines()) == 2 + len(report.files)


def test_a_store_that_fails_is_told_with_what_was_written_before(tmp_path):
    storage = g.InMemorySessionStorage.from_sessions(g.Session(f"s{n}", "t") for n in range(9))

    class Failing(g.InMemorySessionStorage):
        async def query(self, query):
            if query.after is not None and query.after.id >= "s5":
                raise g.StorageUnavailable("the store is away: is it running?")
            return await storage.query(query)

    with pytest.raises(g.StorageUnavailable) as caught:
        g.wrap(Failing()).to_parquet(tmp_path / "out", rows_per_file=3)
    assert str(caught.value) == (
        "the store is away: is it running? 6 sessions were written to files that are complete; "
        "the same call goes on behind them"
    )


def test_it_begins_where_a_call_was_killed_before_its_first_file(tmp_path):
    (tmp_path / ".graphflow_nb-x.tmp").write_bytes(b"half")  # of the manifest
    assert g.open("demo").to_parquet(tmp_path).rows == 120
    assert sorted(os.listdir(tmp_path)) == ["_manifest.jsonl", "part-00000.parquet"]


def test_it_goes_on_with_all_of_its_filters(tmp_path):
    wb = filled(tmp_path / "a.db", 30)
    for id in ("s-00027", "s-00028"):
        session = wb.get(id)
        session.context["extra"] = "Done" if id == "s-00027" else "x"
        session.status_message = "DONE"
        wb.save(session)

    def stop(done, total):
        if done > 5:
            raise KeyboardInterrupt

    filters = {"lacks": ["extra"], "compare": [("n", "<", 29)]}
    with pytest.raises(KeyboardInterrupt):
        wb.to_parquet(tmp_path / "out", rows_per_file=5, progress=stop, **filters)
    assert wb.to_parquet(tmp_path / "out", rows_per_file=5, **filters).rows == 27
    report = wb.to_parquet(tmp_path / "case", status="done", ignore_case=True)
    assert report.rows == 2
    wb.close()


def test_files_are_stopped_after_a_batch_and_the_same_call_goes_on(tmp_path):
    wb = filled(tmp_path / "a.db", 1_000)
    folder, asked = tmp_path / "out", []

    def stop() -> bool:
        asked.append(len(asked))
        return len(asked) > 1

    report = wb.to_parquet(folder, stop=stop)
    assert not report.complete
    assert 0 < report.rows < 1_000
    assert "NOT complete" in str(report)
    before = report.rows
    report = wb.to_parquet(folder)
    assert (report.complete, report.rows, report.resumed) == (True, 1_000, before)
    ids = [
        id for file in report.files for id in pq.read_table(folder / file.name)["id"].to_pylist()
    ]
    assert ids == [f"s-{n:05}" for n in range(1_000)]
    wb.close()


KILLED = """
import os, signal, sys
import graphflow_nb as g
def kill(done, total):
    if done > 600:
        os.kill(os.getpid(), signal.SIGKILL)
g.open(sys.argv[1]).to_parquet(sys.argv[2], rows_per_file=250, progress=kill)
"""


def test_a_killed_process_leaves_complete_files_and_another_goes_on(tmp_path):
    filled(tmp_path / "a.db", 1000).close()
    url, folder = f"sqlite:{tmp_path / 'a.db'}", tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", KILLED, url, str(folder)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert any(name.endswith(".tmp") for name in os.listdir(folder))
    assert len(pd.read_parquet(folder)) == 500
    with g.open(url) as wb:
        report = wb.to_parquet(folder, rows_per_file=250)
    assert (report.rows, report.resumed) == (1000, 500)
    assert len(pd.read_parquet(folder)) == 1000
    assert not any(name.endswith(".tmp") for name in os.listdir(folder))


# Each process ends at a moment that nobody chose, and tidies up nothing: SIGALRM is not caught.
KILLED_OFTEN = """
import os, random, signal, sys, time
import graphflow_nb as g
import pyarrow.parquet as pq
url, whole, folder, seed, rows = sys.argv[1:]
moments = random.Random(seed)

def export(folder, seconds):
    pid = os.fork()
    if not pid:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        report = g.open(url).to_parquet(folder, rows_per_file=int(rows))
        os._exit(0 if report.complete else 2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

start = time.perf_counter()
assert export(whole, 0) == 0
took, killed = time.perf_counter() - start, 0
while killed < 10:
    code = export(folder, moments.uniform(0.01, took / 3))
    assert code in (0, -signal.SIGALRM), code
    killed += code != 0
    found = [n for n in os.listdir(folder) if n.endswith(".parquet")] if killed else []
    assert all(pq.ParquetFile(f"{folder}/{name}").metadata.num_rows for name in found)
    if code == 0 and killed < 10:  # it came to its end: once more
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")
assert export(folder, 0) == 0
print(killed)
"""


@only_complete
def test_an_export_that_is_killed_at_ten_moments_has_what_one_run_has(tmp_path):
    filled(tmp_path / "a.db", 20_000).close()
    whole, folder = tmp_path / "whole", tmp_path / "folder"
    arguments = [f"sqlite:{tmp_path / 'a.db'}", str(whole), str(folder), "1", "700"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED_OFTEN, *arguments],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert pq.read_table(folder).sort_by("id").equals(pq.read_table(whole).sort_by("id"))
    assert sorted(n for n in os.listdir(folder) if n.endswith(".tmp")) == []


def test_two_days_ago_means_the_same_when_it_goes_on(tmp_path):
    wb = filled(tmp_path / "a.db", 30)

    def stop(done, total):
        if done > 10:
            raise KeyboardInterrupt

    since = timedelta(days=2)
    with pytest.raises(KeyboardInterrupt):
        wb.to_parquet(tmp_path / "out", rows_per_file=10, progress=stop, updated_since=since)
    with sqlite3.connect(tmp_path / "a.db") as db:
        # A second before what two days ago meant then, and so not within it now either.
        header = json.loads((tmp_path / "out/_manifest.jsonl").read_text().splitlines()[0][9:])
        began = header["times"]["updated_since"]
        before = datetime.fromisoformat(began) - timedelta(seconds=1)
        micros = (before - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        db.execute("UPDATE sessions SET updated_at = ? WHERE id = 's-00029'", (micros,))
        db.execute("UPDATE sessions SET updated_at = ? WHERE id = 's-00028'", (micros + 10**6,))
    report = wb.to_parquet(tmp_path / "out", rows_per_file=10, updated_since=since)
    assert report.rows == 29
    wb.close()


def test_ids_are_the_argument_whatever_holds_them(tmp_path):
    wb, ids = g.open("demo"), ["claim-0119", "claim-0113", "claim-0112"]
    for held in (iter(ids), set(ids), list(reversed(ids))):
        assert wb.to_parquet(tmp_path / "out", ids=held).rows == 3
    with pytest.raises(g.QueryError, match="begun with other arguments"):
        wb.to_parquet(tmp_path / "out", ids=iter([*ids, "claim-0014"]))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    wb = g.open("demo")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(g.StorageError, match="has other files"):
        wb.to_parquet(tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]

    out = tmp_path / "out"
    wb.to_parquet(out, graph="claims")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    for arguments in ({}, {"graph": "onboarding"}, {"graph": "claims", "context": ["amount"]}):
        with pytest.raises(g.QueryError, match="begun with other arguments"):
            wb.to_parquet(out, **arguments)
    with pytest.raises(g.StorageError, match="another store"):
        g.open("demo").to_parquet(out, graph="claims")
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before

    (out / "more.parquet").write_bytes(b"")
    with pytest.raises(g.StorageError, match=r"did not write, 'more\.parquet'"):
        wb.to_parquet(out, graph="claims")
    (out / "more.parquet").unlink()
    (out / "part-00000.parquet").write_bytes(b"cut")
    with pytest.raises(g.StorageError, match="not the file that was written"):
        wb.to_parquet(out, graph="claims")
    for text in ("", "[]", "{}", '{"form": 2}', '{"form": 1}'):
        line = f"{text}\n"
        (out / "_manifest.jsonl").write_text(f"{crc32(line.encode()):08x} {line}")
        with pytest.raises(g.StorageError, match="can't be read as what to_parquet wrote"):
            wb.to_parquet(out, graph="claims")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"rows_per_file": 0}, "rows_per_file must be 1 to 10,000,000"),
        ({"context": {"a": "decimal"}}, "is json, string, boolean, int64, float64"),
        ({"context": 3}, "list of context paths"),
        ({"graph": 3}, "graph must be text"),
    ],
)
def test_a_wrong_argument_writes_nothing(tmp_path, arguments, problem):
    with pytest.raises(g.QueryError, match=problem):
        g.open("demo").to_parquet(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_files_are_written_beside_the_loop_and_none_is_left_half_written(tmp_path, monkeypatch):
    monkeypatch.setattr(offloop, "MANY_ROWS", -1)
    threads, begun, release = [], threading.Event(), threading.Event()

    @contextmanager
    def noting(*given: object) -> Iterator[object]:
        with open_privately(*given) as file:
            yield file
            begun.set()
            release.wait(20)
            threads.append(threading.current_thread().name)

    monkeypatch.setattr(parquet, "open_privately", noting)

    async def cancel(wb: g.Workbench) -> None:
        task = asyncio.create_task(wb.to_parquet.aio(tmp_path / "p"))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        await asyncio.sleep(0)
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    with g.open(f"sqlite:{tmp_path / 's.db'}", create=True) as wb:
        for id in "abc":
            wb.create(id, "t")
        asyncio.run(cancel(wb))

        def write_again() -> bool:
            with suppress(g.StorageError):  # the first call lets go of the folder at its end
                return wb.to_parquet(tmp_path / "p").rows == 3
            return False

        wait_until(write_again)
    assert len(threads) == 2
    assert "graphflow_nb-loop" not in threads


def test_two_calls_do_not_write_to_one_folder(tmp_path):
    wb, other = g.open("demo"), []

    def meanwhile(done, total):
        with pytest.raises(g.StorageError, match="another call writes to it"):
            wb.to_parquet(tmp_path / "out")
        other.append(done)

    assert wb.to_parquet(tmp_path / "out", progress=meanwhile).complete
    assert other


@only_complete
def test_duckdb_and_polars_read_it(tmp_path):
    try:
        import duckdb
        import polars
    except ImportError:
        need("DuckDB and Polars", present=False)
    wb, meanwhile = g.open("demo"), []
    files = str(tmp_path / "out/*.parquet")

    def read_part(done, total):
        if done == 100:  # the second file is complete after this
            counted = duckdb.sql(f"SELECT count(*) FROM '{files}'").fetchall()[0][0]
            lazily = polars.scan_parquet(files).select(polars.len()).collect().item()
            meanwhile.append((counted, lazily, len(pd.read_parquet(tmp_path / "out"))))

    columns = {"amount": "float64", "customer": "json"}
    wb.to_parquet(tmp_path / "out", context=columns, rows_per_file=50, progress=read_part)
    assert meanwhile == [(50, 50, 50)]
    expected = wb.sessions(context=["amount"], limit=None).groupby("graph_id", observed=True)
    sums = {graph: round(total, 6) for graph, total in expected["amount"].sum().items()}
    rows = duckdb.sql(f"SELECT graph_id, sum(amount) FROM '{files}' GROUP BY ALL").fetchall()
    assert {graph: round(total or 0, 6) for graph, total in rows} == sums
    lazy = polars.scan_parquet(files)
    frame = lazy.group_by("graph_id").agg(polars.col("amount").sum())
    assert {graph: round(total, 6) for graph, total in frame.collect().iter_rows()} == sums
    kinds = {row[0]: row[1] for row in duckdb.sql(f"DESCRIBE FROM '{files}'").fetchall()}
    assert (kinds["updated_at"], kinds["customer"]) == ("TIMESTAMP WITH TIME ZONE", "VARCHAR")
    schema = lazy.collect_schema()
    assert schema["updated_at"] == polars.Datetime("us", "UTC")
    assert (schema["customer"], schema["version"]) == (polars.String, polars.Int64)
    assert str(pd.read_parquet(tmp_path / "out")["updated_at"].dtype) == "datetime64[us, UTC]"

    wb.create("s", "intake", context={"password": "Zq7-0042", "login": {"apiKey": "Zq7-0042"}})
    wb.to_parquet(tmp_path / "redacted", redact=g.mask_secrets)
    files = str(tmp_path / "redacted/*.parquet")
    shown = duckdb.sql(f"SELECT * FROM '{files}'").df().to_csv()
    shown += polars.read_parquet(files).write_csv()
    assert shown.count("•••") == 4
    assert "Zq7-0042" not in shown


def test_files_of_one_snapshot_have_what_stood_at_the_first(tmp_path):
    wb = filled(tmp_path / "a.db", 30)

    def disturb(done, total):
        with sqlite3.connect(tmp_path / "a.db") as db:
            db.execute("DELETE FROM sessions WHERE id = 's-00029'")
            change = "UPDATE sessions SET current_task_id = 'later', updated_at = ? WHERE id = ?"
            db.execute(change, (time.time_ns() // 1000, "s-00025"))

    def stop_after_one():
        return (tmp_path / "stopped" / "part-00000.parquet").exists()

    before = wb.sessions(order="id", limit=None)
    more = {"rows_per_file": 10, "context": {"n": "int64"}}
    report = wb.to_parquet(tmp_path / "one", snapshot=True, progress=disturb, **more)
    assert (report.complete, report.snapshot, report.rows) == (True, True, 30)
    assert "all of one moment; 1 session was saved since it began" in str(report)
    table = pq.read_table(tmp_path / "one")
    assert table["id"].to_pylist() == before["id"].tolist()
    assert set(table["current_task_id"].to_pylist()) == {"intake"}
    again = wb.to_parquet(tmp_path / "one", snapshot=True, **more)  # nothing is left to be done
    assert (again.complete, again.snapshot) == (True, True)

    folder = tmp_path / "stopped"
    report = wb.to_parquet(folder, snapshot=True, stop=stop_after_one, **more)
    assert (report.complete, report.snapshot, report.rows) == (False, True, 10)
    with pytest.raises(g.QueryError, match=r"its moment can't be read any more.*Nothing was writ"):
        wb.to_parquet(folder, snapshot=True, **more)
    report = wb.to_parquet(folder, **more)
    assert (report.complete, report.snapshot, report.rows) == (True, False, 29)
    assert not wb.to_parquet(folder, **more).snapshot  # as the manifest says
    wb.close()
