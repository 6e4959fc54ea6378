"""What a person is asked before a store does it."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb.client.asking import MANY_SESSIONS, Asking
from graphflow_nb.storage.postgres import scans as in_postgres
from graphflow_nb.storage.scans import LARGE_BYTES, ScanEstimate

from .. import asking
from ..scope import one_in
from ..storage.postgres.kit import execute, fetch_value
from ..storage.postgres.test_rights import FOREIGN

FILL = """
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context)
SELECT 's' || n, 'g', 't', 'waiting', jsonb_build_object('data', jsonb_build_object('n', n, 'text',
    repeat('x', 900)), 'chat_history', '{"messages": [], "max_messages": 1000}'::jsonb)
FROM generate_series(1, 600) AS n
"""
#: The calls that read all of a table that has no index, and why.
READS: dict[str, tuple[str, asking.Read]] = {
    **asking.READS,
    "wb.sessions(text='x', limit=9, allow_scan=True)": (
        "search",
        lambda wb, **k: wb.sessions(text="x", limit=9, **k),
    ),
    "wb.stuck(longer_than='1 day', task='t', allow_scan=True)": (
        "sort",
        lambda wb, **k: wb.stuck("1 day", task="t", **k),
    ),
    "wb.messages(limit=None, allow_scan=True)": (
        "sort",
        lambda wb, **k: wb.messages(limit=None, **k),
    ),
    "wb.overview(exact=True, allow_scan=True)": (
        "count",
        lambda wb, **k: wb.overview(exact=True, **k),
    ),
    "wb.graph(graph='g', allow_scan=True)": ("count", lambda wb, **k: wb.graph("g", **k)),
}


@pytest.fixture(scope="module")
def large(databases) -> str:
    """A table of 700 kB, which the tests take for a large one."""
    url = databases.create()
    g.open(url, writable=True).close()  # creates the table
    asyncio.run(execute(url, FILL))
    asyncio.run(execute(url, "ANALYZE sessions"))
    return url


@pytest.mark.parametrize("call", READS)
def test_a_read_of_a_large_table_is_asked_about_once(large, call):
    kind, read = READS[call]
    refused = asking.check_asked_once(large, call, kind, read, above=100_000, most=2_000_000)
    assert "about 600 sessions. Nothing was read" in str(refused)


def test_what_an_index_serves_and_a_small_table_is_not_asked_about(large):
    with g.open(large, ask_above_bytes=100_000) as wb:
        wb.sessions(order="id", limit=5)
        wb.sessions(ids=["s7"], limit=5)
        wb.get("s7")
        repr(wb)
        assert sum(len(frame) for frame in wb.scan()) == 600
    for options in ({}, {"ask_above_bytes": None}):
        with g.open(large, **options) as wb:
            assert len(wb.sessions(text="s7", limit=None)) == 11
            wb.summary()


def test_what_was_allowed_for_one_reason_is_asked_about_for_another(large):
    with g.open(large, ask_above_bytes=100_000) as wb:
        wb.summary(allow_scan=True)
        with pytest.raises(g.ScanRefused, match="no index serves its order"):
            wb.sessions(limit=5)
    with g.open(large, ask_above_bytes=100_000) as wb, pytest.raises(g.ScanRefused):
        wb.summary()


def test_a_view_of_a_large_table_is_asked_about_too(large, run):
    run(execute(large, "CREATE OR REPLACE VIEW seen AS SELECT * FROM sessions"))
    with g.open(large, table="seen", ask_above_bytes=100_000) as wb:
        with pytest.raises(g.ScanRefused):
            wb.sessions(where={"n": 7})
        assert len(wb.sessions(where={"n": 7}, allow_scan=True)) == 1
    run(execute(large, "DROP VIEW seen"))


#: Tables whose size is that of others, and what is known of their sessions.
KINDS = {
    "of_views": "CREATE VIEW of_view AS SELECT * FROM sessions; "
    "CREATE VIEW of_views AS SELECT * FROM of_view",
    "kept": "CREATE MATERIALIZED VIEW kept AS SELECT * FROM sessions; ANALYZE kept",
    "parts": "CREATE TABLE parts (LIKE sessions, PRIMARY KEY (id)) PARTITION BY HASH (id); "
    "CREATE TABLE part PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0) "
    "PARTITION BY HASH (id); "
    "CREATE TABLE of_part PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0); "
    "INSERT INTO parts SELECT * FROM sessions; ANALYZE parts",
    "fresh": "CREATE TABLE fresh (LIKE sessions INCLUDING ALL) WITH (autovacuum_enabled = off); "
    "INSERT INTO fresh SELECT * FROM sessions",
    "outside": "CREATE TABLE outside (LIKE sessions INCLUDING ALL) "
    "WITH (toast_tuple_target = 128); "
    "ALTER TABLE outside ALTER context SET STORAGE EXTERNAL; "
    "INSERT INTO outside SELECT * FROM sessions; ANALYZE outside",
}


@one_in(3)
@pytest.mark.parametrize("table", KINDS)
def test_the_estimate_counts_what_is_read_wherever_it_is_stored(large, run, table):
    run(execute(large, f"BEGIN; {KINDS[table]}; COMMIT"))
    of = {"of_views": "sessions", "parts": "of_part"}.get(table, table)
    size = run(fetch_value(large, f"SELECT pg_table_size('{of}')"))
    known = "an unknown number of" if table == "fresh" else "about 600"
    with g.open(large, table=table, ask_above_bytes=100_000) as wb:
        with pytest.raises(g.ScanRefused, match=f"{known} sessions. Nothing was read") as refused:
            wb.sessions(limit=None)
        assert 0.8 * size < refused.value.bytes <= size
        assert len(wb.sessions(limit=None, allow_scan=True)) == 600


def test_a_foreign_table_that_was_never_analyzed_is_asked_about(database, run, monkeypatch):
    g.open(database, writable=True).close()
    run(execute(database, FILL.replace("600", "60") + ";" + FOREIGN))
    for few, asks in ((60, False), (59, True)):
        monkeypatch.setattr(in_postgres, "FEW", few)
        with g.open(database, table="it") as wb:
            assert len(wb.sessions(ids=["s7"])) == 1
            if asks:
                found = "unknown number of sessions. Only 59 sessions were looked at, to find this"
                with pytest.raises(g.ScanRefused, match=found) as refused:
                    wb.sessions(text="s7", limit=9)
                assert (refused.value.bytes, refused.value.seconds) == (0, 0.0)
                assert "ANALYZE" in str(refused.value)
            assert len(wb.sessions(text="s7", limit=9, allow_scan=asks)) == 1


def test_a_program_of_its_own_is_not_asked(large, run):
    storage = run(g.connect(large, read_only=True))
    assert run(storage.count(g.Query())) == 600
    run(storage.close())


def test_a_change_of_many_sessions_is_confirmed_by_their_number(database):
    with g.open(database, writable=True, ask_above_sessions=2) as wb:
        for id in "abcd":
            wb.create(id, "t")
        with pytest.raises(g.ChangeRefused, match=r"wb.delete\(ids, confirm=3\) does it") as error:
            wb.delete(["a", "b", "c", "c"])
        assert error.value.count == 3
        with pytest.raises(g.ChangeRefused, match="confirm=2 was given, but 3 sessions"):
            wb.delete(["a", "b", "c"], confirm=2)
        with pytest.raises(g.ChangeRefused, match="confirm=3 was given, but 1 session would"):
            wb.delete("a", confirm=3)
        with pytest.raises(g.ChangeRefused, match="delete_unchanged"):
            wb.delete_unchanged([wb.get(id) for id in "abc"])
        assert len(wb.sessions()) == 4
        assert len(wb.delete(["a", "b", "c"], confirm=3)) == 3
        # Seven writes of four sessions.
        with pytest.raises(g.ChangeRefused, match=r"4 sessions .* wb.undo_all\(confirm=4\)"):
            wb.undo_all()
        with pytest.raises(g.ChangeRefused, match="confirm=7 was given, but 4 sessions"):
            wb.undo_many(confirm=7)
        with pytest.raises(g.ChangeRefused, match="undo_many"):
            wb.undo_many([5, 6, 7])
        assert wb.undo_many([5, 6, 7], confirm=3).undone == 3
        assert len(wb.delete(list("abcd"), confirm=True)) == 4


def test_own_stores_and_few_sessions_are_not_asked_about(tmp_path):
    with g.open(f"sqlite:{tmp_path / 'a.db'}", create=True, ask_above_sessions=0) as wb:
        wb.create("a", "t")
        assert wb.delete(["a"]) == ["a"]
        with pytest.raises(g.ChangeRefused, match="nothing was changed"):
            wb.delete(["a"], confirm=2)


@pytest.mark.parametrize("name", ["ask_above_bytes", "ask_above_sessions"])
@pytest.mark.parametrize("value", [-1, "1 GB", True, 1.5])
def test_a_limit_that_is_no_number_is_refused(name, value):
    with pytest.raises(g.StorageError, match=f"{name} must be an integer >= 0 or None"):
        g.open("memory:", **{name: value})


def test_the_limits_and_how_an_estimate_reads():
    assert (LARGE_BYTES, MANY_SESSIONS) == (1_000_000_000, 1_000)
    assert str(ScanEstimate("count", 1, 12_000_000, 0.03)) == "reads about 12 MB, some 0.1 s"
    assert str(ScanEstimate("count", 1, 1_800_000_000, 1.44)) == "reads about 1.8 GB, some 1.4 s"


def test_a_subclass_of_a_storage_of_a_server_is_asked_about_too():
    class Mine(g.PostgresSessionStorage):
        pass

    asking = Asking.about(Mine.__new__(Mine))
    with pytest.raises(g.ChangeRefused):
        asking.check_change(MANY_SESSIONS + 1, None, "deleted", "wb.delete(ids")
