"""The server ends what a connection of ours left running."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.storage.postgres.limits import LIMITS, describe_limits
from graphflow_nb.storage.postgres.table import OpenTable
from graphflow_nb.storage.url import StoreUrl

from ...scope import only_complete
from .kit import connect, execute, fetch, fetch_value, until

STATEMENT, LOCK, IDLE, CHECK = LIMITS
OURS = {STATEMENT: "22s", LOCK: "20s", IDLE: "22s", CHECK: "2s", "application_name": "graphflow_nb"}


async def _read(connection: Any) -> dict[str, str]:
    return {name: await connection.fetchval(f"SHOW {name}") for name in OURS}


@pytest.mark.parametrize("read_only", [False, True])
def test_a_connection_has_limits_near_the_timeout(database, run, read_only):
    run(run_and_close(database))
    storage = run(connect(database, timeout=20, read_only=read_only))
    assert run(storage.run(_read)) == OURS
    assert storage.limits == (
        "the server ends a statement after 22 s, a wait for a lock after 20 s, "
        "an idle transaction after 22 s, what a killed program left after 2 s; "
        "it lists at most 4 of our connections, as graphflow_nb, and beside them one for each "
        "snapshot (2 at most) and for each watch"
    )
    run(storage.close())


async def run_and_close(database: str) -> None:
    await (await connect(database)).close()  # creates the table


def test_stricter_limits_are_kept_and_those_of_the_url_come_first(database, run):
    async def open_with(more: str) -> dict[str, str]:
        storage = await connect(f"{database}&{more}", timeout=20)
        found = await storage.run(_read)
        await storage.close()
        return found

    assert run(open_with("statement_timeout=5min"))[STATEMENT] == "5min"
    assert run(open_with("options=-c%20lock_timeout%3D0"))[LOCK] == "0"
    name = run(fetch_value(database, "SELECT quote_ident(current_database())"))
    run(execute(database, f"ALTER DATABASE {name} SET statement_timeout = '7s'"))
    run(execute(database, f"ALTER DATABASE {name} SET lock_timeout = '1h'"))
    assert run(open_with("application_name=graphflow_nb")) == OURS | {STATEMENT: "7s"}
    run(execute(database, f"ALTER DATABASE {name} RESET ALL"))


def test_a_limit_that_is_no_time_is_refused_before_anything_is_sent(database, run):
    with pytest.raises(g.StorageError, match="statement_timeout must be a time"):
        run(connect(f"{database}&statement_timeout=1s';DROP"))


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("what", ["RESET ALL", "DISCARD ALL", "SET statement_timeout = 0", "BEGIN"])
def test_what_a_users_statements_leave_in_the_session_ends_with_them(
    database, run, what, read_only
):
    async def work() -> dict[str, str]:
        await (await connect(database)).upsert(Session("a", "t"))
        storage = await connect(database, timeout=20, read_only=read_only, max_connections=1)
        await storage.get("a")
        await storage.run(lambda connection: connection.execute(what))
        if what == "DISCARD ALL":
            with pytest.raises(g.StorageError, match="Try again if DISCARD ALL"):
                await storage.get("a")
        if not read_only:
            await storage.save(Session("b", "t"))
            assert await fetch_value(database, "SELECT count(*) FROM sessions") == 2
        assert await storage.get("a") is not None
        found = await storage.run(_read)
        await storage.close()
        return found

    assert run(work()) == OURS


@pytest.mark.parametrize("read_only", [False, True])
def test_behind_a_pooler_each_query_has_them(pooler, database, run, read_only):
    run(run_and_close(database))
    url = f"{pooler.url(database)}?{IDLE}=9s"

    async def ask() -> tuple[dict[str, str], str]:
        table = await OpenTable.connect(StoreUrl(url), timeout=20, read_only=read_only)
        inside = await table.run_query(_read)
        await table.close()
        client = await asyncpg.connect(pooler.url(database), statement_cache_size=0)
        left = await client.fetchval(f"SHOW {STATEMENT}")
        await client.close()
        return inside, left

    inside, left = run(ask())
    assert inside == OURS | {IDLE: "9s"}
    assert left == "0"


def test_behind_a_pooler_a_save_waits_no_longer_for_a_lock(pooler, database, run):
    async def wait() -> None:
        storage = await connect(f"{pooler.url(database)}?{LOCK}=50ms")
        session = Session("a", "t")
        await storage.save(session)
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.fetch("SELECT * FROM sessions FOR UPDATE")
            for work in (storage.save(session), storage.upsert(session), storage.delete("a")):
                with pytest.raises(g.StorageTimeout, match="holds the lock; nothing was written"):
                    await work
        await other.close()
        await storage.save(session)
        await storage.close()

    run(wait())


def test_a_large_batch_may_take_longer(database, run, monkeypatch):
    seen = []
    storage = run(connect(database, timeout=3))

    async def copy(self: Any, *arguments: Any, **named: Any) -> Any:
        seen.append(await self.fetchval(f"SHOW {STATEMENT}"))
        return await plain(self, *arguments, **named)

    plain = asyncpg.Connection.copy_records_to_table
    monkeypatch.setattr(asyncpg.Connection, "copy_records_to_table", copy)
    run(storage.save_many([Session(f"s{i}", "t") for i in range(600)]))
    monkeypatch.setattr("graphflow_nb.storage.postgres.batches._SESSIONS_PER_TIMEOUT", 600)
    run(storage.save_many([Session(f"t{i}", "t") for i in range(600)]))
    assert seen == ["5s", "8s"]
    assert run(storage.count(Query())) == 1_200
    run(storage.close())


def test_who_waits_for_a_lock_or_too_long_is_told_so(database, run):
    async def wait() -> None:
        storage = await connect(f"{database}&lock_timeout=50ms&statement_timeout=900ms")
        await storage.save(Session("a", "t"))
        session = await storage.get("a")
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.fetch("SELECT * FROM sessions FOR UPDATE")
            with pytest.raises(g.StorageTimeout, match="holds the lock; nothing was written"):
                await storage.save(session)
        await other.close()
        await storage.save(session)
        with pytest.raises(g.StorageTimeout, match="shorter statement_timeout"):
            await storage.run(lambda connection: connection.fetch("SELECT pg_sleep(30)"))
        await storage.close()

    run(wait())


def test_a_read_that_takes_too_long_is_told_so_and_what_to_do(database, run):
    async def read() -> None:
        storage = await connect(f"{database}&statement_timeout=50ms")
        await execute(
            database,
            "CREATE VIEW slow AS SELECT * FROM sessions WHERE pg_sleep(60) IS NOT NULL;"
            "INSERT INTO sessions (id, graph_id, current_task_id, context) "
            "VALUES ('a', 'g', 't', '{}')",
        )
        for url, options, why in (
            (
                f"{database}&statement_timeout=50ms",
                {},
                "has a shorter statement_timeout",
            ),
            (database, {"timeout": 0.5}, r"portions by wb\.scan"),
        ):
            slow = await connect(url, table="slow", read_only=True, **options)
            with pytest.raises(g.StorageTimeout, match=why) as error:
                await slow.count(Query())
            assert "did not answer this read in time" in str(error.value)
            assert "whether a write" not in str(error.value)
            await slow.close()
        await storage.close()

    run(read())


def test_who_ended_a_statement_in_the_server_is_told(database, run):
    async def read() -> None:
        storage = await connect(database, timeout=60)
        call = asyncio.ensure_future(storage.run(lambda c: c.fetch("SELECT pg_sleep(60)")))
        cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sl'"
        await until(lambda: fetch(database, cancel))
        with pytest.raises(g.StorageError, match="another user ended the statement in the server"):
            await call
        await storage.close()

    run(read())


def test_limits_that_are_off_are_not_told():
    held = (
        "it lists at most 4 of our connections, as me, and beside them one for each snapshot "
        "(2 at most) and for each watch"
    )
    told = describe_limits({STATEMENT: 0, LOCK: 1500}, 4, "me")
    assert told == f"the server ends a wait for a lock after 1.5 s; {held}"
    assert describe_limits({STATEMENT: 0}, 4, "me") == describe_limits({}, 4, "me") == held


_SLEEPS = """
import asyncio, sys
import graphflow_nb as g

async def main():
    storage = await g.connect(sys.argv[1], timeout=1)
    sleep = lambda connection: connection.fetchval("SELECT pg_sleep(600)", timeout=600)
    await storage.run(sleep)

asyncio.run(main())
"""
_RUNNING = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'graphflow_nb'
AND datname = current_database() AND state = 'active'
"""


_SAVES = """
import sys
import graphflow_nb as g

wb = g.open(sys.argv[1], writable=True, timeout=60)
session = wb.get("a")
session.status_message = "of the killed"
print("read", flush=True)
wb.save(session)
"""
_WAITING = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@only_complete
@pytest.mark.parametrize("pooled", [False, True])
def test_a_save_of_a_killed_process_that_waits_for_a_lock_is_not_made_later(
    database, pooler, run, pooled
):
    async def kill_while_it_waits() -> None:
        storage = await connect(database)
        await storage.save(Session("a", "t"))
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.fetch("SELECT * FROM sessions FOR UPDATE")
            url = pooler.url(database) if pooled else database
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SAVES, url)
            try:
                await until(lambda: fetch(database, _WAITING))
            finally:
                process.kill()
            await process.wait()

            async def nobody_waits() -> bool:
                return not await fetch(database, _WAITING)

            await until(nobody_waits)  # though the lock is still there, and timeout= is a minute
        await other.close()
        found = await storage.get("a")
        assert (found.status_message, found.version) == (None, 1)
        await storage.close()

    run(kill_while_it_waits())


@only_complete
def test_a_killed_process_leaves_no_statement_running(database, run):
    with subprocess.Popen([sys.executable, "-c", _SLEEPS, database]) as process:
        try:

            async def is_running() -> bool:
                return bool(await fetch_value(database, _RUNNING) == 1)

            async def has_ended() -> bool:
                return bool(await fetch_value(database, _RUNNING) == 0)

            run(until(is_running))
        finally:
            process.send_signal(signal.SIGKILL)
    assert run(until(has_ended))
