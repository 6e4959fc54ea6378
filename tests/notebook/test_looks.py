"""Looks at a large table with indexes take few statements, none of which goes through the table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import asyncpg

import graphflow_nb as g
from graphflow_nb.storage.postgres.plans import plan_of

from ..scope import only_complete
from ..storage.postgres.kit import execute

SESSIONS = 25_000  # more than are walked through
FILL = f"""
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context, created_at,
    updated_at)
SELECT 's' || lpad((n * 7919 % {SESSIONS})::text, 5, '0'), 'graph-' || n % 5, 'task-' || n % 20,
    'waiting', jsonb_build_object('data', jsonb_build_object('n', n, 'tier', n % 4)),
    now() - n * interval '3 seconds', now() - n * interval '1 second'
FROM generate_series(1, {SESSIONS}) AS n;
CREATE INDEX ON sessions (updated_at, id);
CREATE INDEX ON sessions (created_at, id);
CREATE INDEX ON sessions USING gin (context jsonb_path_ops);
CREATE EXTENSION pg_trgm;
CREATE INDEX ON sessions USING gin (id gin_trgm_ops, status_message gin_trgm_ops);
"""


def looks(wb: g.Workbench) -> Iterator[tuple[Any, int]]:
    """Yield what a person looks at, and the most statements that it may take."""
    yield lambda: wb.get("s00007"), 1
    yield lambda: wb.messages("s00007"), 1
    for order in ("updated_at", "-updated_at", "created_at", "-created_at", "id", "-id"):
        first = wb.sessions(order=order, limit=50)
        yield lambda order=order: wb.sessions(order=order, limit=50), 1
        yield (
            lambda order=order, after=first.attrs["next"]: wb.sessions(
                order=order, limit=50, after=after
            ),
            1,
        )
    yield lambda: wb.sessions(id_prefix="s0000", limit=50), 3
    yield lambda: wb.sessions(ids=["s00001", "s00002"]), 1
    yield lambda: wb.sessions(text="waiting", limit=50), 1
    yield lambda: wb.sessions(text="nobody", limit=50), 2
    yield lambda: wb.sessions(status="nobody", limit=50), 2
    yield lambda: wb.sessions(where={"tier": 1}, limit=50), 2
    yield lambda: wb.sessions(where={"n": 77}, limit=50), 3
    yield lambda: wb.sessions(where={"n": 77}, limit=50, order="updated_at"), 3
    yield lambda: wb.stuck("1 hour", limit=50), 2  # the second says of how many


@only_complete
def test_a_look_takes_few_statements_and_scans_nothing(database: str):
    g.open(database, writable=True).close()  # creates the table
    asyncio.run(execute(database, FILL))
    asyncio.run(execute(database, "VACUUM ANALYZE sessions"))
    sent: list[Any] = []

    async def listen(connection: Any) -> None:
        connection.add_query_logger(sent.append)

    with g.open(database, max_connections=1) as wb:
        wb.bridge.run(wb.storage.inner.run(listen))
        taken = []
        for number, (look, most) in enumerate(looks(wb)):
            look()  # what is believed for a while is asked for once
            wb.bridge.run(asyncio.sleep(0))  # the driver reports a statement after its answer
            sent.clear()
            look()
            wb.bridge.run(asyncio.sleep(0))
            asked = [record for record in sent if record.query.startswith(("SELECT", "WITH"))]
            taken.append((number, len(asked), most, asked))
    assert [(number, n, most) for number, n, most, _ in taken if not 0 < n <= most] == []
    assert (
        asyncio.run(_find_scans(database, [record for *_, asked in taken for record in asked]))
        == []
    )


async def _find_scans(database: str, records: list[Any]) -> list[str]:
    """Return the statements that would read the whole table."""
    connection = await asyncpg.connect(database)
    found = []
    for record in records:
        explained = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {record.query}", *record.args)
        if any(step.endswith("Seq Scan") for step in plan_of(json.loads(explained)).steps):
            found.append(record.query)
    await connection.close()
    return found
