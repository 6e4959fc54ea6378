"""Connections are shared, replaced and given up in time."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import Any

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session, StorageError
from graphflow_nb.storage.postgres.table import OpenTable
from graphflow_nb.storage.url import StoreUrl

from ...scope import one_in, only_complete
from .kit import connect, fetch, fetch_value, until, wait_until


def test_a_storage_belongs_to_its_loop(database, run):
    storage = run(connect(database))
    with pytest.raises(g.BridgeError, match=r"open\(url\)"):
        asyncio.run(storage.get("a"))
    assert run(storage.get("a")) is None
    run(storage.close())


def test_a_silent_server_times_out(database, run):
    storage = run(connect(database, timeout=1))
    run(storage.save(Session("a", "t")))

    async def blocked() -> None:
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.fetch("SELECT * FROM sessions FOR UPDATE")
            with pytest.raises(g.StorageTimeout):
                await storage.save(await storage.get("a"))
        await other.close()

    run(blocked())
    run(storage.save(run(storage.get("a"))))
    run(storage.close())


def test_closed_connections_are_replaced(database, run):
    storage = run(connect(database))
    run(storage.save(Session("a", "t")))
    run(
        fetch(
            database,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'graphflow_nb' AND datname = current_database()",
        )
    )
    assert run(storage.get("a")) is not None
    run(storage.close())


def test_queries_leave_a_connection_to_what_is_short(database, run):
    async def hold() -> None:
        table = await OpenTable.connect(StoreUrl(database), max_connections=3)
        began, release = asyncio.Event(), asyncio.Event()

        async def scan(connection: Any) -> None:
            began.set()
            await release.wait()

        scans = [asyncio.ensure_future(table.run_query(scan)) for _ in range(6)]
        await began.wait()
        async with asyncio.timeout(20):
            assert await table.run(lambda connection: connection.fetchval("SELECT 1")) == 1
        release.set()
        await asyncio.gather(*scans)
        await table.close()

    run(hold())


def test_a_call_that_waits_while_the_storage_is_closed_is_told_so(database, run):
    async def wait():
        storage = await connect(database, max_connections=1)
        began, release = asyncio.Event(), asyncio.Event()

        async def hold(_: Any) -> None:
            began.set()
            await release.wait()

        holding = asyncio.create_task(storage.run(hold))
        await began.wait()
        waiting = asyncio.create_task(storage.get("a"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(storage.close())
        await asyncio.sleep(0)
        release.set()
        with pytest.raises(StorageError, match="closed: connect again"):
            await waiting
        await asyncio.gather(holding, closing)

    run(wait())


def test_more_callers_than_connections(database, run):
    storage = run(connect(database, max_connections=2))

    async def many() -> None:
        await asyncio.gather(*(storage.save(Session(f"s{i}", "t")) for i in range(50)))

    run(many())
    assert run(storage.count(Query())) == 50
    held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'graphflow_nb' "
    held += "AND datname = current_database()"
    assert run(fetch(database, held))[0][0] <= 2
    run(storage.close())


def wait_for_more(items: list[Any]) -> None:
    """Wait until a list that other threads fill has got at least 20 more items."""
    wanted = len(items) + 20
    wait_until(lambda: len(items) >= wanted)


@only_complete
@one_in(3)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_dies_in_the_middle_of_saves(number):
    """What returned is there, what did not raised, and the workbench goes on by itself."""
    with g.local_postgres() as server:
        wb = g.open(server.url, writable=True, timeout=5)
        returned: list[str] = []
        raised: list[BaseException] = []
        stop = threading.Event()

        def save(worker: int) -> None:
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    wb.create(f"{worker}-{n}", "t", context={"n": n})
                    returned.append(f"{worker}-{n}")
                except StorageError as error:
                    raised.append(error)
                    time.sleep(0.01)
                except BaseException as error:
                    raised.append(error)
                    raise

        threads = [threading.Thread(target=save, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            wait_for_more(returned)
            before = len(returned)
            assert server.pid is not None
            os.kill(server.pid, number)
            wait_until(lambda: not server.running)
            wait_for_more(raised)
            server.start()
        wait_for_more(returned)
        stop.set()
        for thread in threads:
            thread.join()
        assert len(returned) > before > 10
        assert raised
        assert {type(error) for error in raised} <= {g.StorageUnavailable, g.StorageTimeout}
        stored = set(wb.sessions(limit=None)["id"])
        assert stored >= set(returned)
        assert len(stored) <= len(returned) + len(raised)
        wb.close()


def test_the_time_of_what_ends_in_a_conflict_is_that_of_the_server(database, run):
    async def work():
        recorder = g.Recorder()
        storage = g.MonitoredStorage(await g.connect(database), [recorder])
        await storage.save(g.Session("a", "t"))
        for wrong in (g.Session("a", "t"), g.Session("gone", "t", version=7)):
            with pytest.raises(g.SessionConflict):
                await storage.save(wrong)
        await storage.close()
        return [operation for operation in recorder.operations() if operation.outcome != "ok"]

    conflicts = run(work())
    assert len(conflicts) == 2
    for operation in conflicts:
        assert operation.execute_ns > 0.5 * operation.duration_ns


SLEEPING = (
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' "
    "AND state = 'active' AND datname = current_database()"
)


async def _sleep(connection: Any) -> None:
    await connection.fetchval("SELECT pg_sleep(60)")


async def _sleep_in_transactions(connection: Any) -> None:
    # The end of each waits for that of the statement, before the connection is given back.
    async with connection.transaction(), connection.transaction():
        await _sleep(connection)


@pytest.mark.parametrize("work", [_sleep, _sleep_in_transactions])
def test_a_request_to_cancel_that_comes_too_early_is_made_again(database, run, monkeypatch, work):
    forgotten = []

    async def forget(**request: Any) -> None:
        forgotten.append(request["backend_pid"])  # as the server does between two statements

    async def cancel() -> set[int]:
        storage = await connect(database, max_connections=2)
        call = asyncio.ensure_future(storage.run(work))
        await until(lambda: fetch_value(database, SLEEPING))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await fetch_value(database, SLEEPING) == 0
        ask = "SELECT pg_backend_pid()"
        pids = {await storage.run(lambda c: c.fetchval(ask)) for _ in range(3)}
        await storage.close()
        return pids

    monkeypatch.setattr("asyncpg.connect_utils._cancel", forget)
    pids = run(cancel())
    assert len(forgotten) == 1
    # A late request would hit the next statement, so the connection is not used again.
    assert not pids & set(forgotten)
