"""Odd rows in a SQLite file: they hide no other row, are named, shown as stored and deleted."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.model.times import datetime_of
from graphflow_nb.storage import problems_of
from graphflow_nb.storage.sqlite import odd as odd_rows
from graphflow_nb.storage.sqlite import sql

TIME = 1_700_000_000_000_000

#: Hand-made: any column takes anything.
LOOSE = (
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, graph_id, current_task_id, status_message, "
    "context, version, created_at, updated_at)"
)
#: A change of the row ``odd``, the column that it makes odd, and a part of what is said.
ODD = {
    "time as text": ("updated_at = '2026-01-01 10:00:00'", "updated_at is the text"),
    "creation as text": ("created_at = 'now'", "created_at is the text"),
    "time as blob": ("updated_at = x'00ff'", "updated_at is the blob"),
    "time NULL": ("updated_at = NULL", "updated_at is NULL"),
    "both times NULL": ("updated_at = NULL, created_at = NULL", "created_at is NULL"),
    "time with fraction": ("updated_at = 1.5", "updated_at is the number 1.5"),
    "time infinite": ("updated_at = -9e999", "updated_at is the number -inf"),
    "year 0": ("updated_at = -62200000000000000", "updated_at is 0003-12-17 14:13:20+00 BC"),
    "year 30000": ("created_at = 884541340800000000", "created_at is 30000-"),
    "last integer": ("updated_at = 9223372036854775807", "updated_at is"),
    "first integer": ("updated_at = -9223372036854775808", "updated_at is"),
    "status not UTF-8": ("status_message = CAST(x'61ff' AS TEXT)", "status_message is text that"),
    "graph not UTF-8": ("graph_id = CAST(x'61ff' AS TEXT)", "graph_id is text that"),
    "task not UTF-8": ("current_task_id = CAST(x'61ff' AS TEXT)", "current_task_id is text that"),
    "graph NULL": ("graph_id = NULL", "graph_id is NULL"),
    "task a number": ("current_task_id = 7", "current_task_id is the number 7"),
    "status a blob": ("status_message = x'6162'", "status_message is the blob"),
    "version text": ("version = 'three'", "version is the text 'three'"),
    "version negative": ("version = -3", "version is the number -3"),
    "version fraction": ("version = 1.5", "version is the number 1.5"),
    "version NULL": ("version = NULL", "version is NULL"),
    "context no JSON": ("context = 'not json'", "context is 'not json'"),
    "context cut off": ("context = '{\"data\": {'", "context can't be read as a JSON object"),
    "context goes on": ("context = '{} x'", "context can't be read as a JSON object"),
    "context deep inside": ('context = \'{"data":{"k":nul}}\'', "context can't be read"),
    "context not UTF-8": (
        "context = CAST(x'7b2264617461223a7b226b223a22ff227d7d' AS TEXT)",
        "context is text that is not UTF-8, at byte 14",
    ),
    "context a list": ("context = '[1]'", "context is '[1]'"),
    "context empty": ("context = ''", "context is ''"),
    "context NULL": ("context = NULL", "context is NULL"),
    "context a blob": ("context = x'7b7d'", "context is the blob"),
    "context a number": ("context = 7", "context is the number 7"),
    "id not UTF-8": ("id = CAST(x'6f64ff' AS TEXT)", "id is text that is not UTF-8"),
    "id a blob": ("id = x'6f64'", "id is the blob"),
    "id NULL": ("id = NULL", "id is NULL"),
}
#: What a session can hold: a time that can't be shown.
READABLE = {"year 0", "year 30000", "last integer", "first integer"}


@pytest.fixture(params=list(ODD))
def odd(request, tmp_path):
    """Return the file, the id of the odd row as it is shown, and what is said of it."""
    file = tmp_path / "sessions.db"
    change, problem = ODD[request.param]
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute(LOOSE)
        for number, id in enumerate(["a", "b", "odd", "x", "y"]):
            context = f'{{"data":{{"n":{number}}},"chat_history":{{"messages":[]}}}}'
            row = (id, "claims", "intake", "waiting", context, 3, TIME + number, TIME + number)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute(f"UPDATE sessions SET {change} WHERE id = 'odd'")
    names = {"id not UTF-8": "b'od\\xff'", "id a blob": "x'6f64'", "id NULL": "NULL (rowid 3)"}
    return file, names.get(request.param, "odd"), problem, request.param in READABLE


ORDERS = ["updated_at", "-updated_at", "created_at", "-created_at", "id", "-id"]


def test_an_odd_row_hides_no_other_and_is_named(odd):
    file, name, problem, readable = odd
    with g.open(f"sqlite:{file}", writable=True) as wb:
        with pytest.warns(UserWarning, match=r"wb\.raw"):
            frame = wb.sessions(context=["n"])
        assert set(frame["id"]) == {"a", "b", name, "x", "y"}
        assert list(frame.attrs["problems"]) == [name]
        assert problem in frame.attrs["problems"][name]
        assert wb.summary()["sessions"].sum() == 5
        assert wb.bridge.run(wb.storage.count(g.Query())) == 5
        found = wb.bridge.run(wb.storage.query(g.Query()))
        assert {s.id for s in found} == {"a", "b", "x", "y"} | ({name} if readable else set())
        assert list(problems_of(found)) == ([] if readable else [name])
        if readable:
            assert wb.get(name).id == name
        else:
            with pytest.raises(g.SessionFormatError, match=r"wb\.raw"):
                wb.get(name)
        stored = wb.raw(name)
        assert set(stored) >= {"id", "version", "context"}


async def read_pages(storage, order, limit):
    """Return the ids of all pages."""
    ids, after = [], None
    for _ in range(6):
        table = await storage.table(g.Query(order=order, limit=limit, after=after))
        ids += table.id
        if table.next is None:
            return ids
        after = table.next
    raise AssertionError(f"the pages do not end: {ids}")


def test_pages_go_on_past_an_odd_row_which_can_be_deleted(odd):
    file, name, _, readable = odd

    async def run():
        storage = await g.SqliteSessionStorage.connect(file)
        for order in ORDERS:
            pages = [await read_pages(storage, order, limit) for limit in (1, 2, 3, 10)]
            assert sorted(pages[0]) == sorted(["a", "b", name, "x", "y"])
            assert all(page == pages[0] for page in pages)
            # A query passes over the odd row, and it does not count for the limit.
            first = await storage.query(g.Query(order=order, limit=4))
            shown = pages[0] if readable else [id for id in pages[0] if id != name]
            assert [session.id for session in first] == shown[:4]
        assert await storage.delete_many(["no such", name, "a"]) == [name, "a"]
        assert [s.id for s in await storage.query(g.Query(order="id"))] == ["b", "x", "y"]
        assert await storage.count(g.Query()) == 3
        await storage.close()

    asyncio.run(run())


def test_filters_have_one_meaning_for_odd_times(tmp_path):
    file = tmp_path / "sessions.db"
    with g.open(f"sqlite:{file}", create=True) as wb:
        for id in ("text", "early", "late", "fine"):
            wb.create(id, "intake")
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("UPDATE sessions SET updated_at = '2026-01-01' WHERE id = 'text'")
        db.execute("UPDATE sessions SET updated_at = -70000000000000000 WHERE id = 'early'")
        db.execute("UPDATE sessions SET updated_at = 300000000000000000 WHERE id = 'late'")
    now = datetime.now(UTC)
    with g.open(f"sqlite:{file}", writable=True) as wb:
        with pytest.warns(UserWarning, match="late"):
            since = wb.sessions(updated_since=datetime(2020, 1, 1, tzinfo=UTC))
        with pytest.warns(UserWarning, match="early"):
            until = wb.sessions(updated_until=now)
        assert (set(since["id"]), set(until["id"])) == ({"late", "fine"}, {"early", "fine"})
        with pytest.warns(UserWarning, match="3 odd sessions"):
            frame = wb.sessions().set_index("id")
        assert set(frame.index[frame["updated_at"].isna()]) == {"text", "early", "late"}
        assert isinstance(frame["updated_at"].dtype, pd.DatetimeTZDtype)
        session = wb.get("early")
        assert session.updated_at is None
        session.status_message = "changed"
        wb.save(session)
        assert wb.get("early").status_message == "changed"


def test_a_copy_goes_on_past_odd_rows_and_names_them(odd):
    file, name, _, readable = odd
    with g.open(f"sqlite:{file}") as wb, g.open("memory:") as other:
        report = wb.copy_to(other)
        assert report.read == 5
        if not readable:
            assert [failure.id for failure in report.failures] == [name]
            assert {session.id for session in wb.bridge.run(other.storage.query(g.Query()))} == {
                *("a", "b", "x", "y")
            }
            assert not report.verified
            with pytest.raises(g.StorageError, match="not a session"):
                wb.copy_to(g.open("memory:"), strict=True)


#: Rows with ids, times and versions of any kind but NULL.
_MIXED = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 60)
INSERT INTO sessions SELECT
    CASE n % 9 WHEN 1 THEN CAST('blob' || n AS BLOB) WHEN 2 THEN n ELSE 's' || n END,
    'claims', 'intake', NULL, '{"data":{},"chat_history":{"messages":[]}}',
    CASE WHEN n % 4 = 0 THEN 'odd' ELSE 1 END, 5,
    CASE n % 7 WHEN 1 THEN 'text' || n WHEN 2 THEN CAST('blob' || n AS BLOB) ELSE n / 5 - 4 END
FROM numbers
"""


@pytest.mark.parametrize("order", ["updated_at", "-updated_at"])
@pytest.mark.parametrize("change", ["", "UPDATE sessions SET updated_at = 1.5 WHERE id = 's30'"])
def test_the_index_of_times_orders_odd_rows_as_sorting_all_of_them_does(tmp_path, order, change):
    with closing(sqlite3.connect(":memory:", factory=odd_rows.Database)) as db:
        db.execute(LOOSE)
        db.execute("CREATE INDEX sessions_by_update ON sessions (updated_at, id)")
        db.execute(_MIXED)
        db.execute(change)
        statement = sql.select_odd(g.Query(order=order), nullable=False, limit=None)
        wanted = [row.id for row in odd_rows.read_page(db, g.Query(order=order, limit=None))]
        assert len(wanted) == len(db.execute(*statement).fetchall()) == 60
        for limit in (1, 7, 60):
            ids, after = [], None
            while len(ids) < 60:
                query = g.Query(order=order, limit=limit, after=after)
                rows = odd_rows.read_page(db, query)
                ids += [row.id for row in rows]
                after = g.Cursor(order, ids[-1], datetime_of(rows[-1].updated))
            assert ids == wanted
        for statement in sql.select_odd_by_time(g.Query(order=order, limit=7), sorts=False):
            explained = db.execute(f"EXPLAIN QUERY PLAN {statement.text}", statement.values)
            plan = str(explained.fetchall())
            assert "USING INDEX sessions_by_update" in plan
            assert ("TEMP B-TREE" in plan) == (">= ''" in statement.text)
