"""Eight workbenches and four workers on graph-flow at one table, which are killed and stalled.

    python -m tests.interop.load PROGRAM [SECONDS]      (PROGRAM: the built graphflow-peer)

Each writer adds one to a number of its kind in sessions taken by chance, and notes each save that
was called good. So in the end each stored number is at least the number of those notes: nobody's
save was lost. It may be greater by the saves that were cut off before anyone was told.

Every few seconds one of these happens: a writer is killed, a worker is killed, the server ends the
connections, the line to it is cut or stalls. Each minute the server itself is killed. Two of the
workbenches are never killed: they show whether memory grows.
"""

from __future__ import annotations

import asyncio
import json
import random
import select
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import asyncpg

import graphflow_nb as g

from ..servers.postgres import Postgres
from ..servers.proxy import Proxy
from ..stores import create_table
from .peer import Peer

__all__ = ["Report", "run_load"]

WORKBENCHES, KEPT, WORKERS, SESSIONS = 8, 2, 4, 40
PAUSE_MS = 20
TIMEOUT = 4.0  # seconds of a workbench's statement
STALLS = (1.0, TIMEOUT + 2.0)  # seconds for which the line stalls
EVERY = 3.0  # seconds from one disturbance to the next
SERVER_EVERY = 60.0
_OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'graphflow_nb'"


@dataclass
class Report:
    """What came of it.

    Attributes:
        saved: The saves that were called good, by the kind of writer.
        lost: For each session and kind the number noted and the smaller one that is stored.
        beyond: How many more are stored than were noted.
        killed: What was done, by its name.
        memory: For each workbench that was not killed, its MB after a fifth of the time, and the
            most since then.
        left: The connections of ours on the server after all of it.
        looks: What the workbenches did, and their errors by class.
        ended: How often a workbench ended that was not killed.
    """

    saved: Counter[str] = field(default_factory=Counter)
    lost: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    beyond: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)
    left: int = -1
    looks: Counter[str] = field(default_factory=Counter)
    ended: int = 0


# One workbench, as a program of its own


def work(url: str, number: int, path: str) -> None:
    """Save, patch, read and browse until the standard input ends; note each good save."""
    warnings.simplefilter("ignore")  # that there are more messages
    chance = random.Random(f"{number} {path}")
    with open(path, "a", buffering=1) as ledger:
        while True:
            try:
                with g.open(url, writable=True, timeout=TIMEOUT) as wb:
                    print("working", flush=True)
                    while not _told_to_stop(PAUSE_MS / 1000):
                        _take_a_step(wb, chance, number, ledger)
                    return
            except g.StorageError as error:  # it was opened while the server was away
                _note(ledger, did=type(error).__name__)
                if _told_to_stop(PAUSE_MS / 1000):
                    return


def _note(ledger: TextIO, **told: Any) -> None:
    ledger.write(json.dumps(told) + "\n")


def _take_a_step(wb: g.Workbench, chance: random.Random, number: int, ledger: TextIO) -> None:
    key, id = f"hand{number}", chance.choice(_ids())
    step = chance.choice(("save", "save", "patch", "look", "undo"))
    try:
        if step == "save":
            session = wb.get(id)
            session.context[key] = session.context.get(key, 0) + 1
            wb.save(session, undo=False)
            _note(ledger, id=id)
        elif step == "patch":
            change = {"op": "add", "path": f"/context/data/patched{number}", "value": 1}
            wb.patch(id, [change], undo=chance.random() < 0.1)
        elif step == "undo":
            _make_and_delete(wb, f"own-{number}-{chance.randrange(5)}")
        else:
            _look(wb, chance, number)
    except g.GraphflowError as error:
        step = type(error).__name__
    _note(ledger, did=step, rss=_memory())


def _look(wb: g.Workbench, chance: random.Random, number: int) -> None:
    look = chance.choice(("page", "filter", "summary", "messages", "browse"))
    if look == "page":
        wb.sessions(limit=20, context=["worked"])
    elif look == "filter":
        wb.sessions(where={f"patched{number}": 1}, limit=20)
    elif look == "summary":
        wb.summary()
    elif look == "messages":
        wb.messages(limit=20)
    else:
        wb.bridge.run(wb.storage.background.query(g.Query(limit=20)))


def _make_and_delete(wb: g.Workbench, id: str) -> None:
    with suppress(g.SessionConflict):
        wb.create(id, "t")
    wb.delete(id)
    with suppress(g.SessionConflict, g.PatchError):
        wb.undo()


def _memory() -> float:
    """Return the memory of this process in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _told_to_stop(seconds: float) -> bool:
    return bool(select.select([sys.stdin], [], [], seconds)[0])


# All of them together


def _ids() -> list[str]:
    return [f"worker-{number:02}" for number in range(SESSIONS)]


class _Crew:
    """The writers that run, with the files of their notes."""

    def __init__(self, program: Path, url: str, folder: Path):
        self._peer = Peer(program, "0.8", url)
        self._url, self._folder = url, folder
        self._files = 0
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.ledgers: dict[str, list[Path]] = {}

    def start(self, name: str) -> None:
        """Start a writer, also in the place of one that has ended."""
        self._files += 1
        path = self._folder / f"{name}-{self._files}.jsonl"
        self.ledgers.setdefault(name, []).append(path)
        if name.startswith("worker"):
            options = {"id": ",".join(_ids()), "pause-ms": PAUSE_MS, "seed": self._files}
            self.processes[name] = self._peer.start("work", ledger=path, **options)
            return
        words = [
            sys.executable,
            "-m",
            "tests.interop.load",
            "--work",
            self._url,
            name[9:],
            str(path),
        ]
        pipe = subprocess.PIPE
        self.processes[name] = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)

    def wait(self) -> None:
        """Wait until each writer works."""
        for process in self.processes.values():
            assert process.stdout is not None
            assert "working" in process.stdout.readline()

    def renew(self) -> int:
        """Start those again that have ended, as a worker does whose connection was cut.

        Returns:
            How many workbenches had ended that were not killed.
        """
        ended = 0
        for name, process in self.processes.items():
            if process.poll() is not None:
                process.communicate()
                ended += name.startswith("workbench") and process.returncode != -signal.SIGKILL
                self.start(name)
        return ended

    def kill(self, name: str) -> None:
        """Kill a writer, whatever it is doing."""
        self.processes[name].kill()
        self.processes[name].communicate()

    def stop(self) -> None:
        """Let each writer end what it is doing."""
        for process in self.processes.values():
            with suppress(OSError):
                assert process.stdin is not None
                process.stdin.write("stop\n")
                process.stdin.close()
        for process in self.processes.values():
            process.wait(60)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(10)


def run_load(program: Path, seconds: float) -> Report:
    """Run the campaign for some seconds and return what came of it.

    Args:
        program: The program on graph-flow.
        seconds: How long the writers write.
    """
    report = Report()
    settings = {"max_connections": "150", "log_min_messages": "fatal"}
    with Postgres(settings=settings) as server, TemporaryDirectory() as folder:
        own = f"postgresql://postgres@{server.address}/postgres"
        asyncio.run(create_table(own, "crate-0.6"))
        with g.open(own, writable=True) as wb:
            for id in _ids():
                wb.create(id, "t", graph_id="g", context={"worked": 0})
        with Proxy(("127.0.0.1", server.port)) as proxy:
            url = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
            crew = _Crew(program, url, Path(folder))
            try:
                for number in range(WORKBENCHES):
                    crew.start(f"workbench{number}")
                for number in range(WORKERS):
                    crew.start(f"worker{number}")
                crew.wait()
                _disturb(crew, server, proxy, own, seconds, report)
                crew.stop()
            finally:
                crew.close()
        report.left = asyncio.run(_count_left(own))
        _read(crew, own, report)
    return report


def _disturb(
    crew: _Crew, server: Postgres, proxy: Proxy, own: str, seconds: float, report: Report
) -> None:
    chance = random.Random(7)
    began = now = time.monotonic()
    server_at = began + min(SERVER_EVERY, seconds / 2)
    steps = _steps(chance)
    while (now := time.monotonic()) < began + seconds:
        time.sleep(min(EVERY, max(0.0, began + seconds - now)))
        step = next(steps)
        if now >= server_at:
            step, server_at = "the server killed", now + SERVER_EVERY
        report.killed[step] += 1
        if step == "the server killed":
            server.kill()
            server.start()
        elif step == "a workbench killed":
            crew.kill(f"workbench{chance.randrange(KEPT, WORKBENCHES)}")
        elif step == "a worker killed":
            crew.kill(f"worker{chance.randrange(WORKERS)}")
        elif step == "connections ended":
            with suppress(asyncpg.PostgresError, OSError):
                asyncio.run(_end_connections(own))
        elif step == "the line cut":
            proxy.cut()
        else:
            proxy.stall()
            time.sleep(chance.choice(STALLS))
            proxy.heal()
        report.ended += crew.renew()


def _steps(chance: random.Random) -> Iterator[str]:
    steps = [
        "a workbench killed",
        "a worker killed",
        "connections ended",
        "the line cut",
        "a stall",
    ]
    while True:
        chance.shuffle(steps)
        yield from steps


async def _end_connections(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND random() < 0.5"
    )
    await connection.close()


async def _count_left(url: str) -> int:
    """Return how many connections of ours there are once the server's limits have passed."""
    connection = await asyncpg.connect(url, timeout=10)
    await connection.execute(f"SELECT pg_sleep({TIMEOUT + 3})")
    left = await connection.fetchval(_OURS)
    await connection.close()
    return int(left)


def _read(crew: _Crew, url: str, report: Report) -> None:
    noted: Counter[tuple[str, str]] = Counter()
    for name, paths in crew.ledgers.items():
        key = "worked" if name.startswith("worker") else f"hand{name[9:]}"
        memory: list[float] = []
        for path in paths:
            for told in _lines(path):
                if "id" in told:
                    noted[told["id"], key] += 1
                    report.saved["workers" if key == "worked" else "workbenches"] += 1
                else:
                    report.looks[told["did"]] += 1
                    memory += [told["rss"]] if "rss" in told else []
        if name in [f"workbench{number}" for number in range(KEPT)]:
            start = len(memory) // 5
            report.memory.append((memory[start], max(memory[start:])))
    with g.open(url) as wb:
        for id in _ids():
            session = wb.get(id)
            for key in ("worked", *(f"hand{number}" for number in range(WORKBENCHES))):
                told, stored = noted[id, key], session.context.get(key, 0)
                if stored < told:
                    report.lost[id, key] = (told, stored)
                report.beyond += max(0, stored - told)


def _lines(path: Path) -> Iterator[Any]:
    """Yield the notes of a writer; the last one of a killed writer may be incomplete."""
    if path.exists():
        for line in path.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                yield json.loads(line)


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        work(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        print(run_load(Path(sys.argv[1]), float((*sys.argv, "600")[2])))
