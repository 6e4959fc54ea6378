"""A search in steps finds what one statement finds, and says how far it is."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
from contextlib import closing
from itertools import product

import pytest

from graphflow_nb import Query, Session, SqliteSessionStorage
from graphflow_nb.model import stored_session
from graphflow_nb.storage.scans import noting_rows
from graphflow_nb.storage.sqlite import searching

FILTERS = [{"task": "t7"}, {"task": "none"}, {"text": "9"}, {"id_prefix": "s1", "task": "t1"}]


@pytest.fixture
def storage(tmp_path, run, monkeypatch):
    """A storage with 200 sessions of few times, which is searched 7 sessions at a time."""
    monkeypatch.setattr(searching, "STEP", 7)
    dice = random.Random(3)
    storage = run(SqliteSessionStorage.connect(tmp_path / "s.db"))
    sessions = [
        stored_session(
            f"s{n:03}", "g", f"t{dice.randrange(20)}", None, b"{}", 1, 1, dice.randrange(30)
        )
        for n in range(200)
    ]
    run(storage.import_many(sessions))
    yield storage
    run(storage.close())


async def search(storage, query, note):
    with noting_rows(note):
        return await storage.table(query)


@pytest.mark.parametrize("order", ["id", "-id", "updated_at", "-updated_at"])
def test_the_same_pages_are_found(storage, run, order):
    for filters, limit in product(FILTERS, (1, 3, 100)):
        query: Query | None = Query(order=order, limit=limit, **filters)
        sorts = "id_prefix" in filters and "id" not in order  # few, which are not searched for
        looked_at = 0
        while query is not None:
            plain = run(storage.table(query))
            told: list[tuple[int, int | None]] = []
            stepwise = run(search(storage, query, lambda *read, told=told: told.append(read)))
            assert (stepwise.id, stepwise.next) == (plain.id, plain.next), query
            assert sorts or told == [(7 * n, 200) for n in range(1, len(told) + 1)]
            looked_at += 7 * len(told)
            query = None if plain.next is None else query.following(plain.next, limit)
        assert looked_at >= 100 or "id_prefix" in filters


def test_odd_rows_are_found_too(storage, tmp_path, run):
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.execute("UPDATE sessions SET updated_at = 'soon' WHERE id > 's150'")
        db.execute("UPDATE sessions SET id = CAST(x'ff' AS TEXT) WHERE id = 's100'")
    for order in ("id", "-id", "updated_at", "-updated_at"):
        query = Query(order=order, limit=150, text="1")
        assert run(search(storage, query, print)).id == run(storage.table(query)).id


def test_what_ends_in_between_leaves_no_transaction(storage, run):
    def stop(done: int, about: int | None) -> None:
        raise LookupError(done)

    query = Query(task="none", limit=5)
    with pytest.raises(LookupError, match="7"):
        run(search(storage, query, stop))
    run(storage.save(Session("new", "none")))
    assert run(search(storage, query, print)).id == ["new"]


def test_a_search_that_is_cancelled_between_two_steps_ends(storage, run):
    told: list[int] = []
    cancelled = threading.Event()

    async def cancel_after_a_step():
        loop = asyncio.get_running_loop()

        def note(done: int, about: int | None) -> None:
            told.append(done)
            loop.call_soon_threadsafe(searching.cancel)
            assert cancelled.wait(30)

        searching = asyncio.ensure_future(search(storage, Query(task="none", limit=5), note))
        with pytest.raises(asyncio.CancelledError):
            await searching
        cancelled.set()

    run(cancel_after_a_step())
    run(storage.close())  # which waits for what its connections do
    assert told == [7]


def test_a_search_in_a_snapshot_leaves_its_transaction_open(storage, run):
    async def search_twice():
        snapshot = await storage.snapshot()
        await storage.delete("s000")
        for _ in range(2):
            found = await search(snapshot, Query(order="id", limit=1, text="s00"), lambda *_: None)
            assert found.id == ["s000"]
        await snapshot.close()

    run(search_twice())
