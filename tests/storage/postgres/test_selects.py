"""Pages are found by the indexes that there are, and what is common or rare in little time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

import graphflow_nb as g
from graphflow_nb import Cursor, Query
from graphflow_nb.storage.postgres.plans import plan_of
from graphflow_nb.storage.postgres.selects import DIRECT, SORTED, Way
from graphflow_nb.storage.postgres.sql import Statements, TableForm

from ...stores import create_table
from .kit import connect, execute, fetch

# Every tenth time is unknown.
FILL = """
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context, updated_at)
SELECT 's' || lpad((n * 7919 % 25000)::text, 5, '0'), 'g', 't', 'status ' || n % 2,
    jsonb_build_object('data', jsonb_build_object('half', n % 2, 'list', jsonb_build_array(n))),
    CASE WHEN n % 10 <> 0 THEN '2026-01-01'::timestamptz + n * interval '1 second' END
FROM generate_series(1, 25000) AS n
"""
INDEXES = """
CREATE INDEX ON sessions (updated_at, id); CREATE INDEX ON sessions (created_at, id);
CREATE INDEX ON sessions USING gin (context jsonb_path_ops); ANALYZE sessions
"""


SELECTS = Statements(TableForm("sessions", uuid=False, versioned=False)).selects


@pytest.fixture(scope="module")
def filled(databases):
    """The URL of a table of 25,000 sessions, with the indexes that are advised."""
    url = databases.create()
    asyncio.run(create_table(url, "documented"))
    asyncio.run(execute(url, f"{FILL}; {INDEXES}"))
    return url


def _explain(url: str, query: Query, way: Way = DIRECT) -> list[str]:
    """Return the steps of the plan of a query's page."""
    text, arguments = SELECTS.columns(query, [], way)
    rows = asyncio.run(fetch(url, f"EXPLAIN (FORMAT JSON) {text}", *arguments))
    return list(plan_of(json.loads(rows[0][0])).steps)


@pytest.mark.parametrize("order", ["updated_at", "-updated_at", "created_at", "-created_at"])
@pytest.mark.parametrize("time", [datetime(2026, 1, 1, 3, tzinfo=UTC), None])
def test_a_page_is_a_range_of_an_index_in_both_directions(filled, order, time):
    steps = _explain(filled, Query(order=order, limit=100, after=Cursor(order, "s01000", time)))
    assert "Seq Scan" not in steps
    assert "Bitmap Heap Scan" not in steps


@pytest.mark.parametrize("order", ["updated_at", "-updated_at"])
def test_pages_go_through_all_sessions_unknown_times_too(filled, order, run):
    way = "DESC" if order[0] == "-" else "ASC"
    wanted = asyncio.run(
        fetch(filled, f"SELECT id FROM sessions ORDER BY updated_at {way}, id {way}")
    )
    storage = run(connect(filled, read_only=True))
    ids: list[str] = []
    query = Query(order=order, limit=4000)
    while True:
        page = run(storage.table(query))
        ids += page.id
        if page.next is None:
            break
        query = query.following(page.next, 4000)
    run(storage.close())
    assert ids == [row[0] for row in wanted]


@pytest.mark.parametrize("order", ["id", "-id", "updated_at", "-updated_at", "created_at"])
def test_a_page_has_the_same_rows_however_they_are_found(filled, order):
    after = Cursor(order, "s12000", None)
    for query in (Query(order=order, limit=7), Query(order=order, id_prefix="s1", limit=7)):
        for page in (query, query.following(after, 7)):
            found = {}
            sorted_walk = Way(walk=25_000, sorts=True)
            for way in (DIRECT, SORTED, Way(apart=True), Way(walk=25_000), sorted_walk):
                text, arguments = SELECTS.select(page, way)
                found[way] = [row[0] for row in asyncio.run(fetch(filled, text, *arguments))]
            assert found[sorted_walk] == found[Way(walk=25_000)]
            assert found[DIRECT] == found[SORTED] == found[Way(apart=True)]
            if order.endswith("id"):  # else a walk stays in one part of the order
                assert found[DIRECT] == found[Way(walk=25_000)]
                assert len(found[DIRECT]) == 7


@pytest.mark.parametrize("value", [7, 7.0, 2**70, "x", None, [7], {"a": [None, "b"]}])
def test_an_index_on_contexts_serves_conditions(filled, value):
    query = Query(context={"list.0": value, "a.b": value}, limit=100)
    assert "Bitmap Index Scan" in _explain(filled, query, Way(apart=True))


@pytest.mark.parametrize("value", [[], {}, {"a": [[], {}]}])
def test_what_no_index_can_find_is_compared_alone(value):
    text, _ = SELECTS.select(Query(context={"list": value}))
    assert "@>" not in text
    assert "context #> $1" in text


def test_values_of_a_context_are_compared_exactly_beside_an_index(filled, run):
    storage = run(connect(filled, read_only=True))
    found = run(storage.query(Query(context={"list": [77], "half": 1.0}, limit=5)))
    assert [session.context["list"] for session in found] == [[77]]
    # Contained in each list, and equal to none.
    assert run(storage.query(Query(context={"list": 77}, limit=5))) == []
    assert run(storage.count(Query(context={"half": True}))) == 0
    assert run(storage.count(Query(context={"half": 0}))) == 12_500
    run(storage.close())


def test_texts_are_found_as_they_are_written(filled, run):
    storage = run(connect(filled, read_only=True))
    for text in ("%", "_", "status\\", "status_1"):
        assert run(storage.count(Query(text=text))) == 0
    assert run(storage.count(Query(status="tus 1"))) == 12_500
    assert run(storage.count(Query(id_prefix="s0000"))) == 10
    run(storage.close())


def test_chats_are_read_alone_and_only_where_there_are_messages(database, run):
    with g.open(database, writable=True) as wb:
        for n in range(6):
            session = g.Session(f"s-{n}", "t", context={"secret of the data": "x" * 3000})
            if n % 2:
                session.context.add_user_message(f"message {n}")
            wb.save(session)
        with pytest.warns(UserWarning, match="newest 2 sessions"):
            found = wb.messages(limit=2)
        assert found["content"].tolist() == ["message 5", "message 3"]
        chats = wb.bridge.run(wb.storage.chats(Query(task="t")))
        assert [chat.id for chat in chats] == ["s-5", "s-3", "s-1"]
        assert not any("secret" in chat.context for chat in chats)
        # A row that is no session is told, so all are read as sessions.
        run(execute(database, "UPDATE sessions SET context = '[1]' WHERE id = 's-0'"))
        with pytest.warns(UserWarning, match="s-0"):
            odd = wb.messages()
        assert odd["content"].tolist() == ["message 5", "message 3", "message 1"]
        assert list(odd.attrs["problems"]) == ["s-0"]
