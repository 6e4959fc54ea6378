"""PostgreSQL through PgBouncer, which shares its server connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import ipywidgets as widgets
import pytest

import graphflow_nb as g
from graphflow_nb import PostgresSessionStorage, Query, Session, StorageError
from graphflow_nb.storage.postgres.table import OpenTable

from ...scope import one_in, only_complete
from ...servers import pgbouncer as poolers
from ...servers import postgres as servers
from ...stores import create_table
from .kit import connect, fetch, until, wait_until


@pytest.fixture
def pooled(pooler, database) -> str:
    """The URL of an empty database, through PgBouncer."""
    return pooler.url(database)


LEFT = """
SELECT 'statement', name FROM pg_prepared_statements WHERE name <> ''
UNION SELECT 'channel', channel FROM pg_listening_channels() AS channel
UNION SELECT 'setting', name FROM pg_settings WHERE source = 'session'
    AND name IN ('default_transaction_read_only', 'jit', 'lock_timeout', 'statement_timeout')
"""


def left_behind(run, pooled: str) -> set[tuple[str, str]]:
    """Return what the pooler's two server connections hold that the next client would meet."""

    async def read() -> set[tuple[str, str]]:
        found, processes = set(), set()
        clients = [await asyncpg.connect(pooled, statement_cache_size=0) for _ in range(2)]
        for client in clients:
            await client.execute("BEGIN")
            processes.add(await client.fetchval("SELECT pg_backend_pid()"))
            found |= {tuple(row) for row in await client.fetch(LEFT)}
        for client in clients:
            await client.execute("ROLLBACK")
            await client.close()
        assert len(processes) == 2
        return found

    return run(read())


def test_what_is_left_behind_would_be_seen(pooled, run):
    run(fetch(pooled, "SET lock_timeout = '9s'"))
    assert left_behind(run, pooled) == {("setting", "lock_timeout")}


def test_a_url_is_enough(pooled, run):
    storage = run(connect(pooled))
    session = Session("a", "t", context={"n": 1})
    run(storage.save(session))
    run(storage.save(session))
    assert run(storage.get("a")).version == 2
    run(storage.close())


@only_complete
@one_in(3)
@pytest.mark.parametrize("form", ["documented", "crate-0.5", "crate-0.6"])
def test_twenty_at_once_on_two_server_connections(database, pooled, run, form):
    run(create_table(database, form))
    storage = run(connect(pooled, max_connections=20))
    ids = [f"00000000-0000-4000-8000-0000000000{i:02}" for i in range(20)]

    async def use(id: str) -> None:
        """Each kind of operation, again and again, with the values of this session alone."""
        for n in range(10):
            session = Session(id, "t", graph_id=id, context={"n": n})
            await storage.upsert(session)
            session.context["n"] = [n]
            await storage.save(session)
            found = await storage.get(id)
            assert (found.id, found.graph_id, found.context["n"]) == (id, id, [n])
            assert [s.id for s in await storage.query(Query(graph=id))] == [id]
            assert list((await storage.table(Query(graph=id), ["n"])).context[0]) == [f"[{n}]"]
            assert await storage.count(Query(ids=[id, ids[0]])) >= 1
            assert await storage.delete_many([id], [found.version]) == [id]
            await storage.restore(found)
            assert (await storage.get(id)).context["n"] == [n]
            await storage.delete(id)
            assert await storage.get(id) is None

    async def all_of_them() -> None:
        await asyncio.gather(*(use(id) for id in ids))

    run(all_of_them())
    held = run(fetch(database, "SELECT 1 FROM pg_stat_activity WHERE datname=current_database()"))
    assert len(held) == 3  # two of the pooler's, and the one that asks
    run(storage.close())
    assert left_behind(run, pooled) == set()


def test_two_storages_never_meet(database, pooled, run):
    run(create_table(database, "crate-0.6", "first"))
    run(create_table(database, "documented", "second"))

    async def both() -> None:
        storages = [await connect(pooled, table=name) for name in ("first", "second")]

        async def use(storage: PostgresSessionStorage) -> None:
            for i in range(50):
                await storage.save(Session(f"{storage.form.table} {i}", "t"))

        await asyncio.gather(*map(use, storages))
        for storage in storages:
            assert {s.id.split()[0] for s in await storage.query(Query())} == {storage.form.table}
            await storage.close()

    run(both())


@pytest.mark.parametrize("ignored", ["", "default_transaction_read_only", "graphflow_nb.link"])
def test_reading_only_holds_and_does_not_leak(server, database, run, ignored, monkeypatch):
    """Also where the pooler is told to ignore settings, and so does not refuse them."""
    servers_own = {"ignore_startup_parameters": ignored} if ignored else {}
    with poolers.pgbouncer(server, **servers_own) as pooler:
        url = pooler.url(database)
        writer = run(connect(url))
        run(writer.save(Session("a", "t")))
        reader = run(connect(url, read_only=True))
        assert reader.read_only
        assert not reader.standby
        assert run(reader.get("a")) is not None
        assert len(run(reader.table(Query()))) == 1
        with pytest.raises(g.ReadOnlyError, match="opened for reading only"):
            run(reader.delete("a"))
        monkeypatch.setattr(OpenTable, "check_writable", lambda table: None)
        for write in (
            lambda: reader.delete("a"),
            lambda: reader.save(Session("b", "t")),
            lambda: reader.delete_many(["a"]),
        ):
            with pytest.raises(g.ReadOnlyError):
                run(write())
        assert run(reader.get("a")) is not None

        async def writes_go_on() -> None:  # on the server connections that the reader has used
            await asyncio.gather(*(writer.save(Session(f"s{i}", "t")) for i in range(20)))

        run(writes_go_on())
        run(reader.close())
        run(writer.close())
        assert left_behind(run, url) == set()


def test_a_table_that_changes_is_noticed_when_reading_only(database, pooled, run):
    """The second try is a transaction of its own: the first one has failed as a whole."""
    run(create_table(database, "crate-0.6"))
    writer = run(connect(database))
    run(writer.save(Session("a", "t")))
    reader = run(connect(pooled, read_only=True))
    run(fetch(database, "ALTER TABLE sessions DROP COLUMN version"))
    assert run(reader.get("a")).id == "a"
    assert not reader.form.versioned
    run(fetch(database, "ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 0"))
    run(reader.close())
    run(writer.close())


def test_migration_and_trigger(database, pooled, run):
    run(create_table(database, "crate-0.5"))
    storage = run(connect(pooled))
    assert len(run(storage.migrate()).statements) == 2
    run(storage.install_trigger())
    run(storage.save(Session("any text", "t")))
    run(storage.remove_trigger())
    run(storage.close())
    assert left_behind(run, pooled) == set()


@one_in(4)
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("read", ["count", "get"])
def test_a_request_to_cancel_that_is_forgotten_ends_the_connection(
    database, pooled, run, monkeypatch, read_only, read
):
    run(create_table(database, "crate-0.6"))
    forgotten = []

    async def forget(**request: Any) -> None:
        forgotten.append(request)

    async def cancel() -> None:
        # The server looks every two seconds by itself.
        url = f"{pooled}?client_connection_check_interval=50ms"
        storage = await connect(url, read_only=read_only, timeout=20)
        # As a session waits for a lock that another one has on the table.
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.execute("LOCK TABLE sessions")
            work = storage.get("a") if read == "get" else storage.count(Query(text="x"))
            call = asyncio.ensure_future(work)
            await until(lambda: fetch(database, WAITING))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: _nobody_waits(database))
        await other.close()
        assert await storage.count(Query()) == 0
        await storage.close()

    monkeypatch.setattr("asyncpg.connect_utils._cancel", forget)
    run(cancel())
    assert len(forgotten) == 1


WAITING = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def _nobody_waits(database: str) -> bool:
    return not await fetch(database, WAITING)


def test_a_pooler_in_statement_mode_is_told(server, database, run):
    with (
        poolers.pgbouncer(server, pool_mode="statement") as pooler,
        pytest.raises(StorageError, match="the pooler is in statement mode, which takes no trans"),
    ):
        run(connect(pooler.url(database)))


def test_watching_ends_at_once_and_says_why(database, pooled, run, caplog):
    direct = run(connect(database))
    run(direct.install_trigger())
    storage = run(connect(pooled))
    told = []
    run(asyncio.wait_for(storage.watch(told.append, told.append), 10))
    assert told == []
    assert "a pooler" in caplog.text
    run(direct.remove_trigger())
    caplog.clear()
    run(asyncio.wait_for(storage.watch(told.append, told.append), 10))
    assert "pooler" not in caplog.text  # without a trigger there is nothing to miss
    run(storage.close())
    run(direct.close())
    assert left_behind(run, pooled) == set()


def test_a_server_of_ones_own_is_not_taken_for_a_pooler(database, run):
    storage = run(connect(database))
    run(storage.save(Session("a", "t")))

    async def read(connection):
        assert not connection.shared
        return await connection.fetch("SELECT name FROM pg_prepared_statements")

    assert len(run(storage.run(read))) >= 2
    run(storage.close())


def test_a_pooler_in_session_mode_can_be_told(server, database, run, monkeypatch):
    with poolers.pgbouncer(server, pool_mode="session") as pooler:
        url = pooler.url(database)
        for size, kept in ((None, False), (50, True), (0, False)):
            storage = run(connect(url, statement_cache_size=size, max_connections=1))
            session = Session("a", "t")
            run(storage.upsert(session))

            async def read(connection):
                rows = await connection.fetch("SELECT name FROM pg_prepared_statements")
                return connection.shared, [row[0] for row in rows if row[0]]

            shared, statements = run(storage.run(read))
            assert shared is not kept
            assert bool(statements) is kept
            run(storage.close())
        reader = run(connect(url, statement_cache_size=50, read_only=True))
        monkeypatch.setattr(OpenTable, "check_writable", lambda table: None)
        with pytest.raises(g.ReadOnlyError):
            run(reader.delete("a"))
        run(reader.close())
        assert left_behind(run, url) == set()


def test_a_promise_that_is_wrong_is_told(database, pooled, run):
    storage = run(connect(pooled, statement_cache_size=50, max_connections=8))

    async def many() -> None:
        # Two clients have to meet on one of the pooler's connections, which is up to chance.
        for turn in range(100):
            saves = (storage.save(Session(f"{turn}-{i}", "t")) for i in range(40))
            await asyncio.gather(*saves)

    with pytest.raises(StorageError, match="statement_cache_size=0"):
        run(many())
    run(storage.close())


@only_complete  # which waits for what the pooler waits for
def test_a_server_behind_the_pooler_that_dies(run):
    with servers.Postgres() as server, poolers.pgbouncer(server) as pooler:
        storage = run(connect(pooler.url(server.url), timeout=3))
        run(storage.save(Session("a", "t")))
        server.kill()
        with pytest.raises(StorageError):
            run(storage.get("a"))
        server.start()
        run(until(lambda: storage.get("a")))
        run(storage.close())


def test_what_the_pooler_refuses_is_said_without_the_password(pooler, run):
    url = f"postgresql://postgres:s3cr@127.0.0.1:{pooler.port}/no_such_database"
    with pytest.raises(StorageError, match="no_such_database") as caught:
        run(connect(url))
    assert "s3cr" not in str(caught.value)


def shown_texts(widget: widgets.Widget) -> Iterator[str]:
    """Yield the texts that a widget and those inside it show."""
    if isinstance(widget, widgets.HTML):
        yield widget.value
    for child in getattr(widget, "children", ()):
        yield from shown_texts(child)


def test_the_browser_follows_by_looking(database, pooled):
    with g.open(pooled, writable=True) as wb:
        wb.install_trigger()
        wb.create("a", "t")
        browser = wb.browse()
        browser.follow.value = True
        wait_until(lambda: any("every 2 s" in text for text in shown_texts(browser)))
        browser.close()
