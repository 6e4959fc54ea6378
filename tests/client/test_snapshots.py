"""One snapshot for all reads of a scan: what it has, and that nothing is left of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import threading
from itertools import count

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.client import HeldSnapshot, snapshots
from graphflow_nb.storage.wrappers.base import find_innermost

from ..interrupts import interrupted_when
from ..scope import one_in
from ..stores import Store

STORES = ["memory", "sqlite", "crate-0.6", "pgbouncer"]
each_store = pytest.mark.parametrize("store", STORES, indirect=True)


@pytest.fixture
def wb(store: Store):
    with g.open(store.url, writable=None if store.about.scheme == "memory" else True) as wb:
        sessions = [g.Session(f"s-{n:02}", "intake", context={"n": n}) for n in range(25)]
        for session in sessions:
            session.context.add_user_message(f"hello {session.id}")
        wb.bridge.run(wb.storage.save_many(sessions))
        yield wb


_numbers = count()


def disturb(wb: g.Workbench) -> None:
    """Insert, change and delete sessions before and behind the first page."""
    number = next(_numbers)
    wb.create(f"r-{number:02}", "new")
    wb.create(f"s-{number:02}-more", "new")
    for id in ("s-03", "s-22"):
        session = wb.get(id)
        session.context["n"] = -1
        session.context.add_user_message("later")
        wb.save(session)
    wb.bridge.run(wb.storage.delete(f"s-{12 + number % 8:02}"))


def open_transactions(store: Store, wb: g.Workbench) -> int:
    """Return the number of transactions of ours that wait for their next statement."""
    if store.about.scheme != "postgresql":
        return 0

    async def ask(connection):
        # Through a pooler by the state alone, since it has the application's name by turns.
        return await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND "
            "datname = current_database()"
        )

    return wb.bridge.run(find_innermost(wb.storage).run(ask))


def wait_for_none(store: Store, wb: g.Workbench) -> None:
    for _ in range(2_000):
        if open_transactions(store, wb) == 0:
            return
    raise AssertionError("a transaction stays open")


@one_in(2)
@each_store
@pytest.mark.parametrize("read", ["sessions", "messages"])
def test_a_scan_of_one_snapshot_has_what_stood_at_its_first_page(store, wb, read):
    if read == "sessions":
        before = wb.sessions(context=["n"], order="id", limit=None)
        scan = wb.scan(context=["n"], batch_size=10, snapshot=True)
    else:
        before = wb.messages(limit=None).sort_values(["session_id", "position"])
        scan = wb.scan_messages(batch_size=10, snapshot=True)
    frames = []
    for frame in scan:
        frames.append(frame[list(before)])
        disturb(wb)
    assert len(frames) >= 3
    assert pd.concat(frames).values.tolist() == before.values.tolist()
    assert "from one snapshot, complete" in repr(scan)
    assert -1 in [wb.get(id).context.get("n") for id in wb.sessions(limit=None)["id"]]
    assert open_transactions(store, wb) == 0


@one_in(4)
@each_store
def test_without_a_snapshot_a_scan_sees_what_changed(store, wb):
    scan = wb.scan(context=["n"], batch_size=10)
    next(scan)
    disturb(wb)
    assert -1 in pd.concat(list(scan))["n"].dropna().tolist()


@one_in(2)
@each_store
def test_nothing_is_left_of_a_snapshot(store, wb, monkeypatch):
    def begun():
        scan = wb.scan(batch_size=10, snapshot=True)
        next(scan)
        assert open_transactions(store, wb) == (store.about.scheme == "postgresql")
        return scan

    scan = begun()
    scan.close()
    scan.close()
    assert list(scan) == []
    assert "closed" in repr(scan)
    assert open_transactions(store, wb) == 0

    scan = begun()
    del scan  # a loop that was left, in a cell
    gc.collect()
    wait_for_none(store, wb)

    scan = begun()
    with monkeypatch.context() as patch:
        patch.setattr("graphflow_nb.notebook.scanning.sessions_frame", lambda *a, **n: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(scan)
    assert open_transactions(store, wb) == 0
    with pytest.raises(g.StorageError, match=r"ended with a read that failed .*snapshot=True"):
        next(scan)
    assert len(wb.sessions(limit=None)) == 25


@one_in(3)
@pytest.mark.parametrize("store", STORES[1:], indirect=True)
def test_an_interrupt_ends_the_snapshot(store, wb, monkeypatch):
    """Ctrl-C while a page is read: the transaction is over, and saves go on."""
    scan, reads = wb.scan(batch_size=10, snapshot=True), threading.Event()
    next(scan)

    async def read(storage, query):
        reads.set()
        await asyncio.sleep(20)

    monkeypatch.setattr(scan, "_read", read)
    with interrupted_when(reads), pytest.raises(KeyboardInterrupt):
        next(scan)
    wait_for_none(store, wb)
    with pytest.raises(g.StorageError, match="interrupted"):
        next(scan)
    disturb(wb)


@one_in(3)
@pytest.mark.parametrize("store", STORES[1:], indirect=True)
def test_a_snapshot_that_nobody_reads_ends(store, wb, monkeypatch):
    monkeypatch.setattr(snapshots, "SNAPSHOT_PAUSE", 0.0)
    scan = wb.scan(batch_size=10, snapshot=True)
    next(scan)
    wait_for_none(store, wb)
    with pytest.raises(g.StorageError, match="after 0 minutes without a read"):
        list(scan)
    monkeypatch.setattr(snapshots, "SNAPSHOT_PAUSE", 600.0)
    monkeypatch.setattr(snapshots, "SNAPSHOT_SECONDS", 0.0)
    scan = wb.scan(batch_size=10, snapshot=True)
    next(scan)
    with pytest.raises(g.StorageError, match="after 0 minutes, since what is replaced"):
        list(scan)
    assert open_transactions(store, wb) == 0


@pytest.mark.parametrize("store", ["redis"], indirect=True)
def test_a_store_without_snapshots_says_so_before_it_reads(store, tmp_path):
    with g.open(store.url) as wb:
        for call in (
            lambda: wb.scan(snapshot=True),
            lambda: wb.scan_messages(snapshot=True),
            lambda: wb.to_parquet(tmp_path / "new", snapshot=True),
        ):
            with pytest.raises(g.CapabilityError, match=r"'snapshot'.*leave snapshot=True out"):
                call()
        assert not (tmp_path / "new").exists()
        read = {operation.op for operation in wb.recorder.operations()}
        assert read.isdisjoint({"table", "query"})


def test_a_wrong_choice_is_named():
    with pytest.raises(g.QueryError, match="snapshot= must be True or False"):
        g.open("memory:").scan(snapshot="yes")


def test_a_snapshot_can_be_awaited(tmp_path):
    async def cell():
        with g.open(f"sqlite:{tmp_path / 'a.db'}", create=True) as wb:
            for n in range(5):
                await wb.create.aio(f"s-{n}", "t")
            scan = wb.scan(batch_size=2, snapshot=True)
            found = [len(await anext(scan))]
            await wb.create.aio("s-9", "t")
            found += [len(frame) async for frame in scan]
            await scan.close.aio()
            return found

    assert asyncio.run(cell()) == [2, 2, 1]


def test_the_reads_of_a_snapshot_are_recorded():
    wb = g.open("demo")
    list(wb.scan(batch_size=100, snapshot=True))
    ops = [operation.op for operation in wb.recorder.operations()]
    assert ops.count("snapshot") == 1
    assert ops.count("table") == 2


def test_a_held_snapshot_needs_the_capability():
    class Bare:
        save = get = delete = g.InMemorySessionStorage.get

    with pytest.raises(g.CapabilityError, match="a storage with snapshot"):
        HeldSnapshot(g.wrap(Bare()))
