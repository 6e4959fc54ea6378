"""The connection to a SQLite file: its thread, interrupts, other processes, what is refused."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from itertools import count

import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session, SqliteSessionStorage
from graphflow_nb.storage.sqlite import connection, functions, sql
from graphflow_nb.storage.sqlite.connection import SqliteConnection
from graphflow_nb.storage.sqlite.readers import Readers

from ...interrupts import interrupted_when


@pytest.fixture
def running(monkeypatch):
    """Set while a statement looks into contexts, at 20 sessions a second.

    Only at the tenth, when whoever called has had the time to wait for it.
    """
    event = threading.Event()
    rows = count(1)

    def holds(*_):
        if next(rows) == 10:
            event.set()
        time.sleep(0.05)
        return False

    monkeypatch.setattr(functions, "holds", holds)
    return event


@pytest.fixture
def path(tmp_path, run):
    """A file of 1,000 sessions, the first "s0"."""
    path = tmp_path / "s.db"

    async def fill():
        storage = await SqliteSessionStorage.connect(path)
        await storage.save_many([Session(f"s{i}", "t") for i in range(1000)])
        await storage.close()

    run(fill())
    return path


@pytest.mark.parametrize("read_only", [False, True])
def test_nothing_waits_for_a_query_that_reads_all(path, running, run, read_only):
    async def both():
        storage = await SqliteSessionStorage.connect(path, read_only=read_only)
        call = asyncio.ensure_future(storage.count(Query(lacks=["data"])))
        assert await asyncio.to_thread(running.wait, 20)
        session = await storage.get("s7")
        if not read_only:
            await storage.save(session)
        pages = (storage.query(Query(limit=1)), storage.table(Query(order="id", limit=2)))
        assert [len(page) for page in await asyncio.gather(*pages)] == [1, 2]
        assert await storage.count(Query(task="t")) == 1000
        assert not call.done()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        found = await storage.query(Query(ids=["s7"]))
        assert found[0].version == session.version
        await storage.close()

    run(both())


@pytest.mark.parametrize("ends", ["close", "cancel"])
def test_connections_that_are_being_opened_are_closed_too(path, monkeypatch, run, ends):
    opening, goes_on, left = threading.Event(), threading.Event(), []
    open_file = connection.open_file

    def open_slowly(*args, **named):
        file = open_file(*args, **named)
        if left:
            opening.set()
            assert goes_on.wait(20)
        left.append(file)
        monkeypatch.setattr(file, "close", lambda: (left.remove(file), type(file).close(file)))
        return file

    async def end_while_opening():
        readers = Readers(lambda: SqliteConnection(str(path), 5, read_only=True, create=False))
        monkeypatch.setattr(connection, "open_file", open_slowly)
        await readers.open()
        busy, free = threading.Event(), threading.Event()
        first = asyncio.ensure_future(readers.run(lambda db: (busy.set(), free.wait(20))))
        assert await asyncio.to_thread(busy.wait, 20)
        second = asyncio.ensure_future(readers.run(lambda db: None))
        assert await asyncio.to_thread(opening.wait, 20)
        if ends == "cancel":
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
        free.set()
        await first
        await readers.close()
        goes_on.set()
        await asyncio.gather(second, return_exceptions=True)
        with pytest.raises(g.StorageError, match="closed"):
            await readers.run(lambda db: None)

    run(end_while_opening())
    for thread in threading.enumerate():
        if thread.name.startswith("graphflow_nb-sqlite"):
            thread.join(20)
    assert left == []


def test_a_prefix_is_a_range_of_the_index(path, run):
    text, values = sql.select("id", Query(id_prefix="s\uffff", order="id", limit=9))
    with closing(sqlite3.connect(path)) as db:
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values))
    assert "(id>? AND id<?)" in plan

    async def find():
        storage = await SqliteSessionStorage.connect(path)
        await storage.save_many([Session(id, "t") for id in ("s\uffff", "s\uffffa", "s\U00010000")])
        found = [s.id for s in await storage.query(Query(id_prefix="s\uffff", order="id"))]
        await storage.close()
        return found

    assert run(find()) == ["s\uffff", "s\uffffa"]


def test_a_cancelled_call_ends_its_statement(path, running, run):
    async def cancel():
        storage = await SqliteSessionStorage.connect(path)
        call = asyncio.ensure_future(storage.count(Query(lacks=["data"])))
        assert await asyncio.to_thread(running.wait, 20)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(20):
            session = await storage.get("s0")
        await storage.close()
        return session

    assert run(cancel()).id == "s0"


def test_an_interrupt_ends_the_statement(path, running):
    wb = g.open(f"sqlite:{path}")
    with interrupted_when(running), pytest.raises(KeyboardInterrupt):
        wb.sessions(lacks=["data"])
    began = time.monotonic()
    assert wb.get("s0").id == "s0"
    assert time.monotonic() - began < 20
    wb.close()


def test_sessions_survive_a_restart_and_a_second_process(tmp_path):
    path = tmp_path / "s.db"
    code = f"import graphflow_nb as g; wb = g.open('sqlite:{path}', create=True)"
    code += "; wb.create('a', 't', context={'n': 1})"
    subprocess.run([sys.executable, "-c", code + "; import os; os._exit(9)"])
    wb = g.open(f"sqlite:{path}")
    session = wb.get("a")
    assert session.context["n"] == 1
    subprocess.run([sys.executable, "-c", code.replace("'a'", "'b'")], check=True)
    assert len(wb.sessions()) == 2
    wb.close()


def test_another_writer_is_waited_for_until_the_timeout(tmp_path, run):
    path = tmp_path / "s.db"
    storage = run(SqliteSessionStorage.connect(path, timeout=0.05))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    session = Session("a", "t")
    with pytest.raises(g.StorageTimeout, match="nothing was written"):
        run(storage.save(session))
    assert session.is_new
    other.execute("ROLLBACK")
    run(storage.save(session))
    assert session.version == 1
    other.close()
    run(storage.close())


def test_files_that_are_not_stores(tmp_path, run):
    text, other = tmp_path / "text", tmp_path / "other.db"
    text.write_text("not a database at all, but long enough to be read" * 99)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE sessions (id TEXT, context TEXT, updated_at INTEGER)")
    db.close()
    for path, said in (
        (text, "not a database"),
        (other, "not a store of sessions.*lacks created_at, current_task_id"),
        (tmp_path / "no" / "where.db", "does its folder exist"),
    ):
        with pytest.raises(g.StorageError, match=said):
            run(SqliteSessionStorage.connect(path))


def test_what_is_opened_for_reading_only_is_not_created(tmp_path, run):
    path = tmp_path / "s.db"
    with pytest.raises(g.StorageError, match="there is no file"):
        run(SqliteSessionStorage.connect(path, read_only=True))
    assert not path.exists()
    run(run(SqliteSessionStorage.connect(path)).close())
    storage = run(SqliteSessionStorage.connect(path, read_only=True))
    for write in (
        storage.save(Session("a", "t")),
        storage.upsert(Session("a", "t")),
        storage.delete("a"),
        storage.restore(Session("a", "t", version=1)),
        storage.save_many([Session("a", "t")]),
        storage.import_many([Session("a", "t")]),
        storage.delete_many(["a"]),
    ):
        with pytest.raises(g.ReadOnlyError, match="nothing was written"):
            run(write)
    assert "read-only" in repr(storage)
    run(storage.close())
