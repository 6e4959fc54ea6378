"""Answers in Python from one method that lists ids, or sessions."""

from __future__ import annotations

import asyncio
import json

import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session, SessionFormatError
from graphflow_nb.storage import ByScanning, problems_of
from graphflow_nb.testing import check


class Shelf(ByScanning):
    """Three coroutines, and one that lists ids."""

    def __init__(self):
        self.memory = g.InMemorySessionStorage()
        self.ids = set()
        self.gets = 0

    async def save(self, session):
        await self.memory.save(session)
        self.ids.add(session.id)

    async def get(self, id):
        self.gets += 1
        return await self.memory.get(id)

    async def delete(self, id):
        await self.memory.delete(id)
        self.ids.discard(id)

    async def list_ids(self):
        return list(self.ids)


def test_a_storage_that_lists_ids_answers_every_query():
    report = check(Shelf)
    assert report.ok, report
    queries = report.by_capability()["query, table, count, counts"]
    missing = {finding.prop.name for finding in queries if finding.outcome == "missing"}
    assert missing == {"pages_of_equal_times"}  # which needs import_many too


def test_a_storage_that_lists_sessions_is_not_asked_for_each(run):
    class Listing(Shelf):
        async def scan(self):
            return await self.memory.query(Query())

    storage = Listing()
    run(storage.save(Session("a", "t")))
    assert run(storage.count(Query(task="t"))) == 1
    assert storage.gets == 0


def test_a_session_that_is_gone_when_it_is_read_is_left_out(run):
    storage = Shelf()
    run(storage.save(Session("a", "t")))
    storage.ids.add("b")
    assert [s.id for s in run(storage.query(Query()))] == ["a"]


def test_without_either_it_says_what_is_missing(run):
    class Nothing(ByScanning):
        pass

    with pytest.raises(NotImplementedError, match="list_ids"):
        run(Nothing().list_ids())
    with pytest.raises(g.CapabilityError, match="save, get and delete"):
        run(Nothing().count(Query()))


def test_a_session_that_can_not_be_read_hides_no_other():
    class Torn(Shelf):
        async def get(self, id):
            if id == "odd":
                return Session.from_json('{"id": "odd", "version": "three"}')
            return await super().get(id)

    async def run():
        shelf = Torn()
        for id in ("a", "odd", "z"):
            await shelf.save(Session(id, "t"))
        for order in ("id", "-id", "updated_at", "-updated_at"):
            table = await shelf.table(Query(order=order))
            assert sorted(table.id) == ["a", "odd", "z"]
            assert list(table.problems) == ["odd"]
            assert "version" in table.problems["odd"] or "graph_id" in table.problems["odd"]
            first = await shelf.table(Query(order=order, limit=1))
            rest = await shelf.table(Query(order=order, after=first.next))
            assert first.id + rest.id == table.id
        found = await shelf.query(Query(order="id", limit=2))
        assert [session.id for session in found] == ["a", "z"]
        assert list(problems_of(found)) == ["odd"]
        assert await shelf.count(Query()) == 3

    asyncio.run(run())


def test_a_store_that_failed_is_not_an_odd_session():
    class Away(Shelf):
        async def get(self, id):
            raise g.StorageUnavailable("away")

    shelf = Away()
    shelf.ids.add("a")
    with pytest.raises(g.StorageUnavailable):
        asyncio.run(shelf.table(Query()))


def test_a_scan_that_can_not_read_one_session_hides_no_other(run):
    class Scanning(Shelf):
        async def scan(self):
            return (json.loads(text) for text in ["{"])

    shelf = Scanning()
    for id in ("a", "b"):
        run(shelf.save(Session(id, "t")))
    assert [s.id for s in run(shelf.query(Query(order="id")))] == ["a", "b"]
    assert run(shelf.count(Query())) == 2


def test_where_a_scan_alone_can_not_read_a_session_it_says_what_helps(run):
    class Scanning(ByScanning):
        async def scan(self):
            return (json.loads(text) for text in ["{"])

    with pytest.raises(SessionFormatError, match=r"Scanning\.scan\(\) can't read one") as caught:
        run(Scanning().query(Query()))
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("context", [b'{"data":{"k":"\xff"}}', b'{"data":{"k":nul}}', b"[1]"])
def test_a_context_that_can_not_be_read_hides_no_other(run, context):
    class Scanning(Shelf):
        async def get(self, id):
            session = await super().get(id)
            return session if id == "a" else session.with_context_json(context)

    shelf = Scanning()
    for id in ("a", "odd"):
        run(shelf.save(Session(id, "t", context={"k": 1})))
    for query, ids in (
        (Query(), ["a"]),
        (Query(context={"k": 1}), ["a"]),
        (Query(ids=["odd"]), []),
    ):
        assert [s.id for s in run(shelf.query(query))] == ids
    assert "context" in problems_of(run(shelf.query(Query())))["odd"]
    assert list(run(shelf.table(Query(), ["k"])).problems) == ["odd"]
