"""What a person looks at in stores of growing size, as one table in Markdown.

PostgreSQL is measured with graph-flow's own table, and with the indexes that ``wb.advise()`` names.
The sessions are made in the servers themselves, so that a million of them takes a minute.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import redis

import graphflow_nb as g
from graphflow_nb import Query
from graphflow_nb.model import stored_session
from graphflow_nb.private_server import LocalRedis

from .looks import FULL_READS, Figure, measure_history, measure_looks

SIZES, FULL_SIZES = (1_000, 100_000), (1_000, 100_000, 1_000_000)
REDIS_MOST = 200_000
SLOW_MS, GROWTH = 300.0, 1.5
NOTICED_MS = 30.0  # below, growth is noise or not noticed
# Half of the contexts are stored outside of their rows.
FILL = """
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context, created_at,
    updated_at)
SELECT 'session-' || lpad((n::bigint * 7919 % $1)::text, 8, '0'), 'graph-' || n % 5,
    'task-' || n % 20, CASE WHEN n % 3 = 0 THEN 'waiting for the customer' END,
    jsonb_build_object('data', jsonb_build_object('n', n, 'tier', n % 4,
        'text', CASE WHEN n % 2 = 0 THEN (SELECT string_agg(md5((n::bigint * 100 + k)::text), '')
            FROM generate_series(1, 80) AS k) ELSE repeat('x', 400) END),
        'chat_history', '{"messages": [], "max_messages": 1000}'::jsonb),
    now() - n * interval '3 seconds', now() - n * interval '1 second'
FROM generate_series(1, $1) AS n
"""
INDEXES = (
    "CREATE INDEX ON sessions (updated_at, id)",
    "CREATE INDEX ON sessions (created_at, id)",
    "CREATE INDEX ON sessions USING gin (context jsonb_path_ops)",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX ON sessions USING gin (id gin_trgm_ops, status_message gin_trgm_ops)",
)
FILL_SQLITE = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :size)
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context, version,
    created_at, updated_at)
SELECT printf('session-%08d', n * 7919 % :size), 'graph-' || n % 5, 'task-' || n % 20,
    CASE WHEN n % 3 = 0 THEN 'waiting for the customer' END,
    printf('{"data":{"n":%d,"tier":%d,"text":"%s"},'
        || '"chat_history":{"messages":[],"max_messages":1000}}', n, n % 4,
        CASE WHEN n % 2 = 0 THEN hex(randomblob(1280)) ELSE substr(:text, 1, 400) END),
    1, :now - n * 3000000, :now - n * 1000000
FROM numbers
"""
SETTINGS = {"maintenance_work_mem": "1GB", "max_wal_size": "8GB", "autovacuum": "off"}


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@contextmanager
def _postgres(server: g.LocalPostgres, size: int) -> Iterator[Callable[[str], str]]:
    """Yield a function that gives the table indexes or none, and returns its URL."""
    url = server.create_database(f"scale{size}")
    g.open(url, writable=True).close()
    fill = FILL.replace("$1", str(size))
    # Not logged: that is faster to fill, and the same to read.
    asyncio.run(_run(url, "ALTER TABLE sessions SET UNLOGGED", fill, "VACUUM ANALYZE sessions"))

    def prepare(store: str) -> str:
        if store == "PostgreSQL, indexes":
            asyncio.run(_run(url, *INDEXES, "VACUUM ANALYZE sessions"))
        return url

    yield prepare
    asyncio.run(_run(url, "DROP TABLE sessions"))


def _fill_sqlite(path: Path, size: int) -> str:
    url = f"sqlite:{path}"
    g.open(url, create=True).close()
    with closing(sqlite3.connect(path)) as db, db:
        values = {"size": size, "now": time.time_ns() // 1000, "text": "x" * 400}
        db.execute(FILL_SQLITE, values)
    return url


def _texts(size: int) -> Iterator[tuple[str, str]]:
    """Yield the id and the JSON of each session, as the documented storage keeps it in Redis."""
    now, text = time.time(), ("x" * 400, "x" * 2560)
    for n in range(1, size + 1):
        made, saved = (
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - n * step)) for step in (3, 1)
        )
        id = f"session-{n * 7919 % size:08}"
        session = {
            "id": id,
            "graph_id": f"graph-{n % 5}",
            "current_task_id": f"task-{n % 20}",
            "status_message": None if n % 3 else "waiting for the customer",
            "context": {
                "data": {"n": n, "tier": n % 4, "text": text[n % 2 == 0]},
                "chat_history": {"messages": [], "max_messages": 1000},
            },
            "version": 1,
            "created_at": made,
            "updated_at": saved,
        }
        yield id, json.dumps(session, separators=(",", ":"))


def _fill_redis(url: str, size: int) -> None:
    client: Any = redis.Redis.from_url(url)
    client.flushall()
    pipeline = client.pipeline(transaction=False)
    for number, (id, text) in enumerate(_texts(size), 1):
        pipeline.set(id, text)
        if number % 2_000 == 0:
            pipeline.execute()
    pipeline.execute()
    client.close()


async def _memory(size: int) -> g.InMemorySessionStorage:
    """Return a storage in memory; its contexts have a tenth of the size of the others'."""
    now = time.time_ns() // 1000

    def sessions() -> Iterator[g.Session]:
        for n in range(1, size + 1):
            context = b'{"data":{"n":%d,"tier":%d},"chat_history":{"messages":[],' % (n, n % 4)
            yield stored_session(
                f"session-{n * 7919 % size:08}",
                f"graph-{n % 5}",
                f"task-{n % 20}",
                None if n % 3 else "waiting for the customer",
                context + b'"max_messages":1000}}',
                1,
                now - n * 3_000_000,
                now - n * 1_000_000,
            )

    storage = g.InMemorySessionStorage.from_sessions(sessions())
    assert await storage.count(Query()) == size
    return storage


_Results = dict[str, dict[int, dict[str, Figure]]]


def _note(
    results: _Results,
    store: str,
    size: int,
    url: str,
    wb: g.Workbench | None = None,
    **options: Any,
) -> None:
    """Measure a store by its URL, or one in memory by its workbench."""
    began = time.perf_counter()
    if wb is None:
        wb = g.open(url, **options)
    with wb:
        found = measure_looks(wb, url, size)
        if not url:
            found |= measure_history(wb)
    if url:
        with g.open(url, writable=True, **options) as writer:
            found |= measure_history(writer)
    results.setdefault(store, {})[size] = found
    print(f"  {store}, {size:,} sessions: {time.perf_counter() - began:.0f} s", flush=True)


def _measure_all(server: g.LocalPostgres, sizes: tuple[int, ...], folder: str) -> _Results:
    results: _Results = {}
    for size in sizes:
        with _postgres(server, size) as prepare:
            for store in ("PostgreSQL", "PostgreSQL, indexes"):
                url = prepare(store)
                _note(results, store, size, url, timeout=60)
    for size in sizes:
        path = Path(folder) / f"{size}.db"
        url = _fill_sqlite(path, size)
        _note(results, "SQLite", size, url)
        path.unlink()
    for size in sorted({min(size, REDIS_MOST) for size in sizes}):
        with LocalRedis() as redis_server:
            _fill_redis(redis_server.url, size)
            with g.open(redis_server.url, writable=True) as wb:
                began = time.perf_counter()
                wb.build_index()
                print(f"  Redis, index of {size:,}: {time.perf_counter() - began:.1f} s")
            url = redis_server.url
            _note(results, "Redis, index", size, url)
    for size in sizes:
        _note(results, "memory", size, "", g.wrap(asyncio.run(_memory(size))))
    return results


def _judge(look: str, figures: list[Figure]) -> str:
    """Return what is to be said of a look: why it may be slow, or that it is not good."""
    last = figures[-1]
    if last.failed:
        return f"refused: {last.failed[:90]}"
    if look in FULL_READS:
        return "reads all"
    said = [f"asked about first: {last.asked}"] if last.asked else []
    if last.ms > SLOW_MS:
        said.append(f"**over {SLOW_MS:.0f} ms**")
    if len(figures) > 1 and last.ms > NOTICED_MS and last.ms > GROWTH * figures[-2].ms:
        said.append("**grows**")
    return ", ".join(said)


def scale(server: g.LocalPostgres, *, full: bool) -> None:
    """Print a table of each look in each store: its time at each size, growth and memory."""
    sizes = FULL_SIZES if full else SIZES
    with TemporaryDirectory() as folder:
        results = _measure_all(server, sizes, folder)
    heads = [f"{size:,}" for size in sizes]
    print("\nLooks at stores of growing size: ms at each number of sessions, growth to the largest")
    print("from the size before it, and by how much the process's memory rose.\n")
    print(f"| store | look | {' | '.join(heads)} | growth | MiB | |")
    print(f"|---|---|{'--:|' * len(sizes)}--:|--:|---|")
    for store, by_size in results.items():
        names = list(dict.fromkeys(name for looks in by_size.values() for name in looks))
        for name in names:
            figures = [looks[name] for looks in by_size.values()]
            times = [f"{figure.ms:,.1f}" for figure in figures]
            times += [""] * (len(sizes) - len(times))
            growth = f"{figures[-1].ms / figures[-2].ms:.1f}×" if len(figures) > 1 else ""
            memory = "" if (mib := figures[-1].mib) is None else f"{mib:,.0f}"
            row = [store, name, *times, growth, memory, _judge(name, figures)]
            print(f"| {' | '.join(row)} |")
