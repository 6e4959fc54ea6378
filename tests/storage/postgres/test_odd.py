"""Odd rows in PostgreSQL: they hide no other row, are named, shown as stored and deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

import graphflow_nb as g
from graphflow_nb import Cursor, Query
from graphflow_nb.storage import problems_of

from ...stores import create_table
from .kit import connect, execute, fetch

LOOSE = (
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, graph_id TEXT, current_task_id TEXT, "
    "status_message TEXT, context JSONB, version BIGINT, created_at TIMESTAMPTZ, "
    "updated_at TIMESTAMPTZ)"
)
ROWS = (
    "INSERT INTO sessions SELECT name, 'claims', 'intake', 'waiting', '{\"data\": {\"n\": 1}}', 3, "
    "now() + n * interval '1 second', now() + n * interval '1 second' "
    "FROM unnest('{a,b,odd,x,y}'::text[]) WITH ORDINALITY AS k (name, n)"
)
#: A change of the row ``odd``, and what is said of it.
ODD = {
    "graph NULL": ("graph_id = NULL", "graph_id is NULL"),
    "task NULL": ("current_task_id = NULL", "current_task_id is NULL"),
    "version NULL": ("version = NULL", "version is NULL"),
    "version negative": ("version = -3", "version is -3"),
    "context NULL": ("context = NULL", "context is NULL"),
    "context a list": ("context = '[1]'", "context is '[1]'"),
    "context a text": ("context = '\"{\"'", "context is '\"{\"'"),
    "context null": ("context = 'null'", "context is 'null'"),
    "year 1": ("updated_at = '0001-01-01Z', created_at = '0001-01-01Z'", ""),
    "year 9999": ("updated_at = '9999-12-31 23:59:59.999999Z'", ""),
    "before Christ": ("updated_at = '0044-03-15Z BC'", "updated_at is 0044-03-15 00:00:00+00 BC"),
    "last year": ("updated_at = '294276-12-31Z'", "updated_at is 294247-"),
    "first year": ("created_at = '4713-01-01Z BC'", "created_at is 4713-"),
    "infinity": ("updated_at = 'infinity'", "updated_at is infinity"),
    "minus infinity": ("created_at = '-infinity'", "created_at is -infinity"),
}
TIMES = ["year 1", "year 9999", "before Christ", "last year", "first year", "infinity"]
TIMES.append("minus infinity")


async def read_pages(storage, order, limit):
    """Return the ids of all pages."""
    ids, after = [], None
    for _ in range(8):
        table = await storage.table(Query(order=order, limit=limit, after=after))
        ids += table.id
        if table.next is None:
            return ids
        after = table.next
    raise AssertionError(f"the pages do not end: {ids}")


async def check_pages(storage, ids, sessions):
    """Check that all orders and sizes of pages give the same rows."""
    for order in ("updated_at", "-updated_at", "created_at", "-created_at", "id", "-id"):
        pages = [await read_pages(storage, order, limit) for limit in (1, 2, 9)]
        assert sorted(pages[0]) == sorted(ids)
        assert pages[1:] == pages[:1] * 2
        found = await storage.query(Query(order=order, limit=4))
        assert [session.id for session in found] == [id for id in pages[0] if id in sessions][:4]


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_row_hides_no_other_and_can_be_deleted(kind, database, run):
    change, problem = ODD[kind]
    run(execute(database, f"{LOOSE}; {ROWS}; UPDATE sessions SET {change} WHERE id = 'odd'"))
    storage = run(connect(database))
    everything = ["a", "b", "odd", "x", "y"]
    table = run(storage.table(Query(order="id"), ["n"]))
    assert table.id == everything
    assert list(table.problems) == (["odd"] if problem else [])
    assert problem in table.problems.get("odd", "")
    found = run(storage.query(Query(order="id")))
    readable = kind in TIMES
    assert [s.id for s in found] == [id for id in everything if readable or id != "odd"]
    assert list(problems_of(found)) == ([] if readable else ["odd"])
    assert run(storage.count(Query())) == sum(c.sessions for c in run(storage.counts(Query()))) == 5
    run(check_pages(storage, everything, [session.id for session in found]))
    assert run(storage.raw("odd"))["id"] == "odd"
    if readable:
        session = run(storage.get("odd"))
        session.status_message = "changed"
        run(storage.save(session))
        assert run(storage.get("odd")).status_message == "changed"
        run(storage.delete("odd"))
        run(storage.restore(session))
        assert run(storage.get("odd")).raw_created == session.raw_created
    else:
        with pytest.raises(g.SessionFormatError, match=r"wb\.raw"):
            run(storage.get("odd"))
    assert run(storage.delete_many(["odd", "nobody"])) == ["odd"]
    assert run(storage.count(Query())) == 4
    run(storage.close())


@pytest.mark.parametrize("form", ["documented", "crate-0.6"])
def test_text_that_is_not_utf8_hides_no_other_row(form, server, run):
    name = f"ascii_{form.replace('-', '_').replace('.', '_')}"
    base = server.create_database(f"{name}_base")
    run(
        execute(
            base,
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' "
            "LC_CTYPE 'C'",
        )
    )
    url = urlsplit(base)._replace(path=f"/{name}").geturl()
    run(create_table(url, form))
    for id, graph, status, context in (
        ("'a'", "'g'", "'fine'", "'{}'"),
        (r"E'id\xff'", "'g'", "NULL", "'{}'"),
        ("'graph'", r"E'g\xff'", "NULL", "'{}'"),
        ("'status'", "'g'", r"E'\xfe\xff'", "'{}'"),
        ("'context'", "'g'", "NULL", r"""E'{"data": {"k": "\xff"}}'"""),
        ("'z'", "'g'", "'fine'", "'{}'"),
    ):
        run(
            fetch(
                url,
                "INSERT INTO sessions (id, graph_id, current_task_id, status_message, context) "
                f"VALUES ({id}, {graph}, 't', {status}, {context})",
            )
        )
    storage = run(connect(url))
    odd = r"b'id\xff'"
    everything = ["a", "context", "graph", odd, "status", "z"]
    table = run(storage.table(Query(order="id"), ["k"]))
    assert table.id == everything
    assert set(table.problems) == set(everything) - {"a", "z"}
    found = run(storage.query(Query(order="id")))
    assert [session.id for session in found] == ["a", "z"]
    assert set(problems_of(found)) == set(table.problems)
    assert sum(c.sessions for c in run(storage.counts(Query()))) == 6
    run(check_pages(storage, everything, ["a", "z"]))
    assert run(storage.get("a")).status_message == "fine"
    for id in table.problems:
        with pytest.raises(g.SessionFormatError):
            run(storage.get(id))
        assert run(storage.raw(id))["current_task_id"] == "t"
    assert run(storage.raw(odd))["id"] == b"id\xff"
    assert run(storage.delete_many(["a", odd, "graph"])) == ["a", odd, "graph"]
    run(storage.delete("status"))
    assert run(storage.count(Query())) == 2
    run(storage.close())


def test_a_cursor_and_filters_hold_times_of_any_year(database, run):
    run(execute(database, f"{LOOSE}; {ROWS}"))
    for id, time in (("a", "0044-01-01Z BC"), ("b", "infinity"), ("x", "20000-01-01Z")):
        run(fetch(database, f"UPDATE sessions SET updated_at = '{time}' WHERE id = '{id}'"))
    storage = run(connect(database))
    late = Query(updated_since=datetime(9999, 12, 31, tzinfo=UTC), order="id")
    assert run(storage.table(late)).id == ["b", "x"]
    early = Query(updated_until=datetime(1, 1, 1, tzinfo=UTC), order="id")
    assert run(storage.table(early)).id == ["a"]
    first = run(storage.table(Query(order="updated_at", limit=1)))
    assert isinstance(first.next.time, int)
    plain = Cursor.from_plain(first.next.to_plain())
    assert run(storage.table(Query(order="updated_at", limit=1, after=plain))).id == ["odd"]
    counts = run(storage.counts(Query()))
    assert counts[0].oldest.year == counts[0].newest.year == datetime.now(UTC).year
    run(storage.close())
