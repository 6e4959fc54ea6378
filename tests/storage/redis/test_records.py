"""One text under its key: what is not a session is left alone, and no write is lost."""

from __future__ import annotations

import asyncio
import threading

import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session, SessionConflict, StorageError

from .conftest import worker_text

NOT_SESSIONS = {
    "text": "hello",
    "number": "5",
    "json": '{"id": "json"}',
    "list": "[1]",
    "other": worker_text("someone"),
    "another program's": '{"id": 7, "graph_id": "g"}',
    "cut off": '{"id": "cut off", "graph',
}


def test_values_that_are_not_sessions_are_never_touched(connect, raw, run):
    for key, value in NOT_SESSIONS.items():
        raw.set(key, value)
    raw.rpush("a list", 1)
    raw.hset("a hash", "k", "v")
    raw.set(b"\xff\xfe", "bytes")
    storage = connect()
    run(storage.save(Session("session", "t")))
    keys = [*NOT_SESSIONS, "a list", "a hash"]
    for key in keys:
        for call in (
            storage.get(key),
            storage.delete(key),
            storage.delete_many([key]) if key in NOT_SESSIONS else storage.delete(key),
            storage.save(Session(key, "t")),
            storage.upsert(Session(key, "t")),
            storage.restore(Session(key, "t", version=3)),
            storage.save_many([Session(key, "t")]),
        ):
            with pytest.raises(StorageError, match="not a session"):
                run(call)
    for query in (Query(), Query(ids=keys), Query(id_prefix="")):
        assert {s.id for s in run(storage.query(query))} <= {"session"}
        assert set(run(storage.table(query)).id) <= {"session"}
    assert run(storage.count(Query())) == 1
    run(storage.build_index())
    assert run(storage.table(Query(limit=10))).id == ["session"]
    run(storage.drop_index())
    for key, value in NOT_SESSIONS.items():
        assert raw.get(key).decode() == value
    assert raw.lrange("a list", 0, -1) == [b"1"]
    assert raw.hgetall("a hash") == {b"k": b"v"}
    assert raw.get(b"\xff\xfe") == b"bytes"


@pytest.mark.parametrize("prefix", ["flows:", "a*b?[c]\\:", "{tag}:", "é/"])
def test_prefixes_are_apart(connect, raw, run, prefix):
    mine, plain, longer = connect(prefix=prefix), connect(), connect(prefix=prefix + "x")
    for storage, task in ((mine, "mine"), (plain, "plain"), (longer, "longer")):
        run(storage.save(Session("a", task)))
    assert raw.get(f"{prefix}a".encode()) is not None
    for storage, task in ((mine, "mine"), (plain, "plain"), (longer, "longer")):
        assert [s.current_task_id for s in run(storage.query(Query()))] == [task]
        assert run(storage.get("a")).current_task_id == task
    run(mine.delete("a"))
    assert run(plain.count(Query())) == run(longer.count(Query())) == 1


def test_two_writers_in_threads_lose_nothing(url):
    def add(n):
        async def work():
            storage = await g.connect(url)
            for _ in range(n):
                while True:
                    session = await storage.get("a")
                    session.context["n"] += 1
                    try:
                        await storage.save(session)
                        break
                    except SessionConflict:
                        pass
            await storage.close()

        asyncio.run(work())

    async def first():
        storage = await g.connect(url)
        await storage.save(Session("a", "t", context={"n": 0}))
        await storage.close()

    asyncio.run(first())
    threads = [threading.Thread(target=add, args=(30,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def last():
        storage = await g.connect(url)
        found = await storage.get("a")
        await storage.close()
        return found.context["n"], found.version

    assert asyncio.run(last()) == (120, 121)
