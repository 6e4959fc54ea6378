"""Connections of one process to one file: a reading does not keep another one from writing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb.errors import StorageTimeout
from graphflow_nb.storage.sqlite.reading import Reading
from graphflow_nb.storage.sqlite.sharing import alone_with, read_header

from ...scope import only_complete


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A file with the session "a", which another process has open."""
    path = tmp_path / "s.db"
    with g.open(f"sqlite:{path}", create=True) as wb:
        wb.create("a", "t")
    code = f"""
import sqlite3
db = sqlite3.connect({str(path)!r}, isolation_level=None)
db.execute("UPDATE sessions SET status_message = 'x'")
print("ready", flush=True)
input()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        assert other.stdout.readline() == "ready\n"
        yield f"sqlite:{path}"
        other.communicate("\n")


def test_a_writer_is_opened_beside_readings(url, tmp_path):
    readers = [g.open(url, writable=False) for _ in range(2)]
    assert [reader.get("a").status_message for reader in readers] == ["x", "x"]
    for id in "bc":
        with g.open(url, writable=True) as writer:
            writer.create(id, "t")
            # Those that are opened after it are as those before it.
            with g.open(url, writable=False) as late:
                assert [wb.get(id).id for wb in (*readers, late)] == [id] * 3
    del readers[0]  # which closes nothing by itself
    g.open("demo").copy_to(url, graph="claims", progress=lambda *_: None)
    assert len(readers[0].sessions(limit=None)) == 83
    readers[0].close()


def test_a_query_that_runs_is_repeated_once_the_writer_is_open(url, tmp_path):
    path = str(tmp_path / "s.db")
    begun, calls = threading.Event(), []

    def count(db: sqlite3.Connection) -> int:
        calls.append(1)
        rows = 2_000_000_000 if len(calls) == 1 else 2
        begun.set()
        text = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        return int(db.execute(f"{text} SELECT max(i) FROM n", (rows,)).fetchone()[0])

    with closing(Reading(path, 20, lambda db: db)) as reading, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(reading.run, count)
        assert begun.wait(20)
        with g.open(url, writable=True) as writer:
            writer.create("b", "t")
        assert answer.result(20) == 2


def test_an_interrupted_query_is_not_repeated(url, tmp_path):
    begun = threading.Event()

    def count(db: sqlite3.Connection) -> None:
        begun.set()
        text = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        db.execute(f"{text} SELECT max(i) FROM n").fetchone()

    path = str(tmp_path / "s.db")
    with closing(Reading(path, 20, lambda db: db)) as reading, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(reading.run, count)
        assert begun.wait(20)
        while not answer.done():  # the statement may not have begun
            reading.interrupt()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            answer.result(0)


def test_a_reading_that_does_not_end_is_said(url, tmp_path):
    path = str(tmp_path / "s.db")
    begun, end = threading.Event(), threading.Event()

    def hold(db: sqlite3.Connection) -> bool:
        begun.set()
        return end.wait(20)

    with closing(Reading(path, 20, lambda db: db)) as reading, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(reading.run, hold)
        assert begun.wait(20)
        said = "is being read in this process"
        with pytest.raises(StorageTimeout, match=said), alone_with(path, 0):
            pass
        end.set()
        assert answer.result(20)


def test_a_writer_that_is_not_opened_in_time_is_said(url, tmp_path):
    path = str(tmp_path / "s.db")
    with closing(Reading(path, 0, lambda db: db)) as reading:
        with alone_with(path, 0), pytest.raises(StorageTimeout, match="being opened for writing"):
            reading.run(lambda db: None)
        reading.run(lambda db: None)


def test_many_threads_open_to_read_and_to_write(url):
    def work(number: int) -> int:
        with g.open(url, writable=bool(number % 2)) as wb:
            if number % 2:
                wb.create(f"s{number}", "t")
            return len(wb.sessions())

    with ThreadPoolExecutor(6) as pool:
        assert min(pool.map(work, range(24))) >= 1
    with g.open(url, writable=False) as wb:
        assert len(wb.sessions()) == 13


@only_complete
def test_a_forked_process_does_not_wait_for_its_parents_readings(url, tmp_path):
    code = f"""
import multiprocessing, threading
import graphflow_nb as g
from graphflow_nb.storage.sqlite.reading import Reading
begun, end = threading.Event(), threading.Event()
reading = Reading({str(tmp_path / "s.db")!r}, 20, lambda db: db)
def hold(db):
    begun.set()
    end.wait(20)
thread = threading.Thread(target=reading.run, args=(hold,))
thread.start()
begun.wait(20)
def child():
    with g.open({url!r}, writable=True, timeout=5) as wb:
        wb.create("child", "t")
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join(20)
end.set()
thread.join()
print(process.exitcode)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "0\n", done.stderr


def test_the_last_writer_leaves_nothing_beside_the_file(tmp_path):
    url = f"sqlite:{tmp_path / 's.db'}"
    writer = g.open(url, create=True)
    writer.create("a", "t")
    with g.open(url, writable=False) as reader:
        assert reader.get("a").id == "a"
        writer.close()
        assert os.listdir(tmp_path) == ["s.db"]
        assert reader.get("a").id == "a"


def test_a_file_with_locks_of_this_process_is_not_closed(tmp_path):
    path = str(tmp_path / "s.db")
    with g.open(f"sqlite:{path}", create=True):
        assert read_header(path, 6) is None
    assert read_header(path, 6) == b"SQLite"
