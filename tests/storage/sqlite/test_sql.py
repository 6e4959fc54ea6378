"""The statements for SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from graphflow_nb import Cursor, Query
from graphflow_nb.model.times import datetime_of
from graphflow_nb.storage.sqlite import sql


@pytest.mark.parametrize("order", ["created_at", "-created_at", "updated_at", "-updated_at", "id"])
def test_the_columns_of_a_page_are_read_of_its_rows_alone(order):
    read = []
    with closing(sqlite3.connect(":memory:")) as db:
        db.create_function("find_value", 2, lambda context, path: read.append(path))
        db.executescript(sql.CREATE)
        for n in range(50):
            put = "INSERT INTO sessions VALUES (?, 'g', 't', NULL, '{}', 1, ?, ?)"
            db.execute(put, (f"s{n:02}", n // 2, n // 3))
        ids: list[str] = []
        while len(ids) < 50:
            after = None
            if ids:
                n = int(ids[-1][1:])
                time = {"created_at": n // 2, "updated_at": n // 3}.get(order.lstrip("-"))
                after = Cursor(order, ids[-1], None if time is None else datetime_of(time))
            query = Query(order=order, limit=10, after=after, graph="g")
            ids += [row[0] for row in db.execute(*sql.select_table(query, ["k"]))]
    numbers = [f"s{n:02}" for n in range(50)]
    assert ids == (numbers[::-1] if order.startswith("-") else numbers)
    assert len(read) == 50
