"""What a SQLite file reports of itself, and which orders it says are slow."""

from __future__ import annotations

import sqlite3

from graphflow_nb import SqliteSessionStorage
from graphflow_nb.storage.limits import QUICK_ROWS

FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO sessions SELECT 's' || i, 'g', 't', NULL, '{"data":{}}', 1, i, i FROM n
"""


def test_what_a_file_reports(tmp_path, run):
    path = tmp_path / "s.db"
    storage = run(SqliteSessionStorage.connect(path))
    facts = run(storage.facts())
    assert facts.place == f"sqlite:{path}"
    assert (facts.path, facts.read_only, facts.connections) == (str(path), False, 1)
    assert (facts.journal_mode, facts.synchronous, facts.rows) == ("wal", "full", 0)
    assert facts.sorted == ("created_at",)
    assert facts.bytes >= facts.free_bytes >= 0
    run(storage.close())


def test_an_order_is_slow_where_a_large_file_has_no_index_for_it(tmp_path, run):
    path = tmp_path / "s.db"
    storage = run(SqliteSessionStorage.connect(path))
    db = sqlite3.connect(path)
    with db:
        db.execute(FILL % QUICK_ROWS)
    assert run(storage.slow_orders()) == {}
    with db:
        db.execute("INSERT INTO sessions SELECT 'x', 'g', 't', NULL, '{}', 1, 1, 1")
    slow = run(storage.slow_orders())
    assert list(slow) == ["created_at"]
    assert "CREATE INDEX" in slow["created_at"]
    db.close()
    run(storage.close())
