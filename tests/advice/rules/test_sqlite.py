"""Advice on a SQLite file, where the condition is really made."""

from __future__ import annotations

import sqlite3

import graphflow_nb as g
from graphflow_nb.advice.rules.sqlite import (
    find_free_space,
    find_missing_indexes,
    find_rollback_journal,
    find_sync_mode,
)
from graphflow_nb.storage.facts import SqliteFacts

from ..kit import Case, find_advice

WORN = SqliteFacts(
    place="", path="it's \"here\".db", bytes=10**8, free_bytes=9 * 10**7, rows=60_000,
    journal_mode="delete", synchronous="full", sorted=("updated_at",),
)  # fmt: skip
CASES = {
    find_missing_indexes: Case(WORN),
    find_rollback_journal: Case(WORN),
    find_sync_mode: None,
    find_free_space: Case(WORN),
}


def test_sqlite(tmp_path):
    path = tmp_path / "it's.db"
    with g.open(f"sqlite:{path}", create=True) as wb:
        wb.create("a", "t")
    with sqlite3.connect(path) as db:
        db.execute("DROP INDEX sessions_by_update")
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
            "INSERT INTO sessions SELECT 's' || i, 'g', 't', NULL, "
            "json_object('x', hex(randomblob(400))), 1, i, i FROM n"
        )
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    with g.open(f"sqlite:{path}", writable=False) as wb:
        findings = wb.advise()
    order, journal = (find_advice(findings, s) for s in ("order by updated_at", "journal mode"))
    assert order is not None
    assert journal is not None
    assert journal.evidence["journal_mode"] == "delete"
    with sqlite3.connect(path) as db:
        db.execute(order.remedy)
        db.commit()
        db.execute(journal.remedy)
        db.execute("DELETE FROM sessions WHERE id <> 'a'")
    db.close()
    with g.open(f"sqlite:{path}", writable=False) as wb:
        findings = wb.advise()
        assert [a.subject for a in findings] == ["free space in the file"]
        assert find_advice(findings, "order by updated_at") is None
    db = sqlite3.connect(path)
    db.execute(findings.advice[0].remedy)
    db.close()
    with g.open(f"sqlite:{path}", writable=False) as wb:
        assert list(wb.advise()) == []
