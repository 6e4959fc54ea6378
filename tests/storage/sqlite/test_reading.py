"""Reading while other processes open and close the file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb import Session, SqliteSessionStorage
from graphflow_nb.storage.sqlite import reading
from graphflow_nb.storage.sqlite.reading import Reading

from ...scope import only_complete


@pytest.fixture
def path(tmp_path, run):
    """A file with the session "a" in a folder of its own."""
    path = tmp_path / "data" / "s.db"
    path.parent.mkdir()
    storage = run(SqliteSessionStorage.connect(path))
    run(storage.save(Session("a", "t")))
    run(storage.close())
    return path


def _open(path: Path) -> sqlite3.Connection:
    """Return a connection with something in the WAL."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE sessions SET status_message = 'x'")
    return db


def _read(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return db.execute("SELECT id, status_message FROM sessions").fetchall()


def test_a_file_that_is_closed_between_the_look_and_the_opening(path):
    with closing(_open(path)) as other:

        def prepare(db):
            other.close()  # which removes the WAL and its index
            return db

        with closing(Reading(str(path), 5, prepare)) as found:
            assert found.run(_read) == [("a", "x")]
        # SQLite itself made the WAL that it did not find. It is empty.
        sizes = {name: os.stat(path.parent / name).st_size for name in os.listdir(path.parent)}
        assert sizes.pop("s.db-wal", 0) == 0
        assert list(sizes) == ["s.db"]
    with g.open(f"sqlite:{path}") as wb:
        wb.create("b", "t")
    assert os.listdir(path.parent) == ["s.db"]


def test_a_file_that_is_closed_again_and_again_keeps_its_error(path, monkeypatch):
    monkeypatch.setattr(reading, "_PAUSES", (0, 0))
    tried = []

    def prepare(db):
        with closing(db):
            tried.append(db)
            return sqlite3.connect(f"file:{path}/nothing?mode=ro", uri=True).execute("SELECT 1")

    with pytest.raises(sqlite3.OperationalError, match="unable to open database file"):
        Reading(str(path), 5, prepare)
    assert len(tried) == 3


def test_a_wal_that_is_gone_before_it_is_copied(path, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    folder.mkdir()
    with closing(_open(path)):
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", folder / f"s.db{suffix}")
    copyfile = shutil.copyfile

    def close_and_copy(source, target):
        if source.endswith("-wal"):
            with closing(sqlite3.connect(folder / "s.db")) as other:
                other.execute("SELECT * FROM sessions").fetchall()
        return copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", close_and_copy)
    with closing(Reading(str(folder / "s.db"), 5, lambda db: db)) as found:
        assert found.run(_read) == [("a", "x")]
    assert os.listdir(folder) == ["s.db"]


def test_a_file_that_changes_while_it_is_opened_is_looked_at_again(path):
    changes = iter([1, 2])

    def prepare(db):
        if next(changes, None):
            with closing(_open(path)) as other:
                other.execute("INSERT INTO sessions SELECT 'b', 'g', 't', 'x', '{}', 1, 1, 1")
                other.execute("DELETE FROM sessions WHERE id = 'b'")
            raise sqlite3.DatabaseError("what was read is of two states")
        return db

    with closing(Reading(str(path), 5, prepare)) as found:
        assert found.run(_read) == [("a", "x")]


@only_complete
def test_a_file_that_another_process_opens_and_closes_all_the_time(path):
    code = f"""
import sqlite3
while True:
    db = sqlite3.connect({str(path)!r}, isolation_level=None)
    db.execute("UPDATE sessions SET version = version + 1")
    db.close()
"""
    with subprocess.Popen([sys.executable, "-c", code]) as other:
        try:
            for _ in range(300):
                with g.open(f"sqlite:{path}", writable=False) as wb:
                    assert len(wb.sessions()) == 1
        finally:
            other.kill()
