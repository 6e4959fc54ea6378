"""A storage that keeps each version that it saves or deletes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb
from graphflow_nb import (
    InMemorySessionStorage,
    Session,
    SessionConflict,
    SqliteSessionStorage,
)
from graphflow_nb.errors import HistoryError
from graphflow_nb.history import HistoryStorage, Retention, history_of

from .kit import awaited


def _make(kind: str) -> HistoryStorage:
    elsewhere = history_of(InMemorySessionStorage()) if kind == "elsewhere" else None
    return HistoryStorage(InMemorySessionStorage(), archive=elsewhere)


@pytest.fixture(params=["inside", "elsewhere"])
def storage(request: pytest.FixtureRequest) -> HistoryStorage:
    return _make(request.param)


async def kept(storage: HistoryStorage, id: str = "a") -> list[tuple[Any, ...]]:
    versions = reversed(await storage.archive.versions(id))
    return [(v.number, v.version, v.current_task_id, v.deleted) for v in versions]


@awaited
async def test_each_save_and_delete_is_a_version(storage: HistoryStorage) -> None:
    session = Session("a", "one")
    await storage.save(session)
    session.current_task_id = "two"
    session.context["n"] = 1
    await storage.save(session)
    await storage.delete("a")
    await storage.restore(session)  # type: ignore[attr-defined]
    session.current_task_id = "three"
    await storage.upsert(session)  # type: ignore[attr-defined]
    assert await storage.delete_unchanged([session]) == ["a"]  # type: ignore[attr-defined]
    await storage.save(Session("a", "again"))
    assert await storage.delete_many(["a", "b"]) == ["a"]  # type: ignore[attr-defined]
    assert await kept(storage) == [
        (1, 1, "one", False),
        (2, 2, "two", False),
        (3, 2, "two", True),
        (4, 3, "two", False),
        (5, 4, "three", False),
        (6, 4, "three", True),
        (7, 1, "again", False),
        (8, 1, "again", True),
    ]
    first, second = [await storage.archive.session_at("a", n) for n in (1, 2)]
    assert first is not None
    assert second is not None
    assert (dict(first.context), dict(second.context)) == ({}, {"n": 1})


@awaited
async def test_what_was_not_stored_is_no_version(storage: HistoryStorage) -> None:
    await storage.save(Session("a", "one"))
    with pytest.raises(SessionConflict):
        await storage.save(Session("a", "other"))
    await storage.delete("b")
    conflicts = await storage.save_many([Session("a", "x"), Session("b", "one")])  # type: ignore[attr-defined]
    assert [conflict.session.id for conflict in conflicts] == ["a"]
    assert await storage.import_many([Session("a", "x"), Session("c", "one")]) == ["a"]  # type: ignore[attr-defined]
    assert await kept(storage) == [(1, 1, "one", False)]
    assert [len(await kept(storage, id)) for id in "bc"] == [1, 1]


@awaited
async def test_reading_is_no_version(storage: HistoryStorage) -> None:
    await storage.save(Session("a", "one"))
    await storage.get("a")
    await storage.archive.session_at("a", 1)
    assert len(await kept(storage)) == 1


@awaited
async def test_what_is_written_is_compacted_and_pruned_in_between() -> None:
    storage = HistoryStorage(InMemorySessionStorage(), retention=Retention(versions=50))
    session = Session("a", "one")
    for n in range(300):
        session.context["n"] = n
        session.context["pad"] = "x" * 300
        await storage.save(session)
    await storage.settle()
    rows = await storage.archive.table.read("a")
    assert 50 <= len(rows) <= 82
    assert sum(row.context is not None for row in rows) <= 16 + 2
    session_at = await storage.archive.session_at("a", 260)
    assert session_at is not None
    assert session_at.context["n"] == 259


def test_threads_that_save_in_memory_keep_it_small_together() -> None:
    storage = HistoryStorage(InMemorySessionStorage(), retention=Retention(versions=20))

    async def write(thread: int) -> None:
        sessions = [Session(f"{thread}-{n}", "one", context={"pad": "x" * 300}) for n in range(5)]
        for n in range(64):
            for session in sessions:
                session.context["n"] = n
                await storage.save(session)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda thread: asyncio.run(write(thread)), range(4)))
    asyncio.run(storage.settle())
    for thread in range(4):
        rows = asyncio.run(storage.archive.table.read(f"{thread}-0"))
        assert 20 <= len(rows) < 20 + 32
        assert rows[0].number == 64


@awaited
async def test_what_ended_in_between_is_compacted_to_its_end() -> None:
    storage = HistoryStorage(InMemorySessionStorage())
    session, other = (Session(id, "one", context={"pad": "x" * 300}) for id in "ab")
    for n in range(13):
        session.context["n"] = n
        await storage.save(session)
    for n in range(1500):  # three turns
        await storage.save(other)
        if n % 100 == 99:
            await storage.settle()
    rows = await storage.archive.table.read("a")
    assert [row.number for row in rows if row.context is not None] == [13]


@awaited
async def test_sessions_that_are_seldom_written_lose_old_versions_in_their_turn() -> None:
    retention = Retention(age=timedelta(microseconds=1))
    storage: Any = HistoryStorage(InMemorySessionStorage(), retention=retention)
    sessions = [Session(f"{n:03}", "one") for n in range(300)]
    for _ in range(8):
        for session in sessions:
            await storage.save(session)
        await storage.settle()
    steps = await storage.archive.steps()
    numbers: dict[str, list[int]] = {}
    for id, number in zip(steps.id, steps.number.tolist(), strict=True):
        numbers.setdefault(id, []).append(number)
    assert len(numbers) == 300
    assert all(found[-1] == 8 for found in numbers.values())
    # 2,400 writes make four turns or more, of at most 200 sessions each.
    assert all(found[0] > 1 for found in numbers.values())


@awaited
async def test_an_archive_that_fails_stops_no_save_and_is_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = _make("elsewhere")

    async def fail(*_: object) -> None:
        raise HistoryError("full")

    monkeypatch.setattr(storage.archive.table, "append", fail)
    await storage.save(Session("a", "one"))
    assert await storage.inner.get("a") is not None
    assert storage.missed == 1
    assert "missing in the history" in caplog.text
    assert "a crash in between loses it" in storage.guarantee
    assert "transaction" in _make("inside").guarantee


def test_memory_has_its_history_in_a_file_from_a_notebook_too(tmp_path: Path) -> None:
    place = tmp_path / "history.db"

    async def connect() -> Any:
        storage = await SqliteSessionStorage.connect(place)
        await history_of(storage).create()
        return storage

    file = asyncio.run(connect())
    assert place.stat().st_mode & 0o077 == 0
    storage = HistoryStorage(InMemorySessionStorage(), archive=history_of(file))
    with graphflow_nb.wrap(storage) as wb:
        session = wb.create("a", "one", context={"pad": "x" * 300})
        for n in range(40):
            session.context["n"] = n
            wb.save(session)
    rows = asyncio.run(_read_and_close(file))
    assert [row.version for row in rows] == [*range(41, 0, -1)]
    assert sum(row.context is None for row in rows) >= 30


async def _read_and_close(file: Any) -> Any:
    rows = await file.history_table.read("a")
    await file.close()
    return rows
