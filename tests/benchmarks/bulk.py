"""Many new sessions in one call, beside the barest way to bring the same bytes into the store."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import redis.asyncio

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.storage.redis.form import encode
from tests.servers import redis as redis_servers
from tests.servers.redis import RedisServer

SESSIONS = 200_000
ROUNDS = 5
PIPELINE = 500  # commands at once: more makes neither way quicker


def sessions(model: Session) -> list[Session]:
    return [model.copy(f"session-{n:08}") for n in range(SESSIONS)]


async def alternate(
    ways: dict[str, Callable[[], Awaitable[Any]]], clear: Callable[[], Awaitable[Any]]
) -> dict[str, float]:
    """Median seconds of each way, in alternating rounds on an empty store."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name in sorted(ways, reverse=bool(number % 2)):
            await clear()
            gc.collect()
            began = time.perf_counter()
            await ways[name]()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in taken.items()}


def tell(store: str, found: dict[str, float], floor: str) -> None:
    print(f"\n{store}, {SESSIONS:,} new sessions")
    for name, seconds in found.items():
        ratio = seconds / found[floor]
        print(f"  {name:<52}{seconds:>12.2f} s  {ratio:6.2f}×", flush=True)


async def bulk(model: Session) -> None:
    await postgres(model)
    for program in (redis_servers.REDIS, redis_servers.find_valkey()):
        if program is not None:
            await pipelines(model, program)


async def postgres(model: Session) -> None:
    with g.local_postgres() as server:
        storage = await g.connect(server.url, timeout=300)
        bare = await asyncpg.connect(server.url)
        columns = ["id", "graph_id", "current_task_id", "status_message", "context", "version"]
        context = model.context_json()
        text = context if isinstance(context, str) else context.decode()
        rest = (model.graph_id, model.current_task_id, model.status_message, text, 1)
        records = [(f"session-{n:08}", *rest) for n in range(SESSIONS)]
        batch: list[Session] = []

        async def clear() -> None:
            await bare.execute("TRUNCATE sessions")
            await bare.execute("CHECKPOINT")
            batch[:] = sessions(model)

        async def ours() -> None:
            assert await storage.save_many(batch) == []

        found = await alternate(
            {
                "bare COPY": lambda: bare.copy_records_to_table(
                    "sessions", columns=columns, records=records
                ),
                "save_many": ours,
                "import_many": lambda: storage.import_many(batch),
            },
            clear,
        )
        tell(f"PostgreSQL {storage.server_version}", found, "bare COPY")
        await bare.close()
        await storage.close()


async def pipelines(model: Session, program: str) -> None:
    with RedisServer(program) as server:
        storage = await g.connect(server.url, timeout=300)
        bare = redis.asyncio.Redis(port=server.port)
        await bare.config_set("appendonly", "no")
        texts = [(s.id, encode(s, 1, 0, 0)) for s in sessions(model)]
        batch: list[Session] = []

        async def clear() -> None:
            await bare.flushall()
            batch[:] = sessions(model)

        async def bare_pipeline() -> None:
            for start in range(0, SESSIONS, PIPELINE):
                async with bare.pipeline(transaction=False) as pipe:
                    for key, text in texts[start : start + PIPELINE]:
                        pipe.set(key, text)
                    await pipe.execute()

        async def ours() -> None:
            assert await storage.save_many(batch) == []

        found = await alternate({"bare pipeline": bare_pipeline, "save_many": ours}, clear)
        tell(storage.server_version, found, "bare pipeline")
        await bare.aclose()
        await storage.close()
