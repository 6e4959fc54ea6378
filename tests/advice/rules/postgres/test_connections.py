"""Advice on pools and poolers, on facts alone and with real ones."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.advice import Findings, advise
from graphflow_nb.advice.rules.postgres.connections import (
    find_pooler,
    find_reset_connections,
    find_resetting_pool,
)
from graphflow_nb.advice.seen import ResettingPool
from graphflow_nb.storage.facts import (
    Backends,
)

from ....stores import create_table
from ...kit import NONE, Case, find_advice, operations
from .kit import facts, fill

CASES = {
    find_reset_connections: Case(
        facts(backends=Backends(connected=9, hidden=0, resetting={"<b>worker": 3}))
    ),
    find_resetting_pool: Case(ResettingPool("pool")),
    find_pooler: Case(facts(pooled=True)),
}


def test_resets_and_poolers():
    who = Backends(connected=9, hidden=4, resetting={"worker": 3})
    findings = advise(facts(backends=who), NONE)
    said = find_advice(findings, "resets of connections")
    assert said is not None
    assert said.evidence == {"a round trip, µs": 50.0, "connections of worker": 3}
    assert "4 of 9" in next(u.finding for u in findings.unseen if "resets" in u.subject)
    assert (
        find_advice(advise(facts(pooled=True), operations(("get", "a", 0, 1))), "pooler")
        is not None
    )


def test_through_a_pooler(database, pooler):
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 100)
    with g.open(pooler.url(database)) as wb:
        findings = wb.advise()
        said = find_advice(findings, "pooler")
        assert said is not None
        assert "each read is a transaction of its own" in said.finding
        assert find_advice(findings, "size of contexts") is None
        assert find_advice(findings, "redundant indexes") is None


class PooledStorage:
    """A storage of one's own, on a pool as asyncpg's documentation makes one."""

    suspends = True

    def __init__(self, pool: asyncpg.Pool):
        self.pool = pool

    async def save(self, session: Session) -> None: ...

    async def delete(self, id: str) -> None: ...

    async def get(self, id: str) -> Session | None:
        async with self.pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
        return None


def test_pools_that_reset(database, run):
    asyncio.run(create_table(database, "crate-0.6"))
    named = {"application_name": "the <worker>"}

    async def nothing(connection: Any) -> None: ...

    async def look(reset: Any) -> tuple[Findings, Findings]:
        pool = await asyncpg.create_pool(
            database, min_size=1, max_size=2, server_settings=named, **reset
        )
        try:
            storage = PooledStorage(pool)
            wb = g.wrap(g.RetryingStorage(storage))
            await wb.storage.get("a")
            theirs = await wb.advise.aio()
            with g.open(database) as ours:
                return theirs, await ours.advise.aio()
        finally:
            await pool.close()

    theirs, ours = run(look({}))
    said = find_advice(theirs, "pool pool")
    assert said is not None
    assert "has no method 'facts'" in repr(theirs)
    assert "reset=nothing" in said.remedy
    said = find_advice(ours, "resets of connections")
    assert said is not None
    assert said.evidence["connections of the <worker>"] == 1
    assert "<worker>" not in ours._repr_html_()
    theirs, ours = run(look({"reset": nothing}))
    assert [a.subject for a in theirs] == []
    assert find_advice(ours, "resets of connections") is None
