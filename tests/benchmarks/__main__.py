"""Our figures beside those of peers and floors, measured in the same run.

    pip install -c constraints.txt -e '.[benchmark]'    (and Chromium for browse)
    python -m tests.benchmarks [memory] [monitoring] [postgres] [frame] [bridge] [browse] [bulk]
        [laboratory] [workflow] [durability] [history] [live] [peer]     (peer needs cargo)
        [scale]              (looks at stores of up to 10^5 sessions, or 10^6)
        [frames]             (all of up to 2·10^5 sessions as a DataFrame, or 10^6)
        [--full]             (of history, scale and frames: at the size that the aims name)

A figure is the median of many calls in rounds that alternate between the contestants, so that a
slow moment of the machine meets all of them. The aims are those of the project; a ratio says more
than a time, which is this machine's.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Recorder, Session
from graphflow_nb.monitoring.operation import kind_of
from graphflow_nb.storage.postgres.table import OpenTable
from graphflow_nb.storage.trace import current
from graphflow_nb.workflow import FlowRunner, GraphBuilder, NextAction, Task, TaskResult

from .browse import browse
from .bulk import bulk
from .durability import durability
from .frames import frames
from .history import history
from .laboratory import laboratory
from .live import live
from .peer import peer
from .scale import scale

ROUNDS = 15


def session_of_700_bytes(id: str = "a" * 36) -> Session:
    session = Session(id, "await_documents", graph_id="claims", status_message="waiting")
    session.context["customer"] = {"name": "Ana Souza", "tier": "gold", "city": "Porto"}
    session.context["items"] = [{"what": "roof tiles", "price": 100.5 + i} for i in range(6)]
    session.context["policy_number"] = 2**53 + 1
    session.context.add_user_message("I am Ana Souza and want to report damage.")
    session.context.add_assistant_message("Please send us photos of the damage.")
    return session


class Report:
    """Rows of figures; medians in µs."""

    def __init__(self, title: str):
        print(f"\n{title}")

    def row(self, name: str, micros: float, floor: float | None = None, note: str = "") -> None:
        ratio = "" if floor is None else f"{micros / floor:6.2f}×"
        print(f"  {name:<52}{micros:>12,.2f} µs {ratio:>8}  {note}", flush=True)


async def timed(
    contestants: dict[str, Callable[[], Awaitable[Any]]], calls: int
) -> dict[str, float]:
    """Median µs a call of each, in alternating rounds."""
    found = await timed_rounds(contestants, calls, ROUNDS, time.perf_counter_ns)
    return {name: statistics.median(values) for name, values in found.items()}


async def timed_rounds(
    contestants: dict[str, Callable[[], Awaitable[Any]]],
    calls: int,
    number_of_rounds: int,
    clock: Callable[[], int],
) -> dict[str, list[float]]:
    """Mean µs a call of each in each round, in alternating rounds."""
    rounds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(number_of_rounds + 1):
        for name, call in contestants.items():
            gc.collect()
            gc.disable()
            began = clock()
            for _ in range(calls):
                await call()
            took = (clock() - began) / calls / 1000
            gc.enable()
            if number:  # the first round warms up
                rounds[name].append(took)
    return rounds


def checkpoint_of(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same content as LangGraph keeps it: a configuration and a checkpoint."""
    from langgraph.checkpoint.base import empty_checkpoint

    checkpoint: dict[str, Any] = dict(empty_checkpoint())
    messages = [{"role": str(m.role), "content": m.content} for m in session.context.chat_history]
    checkpoint["channel_values"] = {"state": dict(session.context) | {"messages": messages}}
    checkpoint["channel_versions"] = {"state": "1"}
    return {"configurable": {"thread_id": session.id, "checkpoint_ns": ""}}, checkpoint


async def memory() -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    storage, session = g.InMemorySessionStorage(), session_of_700_bytes()
    await storage.save(session)
    saver = InMemorySaver()
    config, checkpoint = checkpoint_of(session.copy())
    saver.put(config, checkpoint, {}, {"state": "1"})  # type: ignore[arg-type]

    async def nothing() -> None:
        pass

    async def changed() -> None:
        session.context.set("n", 1)
        await storage.save(session)

    read = session.copy("b" * 36)
    await storage.save(read)
    for key in read.context:
        read.context[key]  # what was handed out may have been changed, so a save has to look

    async def put() -> None:
        saver.put(config, checkpoint, {}, {"state": "1"})  # type: ignore[arg-type]

    async def get() -> None:
        saver.get_tuple(config)  # type: ignore[arg-type]

    found = await timed(
        {
            "bare coroutine": nothing,
            "save": lambda: storage.save(session),
            "set a value and save": changed,
            "save what was read": lambda: storage.save(read),
            "get": lambda: storage.get(session.id),
            "put": put,
            "get_tuple": get,
        },
        3000,
    )
    report = Report(f"memory, a session of {len(session.context_json())} bytes of context")
    report.row("bare coroutine call", found["bare coroutine"])
    report.row("LangGraph InMemorySaver.put", found["put"])
    report.row("save", found["save"], found["put"], "aim ≤ 1.2 µs")
    report.row("set a value and save", found["set a value and save"], found["put"])
    report.row("save after reading each value", found["save what was read"], found["put"])
    report.row("LangGraph InMemorySaver.get_tuple", found["get_tuple"])
    report.row("get", found["get"], found["get_tuple"], "aim ≤ 0.6 µs")


async def monitoring() -> None:
    storage, session = g.InMemorySessionStorage(), session_of_700_bytes()
    monitored = MonitoredStorage(storage, [Recorder()])
    await storage.save(session)
    found = await timed(
        {
            "get": lambda: storage.get(session.id),
            "monitored get": lambda: monitored.get(session.id),
            "save": lambda: storage.save(session),
            "monitored save": lambda: monitored.save(session),
        },
        5000,
    )
    recorder, kind = Recorder(), kind_of("get", "X")
    began = time.perf_counter_ns()
    for number in range(500_000):
        recorder.put(number, number, session.id, kind)
    recording = (time.perf_counter_ns() - began) / 500_000 / 1000

    class Telling:
        """Does nothing, and tells the phases of it as PostgreSQL's storage does."""

        phases = True

        async def get(self, id: str) -> None:
            current().lap("wait")
            trace = current()
            trace.lap("execute")
            trace.size(600, 1)
            trace.lap("decode")

        save = delete = get

    telling = Telling()
    heard = MonitoredStorage(telling, [Recorder()])  # type: ignore[arg-type]
    phases = await timed(
        {"get": lambda: telling.get("a"), "monitored get": lambda: heard.get("a")}, 5000
    )
    report = Report("monitoring with a recorder")
    report.row("recording an operation", recording, None, "aim ≤ 0.4 µs")
    added = phases["monitored get"] - phases["get"]
    report.row("added to a call that tells four phases", added, None, "aim ≤ 3 % of PostgreSQL's")
    for op in ("get", "save"):
        added = found[f"monitored {op}"] - found[op]
        report.row(f"added to a {op} in memory", added, None, "aim ≤ 0.5 µs")


async def postgres(url: str) -> None:
    import asyncpg
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    table = await OpenTable.connect(url)
    storage = g.PostgresSessionStorage(table)
    monitored = MonitoredStorage(storage, [Recorder()])
    session, other = session_of_700_bytes(), session_of_700_bytes("b" * 36)
    await storage.save(session)
    text = session.context_json()
    text = text.decode() if isinstance(text, bytes) else text
    connection = await asyncpg.connect(url)
    sql = table.statements
    read = await connection.prepare(sql.get)
    insert = await connection.prepare(sql.upsert)
    remove = await connection.prepare(sql.delete)
    fields = (other.id, other.graph_id, other.current_task_id, other.status_message, text)
    pool = await asyncpg.create_pool(url, min_size=1, max_size=1)

    async def pooled() -> None:
        async with pool.acquire() as held:
            await held.fetchrow(sql.get, session.id)

    async with AsyncPostgresSaver.from_conn_string(url) as saver:
        await saver.setup()
        config, checkpoint = checkpoint_of(session.copy())
        await saver.aput(config, checkpoint, {}, {"state": "1"})  # type: ignore[arg-type]
        found = await timed(
            {
                "prepared get": lambda: read.fetchrow(session.id),
                "prepared save": lambda: insert.fetchrow(*fields),
                "prepared delete": lambda: remove.fetchrow("nobody"),
                "pooled get": pooled,
                "get": lambda: storage.get(session.id),
                "monitored get": lambda: monitored.get(session.id),
                "save": lambda: storage.save(session),
                "delete": lambda: storage.delete("nobody"),
                "aput": lambda: saver.aput(config, checkpoint, {}, {"state": "1"}),  # type: ignore[arg-type]
                "aget": lambda: saver.aget_tuple(config),  # type: ignore[arg-type]
            },
            150,
        )
    report = Report(f"PostgreSQL {storage.server_version}, against a prepared statement held open")
    for op in ("get", "save", "delete"):
        report.row(f"prepared statement, {op}", found[f"prepared {op}"])
        aim = "aim ≤ 1.3×" if op == "get" else ""
        report.row(op, found[op], found[f"prepared {op}"], aim)
    report.row("get, monitored", found["monitored get"], found["prepared get"])
    report.row("asyncpg's pool as it is, get", found["pooled get"], found["prepared get"])
    report = Report("PostgreSQL, against LangGraph's AsyncPostgresSaver (how many times as quick)")
    for op, other in (("save", "aput"), ("get", "aget")):
        report.row(f"AsyncPostgresSaver.{other}", found[other], found[op], f"× our {op}, aim ≥ 2×")
    await connection.close()
    await pool.close()
    await storage.close()


async def workflow(url: str) -> None:
    """A runner's step beside the same by hand: get, set a value, save."""
    postgres = await g.PostgresSessionStorage.connect(url)
    storages: dict[str, Any] = {"memory": g.InMemorySessionStorage(), "PostgreSQL": postgres}
    for place, storage in storages.items():
        mine, theirs = session_of_700_bytes(), session_of_700_bytes("b" * 36)
        for session in (mine, theirs):
            await storage.save(session)

        class Count(Task):
            id = mine.current_task_id

            async def run(self, context: g.Context) -> TaskResult:
                context.set("n", 1)
                return TaskResult("counted", NextAction.WAIT_FOR_INPUT, "waiting")

        count = Count()
        runner = FlowRunner(GraphBuilder("g").add_task(count).build(), storage)

        async def by_hand(storage: Any = storage, id: str = theirs.id) -> None:
            session = await storage.get(id)
            session.context.set("n", 1)
            session.status_message = "waiting"
            await storage.save(session)

        async def task_by_hand(
            storage: Any = storage, id: str = theirs.id, count: Task = count
        ) -> None:
            session = await storage.get(id)
            session.status_message = (await count.run(session.context)).status_message
            await storage.save(session)

        async def unchanged(storage: Any = storage, id: str = theirs.id) -> None:
            await storage.save(await storage.get(id))

        # In memory by the thread's own clock: what others do on the machine is not in it.
        here = place == "memory"
        found = await timed_rounds(
            {
                "get, save": unchanged,
                "get, set a value, save": by_hand,
                "get, await the task that sets it, save": task_by_hand,
                "FlowRunner.run": lambda runner=runner, id=mine.id: runner.run(id),
            },
            300 if here else 4,
            60 if here else 100,
            time.thread_time_ns if here else time.perf_counter_ns,
        )
        medians = {name: statistics.median(values) for name, values in found.items()}
        step = "FlowRunner.run"
        report = Report(f"a runner's step, {place}, p50")
        for name, aim in (
            ("get, save", "nothing read or changed"),
            ("get, set a value, save", ""),
            ("get, await the task that sets it, save", "aim of the step ≤ 1.2×"),
        ):
            ratio = medians[step] / medians[name]
            report.row(name, medians[name], None, f"the step takes {ratio:.2f}×  {aim}")
        report.row(step, medians[step])
    await postgres.close()


FILL = """
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context, version,
    created_at, updated_at)
SELECT gen_random_uuid()::text, (ARRAY['claims', 'support', 'orders'])[1 + i % 3],
    (ARRAY['intake', 'checks', 'await_documents', 'decide', 'payout'])[1 + i % 5],
    CASE WHEN i % 4 > 0 THEN 'step ' || i % 7 || ' done' END,
    jsonb_build_object('data', jsonb_build_object('customer', jsonb_build_object('name',
        md5(i::text), 'tier', (ARRAY['gold', 'silver'])[1 + i % 2]), 'amount', i * 1.25,
        'policy', 9007199254740993 + i, 'notes', repeat(md5((i + 1)::text), 4)),
        'chat_history', jsonb_build_object('max_messages', 1000, 'messages', jsonb_build_array(
            jsonb_build_object('role', 'User', 'content', md5((i + 2)::text),
                'timestamp', '2026-01-01T00:00:00Z'),
            jsonb_build_object('role', 'Assistant', 'content', repeat(md5((i + 3)::text), 5),
                'timestamp', '2026-01-01T00:00:01Z')))),
    i % 9, now() - i * interval '1 second', now() - i * interval '1 second'
FROM generate_series(1, 200000) AS i
"""
# What wb.sessions() shows, as someone would write it who knows the table.
NINE = """
SELECT id, graph_id, current_task_id, status_message, version, created_at, updated_at,
    pg_column_size(context) AS context_bytes,
    jsonb_array_length(context #> '{chat_history,messages}') AS messages,
    context #>> '{data,customer,tier}' AS tier
FROM sessions ORDER BY updated_at DESC, id DESC
"""


def frame(url: str) -> None:
    import adbc_driver_postgresql.dbapi as adbc
    import connectorx
    import pandas as pd
    import sqlalchemy

    wb = g.open(url, writable=True, timeout=300)
    inner = wb.storage.inner

    async def fill() -> None:
        await inner.run(lambda c: c.execute(FILL))  # type: ignore[attr-defined]
        await inner.run(lambda c: c.execute("VACUUM ANALYZE sessions"))  # type: ignore[attr-defined]

    wb.bridge.run(fill())

    def ours() -> int:
        return len(wb.sessions(context=["customer.tier"], limit=None))

    def with_adbc() -> int:
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(NINE)
            return len(cursor.fetch_df())

    def with_connectorx() -> int:
        return len(connectorx.read_sql(url, NINE))

    def with_pandas() -> int:
        engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        found = pd.read_sql("SELECT * FROM sessions ORDER BY updated_at DESC", engine)
        found["tier"] = found["context"].map(lambda c: c["data"].get("customer", {}).get("tier"))
        found["messages"] = found["context"].map(lambda c: len(c["chat_history"]["messages"]))
        return len(found)

    contestants = {"ours": ours, "ADBC": with_adbc, "connectorx": with_connectorx}
    took: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(8):
        for name, call in contestants.items():
            began = time.perf_counter()
            assert call() == 200_000
            if number:
                took[name].append(time.perf_counter() - began)
    began = time.perf_counter()
    assert with_pandas() == 200_000
    slow = time.perf_counter() - began
    found = {name: statistics.median(values) for name, values in took.items()}
    mine = found.pop("ours")
    quickest = min(found.values())
    print("\nDataFrame of 200,000 sessions with one context column, newest first")
    print(f"  {'wb.sessions(context=[…], limit=None)':<52}{mine:>12.3f} s")
    for name, value in found.items():
        print(f"  {name:<52}{value:>12.3f} s")
    print(f"  {'pandas.read_sql, contexts read in Python':<52}{slow:>12.3f} s")
    print(f"  ours to the quickest of the others: {mine / quickest:.2f}× (aim ≤ 1.5×)")
    print(f"  pandas.read_sql to ours: {slow / mine:.1f}× (aim ≥ 5×)")
    wb.close()


def bridge(url: str) -> None:
    def median(call: Callable[[], object], calls: int) -> float:
        took = []
        for _ in range(calls):
            began = time.perf_counter_ns()
            call()
            took.append((time.perf_counter_ns() - began) / 1000)
        return statistics.median(took)

    memory = g.open("memory:")
    memory.save(session_of_700_bytes())
    pg = g.open(url, writable=True)
    pg.upsert(session_of_700_bytes())
    id = "a" * 36

    async def awaited() -> float:
        took = []
        for _ in range(100):
            began = time.perf_counter_ns()
            await pg.storage.get(id)
            took.append((time.perf_counter_ns() - began) / 1000)
        return statistics.median(took)

    async def nothing() -> None:
        pass

    rounds = [
        (
            median(lambda: memory.get(id), 300),
            pg.bridge.run(awaited()),
            median(lambda: pg.get(id), 100),
            median(lambda: pg.bridge.run(nothing()), 100),
        )
        for _ in range(60)  # short ones, since threads settle on processors after a while
    ]
    in_memory, floor, synchronous, hop = (
        statistics.median(column) for column in zip(*rounds, strict=True)
    )
    report = Report("synchronous calls")
    report.row("wb.get, memory", in_memory, None, "aim ≤ 10 µs")
    report.row("bare hop to the loop's thread and back", hop)
    report.row("await get on the loop itself, PostgreSQL", floor)
    report.row("wb.get, PostgreSQL", synchronous, floor)
    report.row("  more than await", synchronous - floor, None, "aim ≤ 100 µs")
    pg.close()


def main(words: list[str]) -> None:
    options = {word for word in words if word.startswith("--")}
    parts = [word for word in words if word not in options] or [
        *("memory", "monitoring", "postgres", "frame", "bridge", "browse", "bulk"),
        *("laboratory", "workflow", "durability", "history", "live", "peer", "scale", "frames"),
    ]
    if "memory" in parts:
        asyncio.run(memory())
    if "monitoring" in parts:
        asyncio.run(monitoring())
    if "bulk" in parts:
        asyncio.run(bulk(session_of_700_bytes()))
    if "laboratory" in parts:
        laboratory()
    if "durability" in parts:
        durability()
    if "history" in parts:
        history(full="--full" in options)
    if "live" in parts:
        live()
    if "peer" in parts:
        asyncio.run(peer(session_of_700_bytes()))
    with g.local_postgres() as server:
        if "postgres" in parts:
            asyncio.run(postgres(server.create_database("operations")))
        if "workflow" in parts:
            asyncio.run(workflow(server.create_database("steps")))
        if "frame" in parts:
            frame(server.create_database("many"))
        if "bridge" in parts:
            bridge(server.create_database("calls"))
        if "scale" in parts:
            scale(server, full="--full" in options)
        if "frames" in parts:
            frames(server, full="--full" in options)
        if "browse" in parts:
            browse(server, Report("The browser in JupyterLab, click to rows (aim ≤ 300 ms)").row)


if __name__ == "__main__":
    main(sys.argv[1:])
