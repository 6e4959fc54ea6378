"""Advice on the rows of a table, on facts alone and where the condition is really made."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg

import graphflow_nb as g
from graphflow_nb.advice import advise
from graphflow_nb.advice.rules.postgres.table import (
    find_cold_updates,
    find_dead_rows,
    find_large_contexts,
    find_missing_version,
    find_unlogged_table,
)
from graphflow_nb.storage.facts import (
    Backends,
    Contexts,
    Relation,
    Usage,
)

from ....scope import need
from ....storage.postgres.kit import until
from ....stores import create_table
from ...kit import NONE, Case, find_advice, operations
from .kit import PKEY, QUOTED, execute, facts, fill, follow, index, wait_for_advice

LARGE = Contexts(
    sampled=100, outside=40, bytes=400_000, outside_bytes=390_000, largest=20_000,
    methods={"pglz": 40},
)  # fmt: skip
WORN = Usage(live=60_000, dead=40_000, updates=20_000, hot_updates=100, scans=0)
CASES = {
    find_large_contexts: Case(facts(table=QUOTED, contexts=LARGE)),
    find_dead_rows: Case(facts(table=QUOTED, usage=WORN)),
    find_cold_updates: Case(facts(table=QUOTED, usage=WORN)),
    find_unlogged_table: Case(facts(table=QUOTED, relation=Relation(kind="table", logged=False))),
    find_missing_version: Case(facts(versioned=False, xmin=False, uuid=True)),
}


def test_contexts_that_are_too_large():
    seen = Contexts(
        sampled=100, outside=40, bytes=400_000, outside_bytes=390_000, largest=20_000,
        methods={"pglz": 40},
    )  # fmt: skip
    saves = operations(
        *(("save", f"s{i}", 10 * i, 1, 0, 100) for i in range(5)),
        *(("save", f"s{i}", 10 * i, 4, 0, 10_000) for i in range(5, 8)),
    )
    subject = "size of contexts"
    said = find_advice(advise(facts(contexts=seen), saves), subject)
    assert said is not None
    assert said.evidence["outside of their row, %"] == 40.0
    assert said.evidence["save up to 2.0 kB, p50 ms"] == "1.0 (5 saves)"
    assert said.evidence["save above 2.0 kB, p50 ms"] == "4.0 (3 saves)"
    assert said.remedy == "ALTER TABLE sessions ALTER COLUMN context SET COMPRESSION lz4;"
    for without in (
        facts(contexts=seen, lz4=False),
        facts(contexts=replace(seen, methods={"none": 40})),
    ):
        said = find_advice(advise(without, NONE), subject)
        assert said is not None
        assert "lz4" not in said.remedy
    table = Relation(kind="table", rows=60_000, compression="lz4")
    assert find_advice(advise(facts(contexts=seen, relation=table), NONE), subject) is None
    by_default = facts(contexts=seen, set={"default_toast_compression": "lz4"})
    assert find_advice(advise(by_default, NONE), subject) is None
    assert find_advice(advise(facts(contexts=replace(seen, outside=4)), NONE), subject) is None
    parts = (("a", "p0"), ("a", "p1"))
    parted = Relation(kind="partitioned table", rows=1, partitions=parts)
    said = find_advice(advise(facts(contexts=seen, relation=parted), NONE), subject)
    assert said is not None
    assert said.remedy.splitlines()[1].startswith("ALTER TABLE a.p1 ALTER COLUMN context")


def test_dead_rows():
    usage = Usage(live=60_000, dead=40_000, updates=0, hot_updates=0, scans=0)
    table = Relation(kind="table", rows=60_000, vacuum_due=12_000)
    said = find_advice(advise(facts(usage=usage, relation=table), NONE), "dead rows")
    assert said is not None
    assert "40 % of the rows are dead" in said.finding
    assert "Autovacuum is behind" in said.finding
    assert "scale_factor" in said.remedy
    held = Backends(connected=1, hidden=0, oldest_seconds=7200.0, oldest="pid 7 idle <b>")
    said = find_advice(advise(facts(usage=usage, relation=table, backends=held), NONE), "dead rows")
    assert said is not None
    assert "open for 7,200 s" in said.finding
    assert said.remedy.startswith("-- end it first: pid 7")
    off = replace(table, autovacuum=False)
    clean = replace(usage, dead=0)
    said = find_advice(advise(facts(usage=clean, relation=off), NONE), "dead rows")
    assert said is not None
    assert "autovacuum_enabled = true" in said.remedy
    for calm in (replace(usage, dead=9_000), replace(usage, live=10**6)):
        assert find_advice(advise(facts(usage=calm, relation=table), NONE), "dead rows") is None


def test_updates_that_indexes_follow():
    subject = "updates that indexes follow"
    cold = Usage(live=1, dead=0, updates=20_000, hot_updates=100, scans=0)
    said = find_advice(advise(facts(usage=cold), NONE), subject)
    assert said is not None
    assert said.remedy == "ALTER TABLE sessions SET (fillfactor = 80);"
    by_time = facts(usage=cold, indexes=(PKEY, index("by_time", "updated_at", "id")))
    findings = advise(by_time, NONE)
    assert find_advice(findings, subject) is None
    line = next(line for line in findings.in_order if line.subject == subject)
    assert "public.by_time" in line.finding


WORDS = "(SELECT string_agg('word ' || md5(k::text), ' ') FROM generate_series(i, i + 250) k)"


def large(url: str) -> None:
    """Contexts of about 10 kB, of which pglz takes a part away."""
    fill(url, 300, f"repeat('some text ', 500) || {WORDS}")


def test_large_contexts_where_lz4_is(oldest):
    url = oldest.create_database("large")
    asyncio.run(create_table(url, "crate-0.6"))
    large(url)
    with g.open(url, writable=True) as wb:
        session = wb.get("s7")
        session.status_message = "saved"
        wb.save(session)
        said = find_advice(wb.advise(), "size of contexts")
        assert said is not None
        assert said.evidence["outside of their row, %"] == 100.0
        assert said.evidence["outside, compression pglz"] == 300
        assert "(1 save)" in str(said.evidence["save above 2.0 kB, p50 ms"])
        assert "lz4" in said.remedy
        follow(url, said)
        assert find_advice(wb.advise(), "size of contexts") is None


async def knows_lz4(url: str) -> bool:
    connection = await asyncpg.connect(url)
    methods = "SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'"
    known = await connection.fetchval(methods)
    await connection.close()
    return "lz4" in (known or ())


def test_large_contexts_where_no_lz4_is(database):
    asyncio.run(create_table(database, "documented"))
    large(database)
    with g.open(database) as wb:
        need("a server without lz4", not asyncio.run(knows_lz4(database)))
        said = find_advice(wb.advise(), "size of contexts")
        assert said is not None
        assert "built without lz4" in said.cost
        largest = eval(said.remedy, {"wb": wb})
        assert largest["context_bytes"].min() > 2000


def test_dead_rows_are_vacuumed(database):
    asyncio.run(create_table(database, "crate-0.6"))
    off = "ALTER TABLE sessions SET (autovacuum_enabled = false)"
    change = "UPDATE sessions SET status_message = 'x', updated_at = now()"
    asyncio.run(execute(database, off))
    fill(database, 20_000)
    asyncio.run(execute(database, change))
    with g.open(database) as wb:
        said = asyncio.run(wait_for_advice("dead rows", wb))
        assert said.evidence["dead rows"] == 20_000
        assert "Autovacuum is off" in said.finding
        follow(database, said)

        async def gone() -> bool:
            return find_advice(await wb.advise.aio(), "dead rows") is None

        asyncio.run(until(gone))


def test_cold_updates(database):
    """Each page is full, so no update is HOT; with room they are."""
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 12_000)
    change = "UPDATE sessions SET status_message = 'x', updated_at = now()"
    asyncio.run(execute(database, change))
    subject = "updates that indexes follow"
    with g.open(database) as wb:
        said = asyncio.run(wait_for_advice(subject, wb))
        assert said.evidence["updates"] == 12_000
        reset = "SELECT pg_stat_reset()"
        asyncio.run(execute(database, *said.remedy.splitlines(), "VACUUM FULL sessions", reset))
        few = "UPDATE sessions SET status_message = 'y' WHERE graph_id LIKE '%{}'"
        asyncio.run(execute(database, *(few.format(i % 10) for i in range(10))))

        async def hot() -> bool:
            lines = (await wb.advise.aio()).in_order
            return any(line.subject == subject for line in lines)

        asyncio.run(until(hot))


def test_an_unlogged_table(database):
    asyncio.run(create_table(database, "crate-0.6"))
    asyncio.run(execute(database, "ALTER TABLE sessions SET UNLOGGED"))
    with g.open(database) as wb:
        said = next(a for a in wb.advise() if a.subject == "unlogged table")
        follow(database, said)
        assert "unlogged" not in repr(wb.advise())


def test_a_table_without_version(database):
    asyncio.run(create_table(database, "partitioned"))
    with g.open(database, writable=True) as wb:
        said = find_advice(wb.advise(), "column version")
        assert said is not None
        assert said.severity == "risk"
        exec(said.remedy, {"wb": wb})
        assert find_advice(wb.advise(), "column version") is None
        assert wb.storage.inner.form.versioned


def test_a_missing_version():
    assert find_advice(advise(facts(versioned=False), NONE), "column version") is None
    older = find_advice(
        advise(facts(versioned=False, xmin=False, uuid=True), NONE), "column version"
    )
    assert older is not None
    assert older.severity == "risk"
    assert "about 60,000 sessions" in older.cost
