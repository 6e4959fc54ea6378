"""One operation of ours beside graph-flow's own storage in Rust: same server, same sessions."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Recorder, Session

INTEROP = Path(__file__).parents[1] / "interop"
VERSIONS = ("0.6", "0.8")
ROUNDS = 40
CALLS = 100  # counted in a round, so that a slow moment of the machine meets both
MADE = 120


class Theirs:
    """The program on graph-flow, which waits for what it is to do."""

    def __init__(self, program: Path, version: str, url: str):
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [program, version, "bench", "--url", url], stdin=pipe, stdout=pipe, text=True
        )

    def __call__(self, line: str) -> list[int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())  # type: ignore[no-any-return]

    def close(self) -> None:
        self._process.communicate()


async def ours(storage: Any, what: str, id: str, model: Session) -> list[int]:
    """As the program does it: nanoseconds of each call, one after the other."""
    took = []
    session = await storage.get(id) if what == "save" else model
    for number in range(MADE):
        if what == "save":
            session.context.set("step", number)
        call = {
            "get": lambda: storage.get(id),
            "save": lambda: storage.save(session),
            "delete": lambda number=number: storage.delete(f"{id}{number}"),
        }[what]
        began = time.perf_counter_ns()
        await call()
        took.append(time.perf_counter_ns() - began)
    return took


def build() -> Path:
    """The program as those build it who use the crate."""
    command = ["cargo", "build", "--profile", "measured", "--quiet"]
    subprocess.run(command, cwd=INTEROP, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", INTEROP / "target"))
    return target / "measured" / "graphflow-peer"


def tell(what: str, found: dict[str, list[int]], floor: str) -> None:
    for name, values in found.items():
        p50, p99 = (np.percentile(values, q, method="inverted_cdf") / 1000 for q in (50, 99))
        base = [np.percentile(found[floor], q, method="inverted_cdf") / 1000 for q in (50, 99)]
        print(
            f"  {what:<7}{name:<30} p50 {p50:>9.2f} µs {p50 / base[0]:5.2f}×   "
            f"p99 {p99:>9.2f} µs {p99 / base[1]:5.2f}×",
            flush=True,
        )


async def alternate(
    ways: dict[str, Callable[[], Awaitable[list[int]]]], before: Callable[[], Awaitable[Any]]
) -> dict[str, list[int]]:
    """Nanoseconds of the calls of each way, after a round that warms up."""
    found: dict[str, list[int]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(ROUNDS + 1):
        at = number % len(names)
        for name in names[at:] + names[:at]:
            await before()
            took = await ways[name]()
            if number:
                # The first calls of a turn wake a process that slept.
                found[name] += took[-CALLS:]
    return found


async def peer(model: Session) -> None:
    program = build()
    large = model.copy()
    large.context.set("notes", "a word or two " * 700)
    with g.local_postgres() as server:
        for session in (model, large):
            await operations(program, server.create_database(f"d{id(session)}"), session)
    await memory(program, model)


async def operations(program: Path, url: str, model: Session) -> None:
    storage = await g.PostgresSessionStorage.connect(url)
    monitored = MonitoredStorage(storage, [Recorder()])
    await storage.save(model)
    theirs = {}
    for version in VERSIONS:
        theirs[version] = Theirs(program, version, url)
        # One after the other, since two that alter the table at a time can fail.
        await asyncio.to_thread(theirs[version], f"get {model.id} 1")
    size = len(model.context_json())
    print(
        f"\nPostgreSQL {storage.server_version} over a Unix socket, {size:,} bytes of context, "
        f"n = {ROUNDS * CALLS:,} each (aim: ours ≤ 1.15× graph-flow's)"
    )
    for what in ("get", "save", "delete"):
        id = "gone-" if what == "delete" else model.id

        async def fill(what: str = what) -> None:
            if what == "delete":
                await storage.import_many([model.copy(f"gone-{n}") for n in range(MADE)])

        ways: dict[str, Callable[[], Awaitable[list[int]]]] = {
            "ours": lambda what=what, id=id: ours(storage, what, id, model),
            "ours, monitored": lambda what=what, id=id: ours(monitored, what, id, model),
        }
        for version, run in theirs.items():
            ways[f"graph-flow {version}"] = lambda run=run, what=what, id=id: asyncio.to_thread(
                run, f"{what} {id} {MADE}"
            )
        tell(what, await alternate(ways, fill), f"graph-flow {VERSIONS[0]}")
    for run in theirs.values():
        run.close()
    await storage.close()


async def memory(program: Path, model: Session) -> None:
    storage = g.InMemorySessionStorage()
    await storage.save(model.copy())
    theirs = {version: Theirs(program, version, "memory:") for version in VERSIONS}
    for run in theirs.values():
        run(f"put {model.copy().to_json()}")
    print(f"\nin memory, Python beside Rust, n = {ROUNDS * CALLS:,} each")

    async def nothing() -> None:
        pass

    for what in ("get", "save"):
        ways: dict[str, Callable[[], Awaitable[list[int]]]] = {
            "ours": lambda what=what: ours(storage, what, model.id, model)
        }
        for version, run in theirs.items():
            ways[f"graph-flow {version}"] = lambda run=run, what=what: asyncio.to_thread(
                run, f"{what} {model.id} {MADE}"
            )
        tell(what, await alternate(ways, nothing), f"graph-flow {VERSIONS[0]}")
    for run in theirs.values():
        run.close()
