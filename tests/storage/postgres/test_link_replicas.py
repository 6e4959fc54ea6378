"""A primary and its replica: a storage reads from the one, and changes over to the other."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import PostgresSessionStorage, Query, ReadOnlyError, Session, StorageError
from graphflow_nb.storage.postgres.table import OpenTable

from ...scope import need, one_in, only_complete
from ...servers import pgbouncer as poolers
from ...servers import postgres as servers
from ...stores import create_table
from .kit import connect, fetch, fetch_value, until

REPLICA = "is a replica"


async def promote(server: servers.Postgres) -> None:
    assert await fetch_value(server.url, "SELECT pg_promote(true, 20)")


def both(primary: servers.Postgres, standby: servers.Postgres, wanted: str) -> str:
    return (
        f"postgresql://postgres@{primary.address},{standby.address}/postgres"
        f"?target_session_attrs={wanted}"
    )


def test_a_replica_is_for_reading(primary, standby, run):
    writer = run(connect(primary.url))
    run(writer.save(Session("a", "t", context={"n": 1})))
    assert not writer.standby

    async def opened() -> PostgresSessionStorage:
        return await connect(standby.url)

    storage = run(until(opened))  # once the table has come over
    assert storage.standby
    assert storage.read_only
    assert "replica" in repr(storage)
    session = run(until(lambda: storage.get("a")))
    assert session.version == 1
    assert run(storage.count(Query())) == 1
    assert len(run(storage.table(Query()))) == 1
    session.status_message = "changed"
    for write in (
        lambda: storage.save(session),
        lambda: storage.save(Session("b", "t")),
        lambda: storage.upsert(session),
        lambda: storage.delete("a"),
        lambda: storage.delete_many(["a"], [1]),
        lambda: storage.restore(Session("b", "t")),
        storage.install_trigger,
    ):
        with pytest.raises(ReadOnlyError, match=REPLICA):
            run(write())
    assert run(storage.get("a")).status_message is None
    run(storage.close())
    run(writer.close())


@only_complete
def test_a_replica_creates_no_table(primary, standby, run):
    with pytest.raises(StorageError, match="a replica can't create one"):
        run(connect(standby.url))


def test_a_replica_is_not_listened_to(primary, standby, run, caplog):
    writer = run(connect(primary.url))
    run(writer.install_trigger())

    async def opened() -> Any:
        storage = await connect(standby.url)
        return storage if (await storage.run(installed)) else await storage.close()

    async def installed(connection: Any) -> Any:
        return await connection.fetchval("SELECT count(*) FROM pg_trigger")

    storage = run(until(opened))
    told: list[Any] = []
    run(asyncio.wait_for(storage.watch(told.append, told.append), 10))
    assert told == []
    assert "a replica" in caplog.text
    run(storage.close())
    run(writer.close())


@one_in(2)
@pytest.mark.parametrize("notices_by", ["reading", "writing"])
def test_a_replica_that_is_promoted_takes_writes(primary, standby, run, notices_by):
    writer = run(connect(primary.url))
    run(writer.save(Session("a", "t")))
    storage = run(until(lambda: connect(standby.url)))
    session = run(until(lambda: storage.get("a")))
    if notices_by == "writing":
        with pytest.raises(ReadOnlyError, match=REPLICA):
            run(storage.save(session))
    run(promote(standby))
    assert storage.read_only  # so it was when it was last seen
    if notices_by == "reading":
        run(storage.get("a"))
        assert not storage.read_only
    run(storage.save(session))
    assert not storage.read_only
    assert session.version == 2
    assert run(writer.get("a")).version == 1  # another server now
    run(storage.close())
    run(writer.close())


@only_complete
def test_what_is_opened_for_reading_stays_so_when_promoted(primary, standby, run, monkeypatch):
    writer = run(connect(primary.url))
    run(writer.save(Session("a", "t")))
    storage = run(until(lambda: connect(standby.url, read_only=True)))
    run(until(lambda: storage.get("a")))
    run(promote(standby))
    with pytest.raises(ReadOnlyError, match="opened for reading only"):
        run(storage.delete("a"))
    monkeypatch.setattr(OpenTable, "check_writable", lambda table: None)
    with pytest.raises(ReadOnlyError):
        run(storage.delete("a"))
    assert run(storage.get("a")) is not None
    run(storage.close())
    run(writer.close())


@one_in(2)
@pytest.mark.parametrize("form", ["documented", "crate-0.6"])
def test_an_open_storage_goes_on_at_the_new_primary(primary, standby, run, form):
    run(create_table(primary.url, form))
    storage = run(connect(both(primary, standby, "read-write"), timeout=5))
    session = Session("a", "t", context={"n": 0})
    run(storage.save(session))
    run(until(lambda: seen(standby.url, "a")))
    primary.kill()
    with pytest.raises(StorageError):  # no server takes writes now
        run(storage.save(session))
    run(promote(standby))

    async def saved() -> bool:
        await storage.save(session)
        return True

    session.context["n"] = 1
    run(until(saved))
    assert not storage.standby
    assert run(storage.get("a")).context["n"] == 1
    stale = run(storage.get("a"))
    run(storage.save(session))
    with pytest.raises(g.SessionConflict):
        run(storage.save(stale))
    run(storage.close())


async def seen(url: str, id: str) -> bool:
    return bool(await fetch_value(url, f"SELECT count(*) FROM sessions WHERE id = '{id}'"))


@one_in(2)
@pytest.mark.parametrize("read_only", [False, True])
def test_changes_are_heard_of_at_the_new_primary(primary, standby, run, read_only):
    url = both(primary, standby, "read-write")
    writer = run(connect(url, timeout=5))
    run(writer.install_trigger())
    run(writer.save(Session("a", "t")))
    run(until(lambda: seen(standby.url, "a")))
    storage = run(connect(url, timeout=5, read_only=read_only))

    async def main() -> None:
        changes: asyncio.Queue[str] = asyncio.Queue()
        states: asyncio.Queue[bool] = asyncio.Queue()
        watching = asyncio.create_task(storage.watch(changes.put_nowait, states.put_nowait))
        async with asyncio.timeout(40):
            assert await states.get() is True
            await writer.save(Session("b", "t"))
            assert await changes.get() == "b"
            primary.kill()
            assert await states.get() is False
            await promote(standby)
            assert await states.get() is True
            assert await changes.get() == ""  # something may have been missed
            await until(lambda: writer.get("a"))
            await writer.save(Session("c", "t"))
            assert await changes.get() == "c"
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    run(main())
    run(storage.close())
    run(writer.close())


@one_in(3)
@pytest.mark.parametrize(
    ("first", "second"),
    [("documented", "crate-0.6"), ("crate-0.6", "documented"), ("documented", "partitioned")],
)
def test_another_server_may_have_a_table_of_another_form(primary, oldest, run, first, second):
    run(create_table(primary.url, first))
    run(create_table(oldest.url, second))
    url = f"postgresql://postgres@{primary.address},{oldest.address}/postgres"
    storage = run(connect(url))
    session = Session("a", "t")
    run(storage.save(session))
    assert storage.server_version.startswith(primary.version)
    primary.kill()
    with pytest.raises(StorageError):
        run(storage.save(session))
    with pytest.raises(g.SessionConflict):  # it is not there
        run(until(lambda: storage.save(session)))
    again = session.copy()
    run(storage.save(again))
    run(storage.save(again))
    assert storage.server_version.startswith(oldest.version)
    assert storage.form.versioned == (second == "crate-0.6")
    assert storage.form.xmin == (second != "partitioned")
    stale = run(storage.get("a"))
    run(storage.upsert(again))
    with pytest.raises(g.SessionConflict):
        run(storage.save(stale))
    run(storage.close())
    run(fetch(oldest.url, "DROP TABLE sessions"))


@only_complete
def test_a_replica_behind_a_pooler(primary, standby, run):
    need("PgBouncer", poolers.PGBOUNCER is not None)
    with g.open(primary.url, writable=True) as writer:
        writer.create("a", "t")
    run(until(lambda: seen(standby.url, "a")))
    with poolers.pgbouncer(standby) as pooler:
        storage = run(connect(pooler.url(standby.url)))
        assert storage.standby
        session = run(storage.get("a"))
        with pytest.raises(ReadOnlyError, match=REPLICA):
            run(storage.save(session))
        run(promote(standby))
        run(storage.get("a"))
        assert not storage.standby
        run(storage.save(session))
        run(storage.close())


@only_complete
def test_a_workbench_opened_for_reading_finds_the_primary_too(primary, standby, run):
    """The session is read-only then, which must not be taken for a replica."""
    with g.open(both(primary, standby, "read-write"), writable=True) as writer:
        writer.create("a", "t")
    for wanted in ("read-write", "primary"):
        storage = run(connect(both(primary, standby, wanted), read_only=True))
        assert not storage.standby
        run(storage.close())


@one_in(3)
@pytest.mark.parametrize("wanted", ["standby", "read-only", "prefer-standby"])
def test_a_replica_can_be_asked_for(primary, standby, run, wanted):
    with g.open(primary.url, writable=True) as writer:
        writer.create("a", "t")
    storage = run(until(lambda: connect(both(primary, standby, wanted), timeout=5)))
    assert storage.standby
    run(until(lambda: storage.get("a")))
    standby.kill()
    if wanted == "prefer-standby":
        assert run(until(lambda: storage.get("a"))) is not None
        assert not storage.standby
    else:
        with pytest.raises(StorageError, match="target_session_attrs"):
            run(storage.get("a"))
    run(storage.close())


@only_complete
def test_the_first_host_is_written_to_again_once_it_is_back(primary, standby, run):
    """Without target_session_attrs a storage may have got to the replica."""
    with g.open(primary.url, writable=True) as writer:
        writer.create("a", "t")
    run(until(lambda: seen(standby.url, "a")))
    primary.kill()
    url = f"postgresql://postgres@{primary.address},{standby.address}/postgres"
    storage = run(connect(url))
    assert storage.standby
    with pytest.raises(ReadOnlyError, match=REPLICA):
        run(storage.delete("a"))
    primary.start()
    run(storage.delete("a"))
    assert not storage.read_only
    assert run(storage.get("a")) is None
    run(storage.close())


@only_complete
def test_a_host_that_is_silent_does_not_use_up_the_time_of_the_next(primary, standby, run):
    with g.open(primary.url, writable=True) as writer:
        writer.create("a", "t")
    run(until(lambda: seen(standby.url, "a")))
    assert primary.pid is not None
    os.kill(primary.pid, signal.SIGSTOP)  # it takes connections and never answers
    try:
        url = f"postgresql://postgres@{primary.address},{standby.address}/postgres"
        storage = run(connect(url, timeout=2))
        assert storage.standby
        assert run(storage.get("a")) is not None
        run(storage.close())
    finally:
        os.kill(primary.pid, signal.SIGCONT)


def hosts_of(*servers_: servers.Postgres) -> str:
    return f"postgresql://postgres@{','.join(server.address for server in servers_)}/postgres"


@one_in(2)
@pytest.mark.parametrize("order", [1, -1])
def test_who_writes_finds_the_primary_wherever_it_is_named(primary, standby, run, order):
    url = hosts_of(*(standby, primary)[::order])
    with g.open(url, writable=True) as wb:
        assert wb.create("a", "t").version == 1
        session = wb.get("a")
        wb.save(session)
        assert "a replica" not in repr(wb)
    run(until(lambda: seen(standby.url, "a")))
    with g.open(f"{url}?target_session_attrs=standby", writable=True) as wb:  # as the user says
        assert wb.get("a").version == 2
        with pytest.raises(ReadOnlyError, match=REPLICA):
            wb.save(wb.get("a"))
    with g.open(url) as reader:
        assert reader.get("a").version == 2


@only_complete
def test_the_primary_is_looked_for_again_after_a_failover(primary, standby, run):
    storage = run(connect(hosts_of(primary, standby), timeout=5))
    session = Session("a", "t")
    run(storage.save(session))
    run(until(lambda: seen(standby.url, "a")))
    primary.kill()
    run(until(lambda: storage.get("a")))  # from the replica, since there is no primary
    with pytest.raises(ReadOnlyError, match=REPLICA):
        run(storage.save(session))
    run(promote(standby))
    run(storage.save(session))  # at once
    assert (session.version, storage.standby) == (2, False)
    run(storage.close())
