"""What was acknowledged is in the history, whatever is killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.errors import GraphflowError
from graphflow_nb.history import HistoryStorage, history_of

from ..scope import only_complete
from ..stores import TABLES, Store, empty_store

Run = Callable[[Coroutine[Any, Any, Any]], Any]

WRITER = """
import asyncio, sys
import graphflow_nb as g
from graphflow_nb.history import HistoryStorage, history_of

async def main():
    inner = await g.SqliteSessionStorage.connect(sys.argv[1])
    await history_of(inner).create()
    storage = HistoryStorage(inner)
    session = g.Session("a", "one", context={"pad": "x" * 300})
    while True:
        session.context["n"] = session.version
        await storage.save(session)
        print(session.version, flush=True)

asyncio.run(main())
"""


def test_a_writer_that_is_killed_leaves_each_save_with_its_version(
    run: Run, tmp_path: Path
) -> None:
    place = tmp_path / "sessions.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    storage = run(g.SqliteSessionStorage.connect(str(place)))
    stored = run(storage.get("a"))
    assert stored.version >= acknowledged == 20
    versions = run(history_of(storage).versions("a", limit=None))
    newest = stored.version
    assert [v.version for v in versions] == [*range(newest, newest - len(versions), -1)]
    found = run(history_of(storage).sessions("a", 1, newest))
    assert [s.context["n"] for _, s in found] == [v.version - 1 for v in versions]
    run(storage.close())


#: The stores, with what keeps the history: a storage of ours, or the database itself.
KEPT = [
    *(("crate-0.6", "storage"), ("redis", "storage"), ("documented", "storage")),
    *(("crate-0.5", "storage"), *((form, "trigger") for form in TABLES)),
]


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with empty_store(request.param, request, tmp_path) as store:
        yield store


@pytest.mark.parametrize(
    ("store", "keeper"),
    [*KEPT[:2], *(pytest.param(*kept, marks=only_complete) for kept in KEPT[2:])],
    indirect=["store"],
)
def test_a_server_that_is_killed_has_each_save_with_its_version(
    run: Run, store: Store, keeper: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("server" if store.about.form else "redis_server")
    acknowledged: dict[str, int] = {}

    async def write(storage: Any, id: str, enough: asyncio.Event) -> None:
        session = Session(id, "one", context={"pad": "x" * 300})
        for n in count():
            session.context["n"] = n
            try:
                await storage.save(session)
            except GraphflowError:
                return
            acknowledged[id] = n
            if n >= 30 and len(acknowledged) == 4:
                enough.set()

    async def work() -> None:
        inner = storage = await store.open()
        if keeper == "trigger":
            await inner.history_table.create_trigger(None)
        else:
            await history_of(inner).create()
            storage = HistoryStorage(inner)
        enough = asyncio.Event()
        writing = [asyncio.create_task(write(storage, store.id(f"s{n}"), enough)) for n in range(4)]
        await enough.wait()
        await asyncio.to_thread(server.kill)
        await asyncio.gather(*writing)
        await asyncio.to_thread(server.start)
        await storage.close()
        again = await store.open()
        for id, told in acknowledged.items():
            stored = (await again.get(id)).context["n"]
            kept = await history_of(again).sessions(id, 1, 10**9)
            # One that was not acknowledged may have been stored, and then its version is too.
            assert told <= stored <= told + 1
            assert [v.number for v, _ in kept] == [*range(stored + 1, 0, -1)]
            assert [s.context["n"] for _, s in kept] == [*range(stored, -1, -1)]
        await again.close()

    run(work())
    assert len(acknowledged) == 4
