"""What keeping the versions of sessions costs, and what reading and pruning them takes."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import asyncpg
import numpy as np

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.history import HistoryArchive, HistoryStorage, Retention, history_of
from graphflow_nb.history.sweep import Sweep
from graphflow_nb.private_server import LocalRedis
from graphflow_nb.storage.history import VersionRow

SIZES = (700, 10_000)
SESSIONS = 50  # that are saved in turn
STEPS = 100  # of a conversation
WRITERS = 2  # beside which versions are pruned


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        rounds: The rounds in which the contestants take turns.
        calls: The saves of each contestant in a round.
        conversations: The conversations whose versions are weighed.
        pruned: The versions that are in the history when it is pruned.
        alone: The seconds of saves without pruning, before it and after it.
    """

    rounds: int
    calls: int
    conversations: int
    pruned: int
    alone: float


SHORT = Scale(rounds=20, calls=50, conversations=100, pruned=30_000, alone=3)
FULL = Scale(rounds=20, calls=300, conversations=300, pruned=1_000_000, alone=20)


def session_of(id: str, size: int) -> Session:
    """Return a session whose context has about this many bytes."""
    session = Session(id, "await_documents", graph_id="claims", status_message="waiting")
    session.context["customer"] = {"name": "Ana Souza", "tier": "gold", "city": "Porto"}
    number = 0
    while len(session.context_json()) < size:
        session.context.add_user_message(f"message {number}: the roof lost tiles in the storm")
        number += 1
    return session


def history(*, full: bool = False) -> None:
    """Print the figures, on a server that forces its log to the disk and on one that does not.

    Args:
        full: Whether to measure as much as the aims name, which takes about half an hour.
    """
    scale = FULL if full else SHORT
    if not full:
        print("\nHistory, a short run: --full prunes 10^6 versions and takes more rounds")
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        place = Path(folder) / "data"
        place.mkdir(mode=0o755)
        with g.LocalPostgres(place) as durable:
            asyncio.run(postgres_saves(durable, "PostgreSQL, fsync on", scale))
    with g.local_postgres() as server:
        asyncio.run(postgres_saves(server, "PostgreSQL, fsync off", scale))
        asyncio.run(other_saves(scale))
        reads(server.create_database("reads"))
        asyncio.run(sizes(server, scale))
        asyncio.run(pruning(server.create_database("pruning"), scale))


# Saves


async def postgres_saves(server: g.LocalPostgres, title: str, scale: Scale) -> None:
    """Print the cost of a save with each way to keep its version beside one without."""
    ways = {"plain": "save", "storage": "by HistoryStorage", "trigger": "by a trigger"}
    admin = await asyncpg.connect(server.url)
    for size in SIZES:
        names = [f"{way}_{size}" for way in ways]
        urls = [server.create_database(name) for name in names]
        plain, inner, triggered = [await g.connect(url) for url in urls]
        await history_of(inner).create()
        await triggered.history_table.create_trigger(100)
        storages: list[Any] = [plain, HistoryStorage(inner), triggered]
        contestants = dict(zip(ways.values(), storages, strict=True))

        for storage in storages:  # its connections are there before their time is read
            await storage.save(session_of("first", size))
        before = [await _processor_time(admin, name) for name in names]
        await _compare(title, contestants, size, scale)
        calls = (scale.rounds + 1) * scale.calls
        after = [await _processor_time(admin, name) for name in names]
        after = [await _processor_time(admin, name) for name in names]
        taken = [(b - a) / calls for a, b in zip(before, after, strict=True)]
        print("  processor time of the connections' backends in each save:")
        for name, micros in zip(contestants, taken, strict=True):
            print(f"    {name:<20} {micros:8.0f} µs {micros / taken[0]:5.2f}×")
        for storage in storages:
            await storage.close()
    await admin.close()


async def _processor_time(admin: Any, database: str) -> float:
    """Return the µs for which the backends of a database have run."""
    found = await admin.fetch("SELECT pid FROM pg_stat_activity WHERE datname = $1", database)
    return sum(_time_of(pid) for (pid,) in found) / 1000


def _time_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


async def other_saves(scale: Scale) -> None:
    """Print the cost of a save through HistoryStorage on the other stores."""
    with TemporaryDirectory() as folder, LocalRedis() as redis:
        for size in SIZES:
            for title, urls in {
                "Memory": ("memory:", "memory:"),
                "SQLite": (f"sqlite:{folder}/plain-{size}.db", f"sqlite:{folder}/kept-{size}.db"),
                "Redis": (redis.url, redis.url),
            }.items():
                options = [{"prefix": f"{n}-{size}:"} if title == "Redis" else {} for n in range(2)]
                plain, inner = [
                    await g.connect(url, **more) for url, more in zip(urls, options, strict=True)
                ]
                await history_of(inner).create()
                contestants = {"save": plain, "by HistoryStorage": HistoryStorage(inner)}
                await _compare(title, contestants, size, scale)
                for storage in contestants.values():
                    await storage.close()


async def _compare(title: str, storages: dict[str, Any], size: int, scale: Scale) -> None:
    """Print p10, p50 and p99 of a save by each storage, in rounds in which they take turns.

    p10 is that of a save that nothing else on the machine holds up.
    """
    sessions = {name: [session_of(f"s{n}", size) for n in range(SESSIONS)] for name in storages}
    taken: dict[str, list[int]] = {name: [] for name in storages}
    for number in range(scale.rounds + 1):
        for name, storage in storages.items():
            gc.collect()
            for call in range(scale.calls):
                session = sessions[name][call % SESSIONS]
                session.context["n"] = call
                began = time.perf_counter_ns()
                await storage.save(session)
                if number:  # the first round warms up
                    taken[name].append(time.perf_counter_ns() - began)
    print(f"\n{title}, a save with a context of {size:,} bytes, its version kept (aim ≤ 1.4×)")
    floor = np.percentile(taken["save"], (10, 50, 99))
    for name, nanos in taken.items():
        found = np.percentile(nanos, (10, 50, 99))
        shown = zip(("p10", "p50", "p99"), found, found / floor, strict=True)
        figures = [f"{tail} {value / 1e6:7.4f} ms {times:5.2f}×" for tail, value, times in shown]
        print(f"    {name:<20} {'   '.join(figures)}", flush=True)


# Reading


def _median(call: Callable[[], Any], calls: int = 15) -> str:
    """Return the median of the time of calls, and of the processor time that they took here."""
    taken, worked = [], []
    for _ in range(calls):
        began, before = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - began) * 1e3)
        worked.append((time.process_time() - before) * 1e3)
    return f"{statistics.median(taken):8.1f} ms ({statistics.median(worked):.1f} of it worked here)"


def reads(url: str) -> None:
    """Print what it takes to see the versions of a session, one of them, and many sessions."""
    asyncio.run(_fill(url))
    with g.open(url) as wb:
        print("\nReading, medians of what a notebook calls")
        for size in SIZES:
            id = f"long {size}"
            assert len(wb.history(id, limit=1000)) == 1000
            listed = _median(partial(wb.history, id, limit=1000))
            one = _median(partial(wb.at, id, 500))
            print(f"  {size:>6,} bytes: wb.history of 1,000 versions   {listed}, aim ≤ 50 ms")
            print(f"  {size:>6,} bytes: wb.at, version 500 of 1,000    {one}, aim ≤ 20 ms")
        found = wb.timeline(limit=200_000)
        assert found.stays["id"].nunique() == 10_000 + len(SIZES)
        many = _median(lambda: wb.timeline(limit=200_000), 5)
        drawn = _median(lambda: wb.timeline(limit=200_000).to_html(), 3)
        print(f"  wb.timeline of 10,000 sessions, 100,000 versions {many}, aim ≤ 1.5 s")
        print(f"  the same, and its page                           {drawn}", flush=True)


async def _fill(url: str) -> None:
    storage = HistoryStorage(await g.connect(url), retention=None)
    await storage.archive.create()
    for size in SIZES:
        session = session_of(f"long {size}", size)
        for number in range(1000):
            session.context["n"] = number
            await storage.save(session)
        await storage.settle()
        await storage.archive.compact(session.id)
    await _copy(url, [_row(f"many-{number % 10_000}", number) for number in range(100_000)])
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


async def sizes(server: g.LocalPostgres, scale: Scale) -> None:
    """Print how much a version of a conversation takes, beside LangGraph's PostgresSaver.

    Conversations begin one after the other, ten at once, so that room that compacting frees is
    used again. Vacuums come after every 500 saves, as autovacuum's do in time.
    """
    print(f"\nSize of a version, {scale.conversations} conversations of {STEPS} steps")
    url = server.create_database("kept")
    inner = await g.connect(url)
    await history_of(inner).create()
    ours = await _talk(url, HistoryStorage(inner), scale.conversations)
    print(f"  HistoryStorage             {ours}")
    url = server.create_database("triggered")
    triggered = await g.connect(url)
    await triggered.history_table.create_trigger(100)
    found = await _talk(url, triggered, scale.conversations)
    print(f"  a trigger, not compacted   {found}")
    url = server.create_database("swept")
    swept = await g.connect(url)
    await swept.history_table.create_trigger(100)
    kept = await _talk(url, swept, scale.conversations, Sweep(swept.history_table))
    print(f"  a trigger, and a workbench {kept}")
    url = server.create_database("theirs")
    try:
        from langgraph.checkpoint.base import empty_checkpoint
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    except ImportError:
        print("  LangGraph's PostgresSaver is not installed")
        return
    conversations = min(scale.conversations, 20)  # it only appends
    async with AsyncPostgresSaver.from_conn_string(url) as saver:
        await saver.setup()
        for n in range(conversations):
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
    theirs = await _weigh(
        url, ("checkpoints", "checkpoint_blobs", "checkpoint_writes"), STEPS * conversations
    )
    print(f"  LangGraph's PostgresSaver  {theirs} (aim ≥ 5×)")
    for name, weight in {"HistoryStorage": ours, "a trigger and a workbench": kept}.items():
        times = f"{theirs.rows / weight.rows:.1f}× and {theirs.disk / weight.disk:.1f}×"
        print(f"    {times} {name}", flush=True)


class _Weight(NamedTuple):
    """What a version takes, in bytes: its row, and its share of the files with their indexes."""

    rows: float
    disk: float

    def __str__(self) -> str:
        return f"rows {self.rows:6,.0f} bytes, on the disk {self.disk:6,.0f}"


async def _weigh(url: str, tables: Sequence[str], versions: int) -> _Weight:
    connection = await asyncpg.connect(url)
    rows = disk = 0
    for table in tables:
        live = "coalesce(sum(pg_column_size(h.*)), 0)"
        rows += await connection.fetchval(f"SELECT {live} FROM {table} AS h")
        disk += await connection.fetchval(
            "SELECT pg_total_relation_size($1::text::regclass)", table
        )
    await connection.close()
    return _Weight(rows / versions, disk / versions)


async def _talk(url: str, storage: Any, conversations: int, sweep: Sweep | None = None) -> _Weight:
    """Hold conversations, ten at once, and return what their versions take.

    Args:
        url: The URL of the database.
        storage: What saves.
        conversations: How many there are.
        sweep: What compacts the history before each vacuum, as an open workbench does in time.
    """
    connection = await asyncpg.connect(url)
    waiting = iter([Session(f"talk-{n}", "answer") for n in range(conversations)])
    # The first ten do not end at the same time either.
    active = [(session, -10 * n) for n, session in enumerate(islice(waiting, 10))]
    saves = 0
    while active:
        for session, step in active:
            if step < 0:
                continue
            if step % 2:
                session.context.add_assistant_message(_said(step))
            else:
                session.context.add_user_message(_said(step))
            await storage.save(session)
            saves += 1
            if saves % 500 == 0:
                while sweep is not None and not await sweep.step():
                    pass
                await connection.execute("VACUUM sessions_history")
        ended = sum(step == STEPS - 1 for _, step in active)
        active = [(session, step + 1) for session, step in active if step < STEPS - 1]
        active += [(session, 0) for session in islice(waiting, ended)]
    await connection.close()
    if sweep is not None:  # what ended is compacted a minute later
        await history_of(storage).compact_all()
    await storage.close()
    return await _weigh(url, ["sessions_history"], STEPS * conversations)


def _said(step: int) -> str:
    return f"step {step}: the roof lost {step * 7 % 13} tiles, the estimate is {step * 37} euros"


class _Timed:
    """A history table that notes how long its longest statement took: each is a transaction."""

    def __init__(self, table: Any):
        self._table = table
        self.longest = 0.0

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return await getattr(self._table, name)(*arguments)
            finally:
                self.longest = max(self.longest, time.perf_counter() - began)

        return call


def _is_before(moment: float) -> bool:
    return time.perf_counter() < moment


def _is_under_way(task: asyncio.Task[Any]) -> bool:
    return not task.done()


async def pruning(url: str, scale: Scale) -> None:
    """Print what saves take while versions are pruned, in turns with saves without."""
    storage = HistoryStorage(await g.connect(url), retention=None)
    beside = await g.connect(url)
    table = _Timed(history_of(beside).table)
    archive = HistoryArchive(table)
    await storage.archive.create()
    for first in range(0, scale.pruned // 100, 1000):  # 100 versions each
        ids = [f"s{n}" for n in range(first, min(first + 1000, scale.pruned // 100))]
        await _copy(url, [_row(id, n * 10_000) for n in range(100) for id in ids])
    sessions = [session_of(f"busy {n}", 700) for n in range(SESSIONS)]
    taken: dict[str, list[int]] = {"alone": [], "while pruning": []}

    async def write_some(name: str, writer: int, going: Callable[[], bool]) -> None:
        mine = sessions[writer::WRITERS]
        for call in count():
            if not going():
                break
            session = mine[call % len(mine)]
            session.context["n"] = call
            start = time.perf_counter_ns()
            await storage.save(session)
            taken[name].append(time.perf_counter_ns() - start)

    async def write(name: str, going: Callable[[], bool]) -> None:
        await asyncio.gather(*(write_some(name, writer, going) for writer in range(WRITERS)))

    removed, seconds = 0, 0.0
    part = -(-scale.pruned * 9 // 10 // scale.rounds)
    await write("alone", lambda: len(taken["alone"]) < 200)
    taken["alone"].clear()  # that was to warm up
    while True:
        until = time.perf_counter() + scale.alone / scale.rounds
        await write("alone", partial(_is_before, until))
        began = time.perf_counter()
        task = asyncio.create_task(archive.prune(Retention(versions=10), limit=part))
        await write("while pruning", partial(_is_under_way, task))
        report = await task
        seconds += time.perf_counter() - began
        removed += report.versions
        if report.done:
            break
    print(f"\nPruning {removed:,} versions beside {WRITERS} writers: {seconds:.1f} s")
    for name, nanos in taken.items():
        p50, p99 = np.percentile(nanos, (50, 99)) / 1e6
        print(f"  saves {name:<16} p50 {p50:7.3f} ms   p99 {p99:7.3f} ms   ({len(nanos):,})")
    alone, beside_it = (np.percentile(nanos, (50, 99)) for nanos in taken.values())
    p50, p99 = beside_it / alone
    print(f"  p50 {p50:.2f}×, p99 {p99:.2f}× (aim ≤ 1.5×)")
    print(f"  the longest transaction took {table.longest * 1e3:.0f} ms", flush=True)
    await storage.close()
    await beside.close()
