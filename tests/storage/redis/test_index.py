"""The index: what is written here is in it, and it goes without a trace."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from graphflow_nb import Query, Session, StorageError
from graphflow_nb.model import stored_session


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
    assert "differed" not in (note := run(storage.table(Query(limit=9))).note)
    assert "other keys" not in note
    until = sessions[2].updated_at
    early = Query(limit=9, updated_until=until, order="updated_at")
    assert run(storage.table(early)).id == ["s1"]
    assert run(storage.count(early)) == 1
    since = Query(limit=9, updated_since=until, order="updated_at")
    assert run(storage.table(since)).id == ["s2", "s4", "s0"]
    assert run(storage.count(since)) == 3


def test_times_that_a_score_rounds_are_compared_exactly(connect, run):
    storage = connect()
    run(storage.build_index())
    moments = [datetime(9999, 12, 31, tzinfo=UTC) + timedelta(microseconds=n) for n in range(4)]
    sessions = [
        stored_session(f"s{n}", "g", "t", None, b'{"data":{}}', 1, moment, moment)
        for n, moment in enumerate(moments)
    ]
    run(storage.import_many(sessions))
    for n, moment in enumerate(moments):
        for query, ids in (
            (Query(updated_until=moment, limit=9), {f"s{i}" for i in range(n)}),
            (Query(updated_since=moment, limit=9), {f"s{i}" for i in range(n, 4)}),
        ):
            assert {s.id for s in run(storage.query(query))} == ids
            assert run(storage.count(query)) == len(ids)
            assert sum(c.sessions for c in run(storage.counts(query))) == len(ids)


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
    assert "other keys" not in table.note


def test_an_index_that_was_stopped_hides_nothing_and_is_built_again(connect, run):
    storage, other = connect(), connect()
    run(storage.save_many([Session(f"s{i:04}", "t") for i in range(1500)]))
    seen = []

    def note(done, total):
        seen.append(done)
        assert total is None or total >= done

    known = run(storage.build_index(progress=note, stop=lambda: bool(seen)))
    assert known == seen[-1] < 1500
    for reader in (storage, other):  # by the sessions themselves
        table = run(reader.table(Query(limit=5000)))
        assert (len(table), table.note) == (1500, None)
        assert run(reader.count(Query())) == 1500
    # What is written here meanwhile is put in, and what is deleted is not.
    run(storage.save(Session("new", "t")))
    run(storage.delete("s0000"))
    assert run(storage.build_index(progress=note)) == seen[-1] == 1500
    table = run(other.table(Query(limit=5000)))
    assert len(table) == 1500
    assert table.id[0] == "new"
    assert "other keys" not in table.note


def test_an_update_that_was_stopped_leaves_the_index_as_old_as_it_was(connect, run):
    storage = connect()
    run(storage.save_many([Session(f"s{i}", "t") for i in range(9)]))
    run(storage.build_index())
    built = run(storage.facts()).indexed
    run(storage.build_index(stop=lambda: True))
    assert run(storage.facts()).indexed == built
    assert len(run(storage.table(Query(limit=20)))) == 9


def test_no_index_is_built_where_the_server_may_delete_parts_of_it(connect, raw, run):
    storage = connect()
    run(storage.save(Session("a", "t")))
    try:
        raw.config_set("maxmemory", "1gb")
        raw.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(StorageError, match=r"maxmemory-policy allkeys-lru.*no index was built"):
            run(storage.build_index())
        assert [*raw.scan_iter()] == [b"a"]
        raw.config_set("maxmemory-policy", "volatile-lru")
        assert run(storage.build_index()) == 1
    finally:
        raw.config_set("maxmemory", "0")
        raw.config_set("maxmemory-policy", "noeviction")
