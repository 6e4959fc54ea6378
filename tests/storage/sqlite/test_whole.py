"""All sessions of a file: the same as on a page, whatever is stored."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing

import pytest

from graphflow_nb import Query, connect
from graphflow_nb.storage import gathering
from graphflow_nb.storage.sqlite import odd, whole

from ..postgres.test_streaming import PATHS, TEXTS, VALUES, check

TIME = 1_700_000_000_000_000


@pytest.fixture
def path(tmp_path, run) -> str:
    """A file with sessions of all kinds of values."""
    path = f"{tmp_path / 'sessions.db'}"
    run(run(connect(f"sqlite:{path}")).close())
    some = random.Random(17)
    with closing(sqlite3.connect(path)) as db, db:
        for n in range(60):
            data = {k: some.choice(v) for k, v in VALUES.items() if some.random() < 0.8}
            context = json.dumps({"data": data, "chat_history": {"messages": [1] * (n % 3)}})
            names = (f"{some.choice(TEXTS)}{n}", some.choice(TEXTS), f"task {n % 4}")
            status = some.choice([None, *TEXTS])
            row = (*names, status, context, n, TIME + n % 7, TIME + n % 5)
            columns = "id, graph_id, current_task_id, status_message, context, version"
            db.execute(
                f"INSERT INTO sessions ({columns}, created_at, updated_at) "
                f"VALUES ({', '.join('?' * len(row))})",
                row,
            )
    return path


def test_a_frame_of_all_is_that_of_a_page(path, run, monkeypatch):
    monkeypatch.setattr(odd, "_PORTION", 3)
    monkeypatch.setattr(whole, "_PORTION", 9)
    monkeypatch.setattr(gathering, "_FEW", 3)
    storage = run(connect(f"sqlite:{path}"))
    for order in ("-updated_at", "created_at", "id"):
        assert len(check(run, storage, Query(order=order, limit=None), PATHS)) == 60
    assert len(check(run, storage, Query(task="nowhere", limit=None), PATHS)) == 0
    run(storage.close())


@pytest.mark.parametrize("change", ["status_message = x'61'", "graph_id = NULL", "version = 'a'"])
def test_an_odd_row_is_named_among_all(path, run, change):
    with closing(sqlite3.connect(path)) as db, db:
        columns = "id TEXT PRIMARY KEY, graph_id, current_task_id, status_message, context, version"
        db.executescript(
            f"CREATE TABLE other ({columns}, created_at, updated_at);"
            "INSERT INTO other SELECT id, graph_id, current_task_id, status_message, context, "
            "version, created_at, updated_at FROM sessions; DROP TABLE sessions;"
            "ALTER TABLE other RENAME TO sessions;"
            f"UPDATE sessions SET {change} WHERE version = 7"
        )
    storage = run(connect(f"sqlite:{path}"))
    table = run(storage.table(Query(limit=None), PATHS))
    page = run(storage.table(Query(limit=1_000), PATHS))
    assert len(table.problems) == 1
    assert table.problems == page.problems
    assert table.id == page.id
    assert table.context == page.context
    run(storage.close())
