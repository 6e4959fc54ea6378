"""What a SQLite file is, however its path was spelled."""

from __future__ import annotations

import os
import sqlite3

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.storage.sqlite.identity import find_identity


def test_other_spellings_are_the_same_file(tmp_path, monkeypatch, run):
    path = tmp_path / "a.db"
    (tmp_path / "folder").mkdir()
    first = run(g.connect(f"sqlite:{path}"))
    assert first.identity == f"sqlite:{path.resolve()}"
    (tmp_path / "link.db").symlink_to(path)
    (tmp_path / "way").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path / "folder")
    for other in ("../a.db", "../link.db", "../way/a.db", f"{tmp_path}/./a.db"):
        storage = run(g.connect(f"sqlite:{other}"))
        assert storage.identity == first.identity
        run(storage.close())
    run(first.close())
    os.link(path, tmp_path / "hard.db")
    assert find_identity(tmp_path / "hard.db") == first.identity


def test_a_new_file_with_the_number_of_a_deleted_one_is_another(tmp_path, monkeypatch):
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    old.touch()
    assert find_identity(old) == f"sqlite:{old.resolve()}"
    old.rename(new)  # it keeps its number, as a new file may get it
    assert find_identity(new) == f"sqlite:{new.resolve()}"


def test_a_write_by_hand_that_counts_nothing_is_noticed(tmp_path, run):
    """Neither version nor time say that the row was changed."""
    storage = run(g.connect(f"sqlite:{tmp_path / 'a.db'}"))
    run(storage.save(Session("a", "t")))
    for statement in (
        "UPDATE sessions SET status_message = 'by hand'",
        "UPDATE sessions SET context = replace(context, '1000', '999')",
        "UPDATE sessions SET current_task_id = 'elsewhere'",
    ):
        session = run(storage.get("a"))
        with sqlite3.connect(tmp_path / "a.db") as other:
            other.execute(statement)
        assert run(storage.delete_unchanged([session])) == []
        assert len(run(storage.save_many([session]))) == 1
    assert run(storage.get("a")).current_task_id == "elsewhere"
    run(storage.close())
