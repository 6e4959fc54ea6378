"""When a fallback storage switches, and where its writes go."""

from __future__ import annotations

import asyncio
import logging

import asyncpg
import pytest
import redis.asyncio

import graphflow_nb as g
from graphflow_nb import FallbackStorage, Query, Session

from .kit import Faulty


async def make_it_switch(storage, first):
    """Let a read find the first storage out of reach, past what is waiting there."""
    first.pause, first.failures = None, 2  # the call, and the one after it
    await storage.get("a")


@pytest.fixture
def two(run):
    first, second = Faulty("first"), Faulty("second")
    run(first.save(Session("a", "in first")))
    run(second.save(Session("a", "in second")))
    first.calls.clear()
    return first, second


def test_reads_go_over_and_writes_do_not(run, two, caplog):
    first, second = two
    told = []
    storage = FallbackStorage(first, second, on_switch=lambda *words: told.append(words))
    assert run(storage.get("a")).current_task_id == "in first"
    session = run(storage.get("a"))
    assert not storage.read_only
    first.failures = 2
    with caplog.at_level(logging.WARNING, "graphflow_nb"):
        assert run(storage.get("a")).current_task_id == "in second"
    assert storage.active is second
    assert "using <second>" in caplog.text
    assert told == [(first, second, first.error)]
    assert storage.read_only
    assert "→ <second>" in repr(storage)
    for call in (storage.save(session), storage.delete("a"), storage.upsert(session)):
        with pytest.raises(g.ReadOnlyError, match="nothing was written"):
            run(call)
    assert run(second.get("a")).current_task_id == "in second"
    # It stays there, though the first is back.
    assert run(storage.get("a")).current_task_id == "in second"
    run(storage.switch_back())
    assert run(storage.get("a")).current_task_id == "in first"
    assert storage.written_elsewhere == set()


def test_a_write_that_failed_is_not_made_elsewhere(run, two):
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    first.failures, first.after = 2, True
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(Session("b", "t")))
    assert run(second.get("b")) is None
    assert storage.active is second
    run(storage.save(Session("c", "t")))
    run(storage.upsert(Session("d", "t")))
    run(storage.save_many([Session("e", "t"), Session("f", "t")]))
    run(storage.delete("a"))
    assert storage.written_elsewhere == {"a", "c", "d", "e", "f"}
    assert run(first.get("c")) is None
    run(storage.switch_back())
    assert run(storage.get("c")) is None
    assert storage.written_elsewhere == {"a", "c", "d", "e", "f"}


def test_a_session_of_the_first_conflicts_in_the_second(run, two):
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    mine = run(storage.get("a"))
    first.failures = 2
    run(storage.get("a"))
    with pytest.raises(g.SessionConflict):
        run(storage.save(mine))


def test_writes_never_go_to_both_at_once(run, two):
    first, second = two

    async def work():
        storage = FallbackStorage(first, second, writes=True)
        going = first.pause = asyncio.Event()
        slow = asyncio.ensure_future(storage.save(Session("b", "t")))
        await asyncio.sleep(0)
        await make_it_switch(storage, first)
        with pytest.raises(g.StorageUnavailable, match="still under way"):
            await storage.save(Session("b", "t"))
        going.set()
        await slow
        await storage.save(Session("b", "t"))
        second.pause = asyncio.Event()
        slow = asyncio.ensure_future(storage.save(Session("c", "t")))
        await asyncio.sleep(0)
        with pytest.raises(g.StorageUnavailable, match="still under way"):
            await storage.switch_back()
        second.pause.set()
        await slow
        await storage.switch_back()

    run(work())


def test_when_all_are_out_of_reach(run, two):
    first, second = two
    storage = FallbackStorage(first, second)
    first.failures = second.failures = 2
    with pytest.raises(g.StorageUnavailable):
        run(storage.get("a"))
    assert storage.active is second
    first.failures = 1
    with pytest.raises(g.StorageUnavailable):
        run(storage.switch_back())
    assert storage.active is second


def test_an_error_of_ours_does_not_switch(run, two):
    first, second = two
    storage = FallbackStorage(first, second)
    first.failures, first.error = 1, g.QueryError("no")
    with pytest.raises(g.QueryError):
        run(storage.count(Query()))
    assert storage.active is first


def test_a_call_that_takes_too_long_is_no_reason_to_go_over(run, two):
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    first.error = g.StorageTimeout("slow")
    first.failures = 1
    with pytest.raises(g.StorageTimeout):
        run(storage.count(Query()))
    first.failures = 1
    with pytest.raises(g.StorageTimeout):
        run(storage.save(Session("b", "t")))
    assert storage.active is first
    first.failures = 2  # the next call is not answered either
    assert run(storage.get("a")).current_task_id == "in second"
    assert storage.active is second


def test_one_failure_is_no_reason_to_go_over(run, two):
    """A connection that was cut while it was idle fails once; the store answers the next call."""
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    first.failures = 1
    assert run(storage.get("a")).current_task_id == "in first"
    assert first.calls == ["get", "get", "get"]  # it failed, the store answered, it was repeated
    first.failures = 1
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(Session("b", "t")))
    assert storage.active is first
    first.failures = 1
    assert run(storage.count(Query())) == 1


def test_a_read_that_always_fails_is_not_repeated_for_ever(run, two):
    class Uncounted(Faulty):
        async def count(self, query):
            self.calls.append("count")
            raise g.StorageUnavailable("too many connections")

    first = Uncounted("first")
    with pytest.raises(g.StorageUnavailable, match="too many"):
        run(FallbackStorage(first, two[1]).count(Query()))
    assert first.calls.count("count") == 4


def test_a_save_without_an_answer_is_not_made_elsewhere_when_it_is_repeated(run, two):
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    first.failures, first.after = 2, True
    session = Session("b", "t")
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(session))
    for call in (
        lambda: storage.save(session),
        lambda: storage.upsert(session),
        lambda: storage.delete("b"),
        lambda: storage.save_many([Session("c", "t"), session]),
    ):
        with pytest.raises(g.StorageUnavailable, match="'b' to <first> got no answer") as caught:
            run(call())
        assert caught.value.nothing_written
    assert run(second.get("b")) is None
    assert run(second.get("c")) is None
    assert storage.in_doubt == {"b": first}
    run(storage.switch_back())
    assert run(storage.get("b")) is not None
    assert storage.in_doubt == {}


def test_a_write_that_was_certainly_not_made_goes_elsewhere(run, two):
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    first.failures = 2
    first.error = g.StorageUnavailable("no connection", nothing_written=True)
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(Session("b", "t")))
    run(storage.save(Session("b", "t")))
    assert run(second.get("b")) is not None
    assert storage.in_doubt == {}


async def cut_postgres(url):
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def cut_redis(url):
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@pytest.mark.parametrize("kind", ["postgresql", "redis"])
def test_connections_that_were_cut_while_idle_are_no_reason_to_go_over(run, kind, request):
    if kind == "redis":
        server = request.getfixturevalue("redis_server")
        server.empty()
        url, cut = server.url, cut_redis
    else:
        url, cut = request.getfixturevalue("database"), cut_postgres

    async def work():
        storage = FallbackStorage(await g.connect(url), g.InMemorySessionStorage())
        await storage.save(Session("a", "t"))
        for _ in range(3):
            # Several connections are held, each of which is cut.
            await asyncio.gather(*(storage.get("a") for _ in range(4)))
            await cut(url)
            found = await asyncio.gather(*(storage.get("a") for _ in range(4)))
            assert [session.id for session in found] == ["a"] * 4
        assert storage.active is storage.inner
        await storage.close()

    run(work())


def test_on_switch_may_fail(run, two, caplog):
    first, second = two

    def on_switch(*_):
        raise RuntimeError("broken callback")

    storage = FallbackStorage(first, second, writes=True, on_switch=on_switch)
    first.failures = 2
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(Session("b", "t")))
    assert storage.active is second
    assert "broken callback" in caplog.text


def test_what_was_cancelled_elsewhere_is_listed_and_what_was_refused_is_not(run, two):
    first, second = two

    async def work():
        storage = FallbackStorage(first, second, writes=True)
        await make_it_switch(storage, first)
        with pytest.raises(g.SessionConflict):
            await storage.save(Session("a", "t"))
        with pytest.raises(g.StorageError, match="id"):
            await storage.delete(7)
        assert storage.written_elsewhere == set()
        second.pause = asyncio.Event()
        slow = asyncio.ensure_future(storage.save(Session("b", "t")))
        await asyncio.sleep(0)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        second.pause = None
        await storage.delete_many({"c": 1, "d": 2}.keys())
        assert storage.written_elsewhere == {"b", "c", "d"}

    run(work())


def test_a_failure_from_before_the_switch_changes_nothing(run, two):
    first, second = two

    async def work():
        storage = FallbackStorage(first, second)
        going = first.pause = asyncio.Event()
        old = asyncio.ensure_future(storage.get("a"))
        await asyncio.sleep(0)
        await make_it_switch(storage, first)
        await storage.switch_back()
        first.failures = 1
        going.set()
        assert (await old).current_task_id == "in first"
        assert storage.active is first

    run(work())


def test_all_are_closed(run, two):
    run(FallbackStorage(*two).close())
    assert [storage.closed for storage in two] == [True, True]
    with pytest.raises(g.StorageError):
        FallbackStorage(two[0])


def test_in_a_workbench(two):
    first, second = two
    with g.wrap(FallbackStorage(first, second)) as wb:
        first.failures = 2
        assert wb.get("a").current_task_id == "in second"
        assert wb.latency.frame()["outcome"].tolist() == ["ok"]
        assert "second" in repr(wb)
