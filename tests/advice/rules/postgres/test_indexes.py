"""Advice on indexes, on facts alone and where the condition is really made."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb.advice import Unseen, advise
from graphflow_nb.advice.rules.postgres.indexes import (
    find_missing_filter_indexes,
    find_missing_indexes,
    find_redundant_indexes,
    find_unused_indexes,
)
from graphflow_nb.storage.facts import (
    Index,
    Relation,
    Usage,
)

from ....scope import only_complete
from ....storage.postgres.kit import until
from ....stores import create_table
from ...kit import NONE, Case, find_advice, operations
from .kit import (
    FILL,
    HOSTILE,
    PKEY,
    QUOTED,
    SORTING,
    execute,
    facts,
    fill,
    follow,
    index,
    wait_for_advice,
)

INDEXES = (
    PKEY, index(QUOTED, HOSTILE, valid=False), index("a", HOSTILE), index("b", HOSTILE, "id"),
)  # fmt: skip
CASES = {
    find_missing_filter_indexes: Case(facts(table=QUOTED), filters=("where", "text")),
    find_missing_indexes: Case(facts(table=QUOTED, plans=SORTING)),
    find_redundant_indexes: Case(facts(indexes=INDEXES)),
    find_unused_indexes: Case(facts(indexes=(PKEY, index(QUOTED, HOSTILE)))),
}


def test_no_index_for_the_order():
    pages = operations(*(("table", None, 100 * i, 30) for i in range(3)))
    said = find_advice(advise(facts(plans=SORTING), pages), "order by updated_at")
    assert said is not None
    assert said.severity == "slow"
    assert said.evidence["plan of a page"] == "Limit ← Sort ← Seq Scan"
    assert said.evidence["p50 of a page, ms"] == 30.0
    assert said.evidence["HOT share of updates, %"] == 95.0
    assert said.remedy == "CREATE INDEX CONCURRENTLY ON sessions (updated_at, id);"
    assert "no save can be a HOT update" in said.cost
    assert "95 % of 20,000" in said.cost
    small = {"updated_at": replace(SORTING["updated_at"], rows=50_000)}
    table = Relation(kind="table", rows=50_000)
    assert (
        find_advice(advise(facts(plans=small, relation=table), NONE), "order by updated_at") is None
    )
    by_creation = {"created_at": SORTING["updated_at"]}
    findings = advise(facts(plans=by_creation), NONE, orders=("created_at", "updated_at"))
    said = find_advice(findings, "order by created_at")
    assert said is not None
    assert "HOT" not in said.cost
    assert len(advise(facts(plans=by_creation), NONE)) == 0
    broken = index("half", "updated_at", "id", valid=False, bytes=8192)
    findings = advise(facts(plans=SORTING, indexes=(PKEY, broken)), NONE)
    assert [a.subject for a in findings] == ["index public.half"]
    assert "REINDEX INDEX CONCURRENTLY public.half;" in findings.advice[0].remedy
    nested = Relation(kind="partitioned table", rows=10**6, partitions=(("a", "b"),), nested=True)
    findings = advise(facts(plans=SORTING, relation=nested), NONE)
    said = find_advice(findings, "order by updated_at")
    assert said is not None
    assert "ONLY" not in said.remedy


def test_no_index_for_the_filters():
    used = ("graph", "status", "where")
    findings = advise(facts(uuid=True), NONE, filters=used)
    on_context = find_advice(findings, "filters on the context")
    assert on_context is not None
    assert on_context.remedy == (
        "CREATE INDEX CONCURRENTLY ON sessions USING gin (context jsonb_path_ops);"
    )
    assert "where= " not in on_context.finding
    assert "No index serves where=: " in on_context.finding
    on_text = find_advice(findings, "filters on texts")
    assert on_text is not None
    assert on_text.remedy.splitlines()[-1].endswith(
        "USING gin ((id::text) gin_trgm_ops, status_message gin_trgm_ops);"
    )
    assert len(advise(facts(), NONE, filters=("graph", "ids"))) == 0
    small = Relation(kind="table", rows=50_000)
    assert len(advise(facts(relation=small), NONE, filters=used)) == 0
    gin = (
        index("by_context", "context", plain=False, scans=1),
        index("t", "", "status_message", plain=False, scans=1),
    )
    assert len(advise(facts(indexes=(PKEY, *gin)), NONE, filters=used)) == 0


def test_indexes_that_do_nothing():
    def subjects(*indexes: Index, **more: Any) -> list[str]:
        return [a.subject for a in advise(facts(indexes=(PKEY, *indexes), **more), NONE)]

    twice = index("idx_sessions_id", "id", bytes=1_400_000)
    assert subjects(twice) == ["index public.idx_sessions_id"]
    said = advise(facts(indexes=(PKEY, twice)), NONE).advice[0]
    assert said.evidence == {"size": "1.4 MB", "used, times": 0, "the other, times": 5000}
    assert said.remedy == "DROP INDEX CONCURRENTLY public.idx_sessions_id;"
    assert said.severity == "waste"
    # Of two alike one stays; a unique, conditional or differently ordered one does something.
    a, b = index("a", "graph_id", scans=1), index("b", "graph_id", scans=1)
    assert subjects(a, b) == ["index public.b"]
    assert subjects(index("a", "graph_id", scans=1), index("b", "graph_id", "id", scans=1)) == [
        "index public.a"
    ]
    for kind in ({"unique": True, "kept": True}, {"plain": False, "scans": 1}):
        assert subjects(index("other", "id", **kind)) == []
    assert subjects(replace(twice, keys=(("id", "text_pattern_ops"),), scans=1)) == []
    # Unused
    odd = index("odd", "graph_id", bytes=5_000)
    assert subjects(odd) == ["index public.odd"]
    said = advise(facts(indexes=(PKEY, odd)), NONE).advice[0]
    assert "None of 5,000 scans" in said.finding
    assert said.evidence["counted since"] == "the server's first start"
    assert subjects(replace(odd, scans=1)) == []
    assert subjects(index("new", "updated_at", "id")) == []
    usage = Usage(live=1, dead=0, updates=0, hot_updates=0, scans=999)
    assert subjects(odd, usage=usage) == []
    assert subjects(odd, standby=True) == []


def test_an_index_is_missing_and_another_one_too_many(database):
    asyncio.run(create_table(database, "crate-0.6"))
    by_prefix = "CREATE INDEX by_prefix ON sessions (id text_pattern_ops)"  # serves LIKE
    asyncio.run(execute(database, "CREATE INDEX idx_sessions_id ON sessions (id)", by_prefix))
    fill(database, 60_000)
    with g.open(database) as wb:
        wb.sessions(limit=50)
        recorded = len(wb.latency)
        findings = wb.advise()
        missing = find_advice(findings, "order by updated_at")
        assert missing is not None
        assert missing.evidence["sessions, about"] == 60_000
        assert "Sort" in str(missing.evidence["plan of a page"])
        assert missing.evidence["pages recorded"] == 1
        twice = next(a for a in findings if a.subject == "index public.idx_sessions_id")
        assert "public.sessions_pkey" in twice.finding
        # Looking is no operation of the user's.
        assert len(wb.latency) == recorded
        follow(database, missing)
        follow(database, twice)
        findings = wb.advise()
        assert find_advice(findings, "order by updated_at") is None
        wb.sessions(where={"x": "nothing"}, text="nothing", limit=10)
        findings = wb.advise()
        for subject in ("filters on the context", "filters on texts"):
            said = find_advice(findings, subject)
            assert said is not None
            follow(database, said)
        findings = wb.advise()
        for subject in ("filters on the context", "filters on texts"):
            assert find_advice(findings, subject) is None
        assert find_advice(findings, "redundant indexes") is None
        # Another order is judged once it is asked for.
        assert "created_at" not in repr(findings)
        wb.sessions(order="created_at", limit=5)
        assert find_advice(wb.advise(), "order by created_at") is not None


def test_an_index_for_partitions(database):
    statements = ('CREATE SCHEMA "o.d"', 'SET search_path = "o.d"')

    async def build() -> None:
        connection = await asyncpg.connect(database)
        for statement in statements:
            await connection.execute(statement)
        await connection.execute(
            "CREATE TABLE sessions (id TEXT PRIMARY KEY, graph_id TEXT NOT NULL, current_task_id "
            "TEXT NOT NULL, status_message TEXT, context JSONB NOT NULL, created_at TIMESTAMPTZ "
            "DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now()) PARTITION BY HASH (id)"
        )
        for i in range(2):
            await connection.execute(
                f'CREATE TABLE "s {i}" PARTITION OF sessions '
                f"FOR VALUES WITH (MODULUS 2, REMAINDER {i})"
            )
        await connection.execute(FILL.format(value="'small'", count=60_000))
        await connection.execute("ANALYZE sessions")
        await connection.close()

    asyncio.run(build())
    with g.open(database, table='"o.d".sessions') as wb:
        findings = wb.advise()
        said = find_advice(findings, "order by updated_at")
        assert said is not None
        assert len(said.remedy.splitlines()) == 5
        version = find_advice(findings, "column version")
        assert version is not None
        assert version.severity == "risk"
        follow(database, said)
        assert find_advice(wb.advise(), "order by updated_at") is None


class _Soon:
    """A workbench of whose advice one line may not be there yet."""

    def __init__(self, wb: g.Workbench):
        self.advise = self
        self._wb = wb

    async def aio(self) -> Any:
        findings = await self._wb.advise.aio()
        findings.unseen += [Unseen(f"index public.{name}", "not yet") for name in ("odd", "half")]
        return findings


def test_an_index_that_nothing_used(database):
    asyncio.run(create_table(database, "crate-0.6"))
    asyncio.run(execute(database, "CREATE INDEX odd ON sessions (graph_id, current_task_id)"))
    fill(database, 100)
    asyncio.run(execute(database, "SET enable_seqscan = off", *["TABLE sessions"] * 1100))
    with g.open(database) as wb:
        said = asyncio.run(wait_for_advice("index public.odd", _Soon(wb)))
        follow(database, said)
        assert find_advice(wb.advise(), "unused indexes") is None


def test_an_index_whose_building_failed(database):
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 10)
    build = "CREATE UNIQUE INDEX CONCURRENTLY half ON sessions (current_task_id)"
    with pytest.raises(asyncpg.UniqueViolationError):
        asyncio.run(execute(database, build))
    with g.open(database) as wb:
        said = next(a for a in wb.advise() if a.subject == "index public.half")
        asyncio.run(execute(database, "DELETE FROM sessions WHERE id <> 's1'"))
        follow(database, said)
        assert [a for a in wb.advise() if a.subject == "index public.half"] == []


def test_a_view_says_what_is_behind_it(database):
    asyncio.run(create_table(database, "no-xmin"))
    asyncio.run(execute(database, FILL.format(value="'x'", count=60_000), "ANALYZE"))
    with g.open(database) as wb:
        findings = wb.advise()
        told = {line.subject: line.finding for line in findings.unseen}
        assert "is a view on public.sessions_behind" in told["indexes"]
        said = find_advice(findings, "order by updated_at")
        assert said is not None
        follow(database, said)
        assert find_advice(wb.advise(), "order by updated_at") is None


@only_complete
def test_on_a_replica(primary, standby):
    asyncio.run(create_table(primary.url, "crate-0.6"))
    fill(primary.url, 60_000)

    async def opened() -> Any:
        return g.open(standby.url)

    async def there(wb: Any) -> Any:
        findings = await wb.advise.aio()
        return findings if any("order by" in a.subject for a in findings) else None

    with asyncio.run(until(opened)) as wb:
        findings = asyncio.run(until(lambda: there(wb)))
        told = {line.subject: line.finding for line in findings.unseen}
        assert "replica" in told["dead rows and updates"]
        assert "replica" in told["use of indexes"]
        said = find_advice(findings, "order by updated_at")
        assert said is not None
        assert said.remedy.startswith("-- on the primary\nCREATE INDEX")
        assert find_advice(findings, "size of contexts") is None
