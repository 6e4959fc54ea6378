"""What a person looks at in stores of growing size: pages, filters, counts, and a get beside them.

PostgreSQL is measured with graph-flow's own table, and with the indexes that ``wb.advise()`` names.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg

import graphflow_nb as g
from graphflow_nb import Cursor, Query
from graphflow_nb.storage.copying import copy
from graphflow_nb.storage.estimates import count_groups_briefly, estimate_count

SIZES, FULL_SIZES = (1_000, 100_000), (1_000, 100_000, 1_000_000)
COPIED = 100_000  # the largest store that is copied to SQLite
CALLS = 5
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
PAGES = ("-updated_at", "updated_at", "-created_at", "id")
FILTERS: dict[str, dict[str, Any]] = {
    "text=, a third": {"text": "waiting"},
    "text=, none": {"text": "nobody"},
    "where=, a quarter": {"context": {"tier": 1}},
    "where=, one": {"context": {"n": 77}},
    "id_prefix=": {"id_prefix": "session-0000000"},
    "task=": {"task": "task-7"},
}


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def _middle(storage: Any, order: str, size: int) -> Cursor:
    """Return the place in the middle of an order."""
    table = await storage.table(Query(order=order, limit=size // 2))
    cursor = table.next
    assert cursor is not None
    return cursor


async def _beside_filters(storage: Any) -> None:
    """Read one session while four filters are answered."""
    query = Query(context={"n": -1}, limit=100)
    filters = [asyncio.ensure_future(storage.table(query)) for _ in range(4)]
    await asyncio.sleep(0)
    await storage.get("session-00000007")
    for call in filters:
        call.cancel()
    await asyncio.gather(*filters, return_exceptions=True)


async def _measure(storage: Any, size: int) -> dict[str, float]:
    """Return the median of each look, in milliseconds."""
    looks: dict[str, Callable[[], Awaitable[Any]]] = {
        "get": lambda: storage.get("session-00000007"),
        "get beside four filters": lambda: _beside_filters(storage),
        "card: sessions by task": lambda: count_groups_briefly(storage),
        "how many there are": lambda: estimate_count(storage, Query()),
        "exact count": lambda: storage.count(Query()),
    }

    def page(**named: Any) -> Callable[[], Awaitable[Any]]:
        return lambda: storage.table(Query(limit=100, **named))

    for order in PAGES:
        looks[f"first page by {order}"] = page(order=order)
        looks[f"middle page by {order}"] = page(
            order=order, after=await _middle(storage, order, size)
        )
    for name, filters in FILTERS.items():
        looks[name] = page(**filters)
        looks[f"{name}, oldest first"] = page(order="updated_at", **filters)
    found = {}
    for name, look in looks.items():
        times = []
        for _ in range(CALLS):
            began = time.perf_counter()
            await look()
            times.append(time.perf_counter() - began)
        found[name] = 1e3 * statistics.median(times)
    return found


async def _measure_stores(server: g.LocalPostgres, size: int) -> dict[str, dict[str, float]]:
    url = server.create_database(f"scale{size}")
    await (await g.connect(url)).close()
    await _run(url, FILL.replace("$1", str(size)), "VACUUM ANALYZE sessions")
    found = {}
    for name, statements in (("no index", ()), ("indexes", INDEXES)):
        await _run(url, *statements, "VACUUM ANALYZE sessions")
        storage: Any = await g.connect(url, timeout=300, read_only=True)
        found[name] = await _measure(storage, size)
        await storage.close()
    if size > COPIED:
        return found
    with TemporaryDirectory() as folder:
        place = f"sqlite:{Path(folder) / 'sessions.db'}"
        source, target = await g.connect(url, timeout=300), await g.connect(place)
        await copy(source, target, Query())
        found["SQLite"] = await _measure(target, size)
        await source.close()
        await target.close()
    return found


def scale(server: g.LocalPostgres, *, full: bool) -> None:
    """Print the time of each look at each size, and how it grows."""
    sizes = FULL_SIZES if full else SIZES
    results = {size: asyncio.run(_measure_stores(server, size)) for size in sizes}
    stores = ("no index", "indexes", "SQLite")
    columns = [(store, size) for store in stores for size in sizes if store in results[size]]
    print("\nLooks at a store, ms (PostgreSQL without and with indexes, SQLite)")
    print(f"  {'':<34}" + "".join(f"{store:>11}" for store, _ in columns))
    print(f"  {'sessions':<34}" + "".join(f"{size:>11,}" for _, size in columns))
    for look in results[sizes[0]]["no index"]:
        times = (results[size][store][look] for store, size in columns)
        print(f"  {look:<34}" + "".join(f"{ms:>11,.2f}" for ms in times))
