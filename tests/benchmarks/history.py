"""What keeping the versions of sessions costs, and what reading and pruning them takes."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import numpy as np

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.history import HistoryArchive, HistoryStorage, Retention, history_of
from graphflow_nb.storage.history import VersionRow

SIZES = (700, 10_000)
SESSIONS = 50  # that are saved in turn
CALLS = 300  # of each contestant in one round
ROUNDS = 12
STEPS = 100  # of a conversation
CONVERSATIONS = 20
MILLION = 1_000_000


def session_of(id: str, size: int) -> Session:
    """Return a session whose context has about this many bytes."""
    session = Session(id, "await_documents", graph_id="claims", status_message="waiting")
    session.context["customer"] = {"name": "Ana Souza", "tier": "gold", "city": "Porto"}
    number = 0
    while len(session.context_json()) < size:
        session.context.add_user_message(f"message {number}: the roof lost tiles in the storm")
        number += 1
    return session


async def history() -> None:
    """Print the figures on a server that forces its log to the disk, and on one that does not."""
    for durable in (True, False):
        with TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            place = Path(folder) / "data"
            place.mkdir()
            place.chmod(0o755)
            server = g.LocalPostgres(place) if durable else g.local_postgres()
            with server:
                said = "on" if durable else "off"
                await saves(server.url, f"PostgreSQL, fsync {said}")
                if not durable:
                    await reads(server.url)
                    await sizes(server.create_database("sizes"))
                    await pruning(server.create_database("pruning"))


async def saves(url: str, title: str) -> None:
    """Print the cost of a save with history beside one without."""
    plain = await g.connect(url)
    await history_of(plain).create()
    keeping = HistoryStorage(await g.connect(url))
    for size in SIZES:
        storages: dict[str, Any] = {"save": plain, "save, each version kept": keeping}
        sessions = {
            name: [session_of(f"{name} {size} {n}", size) for n in range(SESSIONS)]
            for name in storages
        }
        taken: dict[str, list[int]] = {name: [] for name in storages}
        for number in range(ROUNDS + 1):
            for name, storage in storages.items():
                gc.collect()
                for call in range(CALLS):
                    session = sessions[name][call % SESSIONS]
                    session.context["n"] = call
                    began = time.perf_counter_ns()
                    await storage.save(session)
                    if number:  # the first round warms up
                        taken[name].append(time.perf_counter_ns() - began)
        print(f"\n{title}, contexts of {size:,} bytes (aim ≤ 1.4×)")
        floor = np.percentile(taken["save"], (50, 99))
        for name, nanos in taken.items():
            p50, p99 = np.percentile(nanos, (50, 99))
            print(
                f"  {name:<32} p50 {p50 / 1e6:7.3f} ms {p50 / floor[0]:5.2f}×   "
                f"p99 {p99 / 1e6:7.3f} ms {p99 / floor[1]:5.2f}×",
                flush=True,
            )
    await keeping.close()
    await plain.close()


async def _median(call: Callable[[], Awaitable[Any]], calls: int = 25) -> float:
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken)) * 1e3


async def reads(url: str) -> None:
    """Print what it takes to read one of 1,000 versions, to list them, and many sessions' steps."""
    storage = HistoryStorage(await g.connect(url), retention=None)
    print("\nReading, medians")
    archive = storage.archive
    for size in SIZES:
        session = session_of(f"long {size}", size)
        for number in range(1000):
            session.context["n"] = number
            await storage.save(session)
        await storage.settle()
        await archive.compact(session.id)
        one = await _median(partial(archive.session_at, session.id, 500))
        every = await _median(partial(archive.versions, session.id, limit=1000))
        print(f"  {size:>6,} bytes: session_at(500) of 1,000 {one:8.2f} ms (aim ≤ 20)")
        print(f"  {size:>6,} bytes: versions() of 1,000      {every:8.2f} ms (aim ≤ 50)")
    many = history_of(await g.connect(url))
    rows = [_row(f"many-{number % 10_000}", number) for number in range(100_000)]
    await _copy(url, rows)
    found = await _median(lambda: many.steps(limit=200_000), 5)
    print(f"  steps() of 10,000 sessions, 100,000 versions {found:10.0f} ms", flush=True)
    await storage.close()


def _row(id: str, number: int) -> VersionRow:
    context = '{"data": {"n": %d}, "chat_history": {"messages": []}}' % number
    return VersionRow(
        id, 1 + number // 10_000, 1, number, "claims", f"task-{number % 7}", None, None, False,
        context, None, len(context), "trigger", "",
    )  # fmt: skip


async def _copy(url: str, rows: list[VersionRow]) -> None:
    connection = await asyncpg.connect(url)
    records = [
        (r.id, r.number, r.version, r.graph_id, r.current_task_id, r.deleted, r.context, r.source)
        for r in rows
    ]
    columns = ["id", "number", "version", "graph_id", "current_task_id", "deleted", "context"]
    await connection.copy_records_to_table(
        "sessions_history", columns=[*columns, "source"], records=records
    )
    await connection.close()


async def sizes(url: str) -> None:
    """Print how much a version of a conversation takes, beside LangGraph's PostgresSaver."""
    storage = HistoryStorage(await g.connect(url))
    await history_of(storage).create()
    connection = await asyncpg.connect(url)
    sessions = [Session(f"talk-{n}", "answer") for n in range(CONVERSATIONS)]
    for step in range(STEPS):
        for session in sessions:
            if step % 2:
                session.context.add_assistant_message(_said(step))
            else:
                session.context.add_user_message(_said(step))
            await storage.save(session)
        if step % 10 == 0:
            await storage.settle()
            await connection.execute("VACUUM sessions_history")  # as autovacuum does in time
    await storage.settle()
    await storage.archive.compact_all()
    live = "sum(pg_column_size(h.*)) + count(*) * 28"
    ours = await connection.fetchval(f"SELECT {live} FROM sessions_history AS h")
    disk = await connection.fetchval("SELECT pg_total_relation_size('sessions_history')")
    versions = STEPS * CONVERSATIONS
    print(f"\nSize of a version, {CONVERSATIONS} conversations of {STEPS} steps")
    print(f"  ours: rows {ours / versions:8,.0f} bytes, on the disk {disk / versions:8,.0f}")
    await storage.close()
    try:
        from langgraph.checkpoint.base import empty_checkpoint
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    except ImportError:
        print("  LangGraph's PostgresSaver is not installed")
        return
    async with AsyncPostgresSaver.from_conn_string(url) as saver:
        await saver.setup()
        for n in range(CONVERSATIONS):
            messages: list[dict[str, str]] = []
            config: Any = {"configurable": {"thread_id": f"talk-{n}", "checkpoint_ns": ""}}
            for step in range(STEPS):
                role = "assistant" if step % 2 else "user"
                messages.append({"role": role, "content": _said(step)})
                checkpoint: Any = dict(empty_checkpoint())
                checkpoint["channel_values"] = {"messages": [*messages]}
                checkpoint["channel_versions"] = {"messages": f"{step + 1:032}"}
                config = await saver.aput(
                    config, checkpoint, {"step": step}, {"messages": f"{step + 1:032}"}
                )
    tables = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
    rows = disk_of_theirs = 0
    for table in tables:
        rows += await connection.fetchval(f"SELECT coalesce({live}, 0) FROM {table} AS h")
        disk_of_theirs += await connection.fetchval(f"SELECT pg_total_relation_size('{table}')")
    print(
        f"  LangGraph's PostgresSaver: rows {rows / versions:8,.0f} bytes {rows / ours:5.1f}×, on "
        f"the disk {disk_of_theirs / versions:8,.0f} {disk_of_theirs / disk:5.1f}× (aim ≥ 5×)",
        flush=True,
    )
    await connection.close()


def _said(step: int) -> str:
    return f"step {step}: the roof lost {step * 7 % 13} tiles, the estimate is {step * 37} euros"


async def pruning(url: str) -> None:
    """Print what saves take while a million versions are pruned beside them."""
    storage = HistoryStorage(await g.connect(url), retention=None)
    archive = HistoryArchive((await g.connect(url)).history_table)
    await archive.create()
    for part in range(10):
        await _copy(
            url,
            [_row(f"s{part}-{n % 1000}", n // 1000 * 10_000) for n in range(MILLION // 10)],
        )
    sessions = [session_of(f"busy {n}", 700) for n in range(SESSIONS)]
    stop = asyncio.Event()

    async def write(seconds: float | None) -> list[int]:
        taken, began = [], time.perf_counter()
        while not stop.is_set() if seconds is None else time.perf_counter() - began < seconds:
            session = sessions[len(taken) % SESSIONS]
            session.context["n"] = len(taken)
            start = time.perf_counter_ns()
            await storage.save(session)
            taken.append(time.perf_counter_ns() - start)
        return taken

    alone = await write(10)
    writing = asyncio.create_task(write(None))
    began = time.perf_counter()
    report = await archive.prune(Retention(versions=10))
    seconds = time.perf_counter() - began
    stop.set()
    beside = await writing
    print(f"\nPruning: {report}, in {seconds:.1f} s")
    for name, nanos in (("alone", alone), ("while pruning", beside)):
        p50, p99 = np.percentile(nanos, (50, 99)) / 1e6
        print(f"  saves {name:<16} p50 {p50:7.3f} ms   p99 {p99:7.3f} ms   ({len(nanos):,})")
    ratio = np.percentile(beside, 99) / np.percentile(alone, 99)
    print(f"  p99 {ratio:.2f}× (aim ≤ 1.5×)", flush=True)
    await storage.close()
