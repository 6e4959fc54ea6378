"""Connecting: restarts, passwords, replicas, a cluster that loses a primary."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest
import redis

import graphflow_nb as g
from graphflow_nb import Query, Session, StorageError
from graphflow_nb.storage.redis.client import RedisClient
from graphflow_nb.storage.url import StoreUrl

from ...scope import only_complete
from ...servers import redis as redis_servers
from ...servers.redis import RedisServer


def test_a_restarted_server_needs_no_new_connection(program, run):
    with RedisServer(program) as server:
        storage = run(g.connect(server.url, timeout=2))
        session = Session("a", "t")
        run(storage.save(session))
        run(storage.save(session))
        server.kill()
        for call in (storage.get("a"), storage.save(session)):
            with pytest.raises(StorageError, match="out of reach"):
                run(call)
        server.start()
        run(storage.save(session))  # the script is not known there any more
        assert session.version == 3
        run(storage.close())


def test_what_is_in_progress_ends_before_the_storage_is_closed(program, run):
    async def main(url: str) -> None:
        client = await RedisClient.connect(StoreUrl(url), 1, 20)
        began, release = asyncio.Event(), asyncio.Event()

        async def hold(redis):
            began.set()
            await release.wait()
            return await redis.ping()

        holding = asyncio.create_task(client.run(hold))
        await began.wait()
        waiting = asyncio.create_task(client.get(b"a"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(0)
        release.set()
        assert await holding
        with pytest.raises(StorageError, match="closed: connect again"):
            await waiting
        await closing

    with RedisServer(program) as server:
        run(main(server.url))


def test_a_password_is_never_shown(program, run):
    with RedisServer(program, "--requirepass", "s3cret/x") as server:
        good = f"redis://:s3cret%2Fx@127.0.0.1:{server.port}/0"
        storage = run(g.connect(good))
        run(storage.save(Session("a", "t")))
        for text in (repr(storage), storage.place):
            assert "s3cret" not in text
            assert "***" in text
        run(storage.close())
        for bad in (good.replace("s3cret", "wr0ng"), server.url):
            with pytest.raises(StorageError) as caught:
                run(g.connect(bad))
            assert "password" in str(caught.value)
            assert "wr0ng" not in str(caught.value)
    with pytest.raises(StorageError) as caught:
        run(g.connect("redis://:s3cret@host:port/0"))
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_replica_is_recognised(program, run):
    with (
        RedisServer(program, "--repl-diskless-sync-delay", "0") as primary,
        RedisServer(program, "--replicaof", "127.0.0.1", str(primary.port)) as replica,
    ):
        writer = run(g.connect(primary.url))
        run(writer.save(Session("a", "t")))
        reader = run(g.connect(replica.url))
        assert reader.read_only
        assert "read-only" in repr(reader)
        deadline = time.monotonic() + 20
        while run(reader.get("a")) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for write in (
            reader.save(Session("b", "t")),
            reader.save(run(reader.get("a"))),
            reader.delete("a"),
            reader.save_many([Session("b", "t")]),
            reader.build_index(),
        ):
            with pytest.raises(g.ReadOnlyError, match="replica"):
                run(write)
        with redis.Redis(port=replica.port) as client:
            client.replicaof("NO", "ONE")
        run(reader.save(run(reader.get("a"))))
        assert not reader.read_only
        run(reader.close())
        run(writer.close())


def test_a_primary_that_is_demoted_takes_no_writes_until_it_is_promoted(program, monkeypatch):
    calls = []
    plain = g.RedisSessionStorage.restore

    async def restore(self, session):
        calls.append(session.id)
        await plain(self, session)

    monkeypatch.setattr(g.RedisSessionStorage, "restore", restore)
    with (
        RedisServer(program) as server,
        redis.Redis(port=server.port) as client,
        g.open(server.url, writable=True) as wb,
    ):
        for n in range(5):
            wb.create(f"s{n}", "t", undo=False)
        wb.delete(["s3", "s4"])
        client.replicaof("127.0.0.1", "1")
        session = wb.get("s0")
        for write in (lambda: wb.save(session), wb.undo_all, lambda: wb.delete(["s0", "s1"])):
            with pytest.raises(g.ReadOnlyError, match="so this one was not made"):
                write()
            assert wb.bridge.run(wb.storage.get("s0")).version == 1
        assert calls == []
        assert "read-only" in repr(wb)
        client.replicaof("NO", "ONE")
        wb.save(session)
        assert wb.undo_all().left == []
        assert "read-only" not in repr(wb)


def test_what_the_server_refuses_for_now_ends_a_copy_and_an_undo(program, monkeypatch):
    calls = []
    plain = g.RedisSessionStorage.import_many

    async def import_many(self, sessions):
        calls.append(len(sessions))
        return await plain(self, sessions)

    monkeypatch.setattr(g.RedisSessionStorage, "import_many", import_many)
    source = g.InMemorySessionStorage.from_sessions(g.Session(f"s{n}", "t") for n in range(9))
    with (
        RedisServer(program) as server,
        redis.Redis(port=server.port) as client,
        g.open(server.url, writable=True) as wb,
        g.wrap(source) as mine,
    ):
        wb.create("a", "t")
        wb.create("b", "t")
        client.config_set("min-replicas-to-write", 1)
        for write in (lambda: mine.copy_to(wb), wb.undo_all):
            with pytest.raises(g.StorageUnavailable, match=r"NOREPLICAS.*nothing was written"):
                write()
        assert calls == [1]
        client.config_set("min-replicas-to-write", 0)
        assert mine.copy_to(wb).copied == 9
        assert wb.undo_all().left == []


@only_complete
def test_a_cluster_that_loses_a_primary_goes_on_with_its_replica(program, run):
    with redis_servers.cluster(program, replicas=True) as servers:
        storage = run(g.connect(servers[1].url, timeout=3))
        sessions = [Session(f"s{i}", "t") for i in range(30)]
        assert run(storage.save_many(sessions)) == []
        for server in servers[:3]:
            with redis.Redis(port=server.port) as client:
                client.wait(1, 5000)  # or what was not copied yet is lost with the primary
        servers[0].kill()
        deadline = time.monotonic() + 40
        done = set()
        while len(done) < 30:
            assert time.monotonic() < deadline, f"only {len(done)} of 30"
            for session in sessions:
                if session.id not in done:
                    try:
                        found = run(storage.get(session.id))
                        found.status_message = "after"
                        run(storage.save(found))
                        done.add(session.id)
                    except StorageError:
                        time.sleep(0.05)
        assert run(storage.count(Query(status="after"))) == 30
        run(storage.close())


def test_a_cancellation_that_the_driver_drops_ends_the_call(redis_server, run):
    """As Python 3.11's asyncio.wait_for drops one that comes when what it waits for is done."""

    async def dropping(redis):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "an answer"

    async def call():
        client = await RedisClient.connect(StoreUrl(redis_server.url), 1, 5.0)
        task = asyncio.ensure_future(client.run(dropping))
        await asyncio.sleep(0)
        task.cancel()
        try:
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.command("PING") is True
        finally:
            await client.close()

    run(call())


def test_no_driver(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(StorageError, match=r"graphflow_nb\[redis\]"):
        run(g.connect("redis://127.0.0.1:1"))
