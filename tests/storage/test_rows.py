"""Answers in Python from rows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

import pytest

import graphflow_nb as g
from graphflow_nb import Cursor, Query, Session
from graphflow_nb.model.times import UNKNOWN_TIME, time_of
from graphflow_nb.storage import take_page
from graphflow_nb.storage.query import ORDERS


class _Times(NamedTuple):
    created: int
    updated: int


@pytest.mark.parametrize("order", [*ORDERS, *(f"-{name}" for name in ORDERS)])
def test_a_page_of_many_rows_is_that_of_all_in_order(order):
    random = Random(7)
    times = [UNKNOWN_TIME, -5, 0, 1, 2, 3, 2**62]
    found = [(f"s{i}", _Times(random.choice(times), random.choice(times))) for i in range(3_000)]
    after: Cursor | None = None
    for limit in (0, 1, 700, 2, 1_500, 10_000):
        page = take_page(found, Query(order=order, limit=limit, after=after))
        everything = take_page(found, Query(order=order, after=after))
        assert page == everything[:limit]
        if page:
            id, row = page[-1]
            time = row.updated if "updated" in order else row.created
            after = Cursor(
                order, id, None if "id" in order or time == UNKNOWN_TIME else time_of(time)
            )
    assert page


@pytest.mark.parametrize("order", [f"{way}{name}" for name in ORDERS for way in ("", "-")])
def test_a_page_by_what_is_in_contexts_is_the_same_however_much_is_looked_into(order):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    sessions = []
    for n in range(1_500):
        session = Session(f"s{n * 7 % 1_500:04}", "t", context={"rare": n == 700, "even": n % 2})
        session.raw_created = session.raw_updated = now + timedelta(seconds=n // 3)
        session.version = 1
        sessions.append(session)
    storage = g.InMemorySessionStorage.from_sessions(sessions)
    for value in ({"even": 0}, {"rare": True}, {"rare": 5}):
        whole = asyncio.run(storage.query(Query(order=order, context=value)))
        paged, after = [], None
        while len(paged) < 100:
            table = asyncio.run(
                storage.table(Query(order=order, context=value, limit=40, after=after))
            )
            paged += table.id
            after = table.next
            if after is None:
                break
        assert paged == [session.id for session in whole][: len(paged)]
        assert len(paged) == min(len(whole), 120)
