"""What no store can hold is refused before anything is sent."""

from __future__ import annotations

import sqlite3

import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.storage import check_ids_once, check_no_extra, check_text, check_texts


@pytest.mark.parametrize("nul", [True, False])
@pytest.mark.parametrize("text", ["", "a", "é", "🙂", "\x01"])
def test_texts(text, nul):
    check_text(text, "id", nul=nul)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (7, "id must be text, not int: 7"),
        (None, "id must be text, not NoneType"),
        (b"a", "id must be text, not bytes"),
        ("ab\ud800", "id holds a lone surrogate at position 2"),
        ("a\0", r"id holds the character U\+0000, which this store can't hold"),
    ],
)
def test_what_is_not_a_storable_text(value, why):
    with pytest.raises(g.StorageError, match=why):
        check_text(value, "id", nul=False)


def test_a_store_may_hold_nul():
    check_text("a\0", "id", nul=True)
    check_text("é\0", "id", nul=True)


@pytest.mark.parametrize("field", ["id", "graph_id", "current_task_id", "status_message"])
def test_the_field_is_named(field):
    session = Session("a", "t", status_message="s")
    check_texts(session, nul=False)
    setattr(session, field, "\0")
    with pytest.raises(g.StorageError, match=field):
        check_texts(session, nul=False)


def test_unknown_members():
    session = Session("a", "t")
    check_no_extra(session)
    known = Session.from_json(session.to_json()[:-1] + ',"owner":"me","team":1}')
    with pytest.raises(g.StorageError, match=r"no column for: owner, team; session.copy\(\)"):
        check_no_extra(known)


def test_ids_twice_in_a_batch():
    check_ids_once([])
    check_ids_once(["a", "b"])
    with pytest.raises(g.StorageError, match="has session 'a' twice; nothing was written"):
        check_ids_once(["a", "b", "a"])


def test_what_the_journal_would_not_keep_is_deleted_only_without_undo(tmp_path):
    path = tmp_path / "sessions.db"
    with g.open(f"sqlite:{path}", create=True) as wb:
        wb.create("a", "t")
        wb.create("b", "t")
        wb.delete("b")
        assert wb.undo().id == "b"
    db = sqlite3.connect(path)
    # What is computed from the others comes back by itself.
    db.execute("ALTER TABLE sessions ADD COLUMN short TEXT AS (substr(id, 1, 9))")
    with g.open(f"sqlite:{path}") as wb:
        wb.delete("b")
        assert wb.undo().id == "b"
    db.execute("ALTER TABLE sessions ADD COLUMN tenant TEXT DEFAULT 'none'")
    db.execute("UPDATE sessions SET tenant = 'acme'")
    db.commit()
    with g.open(f"sqlite:{path}") as wb:
        for ids in ("a", ["a", "b"], {"a": wb.get("a")}):
            with pytest.raises(g.JournalError, match=r"does not keep \(tenant\).*undo=False"):
                wb.delete(ids)
        session = wb.get("a")
        session.status_message = "changed"
        wb.save(session)
        wb.undo()
        assert db.execute("SELECT id, tenant FROM sessions ORDER BY id").fetchall() == [
            ("a", "acme"),
            ("b", "acme"),
        ]
        assert wb.delete("a", undo=False) == ["a"]
    db.close()
