"""A snapshot is one transaction on one more connection, which others and errors leave alone."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb import PostgresSessionStorage, Query, Session, StorageError
from graphflow_nb.storage.postgres import snapshot as snapshots

from ...scope import only_complete
from ...stores import create_table
from .kit import connect, execute, fetch, fetch_value, until

OURS = "datname = current_database() AND state LIKE 'idle in transaction%'"
COUNT = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}"


async def opened(url: str, **options: object) -> PostgresSessionStorage:
    """Return a storage with ten sessions."""
    storage = await connect(url, **options)
    if not storage.read_only:
        await storage.save_many([Session(f"s-{n}", "t", context={"n": n}) for n in range(10)])
    return storage


async def ids_of(storage, **filters: object) -> list[str]:
    return list((await storage.table(Query.from_filters(filters, order="id"))).id)


def test_a_closed_storage_takes_no_snapshot_and_leaves_none_open(database, run):
    async def main():
        storage = await opened(database)
        began, release = asyncio.Event(), asyncio.Event()
        begin = snapshots._Snapshot.begin  # noqa: SLF001 - to close the storage meanwhile

        async def slowly(self, name: str) -> None:
            await begin(self, name)
            began.set()
            await release.wait()

        taking = asyncio.create_task(storage.snapshot())
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(snapshots._Snapshot, "begin", slowly)  # noqa: SLF001
            await began.wait()
            await storage.close()
            release.set()
            with pytest.raises(StorageError, match="closed"):
                await taking
        for call in (storage.snapshot(), storage.split(3), storage.estimate()):
            with pytest.raises(StorageError, match="closed"):
                await call
        assert await fetch_value(database, COUNT) == 0

    run(main())


def test_others_do_not_wait_for_a_snapshot(database, run):
    """With one connection a get, a save and a page go on; a third snapshot is refused at once."""

    async def main():
        storage = await opened(database, max_connections=1)
        one, other = await storage.snapshot(), await storage.snapshot()
        with pytest.raises(StorageError, match=r"2 snapshots are open.*nothing was read"):
            await storage.snapshot()
        async with asyncio.timeout(20):
            session = await storage.get("s-3")
            await storage.save(session)
            await storage.delete("s-4")
            assert len(await ids_of(storage)) == 9
        assert len(await ids_of(one)) == len(await ids_of(other)) == 10
        assert (await one.get("s-3")).version == 1
        assert await fetch_value(database, COUNT) == 2
        await one.close()
        await until(lambda: fetch_value(database, COUNT.replace("count(*)", "count(*) = 1")))
        third = await storage.snapshot()
        assert len(await ids_of(third)) == 9
        await storage.close()  # with all of them
        await until(lambda: fetch_value(database, COUNT.replace("count(*)", "count(*) = 0")))
        with pytest.raises(StorageError, match="closed"):
            await third.get("s-3")

    run(main())


def test_an_answer_that_takes_several_statements_is_of_the_snapshot_too(database, run):
    """An odd row, and a text that can't be sent, are errors on the way, and end nothing."""

    async def main():
        await create_table(database, "documented")
        storage = await opened(database)
        await execute(database, "UPDATE sessions SET context = '[1]' WHERE id = 's-5'")
        snapshot = await storage.snapshot()
        page = await snapshot.table(Query(order="id", limit=4))
        await storage.delete("s-7")
        await execute(database, "UPDATE sessions SET context = '[2]' WHERE id = 's-8'")
        whole = await snapshot.table(Query(order="id"))
        assert [*page.id, *whole.id[4:]] == [f"s-{n}" for n in range(10)]
        assert list(whole.problems) == ["s-5"]
        assert len(await snapshot.table(Query(order="id", limit=None))) == 10
        with pytest.raises(g.SessionFormatError):
            await snapshot.get("s-5")
        with pytest.raises(g.QueryError):
            await snapshot.query(Query.from_filters({"where": {"": 1}}))
        assert (await snapshot.get("s-7")).context["n"] == 7
        await snapshot.close()
        await storage.close()

    run(main())


def test_what_is_opened_for_reading_takes_snapshots_through_a_pooler_too(database, pooler, run):
    async def main():
        writer = await opened(database)
        storage = await connect(pooler.url(database), read_only=True)
        snapshot = await storage.snapshot()
        await writer.delete("s-1")
        assert len(await ids_of(snapshot)) == 10
        limits = {name: await _setting(snapshot, name) for name in ("search_path", snapshots.IDLE)}
        assert limits == {"search_path": "pg_catalog, pg_temp", snapshots.IDLE: "602s"}
        await snapshot.close()
        assert len(await ids_of(storage)) == 9
        await storage.close()
        await writer.close()

    run(main())


async def _setting(snapshot, name: str) -> str:
    return await snapshot.inner.run(
        lambda connection: connection.fetchval("SELECT pg_catalog.current_setting($1)", name)
    )


def test_a_stricter_limit_of_the_role_ends_a_snapshot_and_that_is_said(database, run):
    async def main():
        await execute(database, f"ALTER ROLE postgres SET {snapshots.IDLE} = '50ms'")
        try:
            storage = await opened(database)
            snapshot = await storage.snapshot()
        finally:
            await execute(database, f"ALTER ROLE postgres RESET {snapshots.IDLE}")
        assert await _setting(snapshot, snapshots.IDLE) == "50ms"
        await until(lambda: fetch_value(database, COUNT.replace("count(*)", "count(*) = 0")))
        with pytest.raises(StorageError, match=r"nothing was read for .* 0\.05 s at most") as found:
            await snapshot.table(Query())
        assert found.value.nothing_written
        assert len(await ids_of(storage)) == 10
        await storage.close()

    run(main())


def test_a_snapshot_that_the_server_ends(database, run):
    async def main():
        storage = await opened(database)
        snapshot = await storage.snapshot()
        await fetch(
            database, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}"
        )
        with pytest.raises(StorageError, match=r"snapshot has ended .*was lost.*snapshot=True"):
            await snapshot.table(Query())
        with pytest.raises(StorageError, match="closed"):
            await snapshot.table(Query())
        assert len(await ids_of(storage)) == 10
        another = await storage.snapshot()  # the place of the one that was lost is free
        await another.close()
        await storage.close()

    run(main())


def test_a_read_that_is_cancelled_ends_the_transaction(database, run):
    async def main():
        storage = await opened(database)
        snapshot = await storage.snapshot()
        began = asyncio.Event()

        async def sleep(connection):
            began.set()
            await connection.fetchval("SELECT pg_sleep(30)")

        task = asyncio.create_task(snapshot.inner.run(sleep))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3%' AND pid"
        await until(lambda: fetch_value(database, f"{gone} <> pg_backend_pid()"))
        await storage.close()

    run(main())


@only_complete
def test_a_replica_that_must_remove_rows_ends_a_snapshot(primary, standby, run):
    async def main():
        writer = await opened(primary.url)
        await execute(standby.url, "ALTER SYSTEM SET max_standby_streaming_delay = 0")
        await execute(standby.url, "SELECT pg_reload_conf()")
        storage = await until(lambda: connect(standby.url, read_only=True))
        await until(lambda: storage.get("s-9"))
        snapshot = await storage.snapshot()
        assert len(await ids_of(snapshot)) == 10
        await writer.delete_many([f"s-{n}" for n in range(9)])
        await execute(primary.url, "VACUUM sessions")

        async def ended():
            try:
                await snapshot.table(Query())
            except StorageError as error:
                return error
            return None

        error = await until(ended)
        assert "the snapshot has ended" in str(error)
        assert "a replica ends it when rows that it needs are to be removed" in str(error)
        assert await ids_of(storage) == ["s-9"]
        sleep = "SELECT count(*), pg_catalog.pg_sleep(60) FROM public.sessions"
        reading = asyncio.create_task(storage.run(lambda connection: connection.fetch(sleep)))
        asked = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        await until(lambda: fetch_value(standby.url, asked))
        await writer.delete("s-9")
        await execute(primary.url, "VACUUM sessions")
        with pytest.raises(StorageError, match=r"(?s)ended this read.*max_standby_streaming_delay"):
            await reading
        await storage.close()
        await writer.close()

    run(main())
