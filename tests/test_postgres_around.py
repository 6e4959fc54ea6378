"""PostgreSQL through a pooler, on a standby, of several hosts, and with other catalogs."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session, SessionConflict
from graphflow_nb.storage.url import check_postgres_url, has_several_hosts, redact

from .conftest import create_table, need
from .postgres_servers import PGBOUNCER, pgbouncer, primary_and_standby


async def execute(url, *statements):
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            result = await connection.fetch(statement)
    finally:
        await connection.close()
    return result


# Through a pooler


@pytest.fixture
def pooled(database):
    need("pgbouncer", PGBOUNCER is not None)
    with pgbouncer(database) as url:
        yield url


def test_a_pooler_is_found_out(pooled, database, run):
    storage = run(g.connect(pooled))
    assert "through a pooler" in repr(storage)
    direct = run(g.connect(database))
    assert "pooler" not in repr(direct)
    with pytest.raises(g.StorageError, match="pooler"):
        run(g.connect(pooled, pooled=False))
    told = run(g.connect(database, pooled=True))
    run(told.save(Session("a", "t")))
    assert run(storage.get("a")).version == 1
    for each in (storage, direct, told):
        run(each.close())


def test_a_pooler_that_drops_the_settings_is_found_out_too(database, run):
    need("pgbouncer", PGBOUNCER is not None)
    ignored = "ignore_startup_parameters = graphflow_nb.direct,default_transaction_read_only"
    with pgbouncer(database, more=ignored) as url:
        storage = run(g.connect(url))
        assert "through a pooler" in repr(storage)
        run(storage.save(Session("a", "t")))
        run(storage.close())


def test_many_at_once_through_few_connections(pooled, run):
    async def work():
        storages = [await g.connect(pooled, max_connections=10) for _ in range(2)]

        async def writer(n):
            storage = storages[n % 2]
            for i in range(10):
                session = Session(f"s{n}-{i}", "t", context={"n": n})
                await storage.save(session)
                session.context["i"] = i
                await storage.save(session)
                found = await storage.get(session.id)
                assert dict(found.context) == {"n": n, "i": i}
            assert await storage.count(Query(id_prefix=f"s{n}-")) == 10
            await storage.table(Query(limit=5), ["n"])

        await asyncio.gather(*(writer(n) for n in range(20)))
        assert await storages[0].count(Query()) == 200
        for storage in storages:
            await storage.close()

    run(work())


def test_reading_only_holds_behind_a_pooler(pooled, run):
    writer = run(g.connect(pooled))
    run(writer.save(Session("a", "t")))
    storage = run(g.connect(pooled, read_only=True))
    session = run(storage.get("a"))
    with pytest.raises(g.ReadOnlyError):
        run(storage.save(session))
    storage._asked_read_only = False  # even so
    for write in (
        storage.save(session),
        storage.delete("a"),
        storage.save_many([Session("b", "t")]),
    ):
        with pytest.raises(g.ReadOnlyError):
            run(write)
    run(writer.save(run(writer.get("a"))))  # and nothing is set for others
    run(writer.close())
    run(storage.close())


def test_nothing_is_heard_through_a_pooler(pooled, database, run):
    direct = run(g.connect(database))
    run(direct.install_trigger())
    storage = run(g.connect(pooled))
    run(asyncio.wait_for(storage.watch(lambda _: None, lambda _: None), 10))
    run(direct.close())
    run(storage.close())


# A standby, several hosts


@pytest.fixture(scope="module")
def pair():
    with primary_and_standby() as found:
        yield found


def hosts(pair, query=""):
    return f"postgresql://postgres@127.0.0.1:{pair[2]},127.0.0.1:{pair[3]}/postgres{query}"


def test_a_standby_is_read_only_until_it_takes_over(pair, run):
    primary, _, first, second = pair
    on_primary = run(g.connect(f"postgresql://postgres@127.0.0.1:{first}/postgres"))
    run(on_primary.save(Session("a", "t")))
    there = f"postgresql://postgres@127.0.0.1:{second}/postgres"
    deadline = time.monotonic() + 20
    while not run(
        execute(
            there,
            "SELECT 1 FROM pg_stat_wal_receiver, pg_class WHERE relname = "
            "'sessions' AND latest_end_lsn <= pg_last_wal_replay_lsn()",
        )
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    on_standby = run(g.connect(there))
    assert on_standby.read_only
    assert "standby" in repr(on_standby)
    while run(on_standby.get("a")) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(g.ReadOnlyError, match="standby"):
        run(on_standby.save(Session("b", "t")))

    either = run(g.connect(hosts(pair), timeout=5))
    assert not either.read_only
    backwards = f"postgresql://postgres@127.0.0.1:{second},127.0.0.1:{first}/postgres"
    chosen = run(g.connect(backwards, timeout=5))
    assert not chosen.read_only  # not the first that answers, but the one that takes writes
    reader = run(g.connect(backwards, read_only=True))
    session = run(either.get("a"))

    # The primary dies, and the standby takes over: the same storages go on there.
    os.kill(primary.pid, signal.SIGQUIT)
    while primary.running:
        time.sleep(0.01)
    with pytest.raises(g.StorageError):
        run(either.save(session))
    run(execute(f"postgresql://postgres@127.0.0.1:{second}/postgres", "SELECT pg_promote()"))
    deadline = time.monotonic() + 30
    while True:
        try:
            run(either.save(session))
            break
        except SessionConflict:
            raise
        except g.StorageError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert session.version == 2
    assert run(reader.get("a")).version == 2
    run(chosen.save(run(chosen.get("a"))))
    run(on_standby.save(Session("b", "t")))  # what was a standby is none any more
    assert not on_standby.read_only
    for storage in (on_primary, on_standby, either, chosen, reader):
        run(storage.close())


def test_urls_of_several_hosts():
    url = "postgresql://me:pa,ss@a:1,b:2/db"
    check_postgres_url(url)
    assert "pa,ss" not in redact(url)
    assert has_several_hosts(url)
    assert has_several_hosts("postgresql:///db?host=/a,/b")
    assert not has_several_hosts("postgresql://me:a,b@host/db")
    assert not has_several_hosts(f"{url}?target_session_attrs=any")
    for wrong in ("postgresql://a:1,b:x/db", "postgresql://a:1,b:99999/db"):
        with pytest.raises(g.StorageError, match="can't be read"):
            check_postgres_url(wrong)


# Other catalogs


def test_rows_without_xmin_are_told_by_their_time(database, run):
    """A user who may see the columns and no more: what a server without xmin answers."""
    run(create_table(database, "documented"))
    columns = "id, graph_id, current_task_id, status_message, context, created_at, updated_at"
    run(
        execute(
            database,
            "CREATE ROLE limited LOGIN",
            f"GRANT SELECT ({columns}), INSERT, UPDATE, DELETE ON sessions TO limited",
        )
    )
    storage = run(g.connect(database.replace("user=postgres", "user=limited")))
    assert not storage.form.marked
    session = Session("a", "t")
    run(storage.save(session))
    assert session.version == int(session.updated_at.timestamp() * 1e6 + 0.5)
    stale = run(storage.get("a"))
    run(storage.save(session))
    assert session.version > stale.version
    with pytest.raises(SessionConflict):
        run(storage.save(stale))
    assert run(storage.save_many([run(storage.get("a")), Session("b", "t")])) == []
    # Two saves within one µs, as far as the server's clock tells: the second is later all the same.
    run(execute(database, "UPDATE sessions SET updated_at = now() + interval '1 hour'"))
    ahead = run(storage.get("a"))
    before = ahead.version
    run(storage.save(ahead))
    assert ahead.version == before + 1
    run(storage.close())


def test_a_large_distributed_table_tells_its_slow_orders(database, run):
    run(create_table(database, "partitioned"))
    run(
        execute(
            database,
            "INSERT INTO sessions SELECT 's' || n, 'g', 't', NULL, '{}' FROM "
            "generate_series(1, 60000) AS n",
            "ANALYZE sessions",
        )
    )
    storage = run(g.connect(database))
    assert set(run(storage.slow_orders())) == {"updated_at", "created_at"}
    run(storage.close())
