"""Facts of a PostgreSQL table, and statements that make them true."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

import graphflow_nb as g
from graphflow_nb.advice import Advice
from graphflow_nb.storage.facts import (
    Backends,
    Contexts,
    Index,
    Plan,
    PostgresFacts,
    Relation,
    Usage,
)

from ....storage.postgres.kit import until
from ...kit import find_advice


def facts(**given: Any) -> PostgresFacts:
    """Return facts of a table in order, except for what is given."""
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


#: A name as no table should have one, and quoted as the facts have it.
HOSTILE = 'a"; <b>x'
QUOTED = '"a""; <b>x"'


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def follow(url: str, advice: Advice) -> None:
    """Follow the advice, statement by statement, as psql would."""
    asyncio.run(execute(url, *advice.remedy.splitlines()))


FILL = """INSERT INTO sessions (id, graph_id, current_task_id, context)
    SELECT 's' || i, 'g' || i, 't', jsonb_build_object('data', jsonb_build_object('x', {value}))
    FROM generate_series(1, {count}) AS s (i)"""


def fill(url: str, count: int, value: str = "'small'") -> None:
    asyncio.run(execute(url, FILL.format(value=value, count=count), "ANALYZE sessions"))


async def wait_for_advice(subject: str, wb: g.Workbench) -> Advice:
    """Return the advice, once the server has counted what was done."""

    async def ask() -> Advice | None:
        return find_advice(await wb.advise.aio(), subject)

    return await until(ask)
