"""A snapshot of a file is one transaction beside writers; others keep nobody from writing."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from graphflow_nb import Query, Session, SqliteSessionStorage, StorageError


@pytest.fixture
def path(tmp_path, run):
    """A file with three sessions."""
    path = tmp_path / "s.db"
    storage = run(SqliteSessionStorage.connect(path))
    run(storage.save_many([Session(id, "t") for id in "abc"]))
    run(storage.close())
    return path


async def ids_of(storage) -> list[str]:
    return list((await storage.table(Query(order="id"))).id)


def test_writers_go_on_and_the_wal_is_free_afterwards(path, run):
    async def main():
        storage = await SqliteSessionStorage.connect(path)
        snapshot = await storage.snapshot()
        await storage.delete("a")
        assert await ids_of(snapshot) == ["a", "b", "c"]
        assert (await snapshot.get("a")).version == 1
        assert await ids_of(storage) == ["b", "c"]
        with closing(sqlite3.connect(path)) as other:
            blocked = "PRAGMA wal_checkpoint(TRUNCATE)"
            other.execute("PRAGMA busy_timeout = 0")
            assert other.execute(blocked).fetchone()[0] == 1
            await snapshot.close()
            await snapshot.close()
            assert other.execute(blocked).fetchone()[0] == 0
        await storage.close()

    run(main())


def test_a_closed_storage_takes_no_snapshot_and_leaves_none_open(path, run):
    async def main():
        storage = await SqliteSessionStorage.connect(path)
        snapshot = await storage.snapshot()
        await storage.close()
        for call in (storage.snapshot(), ids_of(snapshot)):
            with pytest.raises(StorageError, match="closed"):
                await call
        await snapshot.close()

    run(main())


def test_a_file_without_a_wal_is_refused(path, run):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")

    async def main():
        for read_only in (False, True):
            storage = await SqliteSessionStorage.connect(path, read_only=read_only)
            with pytest.raises(StorageError, match=r"not in WAL mode.*let no program save"):
                await storage.snapshot()
            assert await ids_of(storage) == ["a", "b", "c"]
            await storage.close()

    run(main())


def test_for_reading_only_a_snapshot_lasts_as_long_as_the_file_stays(path, run):
    async def main():
        storage = await SqliteSessionStorage.connect(path, read_only=True)
        snapshot = await storage.snapshot()
        assert await ids_of(snapshot) == ["a", "b", "c"]
        writer = await SqliteSessionStorage.connect(path)
        await writer.delete("a")
        # Beside a connection of this process that writes, a snapshot of another state is none.
        with pytest.raises(StorageError, match="has ended, since a program opened the file"):
            await ids_of(snapshot)
        assert await ids_of(storage) == ["b", "c"]
        beside = await storage.snapshot()
        await writer.delete("b")
        assert await ids_of(beside) == ["b", "c"]
        await beside.close()
        await snapshot.close()
        await writer.close()
        await storage.close()

    run(main())


def test_a_database_in_memory_is_copied(run):
    async def main():
        storage = await SqliteSessionStorage.connect(":memory:")
        await storage.save(Session("a", "t"))
        snapshot = await storage.snapshot()
        await storage.delete("a")
        assert await ids_of(snapshot) == ["a"]
        assert await ids_of(storage) == []
        await snapshot.close()
        with pytest.raises(StorageError, match="closed"):
            await ids_of(snapshot)
        await storage.close()

    run(main())
