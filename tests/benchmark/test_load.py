"""Requests are made as the workload says, and measured whether they succeed or fail."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb import Query
from graphflow_nb.benchmark import WORKLOADS, OwnSessions

from ..scope import one_in
from ..stores import TABLES
from .kit import QUICK, count_stored


@one_in(3)
@pytest.mark.parametrize("store", ["memory", "sqlite", *TABLES, "redis"], indirect=True)
@pytest.mark.parametrize("name", WORKLOADS)
def test_each_workload_on_each_store(storage, run, name):
    workload = WORKLOADS[name]
    bench = g.wrap(storage, loop=run.__self__.get_loop()).benchmark
    found = bench(name, **QUICK)
    if len(found.turns) < 3 or len(found.requests()) <= 10:  # the machine, or its disk, is busy
        found = bench(name, **QUICK | {"duration": 1.0})
    assert run(storage.count(Query())) == 0
    assert len(found.turns) == 3
    requests = found.requests()
    assert set(requests["request"]) <= set(workload.shares)
    assert requests["outcome"].isin(["ok"]).all()
    ops = set(found.frame()["op"])
    made = {
        "read": {"get"},
        "update": {"upsert"},
        "insert": {"save"},
        "scan": {"query"},
        "modify": {"get", "save"},
        "flow": {"get", "save"},
    }
    assert ops <= set().union(*(made[request] for request in workload.shares))
    row = found.summary().iloc[0]
    assert row["requests"] == len(requests) > 10
    assert row["failed"] == 0
    assert row["p50_us"] > 0
    assert found.frame()["storage"].unique().tolist() == [found.stores[0].label]


def test_flow_does_not_let_contexts_grow():
    storage = g.InMemorySessionStorage()
    found = g.wrap(storage).benchmark("flow", **QUICK | {"sessions": 1, "duration": 0.6})
    sizes = found.frame().query("op == 'save'")["bytes"]
    assert len(found.requests()) > 100
    assert sizes.isna().all()  # memory tells none
    own = OwnSessions(300, seed=1)
    session = own.another()
    for _ in range(20):
        session.context.add_assistant_message("Please send us photos of the damage.")
    assert len(session.context.chat_history) == 5


def test_the_same_seed_asks_for_the_same():
    def asked(seed: int) -> list[str]:
        run = g.open("memory:").benchmark("B", **QUICK | {"seed": seed})
        first = run.requests().query("repeat == 0")
        return [
            f"{r} {id[-4:]}"
            for r, id in zip(*(first[c][:200] for c in ("request", "session_id")), strict=True)
        ]

    assert asked(1) == asked(1) != asked(2)


class Failing(g.InMemorySessionStorage):
    """Breaks after some gets."""

    suspends = True

    def __init__(self, good: int, for_ever: bool):
        super().__init__()
        self._left, self._for_ever = good, for_ever

    async def get(self, id):
        await asyncio.sleep(0)
        self._left -= 1
        if self._left < 0 and (self._for_ever or self._left % 5 == 0):
            raise g.StorageUnavailable("gone")
        return await super().get(id)


def test_failures_are_counted_as_failures():
    wb = g.wrap(Failing(10, for_ever=False))
    run = wb.benchmark("C", **QUICK)
    failed = run.requests().query("outcome == 'error'")
    assert set(failed["error"]) == {"StorageUnavailable"}
    assert run.summary().iloc[0]["failed"] == len(failed) > 0
    assert count_stored(wb) == 0


def test_a_store_that_fails_for_good_ends_the_run_and_is_cleaned_up():
    wb = g.wrap(Failing(10, for_ever=True))
    with pytest.raises(g.StorageUnavailable, match="gone"):
        wb.benchmark("C", **QUICK)
    assert count_stored(wb) == 0


def test_workers_that_meet_conflicts_go_on(database):
    with g.open(database, writable=True) as wb:
        run = wb.benchmark("flow", **QUICK | {"sessions": 2}, concurrency=4)
    frame = run.frame()
    assert (frame["outcome"] == "conflict").any()
    done = run.requests().query("outcome == 'ok'")
    assert len(done) == ((frame["op"] == "save") & (frame["outcome"] == "ok")).sum()


class Vandalized(g.InMemorySessionStorage):
    """Somebody else deletes a session now and then, before it is read or saved."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.deleted: set[str] = set()
        self.rose: set[str] = set()

    async def vandalize(self, id):
        self.calls += 1
        if self.calls % 41 == 0:
            self.deleted.add(id)
            await self.delete(id)

    async def get(self, id):
        await self.vandalize(id)
        return await super().get(id)

    async def save(self, session):
        if not session.is_new:
            await self.vandalize(session.id)
        await super().save(session)
        self.rose |= self.deleted & {session.id}


def test_sessions_deleted_by_somebody_else_fail_and_stay_deleted():
    storage = Vandalized()
    run = g.wrap(storage).benchmark("flow", **QUICK | {"warmup": 0, "sessions": 500})
    failed = run.requests().query("outcome != 'ok'")
    assert set(failed["error"]) == {"SessionNotFound"}
    assert len(failed)
    assert storage.deleted
    assert not storage.rose
