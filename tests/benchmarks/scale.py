"""What a person looks at in stores of growing size, as one table in Markdown.

PostgreSQL is measured with graph-flow's own table, and with the indexes that ``wb.advise()`` names.
The sessions are made in the servers themselves, so that a million of them takes a minute.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
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
SELECT printf('session-%08d', n * 7919 % :size), 'graph-' || (n % 5), 'task-' || (n % 20),
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


#: What each look took, by the number of sessions.
_Figures = dict[int, dict[str, Figure]]


def _measure(
    store: str, url: str, wb: g.Workbench | None = None, **options: Any
) -> dict[str, Figure]:
    """Measure a store by its URL, or one in memory by its workbench."""
    size, began = options.pop("size"), time.perf_counter()
    with g.open(url, **options) if wb is None else wb as reader:
        found = measure_looks(reader, url, size)
        if wb is not None:
            found |= measure_history(wb)
    if wb is None:
        with g.open(url, writable=True, **options) as writer:
            found |= measure_history(writer)
    print(f"{store}, {size:,}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return found


def _measure_postgres(server: g.LocalPostgres, sizes: tuple[int, ...]) -> dict[str, _Figures]:
    found: dict[str, _Figures] = {"PostgreSQL": {}, "PostgreSQL, indexes": {}}
    for size in sizes:
        with _postgres(server, size) as prepare:
            for store, figures in found.items():
                figures[size] = _measure(store, prepare(store), size=size, timeout=60)
    return found


def _measure_sqlite(sizes: tuple[int, ...], folder: str) -> _Figures:
    found = {}
    for size in sizes:
        path = Path(folder) / f"{size}.db"
        found[size] = _measure("SQLite", _fill_sqlite(path, size), size=size)
        path.unlink()
    return found


def _measure_redis(sizes: tuple[int, ...]) -> _Figures:
    found = {}
    for size in sorted({min(size, REDIS_MOST) for size in sizes}):
        with LocalRedis() as server:
            _fill_redis(server.url, size)
            began = time.perf_counter()
            with g.open(server.url, writable=True) as wb:
                wb.build_index()
            took = time.perf_counter() - began
            # The keys of the index count too.
            options = {"size": size, "scan_limit": 2 * REDIS_MOST}
            found[size] = _measure("Redis, index", server.url, **options)
            found[size]["build_index()"] = Figure(1e3 * took, None)
    return found


def _measure_memory(sizes: tuple[int, ...]) -> _Figures:
    return {
        size: _measure("memory", "", g.wrap(asyncio.run(_memory(size))), size=size)
        for size in sizes
    }


#: Looks that no index of a store serves, by how their names begin.
_BY_TIME = ("page by -", "page by u", "page in the middle by -", "page in the middle by u")
_CREATED = ("page by -created", "page in the middle by -created")
_RARE = ("status=, none", "text=, none", "where=, one", "browse(where")
_NOT_SERVED = {
    "PostgreSQL": (
        *(*_BY_TIME, "task=", "status=", "text=", "where=", "browse(where"),
        *("stuck", "sessions()", "messages(task"),
    ),
    # None of the task's sessions has messages, so all of them are looked into.
    "PostgreSQL, indexes": ("messages(task",),
    "SQLite": (*_CREATED, *_RARE, "task=", "messages(task"),
    # The keys alone are read for these pages, but all of them.
    "Redis, index": ("page by id", "page in the middle by id", *_CREATED, *_RARE),
}
#: Looks that count by their nature, and what bounds them.
_COUNTS = {
    "browse(), counted": "counts behind the view, a part of a large store, for 2 s at most",
    "browse(task=), counted": "counts behind the view, a part of a large store, for 2 s at most",
    "Waiting…, a day": "reads a part of a large store",
    "Waiting…, usual": "reads a part of a large store",
    "overview()": "reads a part of a large store",
}
#: Looks that grow with the store by their nature, by how their names begin, and why.
_OLDER = {"stuck()": "counts what is older, for 0.2 s at most"}
_GROW = {
    "PostgreSQL, indexes": _OLDER,
    "SQLite": _OLDER,
    "Redis, index": {
        "Tab: show": "Redis has no order of keys: it looks at all, for 0.2 s at most",
        "id_prefix=": "Redis has no order of ids: it looks at all of the index",
        "timeline(graph=)": "Redis has no order of keys: it looks at all for those of histories",
    },
}


def _judge(store: str, look: str, figures: list[Figure]) -> str:
    """Return what is to be said of a look: why it may be slow, or that it is not good."""
    last = figures[-1]
    if last.failed:
        return f"refused: {last.failed[:90]}"
    said = [f"asked about first: {last.asked}"] if last.asked else []
    if look in FULL_READS or look in _COUNTS:
        return ", ".join([*said, _COUNTS.get(look, "reads all")])
    if look.startswith(_NOT_SERVED.get(store, ())):
        return ", ".join([*said, "reads all: no index"])
    if store == "memory":
        return "looks at all, in memory" if last.ms > NOTICED_MS else ""
    if last.ms > SLOW_MS:
        said.append(f"**over {SLOW_MS:.0f} ms**")
    if len(figures) > 1 and last.ms > NOTICED_MS and last.ms > GROWTH * figures[-2].ms:
        reasons = _GROW.get(store, {})
        said.append(next((reasons[r] for r in reasons if look.startswith(r)), "**grows**"))
    return ", ".join(said)


def _print_rows(store: str, by_size: _Figures, columns: int) -> None:
    names = list(dict.fromkeys(name for looks in by_size.values() for name in looks))
    for name in names:
        figures = [looks[name] for looks in by_size.values()]
        times = [f"{figure.ms:,.1f}" for figure in figures]
        times += [""] * (columns - len(times))
        growth = f"{figures[-1].ms / figures[-2].ms:.1f}×" if len(figures) > 1 else ""
        memory = "" if (mib := figures[-1].mib) is None else f"{mib:,.0f}"
        print(
            f"| {' | '.join([store, name, *times, growth, memory, _judge(store, name, figures)])} |"
        )
    print(end="", flush=True)


def scale(server: g.LocalPostgres, *, full: bool) -> None:
    """Print a table of each look in each store: its time at each size, growth and memory."""
    sizes = FULL_SIZES if full else SIZES
    print("\nLooks at stores of growing size: ms at each number of sessions (Redis: 200,000 at")
    print("most), growth to the largest from the size before it, and by how much the process's")
    print("memory rose.\n")
    print(f"| store | look | {' | '.join(f'{size:,}' for size in sizes)} | growth | MiB | |")
    print(f"|---|---|{'--:|' * len(sizes)}--:|--:|---|", flush=True)
    for store, figures in _measure_postgres(server, sizes).items():
        _print_rows(store, figures, len(sizes))
    with TemporaryDirectory() as folder:
        _print_rows("SQLite", _measure_sqlite(sizes, folder), len(sizes))
    _print_rows("Redis, index", _measure_redis(sizes), len(sizes))
    _print_rows("memory", _measure_memory(sizes), len(sizes))
