"""Scans are bounded, and a page by the index says what it may lack."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import redis

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.client.asking import Asking
from graphflow_nb.storage.redis.client import RedisClient
from graphflow_nb.storage.redis.index import RedisIndex
from graphflow_nb.storage.redis.records import Records
from graphflow_nb.storage.scans import noting_rows
from graphflow_nb.storage.table import note_of

from .conftest import worker_text


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
    with pytest.raises(g.QueryError, match="the index has only") as raised:
        run(storage.table(Query(limit=1, order="created_at")))
    assert "build_index" not in str(raised.value)


@pytest.mark.parametrize("indexed", [False, True])
def test_no_value_is_read_for_an_answer_that_is_refused(connect, run, indexed, monkeypatch):
    storage = connect(scan_limit=50)
    run(storage.save_many([Session(f"s{i:03}", "t") for i in range(60)]))
    if indexed:
        run(storage.build_index())

    async def find_many(*_):
        raise AssertionError("read")

    monkeypatch.setattr(Records, "find_many", find_many)
    with pytest.raises(g.QueryError, match="more than 50 keys"):
        run(storage.count(Query(text="nobody")))


def test_rare_sessions_are_found_by_the_index_in_large_portions(connect, run, monkeypatch):
    storage = connect()
    run(storage.save_many([Session(f"s{i:04}", "t") for i in range(3_000)]))
    run(storage.build_index())
    sizes = []
    page = RedisIndex.page

    async def noting(self, query, after, count):
        sizes.append(count)
        return await page(self, query, after, count)

    monkeypatch.setattr(RedisIndex, "page", noting)
    assert run(storage.table(Query(text="nobody", limit=10))).id == []
    assert sizes == [100, 200, 400, 800, 1600, 2000]


def test_what_workers_did_beside_the_index_is_said(connect, raw, run):
    storage = connect()
    run(storage.save_many([Session(f"s{i}", "t", graph_id="g") for i in range(4)]))
    run(storage.build_index())
    raw.set("new", worker_text("new"))
    table = run(storage.table(Query(limit=9)))
    assert "new" not in table.id
    assert "5 other keys than those of the index" in table.note
    raw.delete("new")
    raw.set("s1", worker_text("s1", current_task_id="elsewhere"))
    raw.delete("s2")
    table = run(storage.table(Query(limit=9)))
    assert table.id == ["s3", "s1", "s0"]
    assert "2 of the sessions in this answer differed" in table.note
    assert run(storage.table(Query(limit=9, task="t"))).id == ["s3", "s0"]
    assert run(storage.build_index()) == 3
    table = run(storage.table(Query(limit=9)))
    assert table.id == ["s1", "s3", "s0"]  # the time of the worker's save is not known
    assert "differed" not in table.note


def test_whatever_the_index_answers_says_so(connect, raw, run):
    """A worker may have moved or created sessions without any sign."""
    storage = connect()
    run(storage.save_many([Session(f"s{i}", "t", graph_id="g") for i in range(4)]))
    assert {note_of(answer) for answer in run(ask(storage))} == {None}
    run(storage.build_index())
    raw.set("s0", worker_text("s0", current_task_id="elsewhere"))  # not on the page
    raw.delete("s1")
    raw.set("new", worker_text("new"))  # as many keys as before
    for answer in run(ask(storage)):
        note = note_of(answer)
        assert "answered by the index, which was built at 20" in note
        assert "(less than a minute ago) and contains 4 sessions" in note
        assert "wb.build_index()" in note
    by_scan = [
        storage.table(Query(order="id")),
        storage.query(Query(order="id")),
        storage.count(Query(text="s")),
        storage.get("s0"),
    ]
    assert [note_of(run(answer)) for answer in by_scan] == [None] * 4
    other = connect(prefix="flows:")  # whose index would not know whose the other keys are
    run(other.save(Session("a", "t")))
    run(other.build_index())
    assert "other keys" not in note_of(run(other.count(Query())))


async def ask(storage):
    return [
        await storage.table(Query(limit=2)),
        await storage.table(Query(limit=2, graph="g")),
        await storage.count(Query()),
        await storage.count(Query(task="t")),
        await storage.counts(Query()),
        await storage.query(Query(limit=2)),
    ]


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


def test_a_page_by_id_reads_the_values_of_its_rows_alone(connect, run, monkeypatch):
    storage = connect()
    run(storage.save_many([Session(f"s{i:04}", f"t{i % 10}") for i in range(1_200)]))
    read, listed = [], []
    find_many, scan = Records.find_many, RedisClient.scan

    async def noting(self, ids, hidden=None):
        read.append(len(ids))
        return await find_many(self, ids, hidden)

    def listing(self, *words, **named):
        listed.append(words)
        return scan(self, *words, **named)

    monkeypatch.setattr(Records, "find_many", noting)
    monkeypatch.setattr(RedisClient, "scan", listing)
    ids = [f"s{i:04}" for i in range(1_200)]
    page = run(storage.table(Query(order="id", limit=10)))
    assert page.id == ids[:10]
    assert run(storage.table(Query(order="id", limit=10, after=page.next))).id == ids[10:20]
    down = run(storage.table(Query(order="-id", limit=10)))
    assert down.id == ids[:-11:-1]
    assert run(storage.table(Query(order="-id", limit=2, after=down.next))).id == ids[-11:-13:-1]
    assert run(storage.query(Query(order="id", id_prefix="s01", limit=1)))[0].id == "s0100"
    assert sum(read) <= 600
    assert run(storage.table(Query(order="id", limit=5, task="t7"))).id == ids[7:50:10]
    # The pages of a bulk read follow one list, and a person's page has what is new.
    listed.clear()
    pages, after = [], None
    while not pages or after is not None:
        table = run(storage.table(Query(order="id", limit=500, after=after)))
        pages += table.id
        after = table.next
    assert (pages, len(listed)) == (ids, 1)
    run(storage.save(Session("s00005", "t")))
    assert run(storage.table(Query(order="id", limit=2))).id == ["s0000", "s00005"]


def test_a_page_of_what_is_rare_is_refused_early(connect, run, monkeypatch):
    storage = connect(scan_limit=150)
    monkeypatch.setattr("graphflow_nb.storage.redis.queries._PROBED", 100)
    run(storage.save_many([Session(f"s{i:03}", "t", graph_id=f"g{i % 3}") for i in range(390)]))
    run(storage.build_index())
    read = []
    find_many = Records.find_many

    async def noting(self, ids, hidden=None):
        read.append(len(ids))
        return await find_many(self, ids, hidden)

    monkeypatch.setattr(Records, "find_many", noting)
    with pytest.raises(g.QueryError, match="more than 150 keys"):
        run(storage.table(Query(text="nobody", limit=10)))
    assert read == [100]
    # Of a graph's sessions all can be read.
    assert run(storage.table(Query(text="nobody", limit=10, graph="g1"))).id == []


def test_what_is_rare_is_looked_for_in_all_keys_and_not_by_the_index(connect, run, monkeypatch):
    monkeypatch.setattr("graphflow_nb.storage.redis.queries._PROBED", 100)
    storage = connect()
    run(storage.save_many([Session(f"s{i:03}", "t", graph_id=f"g{i % 9}") for i in range(390)]))
    run(storage.build_index())
    walked, page = [], RedisIndex.page

    async def noting(self, query, after, count):
        walked.append(count)
        return await page(self, query, after, count)

    monkeypatch.setattr(RedisIndex, "page", noting)
    found = run(storage.table(Query(text="s07", limit=20)))
    assert found.id == [f"s{i:03}" for i in range(79, 69, -1)]
    assert (found.note, sum(walked)) == (None, 100)
    walked.clear()
    assert "the index" in run(storage.table(Query(text="none", graph="g1", limit=20))).note
    assert sum(walked) > 0


def test_a_rare_prefix_is_looked_up_by_the_server(connect, run, monkeypatch):
    storage = connect()
    monkeypatch.setattr("graphflow_nb.storage.redis.queries._PORTION", 100)
    run(storage.save_many([Session(f"s{i:04}", f"t{i % 2}") for i in range(600)]))
    run(storage.save_many([Session(f"r*{i}", f"t{i % 2}") for i in range(5)]))
    run(storage.save_many([Session(f"s{i:04}", f"t{i % 2}") for i in range(600, 900)]))
    run(storage.build_index())
    walked, page = [], RedisIndex.page

    async def noting(self, query, after, count):
        walked.append(count)
        return await page(self, query, after, count)

    monkeypatch.setattr(RedisIndex, "page", noting)
    everything = run(storage.query(Query(id_prefix="r*", order="id", limit=None)))
    edge = everything[2].updated_at
    for order in ("updated_at", "-updated_at"):
        for filters in ({}, {"task": "t1"}, {"updated_since": edge}, {"updated_until": edge}):
            asked = Query(id_prefix="r*", order=order, limit=2, **filters)
            ids, after = [], None
            while not ids or after is not None:
                walked.clear()
                table = run(storage.table(replace(asked, after=after)))
                ids += table.id
                after = table.next
                assert sum(walked) <= 200
                assert "differed" not in table.note
            wanted = run(storage.query(replace(asked, limit=None)))
            assert ids == [session.id for session in wanted] != []
    assert run(storage.table(Query(id_prefix="s0", limit=3))).id == ["s0899", "s0898", "s0897"]


def test_many_more_keys_than_allowed_are_not_even_listed(connect, run, monkeypatch):
    storage = connect(scan_limit=2_000)
    run(storage.save_many([Session(f"s{i:05}", "t") for i in range(7_000)]))

    def list_keys(*_):
        raise AssertionError("listed")

    with monkeypatch.context() as patched:
        patched.setattr(RedisClient, "scan", list_keys)
        _check_refused_at_once(storage, run)
    assert len(run(storage.query(Query(id_prefix="s0001", order="created_at", limit=99)))) == 10


def _check_refused_at_once(storage, run):
    for query in (
        Query(order="created_at", limit=1),
        Query(order="id", limit=1),
        Query(text="nobody", limit=None),
    ):
        for call in (storage.query, storage.table):
            with pytest.raises(g.QueryError, match="more than 2,000 keys") as refused:
                run(call(query))
            assert "build_index" not in str(refused.value)


def test_a_read_of_many_large_values_is_asked_about(redis_server, monkeypatch):
    monkeypatch.setattr("graphflow_nb.storage.redis.queries._PROBED", 50)
    monkeypatch.setattr("graphflow_nb.storage.redis.queries._PORTION", 50)
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
    with g.open(redis_server.url, writable=True) as wb:
        for text in ("x" * 900, "y" * 900):
            sessions = [Session(f"{text[0]}{i:03}", f"t{i % 2}") for i in range(200)]
            for session in sessions:
                session.context["text"] = text
            wb.bridge.run(wb.storage.save_many(sessions))
        _check_asked(wb, "search", lambda **k: wb.sessions(where={"text": "z"}, limit=9, **k))
        wb.build_index()
        for kind, read in {
            "full read": lambda **k: wb.sessions(limit=None, **k),
            "search": lambda **k: wb.sessions(text="nobody", limit=9, **k),
            "sort": lambda **k: wb.sessions(order="created_at", limit=9, **k),
        }.items():
            said = _check_asked(wb, kind, read)
            tried = "Only 100 sessions were looked at" if kind == "search" else "Nothing was read"
            assert tried in said
        for order in ("id", "-updated_at"):
            told: list[tuple[int, int | None]] = []
            with noting_rows(lambda *read, told=told: told.append(read)):
                wb.sessions(text="nobody", order=order, limit=9, allow_scan=True)
            assert (len(told) > 1, told[-1][0] >= 400) == (True, True), told
    with g.open(redis_server.url, ask_above_bytes=100_000) as wb, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the index answered
        wb.summary()
        assert len(wb.sessions(task="t1", limit=9)) == 9
        assert len(wb.sessions(order="id", limit=9)) == 9
        assert len(wb.sessions(id_prefix="x00", order="created_at")) == 10
        assert sum(len(frame) for frame in wb.scan()) == 400


def _check_asked(wb, kind, read):
    wb.asking = Asking(100_000, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(g.ScanRefused, match=r"database has about 4.. sessions") as refused:
            read()
        assert refused.value.kind == kind
        assert 350_000 < refused.value.bytes < 500_000
        read(allow_scan=True)
    return str(refused.value)


def test_a_key_that_a_scan_lists_twice_is_one_session(connect, run, monkeypatch):
    storage = connect()
    run(storage.save(Session("a", "t")))
    run(storage.save(Session("b", "t")))
    scan = RedisClient._scan  # noqa: SLF001

    async def list_twice(self, cursor, options):
        following, keys = await scan(self, cursor, options)
        return following, [*keys, *keys]

    monkeypatch.setattr(RedisClient, "_scan", list_twice)
    for order in ("id", "created_at"):
        assert [session.id for session in run(storage.query(Query(order=order)))] == ["a", "b"]
    assert run(storage.count(Query())) == 2
