"""Advice: what it finds, on facts alone and in stores where the condition is really made."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import numpy as np
import pandas as pd
import pytest
import redis

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.advice import Advice, Findings, advise
from graphflow_nb.advice.lines import InOrder, Unseen, amount
from graphflow_nb.storage.facts import (
    Backends,
    Contexts,
    Index,
    Plan,
    PostgresFacts,
    RedisFacts,
    Relation,
    SqliteFacts,
    StoreFacts,
    Usage,
)
from graphflow_nb.storage.postgres import facts as postgres_facts

from ..conftest import create_table, need
from ..servers import postgres as servers
from ..storage.postgres.test_replica import primary, standby, until  # noqa: F401

MS = 1_000_000

# Operations as the workbench records them


def operations(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Of (op, session id, start in ms, duration in ms) and, if given, wait in ms and bytes."""
    full = [(*row, *(0, 0)[len(row) - 4 :]) for row in rows]
    op, id, start, took, wait, size = zip(*full, strict=True) if full else [()] * 6
    ns = [(np.array(values, float) * MS).astype(np.int64) for values in (start, took, wait)]
    return pd.DataFrame(
        {
            "op": pd.Categorical(op),
            "storage": pd.Categorical(["S"] * len(full)),
            "session_id": pd.array(id, dtype="str"),
            "started_at": pd.DatetimeIndex(ns[0].view("M8[ns]")).tz_localize("UTC"),
            "duration_ns": ns[1],
            "wait_ns": ns[2],
            "encode_ns": 0,
            "execute_ns": ns[1] - ns[2],
            "decode_ns": 0,
            "bytes": np.array(size, np.int64),
            "rows": 1,
            "outcome": pd.Categorical(["ok"] * len(full)),
            "error": pd.array([None] * len(full), dtype="str"),
        }
    )


NONE = operations()


def found(findings: Findings, subject: str) -> Advice | None:
    """The advice on a subject, or None if it is in order or was not looked at."""
    mine = [a for a in findings if a.subject == subject]
    assert len(mine) <= 1
    if not mine:
        told: Sequence[InOrder | Unseen] = [*findings.in_order, *findings.unseen]
        assert subject in [line.subject for line in told], "nothing is said of it at all"
    return mine[0] if mine else None


def test_an_empty_record_is_said():
    findings = advise(StoreFacts(place="memory"), NONE)
    assert not findings
    assert list(findings) == []
    assert [line.subject for line in findings.unseen] == ["operations"]
    assert "there is nothing to set" in findings.in_order[0].finding
    assert "nothing to advise" in repr(findings)


def test_waits_for_a_connection():
    busy = operations(*(("get", f"s{i}", 0, 1 + i, i) for i in range(200)))
    said = found(advise(None, busy), "waits for a connection")
    assert said is not None
    assert said.evidence["at once, at most"] == 200
    assert said.evidence["wait p99, ms"] == 197
    assert said.evidence["share of their time that was waiting, %"] == 99.0
    pooled = facts(connections=4, backends=Backends(connected=90, hidden=0))
    said = found(advise(pooled, busy), "waits for a connection")
    assert said is not None
    assert said.remedy == "wb = graphflow_nb.open(url, max_connections=9)"
    assert said.evidence["connections that the server has left"] == 10
    # One after the other: what is waited for is the opening of connections.
    alone = operations(*(("get", f"s{i}", 100 * i, 10, 9) for i in range(200)))
    assert found(advise(pooled, alone), "waits for a connection") is None
    few = operations(*(("get", f"s{i}", 0, 1 + i, i) for i in range(19)))
    assert found(advise(pooled, few), "waits for a connection") is None
    wide = replace(pooled, connections=200)
    assert found(advise(wide, busy), "waits for a connection") is None
    file = SqliteFacts(
        place="", connections=1, path="", bytes=1, free_bytes=0, rows=1, journal_mode="wal",
        synchronous="full",
    )  # fmt: skip
    said = found(advise(file, busy), "waits for a connection")
    assert said is not None
    assert "save_many" in said.remedy
    silent = operations(("get", "a", 0, 1))
    assert found(advise(None, silent), "waits for a connection") is None


@pytest.mark.parametrize(
    ("op", "subject", "call"),
    [
        ("get", "gets one by one", "wb.sessions(ids=ids"),
        ("delete", "deletes one by one", "wb.delete(ids)"),
        ("delete_many", "deletes one by one", "wb.delete(ids)"),
    ],
)
def test_loops(op, subject, call):
    def said(*rows):
        return found(advise(None, operations(*rows)), subject)

    def name(i):
        return None if op == "delete_many" else f"s{i}"

    loop = [(op, name(i), 2 * i, 1) for i in range(30)]
    advice = said(*loop, ("save", "x", 60, 1), (op, name(99), 61, 1))
    assert advice is not None
    assert advice.evidence["calls in such runs"] == 30
    assert advice.evidence["longest run, calls"] == 30
    assert advice.evidence["runs"] == 1
    assert advice.evidence["time in them, ms"] == 30.0
    assert advice.evidence["p50 of one, ms"] == 1.0
    assert call in advice.remedy
    assert said(*loop[:9]) is None
    apart = [(op, name(i), 10 * i, 1) for i in range(30)]
    rare = [(op, name(i), 5000 + 10 * i, 1) for i in range(600)]
    assert said(*loop, *rare) is None
    assert said(*apart) is None
    between = [(x, name(i), 2 * i + n, 1) for i in range(30) for n, x in enumerate((op, "save"))]
    assert said(*between) is None
    at_once = [(op, name(i), 0, 1) for i in range(30)]
    assert said(*at_once) is None
    if op == "get":
        assert said(*((op, "same", 2 * i, 1) for i in range(30))) is None


def test_saves_in_short_succession():
    subject = "saves of a session in short succession"
    chatty = [
        ("get" if n % 2 else "save", f"s{i}", 10_000 * i + 100 * n, 2)
        for i in range(5)
        for n in range(8)
    ]
    said = found(advise(None, operations(*chatty)), subject)
    assert said is not None
    assert said.evidence["saves"] == 20
    assert said.evidence["within a second of the last one"] == 15
    assert said.evidence["sessions"] == 5
    assert said.evidence["gets between them"] == 20
    assert said.evidence["time in these saves, ms"] == 30.0
    assert said.evidence["gap p50, ms"] == 200.0
    assert "4 saves" in str(said.evidence["most often"])
    assert "ContinueAndExecute" in said.remedy
    calm = operations(*(("save", "s", 2000 * i, 2) for i in range(50)))
    assert found(advise(None, calm), subject) is None
    many = operations(*(("save", f"s{i}", 10 * i, 2) for i in range(50)))
    assert found(advise(None, many), subject) is None
    rare = operations(
        *(("save", f"s{i}", 10 * i, 2) for i in range(80)),
        *(("save", "x", i, 1) for i in range(15)),
    )
    assert found(advise(None, rare), subject) is None


# PostgreSQL, by facts alone


def facts(**given: Any) -> PostgresFacts:
    """Of a table in order."""
    settings = {
        "autovacuum": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "max_connections": "100",
        "synchronous_commit": "on",
        "wal_writer_delay": "200",
        "default_toast_compression": "pglz",
    }
    good: dict[str, Any] = {
        "place": "postgresql://h/db sessions",
        "table": "sessions",
        "connections": 4,
        "round_trip_us": 50.0,
        "settings": settings | given.pop("set", {}),
        "lz4": True,
        "relation": Relation(kind="table", schema="public", rows=60_000, heap_bytes=10**7),
        "indexes": (PKEY,),
        "plans": {"updated_at": Plan(("Limit", "Index Scan"), 9.0, 60_000)},
        "contexts": Contexts(sampled=100, outside=0, bytes=10_000, outside_bytes=0, largest=200),
        "usage": Usage(live=60_000, dead=5, updates=20_000, hot_updates=19_000, scans=5000),
        "backends": Backends(connected=3, hidden=0),
    }
    return PostgresFacts(**good | given)


def index(name: str, *columns: str, **more: Any) -> Index:
    keys = tuple((column, "class") for column in columns)
    return Index(name=f"public.{name}", columns=columns, keys=keys, **more)


PKEY = index("sessions_pkey", "id", unique=True, kept=True, bytes=2_000_000, scans=5000)
SORTING = {"updated_at": Plan(("Limit", "Sort", "Seq Scan"), 900.0, 60_000)}


def test_a_table_in_order():
    findings = advise(facts(), operations(("get", "a", 0, 1, 0.5)))
    assert list(findings) == []
    assert findings.unseen == []
    subjects = {line.subject for line in findings.in_order}
    assert subjects == {
        "order by updated_at",
        "redundant indexes",
        "unused indexes",
        "size of contexts",
        "dead rows",
        "updates that indexes follow",
        "synchronous_commit",
        "resets of connections",
        "pooler",
        "column version",
        "waits for a connection",
        "gets one by one",
        "deletes one by one",
        "saves of a session in short succession",
    }


def test_no_index_for_the_order():
    pages = operations(*(("table", None, 100 * i, 30) for i in range(3)))
    said = found(advise(facts(plans=SORTING), pages), "order by updated_at")
    assert said is not None
    assert said.severity == "slow"
    assert said.evidence["plan of a page"] == "Limit ← Sort ← Seq Scan"
    assert said.evidence["p50 of a page, ms"] == 30.0
    assert said.evidence["HOT share of updates, %"] == 95.0
    assert said.remedy == "CREATE INDEX CONCURRENTLY ON sessions (updated_at, id);"
    assert "no save can be a HOT update" in said.cost
    assert "95% of 20,000" in said.cost
    small = {"updated_at": replace(SORTING["updated_at"], rows=50_000)}
    table = Relation(kind="table", rows=50_000)
    assert found(advise(facts(plans=small, relation=table), NONE), "order by updated_at") is None
    by_creation = {"created_at": SORTING["updated_at"]}
    findings = advise(facts(plans=by_creation), NONE, orders=("created_at", "updated_at"))
    said = found(findings, "order by created_at")
    assert said is not None
    assert "HOT" not in said.cost
    assert len(advise(facts(plans=by_creation), NONE)) == 0
    broken = index("half", "updated_at", "id", valid=False, bytes=8192)
    findings = advise(facts(plans=SORTING, indexes=(PKEY, broken)), NONE)
    assert [a.subject for a in findings] == ["index public.half"]
    assert "REINDEX INDEX CONCURRENTLY public.half;" in findings.advice[0].remedy
    nested = Relation(kind="partitioned table", rows=10**6, partitions=(("a", "b"),), nested=True)
    findings = advise(facts(plans=SORTING, relation=nested), NONE)
    said = found(findings, "order by updated_at")
    assert said is not None
    assert "ONLY" not in said.remedy


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
    assert said.evidence["counted since"] == "its first start"
    assert subjects(replace(odd, scans=1)) == []
    assert subjects(index("new", "updated_at", "id")) == []
    usage = Usage(live=1, dead=0, updates=0, hot_updates=0, scans=999)
    assert subjects(odd, usage=usage) == []
    assert subjects(odd, standby=True) == []


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
    said = found(advise(facts(contexts=seen), saves), subject)
    assert said is not None
    assert said.evidence["outside of their row, %"] == 40.0
    assert said.evidence["save up to 2.0 kB, p50 ms"] == "1.0 (5 saves)"
    assert said.evidence["save above 2.0 kB, p50 ms"] == "4.0 (3 saves)"
    assert said.remedy == "ALTER TABLE sessions ALTER COLUMN context SET COMPRESSION lz4;"
    for without in (
        facts(contexts=seen, lz4=False),
        facts(contexts=replace(seen, methods={"none": 40})),
    ):
        said = found(advise(without, NONE), subject)
        assert said is not None
        assert "lz4" not in said.remedy
    table = Relation(kind="table", rows=60_000, compression="lz4")
    assert found(advise(facts(contexts=seen, relation=table), NONE), subject) is None
    by_default = facts(contexts=seen, set={"default_toast_compression": "lz4"})
    assert found(advise(by_default, NONE), subject) is None
    assert found(advise(facts(contexts=replace(seen, outside=4)), NONE), subject) is None
    parts = (("a", "p0"), ("a", "p1"))
    parted = Relation(kind="partitioned table", rows=1, partitions=parts)
    said = found(advise(facts(contexts=seen, relation=parted), NONE), subject)
    assert said is not None
    assert said.remedy.splitlines()[1].startswith("ALTER TABLE a.p1 ALTER COLUMN context")


def test_dead_rows():
    usage = Usage(live=60_000, dead=40_000, updates=0, hot_updates=0, scans=0)
    table = Relation(kind="table", rows=60_000, vacuum_due=12_000)
    said = found(advise(facts(usage=usage, relation=table), NONE), "dead rows")
    assert said is not None
    assert "40% of the rows are dead" in said.finding
    assert "Autovacuum is behind" in said.finding
    assert "scale_factor" in said.remedy
    held = Backends(connected=1, hidden=0, oldest_seconds=7200.0, oldest="pid 7 idle <b>")
    said = found(advise(facts(usage=usage, relation=table, backends=held), NONE), "dead rows")
    assert said is not None
    assert "open for 7,200 s" in said.finding
    assert said.remedy.startswith("-- end it first: pid 7")
    off = replace(table, autovacuum=False)
    clean = replace(usage, dead=0)
    said = found(advise(facts(usage=clean, relation=off), NONE), "dead rows")
    assert said is not None
    assert "autovacuum_enabled = true" in said.remedy
    for calm in (replace(usage, dead=9_000), replace(usage, live=10**6)):
        assert found(advise(facts(usage=calm, relation=table), NONE), "dead rows") is None


def test_updates_that_indexes_follow():
    subject = "updates that indexes follow"
    cold = Usage(live=1, dead=0, updates=20_000, hot_updates=100, scans=0)
    said = found(advise(facts(usage=cold), NONE), subject)
    assert said is not None
    assert said.remedy == "ALTER TABLE sessions SET (fillfactor = 80);"
    by_time = facts(usage=cold, indexes=(PKEY, index("by_time", "updated_at", "id")))
    findings = advise(by_time, NONE)
    assert found(findings, subject) is None
    line = next(line for line in findings.in_order if line.subject == subject)
    assert "public.by_time" in line.finding


def test_what_a_crash_would_lose():
    for name in ("fsync", "full_page_writes"):
        said = advise(facts(set={name: "off"}), NONE).advice
        assert [a.severity for a in said] == ["risk"]
        assert f"ALTER SYSTEM SET {name} = on;" in said[0].remedy
    unlogged = Relation(kind="table", rows=1, logged=False)
    assert advise(facts(relation=unlogged), NONE).advice[0].subject == "unlogged table"


def test_the_commit_is_a_choice():
    def said(save_ms: float, **settings: str) -> Advice | None:
        recorded = operations(
            *(("save", f"s{i}", 5000 * i, save_ms) for i in range(30)),
            *(("get", f"s{i}", 5000 * i + 50, 0.25) for i in range(30)),
        )
        return found(advise(facts(set=settings), recorded), "synchronous_commit")

    costly = said(8.25)
    assert costly is not None
    assert costly.severity == "choice"
    assert costly.evidence["a save takes more, ms"] == 8.0
    assert "no recommendation" in costly.finding
    assert "may lose the saves of the last 0.6 s" in costly.cost
    assert said(1.0) is None
    off = said(1.0, synchronous_commit="off")
    assert off is not None
    assert off.severity == "risk"
    assert "may lose the saves of the last 0.6 s" in off.finding


def test_resets_poolers_and_versions():
    who = Backends(connected=9, hidden=4, resetting={"worker": 3})
    findings = advise(facts(backends=who), NONE)
    said = found(findings, "resets of connections")
    assert said is not None
    assert said.evidence == {"a round trip, µs": 50.0, "connections of worker": 3}
    assert "4 of 9" in next(u.finding for u in findings.unseen if "resets" in u.subject)
    assert found(advise(facts(pooled=True), operations(("get", "a", 0, 1))), "pooler") is not None
    assert found(advise(facts(versioned=False), NONE), "column version") is None
    older = found(advise(facts(versioned=False, xmin=False, uuid=True), NONE), "column version")
    assert older is not None
    assert older.severity == "risk"
    assert "about 60,000 sessions" in older.cost


def test_what_could_not_be_looked_at():
    bare = facts(
        settings=None, relation=None, indexes=None, plans={}, contexts=None, usage=None,
        backends=None, unseen={"indexes": "permission denied", "size of contexts": "too slow"},
    )  # fmt: skip
    findings = advise(bare, operations(("get", "a", 0, 1, 0.5)))
    assert list(findings) == []
    told = {line.subject: line.finding for line in findings.unseen}
    assert told == {"indexes": "permission denied", "size of contexts": "too slow"}
    assert "permission denied" in repr(findings)


# How it looks


def test_as_seen_by_a_person():
    nasty = "<script>alert(1)</script>"
    chatty = operations(*(("save", nasty, 10 * i, 2) for i in range(40)))
    indexes = (PKEY, index(nasty, nasty, scans=1), index("z", nasty))
    base = facts(
        plans=SORTING, set={"fsync": "off"}, indexes=indexes, unseen={nasty: nasty}, place=nasty
    )
    findings = advise(base, chatty)
    assert [a.severity for a in findings] == ["risk", "slow", "slow", "waste"]
    html = findings._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 6
    text = repr(findings)
    for advice in findings:
        assert advice.finding in text
        assert advice.cost in text
        for line in advice.remedy.splitlines():
            assert line in text
    assert "In order:" in text
    assert "Not looked at:" in text
    frame = findings.frame()
    assert len(frame) == 4 + len(findings.in_order) + len(findings.unseen)
    assert [str(t) for t in frame.dtypes] == ["category", "category", *["str"] * 5]
    assert frame["kind"].value_counts()["advice"] == 4
    assert frame["severity"].isna().sum() == len(frame) - 4
    assert "fsync: off" in frame["evidence"][0]
    assert len(advise(None, NONE).frame()) > 0


def test_amounts():
    sizes = [0, 999, 1000, 12_345, 123_456, 10**7, 10**10, 10**13, 10**16]
    assert [amount(n) for n in sizes] == [
        "0 bytes", "999 bytes", "1.0 kB", "12.3 kB", "123 kB", "10.0 MB", "10.0 GB", "10.0 TB",
        "10,000 TB",
    ]  # fmt: skip


# PostgreSQL, where the condition is made and what was advised is done


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def follow(url: str, advice: Advice) -> None:
    """Do what was advised, statement by statement, as psql would."""
    asyncio.run(execute(url, *advice.remedy.splitlines()))


FILL = """INSERT INTO sessions (id, graph_id, current_task_id, context)
    SELECT 's' || i, 'g' || i, 't', jsonb_build_object('data', jsonb_build_object('x', {value}))
    FROM generate_series(1, {count}) AS s (i)"""


def fill(url: str, count: int, value: str = "'small'") -> None:
    asyncio.run(execute(url, FILL.format(value=value, count=count), "ANALYZE sessions"))


def test_an_index_is_missing_and_another_one_too_many(database):
    asyncio.run(create_table(database, "crate-0.6"))
    by_prefix = "CREATE INDEX by_prefix ON sessions (id text_pattern_ops)"  # serves LIKE
    asyncio.run(execute(database, "CREATE INDEX idx_sessions_id ON sessions (id)", by_prefix))
    fill(database, 60_000)
    with g.open(database) as wb:
        wb.sessions(limit=50)
        recorded = len(wb.latency)
        findings = wb.advise()
        missing = found(findings, "order by updated_at")
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
        assert found(findings, "order by updated_at") is None
        assert found(findings, "redundant indexes") is None
        # Another order is judged once it is asked for.
        assert "created_at" not in repr(findings)
        wb.sessions(order="created_at", limit=5)
        assert found(wb.advise(), "order by created_at") is not None


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
        said = found(findings, "order by updated_at")
        assert said is not None
        assert len(said.remedy.splitlines()) == 5
        version = found(findings, "column version")
        assert version is not None
        assert version.severity == "risk"
        follow(database, said)
        assert found(wb.advise(), "order by updated_at") is None


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
        said = found(wb.advise(), "size of contexts")
        assert said is not None
        assert said.evidence["outside of their row, %"] == 100.0
        assert said.evidence["outside, compression pglz"] == 300
        assert "(1 saves)" in str(said.evidence["save above 2.0 kB, p50 ms"])
        assert "lz4" in said.remedy
        follow(url, said)
        assert found(wb.advise(), "size of contexts") is None


def test_large_contexts_where_no_lz4_is(database):
    asyncio.run(create_table(database, "documented"))
    large(database)
    with g.open(database) as wb:
        need("a server without lz4", not wb._bridge.run(wb.storage.inner.facts()).lz4)
        said = found(wb.advise(), "size of contexts")
        assert said is not None
        assert "built without lz4" in said.cost
        largest = eval(said.remedy, {"wb": wb})
        assert largest["context_bytes"].min() > 2000


async def counted(url: str, subject: str, wb: g.Workbench) -> Advice:
    """The advice, once the server has counted what was done."""

    async def ask() -> Advice | None:
        return found(await wb.advise.aio(), subject)

    return await until(ask)


def test_dead_rows_are_vacuumed(database):
    asyncio.run(create_table(database, "crate-0.6"))
    off = "ALTER TABLE sessions SET (autovacuum_enabled = false)"
    change = "UPDATE sessions SET status_message = 'x', updated_at = now()"
    asyncio.run(execute(database, off))
    fill(database, 20_000)
    asyncio.run(execute(database, change))
    with g.open(database) as wb:
        said = asyncio.run(counted(database, "dead rows", wb))
        assert said.evidence["dead rows"] == 20_000
        assert "Autovacuum is off" in said.finding
        follow(database, said)

        async def gone() -> bool:
            return found(await wb.advise.aio(), "dead rows") is None

        asyncio.run(until(gone))


def test_cold_updates(database):
    """Each page is full, so no update is HOT; with room they are."""
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 12_000)
    change = "UPDATE sessions SET status_message = 'x', updated_at = now()"
    asyncio.run(execute(database, change))
    subject = "updates that indexes follow"
    with g.open(database) as wb:
        said = asyncio.run(counted(database, subject, wb))
        assert said.evidence["updates"] == 12_000
        reset = "SELECT pg_stat_reset()"
        asyncio.run(execute(database, *said.remedy.splitlines(), "VACUUM FULL sessions", reset))
        few = "UPDATE sessions SET status_message = 'y' WHERE graph_id LIKE '%{}'"
        asyncio.run(execute(database, *(few.format(i % 10) for i in range(10))))

        async def hot() -> bool:
            lines = (await wb.advise.aio()).in_order
            return any(line.subject == subject for line in lines)

        asyncio.run(until(hot))


def test_an_index_that_nothing_used(database):
    asyncio.run(create_table(database, "crate-0.6"))
    asyncio.run(execute(database, "CREATE INDEX odd ON sessions (graph_id, current_task_id)"))
    fill(database, 100)
    asyncio.run(execute(database, "SET enable_seqscan = off", *["TABLE sessions"] * 1100))
    with g.open(database) as wb:
        said = asyncio.run(counted(database, "index public.odd", _Soon(wb)))
        follow(database, said)
        assert found(wb.advise(), "unused indexes") is None


class _Soon:
    """A workbench of whose advice one line may not be there yet."""

    def __init__(self, wb: g.Workbench):
        self.advise = self
        self._wb = wb

    async def aio(self) -> Any:
        findings = await self._wb.advise.aio()
        findings.unseen += [Unseen(f"index public.{name}", "not yet") for name in ("odd", "half")]
        return findings


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


@pytest.fixture
def role(database):
    """A URL for a user that may only use the table."""
    asyncio.run(create_table(database, "crate-0.6"))
    name = "adviser_" + database.split("/")[3].split("?")[0]
    grants = "GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO"
    asyncio.run(execute(database, f"CREATE ROLE {name} LOGIN", f"{grants} {name}"))
    yield database.replace("user=postgres", f"user={name}")
    asyncio.run(execute(database, f"DROP OWNED BY {name}", f"DROP ROLE {name}"))


def test_commits_that_do_not_wait(database, role):
    name = database.split("/")[3].split("?")[0]
    asyncio.run(execute(database, f"ALTER DATABASE {name} SET synchronous_commit = off"))
    with g.open(role) as wb:
        said = found(wb.advise(), "synchronous_commit")
        assert said is not None
        assert said.evidence["synchronous_commit"] == "off, by database"
        follow(role, said)
    with g.open(role) as wb:
        assert found(wb.advise(), "synchronous_commit") is None


def test_with_the_least_rights(database, role):
    with g.open(database) as other, g.open(role) as wb:
        other.advise()
        findings = wb.advise()
        told = {line.subject: line.finding for line in findings.unseen}
        assert "pg_read_all_stats" in told.pop("resets of connections of others")
        assert set(told) <= {
            "operations",
            "unused indexes",
            "updates that indexes follow",
            "size of contexts",
        }
        assert found(findings, "dead rows") is None
        asyncio.run(execute(database, "REVOKE SELECT ON pg_stat_activity, pg_index FROM PUBLIC"))
        told = {line.subject: line.finding for line in wb.advise().unseen}
        assert "permission denied" in told["connections to the server"]
        assert "permission denied" in told["indexes"]


@pytest.mark.parametrize("name", ["SETTINGS", "RELATION", "INDEXES", "USAGE", "BACKENDS", "OLDEST"])
def test_what_a_server_does_not_know(database, monkeypatch, name):
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 10)
    subjects = {
        "SETTINGS": "settings of the server",
        "RELATION": "size of the table",
        "INDEXES": "indexes",
        "USAGE": "dead rows and updates",
        "BACKENDS": "connections to the server",
        "OLDEST": "transactions that hold up vacuum",
    }
    monkeypatch.setattr(postgres_facts, name, "SELECT of_another_server()")
    with g.open(database) as wb:
        told = {line.subject: line.finding for line in wb.advise().unseen}
    assert "of_another_server() does not exist" in told[subjects[name]]


def test_a_locked_table_is_not_waited_for(database, monkeypatch):
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 10)
    monkeypatch.setattr(postgres_facts, "SECONDS", 0.2)

    async def locked(wb: g.Workbench) -> Findings:
        connection = await asyncpg.connect(database)
        async with connection.transaction():
            await connection.execute("LOCK TABLE sessions")
            findings = await wb.advise.aio()
        await connection.close()
        return findings

    with g.open(database) as wb:
        told = {line.subject: line.finding for line in asyncio.run(locked(wb)).unseen}
        assert "no answer within 0.2 seconds" in told["size of the table"]
        assert "no answer within" in told["plan of a page by updated_at"]
        assert found(wb.advise(), "order by updated_at") is None


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
        said = found(wb.advise(), "column version")
        assert said is not None
        assert said.severity == "risk"
        exec(said.remedy, {"wb": wb})
        assert found(wb.advise(), "column version") is None
        assert wb.storage.inner.form.versioned


def test_a_view_says_what_is_behind_it(database):
    asyncio.run(create_table(database, "no-xmin"))
    asyncio.run(execute(database, FILL.format(value="'x'", count=60_000), "ANALYZE"))
    with g.open(database) as wb:
        findings = wb.advise()
        told = {line.subject: line.finding for line in findings.unseen}
        assert "is a view on public.sessions_behind" in told["indexes"]
        said = found(findings, "order by updated_at")
        assert said is not None
        follow(database, said)
        assert found(wb.advise(), "order by updated_at") is None


def test_on_a_replica(primary, standby):  # noqa: F811
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
        said = found(findings, "order by updated_at")
        assert said is not None
        assert said.remedy.startswith("-- on the primary\nCREATE INDEX")
        assert found(findings, "size of contexts") is None


def test_through_a_pooler(database, pooler):
    asyncio.run(create_table(database, "crate-0.6"))
    fill(database, 100)
    with g.open(pooler.url(database)) as wb:
        findings = wb.advise()
        said = found(findings, "pooler")
        assert said is not None
        assert "each read is a transaction of its own" in said.finding
        assert found(findings, "size of contexts") is None
        assert found(findings, "redundant indexes") is None


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
    said = found(theirs, "pool pool")
    assert said is not None
    assert "has no method 'facts'" in repr(theirs)
    assert "reset=nothing" in said.remedy
    said = found(ours, "resets of connections")
    assert said is not None
    assert said.evidence["connections of the <worker>"] == 1
    assert "<worker>" not in ours._repr_html_()
    theirs, ours = run(look({"reset": nothing}))
    assert [a.subject for a in theirs] == []
    assert found(ours, "resets of connections") is None


def test_a_queue_for_one_connection(database):
    asyncio.run(create_table(database, "crate-0.6"))

    async def rush(wb: g.Workbench) -> Findings:
        gets = (wb.get_or_create.aio("a", "t") for _ in range(300))
        await asyncio.gather(*gets)
        return await wb.advise.aio()

    def told(connections: int) -> Advice | None:
        with g.open(database, writable=True, max_connections=connections) as wb:
            wb.create(f"c{connections}", "t")
            return found(asyncio.run(rush(wb)), "waits for a connection")

    said = told(1)
    assert said is not None
    assert said.evidence["connections"] == 1
    assert int(said.evidence["at once, at most"]) > 100


def test_out_of_reach():
    with servers.Postgres() as server:
        wb = g.open(server.url, writable=True)
        for _ in range(2):
            wb.upsert(Session("a", "t"))
    findings = wb.advise()
    assert list(findings) == []
    assert "out of reach" in next(u.finding for u in findings.unseen if u.subject == "store")
    assert findings.operations == 2


# The other stores


def fill_redis(client: redis.Redis, count: int) -> None:
    text = {"graph_id": "g", "current_task_id": "t", "status_message": None, "context": {}}
    with client.pipeline(transaction=False) as pipe:
        for i in range(count):
            pipe.set(f"s{i}", json.dumps({"id": f"s{i}", **text}))
        pipe.execute()


def test_redis(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        fill_redis(client, 50_001)
        with g.open(redis_server.url, writable=True) as wb:
            findings = wb.advise()
            assert [a.subject for a in findings] == ["index for pages", "expiry"]
            assert findings.advice[0].evidence["keys"] == 50_001
            assert found(findings, "persistence") is None
            eval(findings.advice[0].remedy, {"wb": wb})
            assert found(wb.advise(), "index for pages") is None
            client.config_set("maxmemory", "1gb")
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("appendonly", "no")
            findings = wb.advise()
            for subject in ("evictions", "persistence"):
                said = found(findings, subject)
                assert said is not None
                assert said.severity == "risk"
                for command in said.remedy.splitlines():
                    if command != "CONFIG REWRITE":  # the server has no file
                        client.execute_command(*command.split())
            findings = wb.advise()
            assert found(findings, "evictions") is None
            assert found(findings, "persistence") is None
            assert "everysec" in repr(findings) or "last second" in repr(findings)
        client.config_set("appendfsync", "always")
        client.config_set("maxmemory", "0")
        with g.open(redis_server.url, writable=True, ttl=60.0) as wb:
            assert found(wb.advise(), "expiry") is None
        client.flushall()


def test_redis_with_the_least_rights(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        client.acl_setuser(
            "adviser", enabled=True, nopass=True, keys=["*"], categories=["+@all", "-@dangerous"]
        )
        url = redis_server.url.replace("//", "//adviser:any@")
        with g.open(url) as wb:
            told = {line.subject: line.finding for line in wb.advise().unseen}
        client.acl_deluser("adviser")
    for subject in ("memory and persistence", "appendfsync", "snapshots"):
        assert "permissions" in told[subject]


def test_a_redis_cluster(redis_cluster_server):
    for node in redis_cluster_server:
        with redis.Redis(port=node.port) as client:
            client.flushall()
    with g.open(redis_cluster_server[0].url, writable=True) as wb:
        for i in range(30):
            wb.create(f"s{i}", "t")
        findings = wb.advise()
        line = next(line for line in findings.in_order if line.subject == "expiry")
        assert line.evidence["keys"] == 30
        assert found(findings, "persistence") is None


def test_redis_by_facts_alone():
    about = {
        "maxmemory_policy": "volatile-lru", "maxmemory": 10**9, "used_memory": 9 * 10**8,
        "evicted_keys": 0, "aof_enabled": 0, "uptime_in_seconds": 7200,
    }  # fmt: skip
    base = RedisFacts(place="r", keys=10, expiring=0, about=about, appendfsync="no", save="")
    findings = advise(base, NONE)
    # Nothing expires, so this policy evicts nothing; but nothing is written either.
    assert [a.subject for a in findings] == ["persistence", "expiry"]
    assert "no snapshots either" in findings.advice[0].finding
    endless = replace(base, about=about | {"maxmemory": 0, "maxmemory_policy": "allkeys-lru"})
    assert found(advise(endless, NONE), "evictions") is None
    said = found(advise(replace(base, expiring=10), NONE), "evictions")
    assert said is not None
    lost = replace(base, about=about | {"evicted_keys": 12, "maxmemory_policy": "noeviction"})
    said = found(advise(lost, NONE), "evictions")
    assert said is not None
    assert "12 keys were evicted" in said.finding
    slow = operations(*(("table", None, 1000 * i, 400) for i in range(3)))
    said = found(advise(base, slow), "index for pages")
    assert said is not None
    assert said.evidence["p50 of a query, ms"] == 400.0
    assert (
        found(advise(replace(base, about=about | {"aof_enabled": 1}), NONE), "persistence") is None
    )


def test_sqlite(tmp_path):
    path = tmp_path / "it's.db"
    with g.open(f"sqlite:{path}") as wb:
        wb.create("a", "t")
    with sqlite3.connect(path) as db:
        db.execute("DROP INDEX sessions_by_update")
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
            "INSERT INTO sessions SELECT 's' || i, 'g', 't', NULL, "
            "json_object('x', hex(randomblob(400))), 1, i, i FROM n"
        )
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    with g.open(f"sqlite:{path}", writable=False) as wb:
        findings = wb.advise()
    order, journal = (found(findings, s) for s in ("order by updated_at", "journal mode"))
    assert order is not None
    assert journal is not None
    assert journal.evidence["journal_mode"] == "delete"
    with sqlite3.connect(path) as db:
        db.execute(order.remedy)
        db.execute("DELETE FROM sessions WHERE id <> 'a'")
    db.close()
    exec(journal.remedy, {"graphflow_nb": g})
    with g.open(f"sqlite:{path}", writable=False) as wb:
        findings = wb.advise()
        assert [a.subject for a in findings] == ["free space in the file"]
        assert found(findings, "order by updated_at") is None
    db = sqlite3.connect(path)
    db.execute(findings.advice[0].remedy)
    db.close()
    with g.open(f"sqlite:{path}", writable=False) as wb:
        assert list(wb.advise()) == []


@pytest.mark.parametrize("wrap", [g.ReadOnlyStorage, g.RetryingStorage, g.MonitoredStorage])
def test_wrappers_pass_it_on(wrap, tmp_path, run):
    inner = run(g.connect(f"sqlite:{tmp_path / 'a.db'}"))
    assert run(wrap(inner).facts()).journal_mode == "wal"
    both = g.FallbackStorage(wrap(inner), g.InMemorySessionStorage())
    assert run(both.facts()).journal_mode == "wal"
    run(inner.close())


def test_memory_and_the_demo():
    for url in ("memory:", "demo"):
        findings = g.open(url).advise()
        assert list(findings) == []
        assert "nothing to set" in repr(findings)
