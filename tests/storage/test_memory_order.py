"""Pages of a store in memory: in the right order whatever was written between them."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from graphflow_nb import InMemorySessionStorage, Query, Session
from graphflow_nb.bridge import InPlace
from graphflow_nb.model import stored_session
from graphflow_nb.storage import memory, memory_order
from graphflow_nb.storage.rows import find_page

ORDERS = ["id", "-id", "updated_at", "-updated_at", "created_at", "-created_at"]


def _session(dice: random.Random) -> Session:
    """Return a session with one of 60 ids and of 15 times, or of none."""
    times = [dice.choice([None, *range(15)]) for _ in range(2)]
    task, context = f"t{dice.randrange(5)}", b'{"data":{"n":%d}}' % dice.randrange(9)
    return stored_session(f"s{dice.randrange(60):02}", "g", task, None, context, 1, *times)


async def _write(storage: InMemorySessionStorage, dice: random.Random) -> None:
    session = _session(dice)
    match dice.randrange(5):
        case 0:
            await storage.delete(session.id)
        case 1:
            await storage.upsert(session)
        case 2:
            await storage.import_many([session])
        case 3 if (stored := await storage.get(session.id)) is not None:
            await storage.save(stored)
        case _:
            await storage.delete_many([session.id])
            await storage.import_many([session])


async def _read_pages(storage: InMemorySessionStorage, query: Query) -> list[str]:
    ids: list[str] = []
    while True:
        table = await storage.table(query)
        ids += table.id
        if table.next is None:
            return ids
        query = replace(query, after=table.next)


@pytest.mark.parametrize("seed", range(3))
def test_pages_are_those_of_all_rows_sorted(seed, monkeypatch, run):
    monkeypatch.setattr(memory, "MANY", 4)
    monkeypatch.setattr(memory_order, "MANY", 4)
    dice = random.Random(seed)

    async def compare():
        storage = InMemorySessionStorage.from_sessions([_session(dice) for _ in range(80)])
        for _ in range(120):
            for _ in range(dice.randrange(8)):
                await _write(storage, dice)
            query = Query(
                order=dice.choice(ORDERS),
                task=dice.choice([None, None, "t1"]),
                context=dice.choice([{}, {}, {"n": 3}]),
                id_prefix=dice.choice([None, None, "s4", "s", "x", "s59"]),
                limit=dice.choice([1, 3, 7, 50]),
            )
            everything = await storage.query(replace(query, limit=None))
            assert await _read_pages(storage, query) == [s.id for s in everything], query
        assert await storage.query(Query(limit=0)) == []

    run(compare())


@pytest.mark.parametrize("order", ["id", "-updated_at"])
def test_a_page_looks_at_few_rows_of_many(order, monkeypatch, run):
    looked_at = []

    def note(rows, query):
        looked_at.append(len(rows))
        return find_page(rows, query)

    async def read():
        times = range(3000)
        storage = InMemorySessionStorage.from_sessions(
            stored_session(f"s{n:04}", "g", f"t{n % 3}", None, b"{}", 1, n, n) for n in times
        )
        query = Query(order=order, task="t1", limit=100)
        await storage.table(query)
        monkeypatch.setattr(memory, "find_page", note)
        monkeypatch.setattr(memory_order.KeptOrder, "_make", None)
        portions, find = [], memory_order.KeptOrder.find

        def find_and_note(*args):
            portions.append(find(*args))
            return portions[-1]

        monkeypatch.setattr(memory_order.KeptOrder, "find", find_and_note)
        await storage.upsert(Session("new", "t1"))
        ids = await _read_pages(storage, query)
        assert len(ids) == len(set(ids)) == 1001
        assert max(len(portion.rows) for portion in portions) < 1200

    run(read())
    assert len(looked_at) <= 1  # the last page, which isn't full


def test_what_is_written_between_two_pages_is_on_the_next(run):
    async def write_between():
        storage = InMemorySessionStorage.from_sessions(
            stored_session(f"s{n:04}", "g", "t", None, b"{}", 1, n, n) for n in range(2000)
        )
        for order in ORDERS:
            await storage.table(Query(order=order, limit=1))
            await storage.upsert(Session("t", "t"))
            await storage.delete("s1999")
            found = await storage.query(Query(order=order, limit=2000))
            assert [s.id for s in found].count("t") == 1
            assert "s1999" not in {s.id for s in found}
            await storage.delete("t")
            await storage.import_many([stored_session("s1999", "g", "t", None, b"{}", 1, 5, 5)])

    run(write_between())


def test_a_search_lets_others_take_turns(run, monkeypatch):
    monkeypatch.setattr(memory, "_PORTION", 1_000)
    sessions = [Session(f"s{n}", "t") for n in range(3_000)]
    storage = InMemorySessionStorage.from_sessions(sessions)

    async def read_beside(search):
        searching = asyncio.ensure_future(search)
        await asyncio.sleep(0)
        changed = await storage.get("s7")
        changed.current_task_id = "found"
        await storage.save(changed)
        assert not searching.done(), "the others waited for the search"
        return await searching

    # What is saved meanwhile is not found: a search sees one state.
    assert run(read_beside(storage.query(Query(task="found")))) == []
    assert run(read_beside(storage.count(Query(task="t")))) == 2_999
    searching = storage.counts(Query(task="t"))
    assert [group.sessions for group in InPlace().run(searching)] == [2_999]


@pytest.mark.parametrize("order", ["id", "-updated_at"])
def test_an_order_whose_making_was_interrupted_is_made_again(order, monkeypatch, run):
    monkeypatch.setattr(memory, "MANY", 4)
    monkeypatch.setattr(memory_order, "MANY", 4)
    storage = InMemorySessionStorage.from_sessions([Session(f"s{n}", "t") for n in range(9)])

    class Interrupting(list):  # as Ctrl-C does, which comes at any point
        def sort(self, **_: object) -> None:
            raise KeyboardInterrupt

        def __getitem__(self, _: object) -> object:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(memory_order, "list", Interrupting, raising=False)
        with pytest.raises(KeyboardInterrupt):
            InPlace().run(storage.table(Query(order=order, limit=3)))
    assert len(run(storage.table(Query(order=order, limit=3))).id) == 3
