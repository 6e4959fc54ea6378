"""Which files are opened, created or left alone; and that looking changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import Session, SqliteSessionStorage

Look = dict[str, tuple[bytes, int]]


def look(folder: Path) -> Look:
    """Everything about the files in a folder that opening one could change."""
    files = [folder / name for name in sorted(os.listdir(folder))]
    # By another process, since closing a file gives up this process's locks on it.
    return {
        file.name: (
            subprocess.run(["cat", file], capture_output=True).stdout,
            file.stat().st_mtime_ns,
        )
        for file in files
    }


def _sql(*statements: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    return make


NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"
FOREIGN = {
    "another table": (_sql(NOTES), "it has notes, no sessions"),
    "in WAL mode": (_sql("PRAGMA journal_mode = WAL", NOTES), "it has notes, no sessions"),
    "a view": (_sql("CREATE VIEW v AS SELECT 1 AS id"), "it has v, no sessions"),
    "an application's": (_sql("PRAGMA application_id = 7"), "another program has marked it"),
    "other sessions": (_sql("CREATE TABLE sessions (id TEXT)"), "its table sessions lacks context"),
    "a text": (lambda path: path.write_text("no database" * 999), "not a database"),
    "a folder": (lambda path: path.mkdir(), "is not a file"),
}
OPENERS: dict[str, Callable[[Path], Any]] = {
    "open": lambda path: g.open(f"sqlite:{path}"),
    "open to write": lambda path: g.open(f"sqlite:{path}", writable=True),
    "open to create": lambda path: g.open(f"sqlite:{path}", create=True),
    "open to read": lambda path: g.open(f"sqlite:{path}", writable=False),
    "copy": lambda path: g.open("demo").copy_to(f"sqlite:{path}"),
}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
@pytest.mark.parametrize(("make", "said"), FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_is_not_ours_stays_as_it_is(make, said, opener, tmp_path):
    path = tmp_path / "notes.db"
    make(path)
    before = look(tmp_path)
    with pytest.raises(g.StorageError, match=said):
        opener(path)
    assert look(tmp_path) == before


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_file_that_is_not_ours_and_in_use(mode, tmp_path):
    path = tmp_path / "notes.db"
    code = f"""
import sqlite3
db = sqlite3.connect({str(path)!r}, isolation_level=None)
db.execute("PRAGMA journal_mode = {mode}")
db.execute("{NOTES}")
print("ready", flush=True)
input()
print(db.execute("PRAGMA journal_mode").fetchone()[0])
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        assert other.stdout.readline() == "ready\n"
        before = look(tmp_path)
        with pytest.raises(g.StorageError, match="it has notes, no sessions"):
            g.open(f"sqlite:{path}", writable=True)
        assert look(tmp_path) == before
        assert other.communicate("\n")[0] == f"{mode.lower()}\n"


def test_a_file_is_created_only_if_asked_for(tmp_path, run):
    (tmp_path / "claims.db").touch()
    (tmp_path / "other.sqlite").touch()
    (tmp_path / "text").touch()
    before = look(tmp_path)
    url = f"sqlite:{tmp_path / 'clams.db'}"
    said = rf"there is no file .*clams\.db: nothing was created\. Near it: sqlite:{tmp_path}/claims"
    for options in ({}, {"writable": False}, {"create": False, "writable": True}):
        with pytest.raises(g.StorageError, match=rf"{said}.db, .*/other.sqlite\. .*create=True"):
            g.open(url, **options)
    with pytest.raises(g.StorageError, match=said):
        g.open(f"{url}?mode=rw", writable=True)
    with pytest.raises(g.StorageError, match="is empty, not a store of sessions"):
        g.open(f"sqlite:{tmp_path / 'claims.db'}")
    assert look(tmp_path) == before
    for index, options in enumerate(({"create": True}, {"writable": True})):
        with g.open(f"sqlite:{tmp_path / f'new{index}.db'}", **options) as wb:
            wb.create("a", "t")
    with g.open(f"sqlite:{tmp_path / 'new2.db'}?mode=rwc") as wb:
        wb.create("a", "t")
    run(run(g.connect(f"sqlite:{tmp_path / 'new3.db'}")).close())
    with g.open(f"sqlite:{tmp_path / 'claims.db'}", create=True) as wb:
        wb.create("a", "t")
    assert stat.S_IMODE((tmp_path / "new0.db").stat().st_mode) == 0o600
    assert len(os.listdir(tmp_path)) == 7  # and no file beside them


def test_a_missing_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(g.StorageError, match=r"can't be created.*does its folder exist"):
        g.open(f"sqlite:{tmp_path}/no/s.db", create=True)
    said = f"For the absolute path write sqlite:{tmp_path}/s.db, or four slashes"
    with pytest.raises(g.StorageError, match=said):
        g.open(f"sqlite://{tmp_path}/s.db")


@pytest.mark.parametrize("writable", [True, False])
def test_a_file_of_ours_keeps_its_mode(writable, tmp_path, run):
    path = tmp_path / "s.db"
    run(run(SqliteSessionStorage.connect(path)).close())
    _sql("PRAGMA journal_mode = DELETE", "DROP INDEX sessions_by_update", NOTES)(path)
    before = look(tmp_path)
    with g.open(f"sqlite:{path}", writable=writable) as wb:
        assert len(wb.sessions()) == 0
    assert look(tmp_path) == before


# Reading


@pytest.fixture
def filled(tmp_path: Path, run: Any) -> Path:
    """A file with the session "a" in a folder of its own."""
    path = tmp_path / "data" / "s.db"
    path.parent.mkdir()
    storage = run(SqliteSessionStorage.connect(path))
    run(storage.save(Session("a", "t")))
    run(storage.close())
    return path


def test_reading_leaves_no_trace(filled):
    before = look(filled.parent)
    assert list(before) == ["s.db"]
    with g.open(f"sqlite:{filled}?mode=ro") as wb:
        assert wb.get("a").id == "a"
        assert wb.advise() is not None
        assert look(filled.parent) == before
    assert look(filled.parent) == before


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, as they may not where pytest keeps its own."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_reading_needs_no_right_to_write(filled, open_folder):
    """As another user, to whom file and folder are read-only."""
    filled = Path(shutil.copytree(filled.parent, open_folder / "data")) / filled.name
    filled.chmod(0o444)
    filled.parent.chmod(0o555)
    before = look(filled.parent)
    code = f"""
import os, graphflow_nb as g
g.open("demo").get("claim-0014")
if os.getuid() == 0: os.setgid(65534); os.setuid(65534)
for options in ({{"writable": False}}, {{}}):
    try:
        wb = g.open("sqlite:{filled}", **options)
        print(wb.get("a").id, len(wb.sessions()))
        wb.create("b", "t")
    except g.ReadOnlyError as error: print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["a 1", "refused"], done.stderr
    filled.parent.chmod(0o755)
    assert look(filled.parent) == before


def test_reading_beside_a_writer(filled, run):
    reader = g.open(f"sqlite:{filled}", writable=False)
    assert len(reader.sessions()) == 1  # of a file in which nobody writes
    writer = run(SqliteSessionStorage.connect(filled))
    run(writer.save(Session("b", "t")))
    assert len(reader.sessions()) == 2  # from its WAL
    late = g.open(f"sqlite:{filled}", writable=False)
    for id in "cdef":
        run(writer.save(Session(id, "t")))
        assert late.get(id).id == reader.get(id).id == id
    late.close()
    reader.close()
    run(writer.close())
    assert os.listdir(filled.parent) == ["s.db"]
    with g.open(f"sqlite:{filled}", writable=False) as last:
        assert len(last.sessions()) == 6


@pytest.mark.parametrize("with_index", [True, False])
def test_what_a_killed_writer_saved_is_read(filled, with_index, tmp_path):
    code = f"import graphflow_nb as g, os; g.open('sqlite:{filled}').create('b', 't'); os._exit(9)"
    subprocess.run([sys.executable, "-c", code])
    if not with_index:
        os.remove(f"{filled}-shm")
    before = look(filled.parent)
    assert "s.db-wal" in before
    with g.open(f"sqlite:{filled}", writable=False) as wb:
        assert wb.get("b").id == "b"
        with pytest.raises(g.ReadOnlyError):
            wb.delete("b")
    assert look(filled.parent) == before
    with g.open(f"sqlite:{filled}") as wb:  # which puts things in order
        assert wb.get("b").id == "b"
    assert os.listdir(filled.parent) == ["s.db"]


def test_a_write_that_was_cut_short_is_said(filled, tmp_path):
    """A journal that must be rolled back, which only a writer can do."""
    copy = tmp_path / "copy.db"
    shutil.copy(filled, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
            "INSERT INTO sessions SELECT 's' || i, 'g', 't', NULL, '{}', 1, i, i FROM n"
        )
        folder = tmp_path / "cut"
        folder.mkdir()
        for suffix in ("", "-journal"):
            shutil.copy(f"{copy}{suffix}", folder / f"s.db{suffix}")
        db.execute("ROLLBACK")
    before = look(folder)
    with pytest.raises(g.StorageError, match=r"ended in the middle of a write.*writable=True"):
        g.open(f"sqlite:{folder / 's.db'}", writable=False)
    assert look(folder) == before
    with g.open(f"sqlite:{folder / 's.db'}") as wb:
        assert len(wb.sessions()) == 1


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
def test_a_link_to_nothing_is_named_as_what_it_is(opener, tmp_path):
    path, target = tmp_path / "link.db", tmp_path / "gone.db"
    path.symlink_to(target)
    with pytest.raises(g.StorageError, match=r"link\.db is a symbolic link to .*gone\.db, which"):
        opener(path)
    assert not target.exists()


def test_a_link_to_a_store_is_followed(tmp_path):
    with g.open(f"sqlite:{tmp_path / 'claims.db'}", create=True) as wb:
        wb.create("a", "t")
    (tmp_path / "link.db").symlink_to(tmp_path / "claims.db")
    for opener in OPENERS.values():
        if opener is not OPENERS["copy"]:
            with opener(tmp_path / "link.db") as wb:
                assert wb.get("a").id == "a"
