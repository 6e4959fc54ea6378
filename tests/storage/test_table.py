"""Pages of a table: cut, and with the cursor of the next one."""

from __future__ import annotations

from datetime import UTC, datetime

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.model import stored_session
from graphflow_nb.storage.table import cut_page

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def table(run, query):
    sessions = [
        stored_session(i, "g", "t", None, b'{"data":{"k":1}}', 1, MOMENT, MOMENT) for i in "abc"
    ]
    storage = g.InMemorySessionStorage.from_sessions(sessions)
    return run(storage.table(query.one_more(), ["k"]))


def test_a_page_that_is_whole_has_no_next(run):
    for query in (Query(), Query(limit=3), Query(limit=9)):
        assert cut_page(table(run, query), query).next is None


def test_a_page_is_cut_and_says_where_the_next_one_starts(run):
    query = Query(limit=2, order="-updated_at")
    page = cut_page(table(run, query), query)
    assert page.id == ["c", "b"]
    assert page.next == g.Cursor("-updated_at", "b", MOMENT)
    assert [len(page), len(page.version), len(page.context[0])] == [2, 2, 2]
    query = Query(limit=2, order="id")
    assert cut_page(table(run, query), query).next == g.Cursor("id", "b")


def test_a_page_of_nothing_starts_where_it_ended(run):
    query = Query(limit=0, order="id", after=g.Cursor("id", "a"))
    page = cut_page(table(run, query), query)
    assert (len(page), page.next) == (0, g.Cursor("id", "a"))


def test_an_unknown_time_is_none_in_the_cursor(run):
    storage = g.InMemorySessionStorage()
    run(storage.save_many([Session(id, "t") for id in "ab"]))
    query = Query(limit=1)
    found = run(storage.table(query.one_more()))
    found.updated[:] = -(2**63)
    assert cut_page(found, query).next == g.Cursor("-updated_at", found.id[0], None)
