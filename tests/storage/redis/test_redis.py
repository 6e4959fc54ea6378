"""Redis: the documented form beside workers that count nothing, expiry, the index, a cluster."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta

import pytest
import redis

import graphflow_nb as g
from graphflow_nb import Query, Session, SessionConflict, StorageError
from graphflow_nb.frames import sessions_frame
from graphflow_nb.notebook.browse.desk import Desk
from graphflow_nb.storage.redis.form import UNCOUNTED

from ...conftest import need
from ...servers import redis as redis_servers
from ...servers.redis import RedisServer


@pytest.fixture(params=["redis_server", "valkey_server", "redis_cluster_server"])
def servers(request):
    servers = request.getfixturevalue(request.param)
    servers = servers if isinstance(servers, list) else [servers]
    for server in servers:
        with redis.Redis(port=server.port) as client:
            client.flushall()
    return servers


@pytest.fixture
def url(servers):
    return servers[0].url


@pytest.fixture
def raw(servers):
    """The driver itself, past our code."""
    if len(servers) > 1:
        client = redis.RedisCluster(host="127.0.0.1", port=servers[0].port)
    else:
        client = redis.Redis(port=servers[0].port)
    yield client
    client.close()


@pytest.fixture
def connect(url, run):
    opened = []

    def connect(**options):
        storage = run(g.connect(url, **options))
        opened.append(storage)
        return storage

    yield connect
    for storage in opened:
        run(storage.close())


def worker_text(id="a", n=1, **more):
    """What a worker on graph-flow writes by the documented storage."""
    context = {"data": {"n": n}, "chat_history": {"messages": [], "max_messages": 1000}}
    session = {"id": id, "graph_id": "g", "current_task_id": "t", "status_message": None}
    return json.dumps(session | {"context": context} | more)


# The documented form


def test_what_we_save_is_the_documented_form(connect, raw, run):
    session = Session("a", "t", graph_id="g", context={"n": 1})
    run(connect().save(session))
    stored = json.loads(raw.get("a"))
    assert list(stored)[:6] == [
        "id", "graph_id", "current_task_id", "status_message", "context", "version"
    ]  # fmt: skip
    assert stored["version"] == 1
    assert datetime.fromisoformat(stored["updated_at"]) == session.updated_at
    assert raw.pttl("a") == -1


@pytest.mark.parametrize("version", [{}, {"version": 0}], ids=["0.5", "0.6"])
def test_a_save_of_a_worker_that_counts_nothing_is_noticed(connect, raw, run, version):
    raw.set("a", worker_text(n=1, **version))
    storage = connect()
    mine = run(storage.get("a"))
    assert mine.version >= UNCOUNTED
    assert mine.created_at is None
    raw.set("a", worker_text(n=2, **version))
    mine.context["n"] = 3
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(mine))
    assert caught.value.stored.context["n"] == 2
    assert run(storage.delete_many(["a"], [mine.version])) == []
    again = caught.value.stored
    again.context["n"] = 3
    run(storage.save(again))
    assert again.version == 1
    stored = json.loads(raw.get("a"))
    assert (stored["version"], stored["context"]["data"]["n"]) == (1, 3)
    assert "created_at" not in stored  # nobody knows it


def test_a_worker_that_saves_ours_with_the_version_it_read_is_noticed(connect, raw, run):
    storage = connect()
    mine = Session("a", "t", context={"n": 1})
    run(storage.save(mine))
    theirs = json.loads(raw.get("a"))
    del theirs["created_at"], theirs["updated_at"]  # serde drops what it doesn't know
    theirs["context"]["data"]["n"] = 2
    raw.set("a", json.dumps(theirs))
    mine.context["n"] = 3
    with pytest.raises(SessionConflict):
        run(storage.save(mine))
    found = run(storage.get("a"))
    assert (found.version, found.context["n"], found.updated_at) == (1, 2, None)


@pytest.fixture
def carried(url, raw):
    """A workbench that saved a worker's session, and what saves it as a worker that counts nothing.

    Such a worker on graph-flow 0.6 or later writes the version back that it read.
    """

    def save(n):
        raw.set("a", worker_text(n=n, version=1))

    raw.set("a", worker_text(n=1))
    with g.open(url, writable=True) as wb:
        session = wb.get("a")
        session.context["n"] = 2
        wb.save(session)
        assert session.version == 1
        yield wb, save


def test_undo_leaves_alone_what_a_worker_saved_at_our_version(carried):
    wb, save = carried
    save(3)
    with pytest.raises(SessionConflict):
        wb.undo()
    assert wb.undo_all() == ["a"]
    assert wb.get("a").context["n"] == 3
    save(2)
    assert wb.undo().context["n"] == 1  # as we left it, whoever saved it


def test_the_open_session_follows_a_worker_that_keeps_our_version(carried):
    wb, save = carried
    desk = Desk(wb)
    desk.open("a")
    assert not desk.follow()
    for n in (3, 4):
        save(n)
        assert desk.follow()
        assert desk.session.context["n"] == n
        assert not desk.follow()


@pytest.mark.xfail(
    strict=True,
    reason="a count that a worker kept looks like one that it counted, which must be shown truly",
)
@pytest.mark.parametrize("call", ["delete", "patch"])
def test_a_version_alone_tells_a_save_by_such_a_worker(carried, call):
    wb, save = carried
    save(3)
    if call == "delete":
        assert wb.delete({"a": 1}) == []
    else:
        with pytest.raises(SessionConflict):
            wb.patch("a", [{"op": "remove", "path": "/context/data/n"}], version=1)


def test_a_worker_that_counts_is_shown_as_it_counts(connect, raw, run):
    raw.set("a", worker_text(version=7))
    storage = connect()
    session = run(storage.get("a"))
    assert session.version == 7
    run(storage.save(session))
    assert json.loads(raw.get("a"))["version"] == 8


def test_what_was_not_touched_is_written_to_the_letter(connect, raw, run):
    text = worker_text(version=3, owner={"n": 1.10}).replace('"n": 1}', '"n": 1.10, "m": 1e400}')
    raw.set("a", text)
    storage = connect()
    session = run(storage.get("a"))
    session.status_message = "touched"
    run(storage.save(session))
    stored = raw.get("a").decode()
    assert '{"n": 1.10, "m": 1e400}' in stored
    assert '"owner":{"n": 1.1}' in stored


def test_a_save_from_json_is_taken_at_its_version(connect, run):
    storage = connect()
    session = Session("a", "t")
    run(storage.save(session))
    twin = Session.from_json(session.to_json())
    twin.status_message = "from JSON"
    run(storage.save(twin))
    assert (twin.version, twin.created_at) == (2, session.created_at)
    with pytest.raises(SessionConflict):
        run(storage.save(Session.from_json(session.to_json())))


# What is no session


NOT_SESSIONS = {
    "text": "hello",
    "number": "5",
    "json": '{"id": "json"}',
    "list": "[1]",
    "broken": '{"id": "broken", "graph_id": "g"',
    "other": worker_text("someone"),
    "negative": worker_text("negative", version=-1),
    "strings": worker_text("strings", version="1"),
    "context": worker_text("context").replace('{"data"', '[{"data"').replace("1000}}", "1000}}]"),
}


def test_values_that_are_no_sessions_are_never_touched(connect, raw, run):
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


# Expiry


def test_expiry_is_kept_set_and_shown(connect, raw, run):
    plain, brief = connect(), connect(ttl=100)
    run(plain.save(Session("stays", "t")))
    run(brief.save(Session("goes", "t")))
    raw.set("worker", worker_text("worker"), ex=50)
    session = run(plain.get("worker"))
    run(plain.save(session))
    assert 45_000 < raw.pttl("worker") <= 50_000  # ours leaves it as it was
    run(brief.save(run(brief.get("worker"))))
    assert 95_000 < raw.pttl("worker") <= 100_000
    for write in (
        brief.upsert(Session("upserted", "t")),
        brief.save_many([Session("batch", "t")]),
        brief.import_many([Session("taken", "t")]),
        brief.restore(Session("restored", "t", version=1)),
    ):
        run(write)
    for id in ("goes", "upserted", "batch", "taken", "restored"):
        assert 95_000 < raw.pttl(id) <= 100_000
    table = run(plain.table(Query()))
    soon = datetime.now(UTC) + timedelta(seconds=100)
    frame = sessions_frame(table, []).set_index("id")
    assert frame.loc["stays", "expires_at"] is not None
    assert str(frame["expires_at"].dtype) == "datetime64[us, UTC]"
    assert frame["expires_at"].isna().tolist().count(True) == 1
    assert abs(frame.loc["goes", "expires_at"] - soon) < timedelta(seconds=10)


@pytest.mark.parametrize("ttl", [0, -1, 0.0001, "5", 1e11])
def test_wrong_expiry(connect, ttl):
    with pytest.raises(StorageError, match="seconds"):
        connect(ttl=ttl)


def test_expired_sessions_are_gone(connect, run):
    storage = connect(ttl=0.05)
    session = Session("a", "t")
    run(storage.save(session))
    run(storage.build_index())
    time.sleep(0.1)
    assert run(storage.get("a")) is None
    assert run(storage.table(Query(limit=10))).id == []
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(session))
    assert caught.value.stored is None


# Scans and the index


def test_a_scan_is_bounded_and_says_so(connect, run):
    storage = connect(scan_limit=50)
    run(storage.save_many([Session(f"s{i:03}", "t") for i in range(60)]))
    for call in (storage.query, storage.table, storage.count, storage.counts):
        with pytest.raises(g.QueryError, match="build_index"):
            run(call(Query()))
    assert run(storage.count(Query(ids=["s001", "s059"]))) == 2
    assert run(storage.count(Query(id_prefix="s00"))) == 10
    assert run(storage.build_index()) == 60
    assert len(run(storage.table(Query(limit=20)))) == 20
    assert run(storage.count(Query())) == 60
    assert run(storage.counts(Query(graph="default")))[0].sessions == 60
    with pytest.raises(g.QueryError, match="build_index"):
        run(storage.table(Query(limit=1, order="created_at")))


def test_the_index_follows_what_we_write(connect, run):
    storage, other = connect(), connect()
    run(storage.build_index())
    sessions = [Session(f"s{i}", "t" if i % 2 else "u", graph_id="g") for i in range(6)]
    for session in sessions[:3]:
        run(storage.save(session))
    run(storage.save_many(sessions[3:]))
    assert run(other.table(Query(limit=9))).id == ["s5", "s4", "s3", "s2", "s1", "s0"]
    sessions[0].current_task_id = "t"
    run(storage.save(sessions[0]))
    assert run(storage.table(Query(limit=9, task="t"))).id == ["s0", "s5", "s3", "s1"]
    assert [(c.current_task_id, c.sessions) for c in run(storage.counts(Query()))] == [
        ("t", 4), ("u", 2)
    ]  # fmt: skip
    run(storage.delete("s5"))
    run(storage.delete_many(["s3"]))
    assert run(storage.table(Query(limit=9, task="t"))).id == ["s0", "s1"]
    assert run(storage.table(Query(limit=9))).note is None
    until = sessions[2].updated_at
    early = Query(limit=9, updated_until=until, order="updated_at")
    assert run(storage.table(early)).id == ["s1"]
    assert run(storage.count(early)) == 1
    since = Query(limit=9, updated_since=until, order="updated_at")
    assert run(storage.table(since)).id == ["s2", "s4", "s0"]
    assert run(storage.count(since)) == 3


def test_what_workers_did_beside_the_index_is_said(connect, raw, run):
    storage = connect()
    run(storage.save_many([Session(f"s{i}", "t", graph_id="g") for i in range(4)]))
    run(storage.build_index())
    raw.set("new", worker_text("new"))
    table = run(storage.table(Query(limit=9)))
    assert "new" not in table.id
    assert "build_index" in table.note
    raw.delete("new")
    raw.set("s1", worker_text("s1", current_task_id="elsewhere"))
    raw.delete("s2")
    table = run(storage.table(Query(limit=9)))
    assert table.id == ["s3", "s1", "s0"]
    assert "build_index" in table.note
    assert run(storage.table(Query(limit=9, task="t"))).id == ["s3", "s0"]
    assert run(storage.build_index()) == 3
    table = run(storage.table(Query(limit=9)))
    assert table.id == ["s1", "s3", "s0"]  # the time of the worker's save is not known
    assert table.note is None


def test_pages_by_a_stale_index_come_to_an_end(connect, raw, run):
    storage = connect()
    run(storage.save_many([Session(f"s{i:02}", "t") for i in range(30)]))
    run(storage.build_index())
    for i in range(0, 30, 3):
        raw.set(f"s{i:02}", worker_text(f"s{i:02}"))
    for order in ("updated_at", "-updated_at"):
        paged, after = [], None
        for _ in range(12):
            table = run(storage.table(Query(order=order, limit=4, after=after)))
            paged += table.id
            after = table.next
            if after is None:
                break
        assert after is None
        assert sorted(paged) == [f"s{i:02}" for i in range(30)]


def test_the_index_is_dropped_without_a_trace(connect, raw, run):
    storage = connect()
    run(storage.save_many([Session(f"s{i}", "t") for i in range(4)]))
    run(storage.build_index())
    run(storage.drop_index())
    assert sorted(raw.scan_iter("*")) == [b"s0", b"s1", b"s2", b"s3"]
    run(storage.save(Session("s4", "t")))
    assert len(list(raw.scan_iter("*"))) == 5
    assert run(storage.count(Query())) == 5


def test_an_index_built_while_others_write_misses_nothing_of_ours(connect, run):
    storage, other = connect(), connect()
    run(storage.save_many([Session(f"s{i:04}", "t") for i in range(2000)]))

    async def both():
        async def write():
            for i in range(200):
                await storage.save(Session(f"new{i}", "t"))
                await storage.delete(f"s{i:04}")

        await asyncio.gather(storage.build_index(), write())

    run(both())
    table = run(other.table(Query(limit=5000)))
    assert len(table) == 2000
    assert {f"new{i}" for i in range(200)} <= set(table.id)
    assert table.note is None


# Connecting


def test_what_server_it_is(connect, servers):
    text = repr(connect(prefix="flows:"))
    assert ("Cluster" in text) == (len(servers) > 1)
    assert "Redis 7" in text or "Valkey 9" in text
    assert "keys flows:*" in text


def test_open_is_read_only_until_told(url, raw):
    raw.set("a", worker_text())
    with g.open(url) as wb:
        session = wb.get("a")
        for call in (
            lambda: wb.save(session),
            lambda: wb.delete("a"),
            wb.build_index,
            lambda: wb.upsert(session),
        ):
            with pytest.raises(g.ReadOnlyError):
                call()
    with g.open(url, writable=True) as wb:
        wb.save(wb.get("a"))
        assert wb.sessions()["version"].tolist() == [1]
        wb.undo()


def test_one_loop(connect):
    storage = connect()
    with pytest.raises(g.BridgeError, match="another event loop"):
        asyncio.run(storage.get("a"))


def test_a_restarted_server_needs_no_new_connection(run):
    program = redis_servers.REDIS or redis_servers.valkey()
    need("redis-server", program is not None)
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


def test_a_password_is_never_shown(run):
    program = redis_servers.REDIS or redis_servers.valkey()
    need("redis-server", program is not None)
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


def test_a_replica_is_recognised(run):
    program = redis_servers.REDIS or redis_servers.valkey()
    need("redis-server", program is not None)
    with (
        RedisServer(program) as primary,
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


def test_a_cluster_that_loses_a_primary_goes_on_with_its_replica(run):
    program = redis_servers.REDIS or redis_servers.valkey()
    need("redis-server", program is not None)
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


def test_no_driver(monkeypatch, run):
    import sys

    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(StorageError, match=r"graphflow_nb\[redis\]"):
        run(g.connect("redis://127.0.0.1:1"))


def test_a_large_pipeline_does_not_starve_others(connect, run):
    storage = connect(max_connections=2)

    async def work():
        big = asyncio.ensure_future(
            storage.save_many([Session(f"s{i:05}", "t") for i in range(5000)])
        )
        await asyncio.sleep(0.01)
        for _ in range(20):
            assert await storage.get("nobody") is None
        assert not big.done()
        await big

    run(work())
    assert run(storage.count(Query())) == 5000


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


def test_in_the_browser(url, raw):
    with g.open(url, writable=True) as wb:
        for i in range(3):
            wb.create(f"s{i}", "t")
        wb.build_index()
        browser = wb.browse()
        assert "build_index" not in browser._hint.value
        raw.set("new", worker_text("new"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what is shown in a view is not printed beside it
            browser.listing.load()
        browser.render()
        assert "wb.build_index()" in browser._hint.value
        with pytest.warns(UserWarning, match="build_index"):
            wb.sessions(limit=5)
        wb.patch("s0", [{"op": "replace", "path": "/status_message", "value": "mended"}], version=1)
        wb.delete(["s1"])
        assert wb.undo() is not None
        assert wb.undo().status_message is None
        assert wb.get("s1").version == 2
