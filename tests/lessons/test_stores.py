"""The stores of lessons are killed for real, come back at the same URL, and leave nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb.lessons import LessonStore, lesson_store
from graphflow_nb.private_server import LocalPostgres

from ..scope import only_complete


@pytest.fixture(scope="module", params=["redis", "postgres"])
def server_store(request: pytest.FixtureRequest) -> Iterator[LessonStore]:
    settings = {"redis": {"appendonly": "yes", "appendfsync": "always"}, "postgres": {}}
    with lesson_store(request.param, **settings[request.param]) as store:
        yield store


@only_complete
def test_a_killed_server_comes_back_at_the_same_url_with_what_it_had(server_store):
    url, wb = server_store.url, server_store.open()
    kept = wb.create("kept", "intake")
    server_store.kill()
    assert repr(server_store) == f"<LessonStore {server_store.label}, killed>"
    with pytest.raises(g.StorageError):
        wb.get("kept")
    with pytest.raises(g.StorageError):
        server_store.open()
    server_store.restart()
    server_store.restart()  # it runs
    assert server_store.url == url
    for found in (wb.get("kept"), server_store.open().get("kept")):
        assert (found.version, found.updated_at) == (1, kept.updated_at)
    wb.delete("kept")


def read(path: Path) -> str:
    """Return what a process says of itself, nothing where it has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""


def test_every_process_of_postgresql_is_killed():
    with LocalPostgres() as server:
        wb = g.open(server.url, writable=True)
        wb.create("a", "t")
        parent = f"\nPPid:\t{server.pid}\n"
        processes = [p for p in Path("/proc").glob("[0-9]*") if parent in read(p / "status")]
        assert len(processes) > 4
        server.kill()
        assert not any("postgres" in read(path / "cmdline") for path in processes)
        assert not server.running
        server.kill()
        wb.close()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_file_keeps_its_journal_mode(mode):
    with lesson_store("sqlite", journal_mode=mode) as store:
        store.open().create("a", "t")
        with closing(sqlite3.connect(store.url.removeprefix("sqlite:"))) as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == (mode,)


def test_a_file_and_memory_have_no_server():
    with lesson_store("sqlite") as store:
        assert store.url is not None
        path = store.url.removeprefix("sqlite:")
        store.open().create("a", "t")
        with pytest.raises(g.StorageError, match=r"no server to kill.*Nothing was killed"):
            store.kill()
        store.restart()
        assert store.open().get("a").version == 1
    assert not os.path.exists(os.path.dirname(path))
    with lesson_store("memory") as store:
        assert store.url is None
        assert store.open() is store.open()
        for refused in (store.kill, store.restart):
            with pytest.raises(g.StorageError, match="memory"):
                refused()
    for late in (store.open, store.restart):
        with pytest.raises(g.StorageError, match="closed"):
            late()
    store.close()
    assert repr(store) == "<LessonStore memory, closed>"


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("oracle", {}, "unknown store 'oracle': use memory, sqlite, redis, postgres"),
        ("redis", {"fsync": "on"}, "Redis has no setting 'fsync' in a lesson: use appendonly"),
        ("memory", {"fsync": "on"}, "it takes none"),
        ("postgres", {"fsync": True}, "fsync= is 'on' or 'off', not True; nothing was started"),
        ("sqlite", {"journal_mode": "off"}, "'wal' or 'delete', not 'off'"),
        ("redis", {"save": 60}, "save= is '3600 1"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_starts(kind, settings, said):
    with pytest.raises(g.StorageError, match=said):
        lesson_store(kind, **settings)
