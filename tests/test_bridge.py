"""Calls from every place from which a notebook calls."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator

import pytest

import graphflow_nb as g
from graphflow_nb.bridge import ForeignLoop, InPlace, LoopThread

from .interrupts import interrupted_when
from .scope import need
from .stores import Store
from .two_sessions import PLACES, open_with_two_sessions


@pytest.fixture
def wb(store: Store) -> Iterator[g.Workbench]:
    with open_with_two_sessions(store) as wb:
        yield wb


@pytest.mark.parametrize("store", PLACES, indirect=True)
def test_from_a_script_a_thread_and_a_running_loop(wb, store):
    """A notebook's cell is a running loop, a widget's callback often another thread's."""
    id = store.id("a")
    plain = wb.get(id).to_json()
    results: list[str] = []

    async def in_a_loop() -> None:
        results.append(wb.get(id).to_json())
        results.append((await wb.get.aio(id)).to_json())
        results.extend(
            s.to_json() for s in await asyncio.gather(*(wb.get.aio(id) for _ in range(5)))
        )

    threads = [threading.Thread(target=lambda: asyncio.run(in_a_loop())) for _ in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(in_a_loop())
    for thread in threads:
        thread.join()
    assert results == [plain] * 28


def test_two_threads_on_a_loop_that_rests(database):
    loop = asyncio.new_event_loop()
    wb = g.wrap(loop.run_until_complete(g.connect(database)))
    raised = []

    def work(name: str) -> None:
        try:
            for i in range(10):
                wb.create(f"{name}{i}", "t")
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    assert wb.summary()["sessions"].sum() == 20
    wb.close()
    loop.close()


def test_closing_while_an_operation_is_under_way(database):
    wb = g.open(database, writable=True)
    begun = threading.Event()

    async def sleep(connection):
        begun.set()
        await connection.execute("SELECT pg_sleep(0.5)")

    thread = threading.Thread(target=lambda: wb.bridge.run(wb.storage.inner.run(sleep)))
    thread.start()
    assert begun.wait(20)
    began = time.monotonic()
    wb.close()
    assert time.monotonic() - began < 3
    thread.join()


def test_a_call_while_python_ends_does_not_hang(tmp_path):
    code = (
        "import graphflow_nb as g\n"
        "class Late:\n"
        "    def __init__(self):\n"
        f"        self.wb, self.me = g.open('sqlite:{tmp_path / 's.db'}', create=True), self\n"
        "    def __del__(self): self.wb.close()\n"
        "late = Late()"
    )
    subprocess.run([sys.executable, "-c", code], timeout=30, capture_output=True)


def test_wrap_on_a_loop_that_runs_the_call(database):
    """The one place where nest-asyncio is used: re-entering the loop on which the call stands."""
    code = f"""
import asyncio, graphflow_nb as g
async def cell():
    storage = await g.connect({database!r})
    wb = g.wrap(storage)
    wb.create("a", "t")
    assert wb.get("a").id == "a"
    assert (await wb.get.aio("a")).id == "a"
    found = []
    import threading
    thread = threading.Thread(target=lambda: found.append(wb.get("a").id))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.01)
    assert found == ["a"]
    with g.open("memory:") as other:
        other.create("b", "t")
    await storage.close()
    return wb
wb = asyncio.run(cell())
try:
    wb.get("a")
except g.BridgeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "no longer runs" in done.stdout


def test_a_loop_that_cannot_be_reentered(monkeypatch):
    class Uvloop(asyncio.AbstractEventLoop):
        def is_running(self):
            return True

    async def call():
        raise AssertionError("not called")

    bridge = ForeignLoop(Uvloop())
    monkeypatch.setattr("graphflow_nb.bridge.running_loop", lambda: bridge.loop)
    with pytest.raises(g.BridgeError, match="re-entered"):
        bridge.run(call())


def test_waiting_for_itself_raises_at_once(database):
    wb = g.open(database, writable=True)
    raised = []

    class Hook:
        def on_operation(self, operation):
            try:
                wb.get("a")
            except g.BridgeError as error:
                raised.append(str(error))

    wb.storage.add_hook(Hook())
    wb.create("a", "t")
    assert "wait for itself" in raised[0]
    wb.close()


class Waiting:
    def __await__(self):
        yield self


def test_what_never_waits_may_let_others_take_a_turn():
    async def read():
        await asyncio.sleep(0)
        return "read"

    assert InPlace().run(read()) == "read"
    with pytest.raises(g.BridgeError) as error:
        InPlace().run(read(), lambda cancel: cancel())
    assert isinstance(error.value.__cause__, asyncio.CancelledError)


def test_a_storage_that_lies_about_suspending():
    class Liar:
        suspends = False

        async def get(self, id):
            await Waiting()

        save = delete = get

    with pytest.raises(g.BridgeError, match="suspends"):
        g.wrap(Liar()).storage and g.wrap(Liar()).delete("a")


def test_a_forked_process_is_told_to_open_again(database):
    need("fork", hasattr(os, "fork"))
    wb = g.open(database, writable=True)
    wb.create("a", "t")

    def child(pipe):
        try:
            wb.get("a")
        except g.BridgeError as error:
            pipe.send(str(error))
        fresh = g.open(database)
        pipe.send(fresh.get("a").id)

    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process = context.Process(target=child, args=(there,))
        process.start()
    assert here.poll(20)
    assert "forked" in here.recv()
    assert here.poll(20)
    assert here.recv() == "a"
    process.join(20)
    assert wb.get("a").id == "a"
    wb.close()


def test_an_interrupt_returns_at_once_and_leaves_the_connection_usable(database):
    wb = g.open(database, writable=True, max_connections=1)
    wb.create("a", "t")
    inner = wb.storage.inner
    begun = threading.Event()

    async def sleep(connection):
        # Begun in the server: one that is cancelled before a statement has reached it runs that.
        def hear(*_):
            begun.set()

        connection.add_log_listener(hear)
        try:
            await connection.execute("DO $$BEGIN RAISE NOTICE 'now'; PERFORM pg_sleep(20); END$$")
        finally:
            connection.remove_log_listener(hear)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), interrupted_when(begun):
        wb.bridge.run(inner.run(sleep))
    assert wb.get("a").id == "a"
    assert time.monotonic() - began < 10
    active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> "
    active += "pg_backend_pid() AND state = 'active'"
    assert wb.bridge.run(inner.run(lambda c: c.fetchval(active))) == 0
    wb.close()


class Slow:
    """A storage whose reads take a moment, and tell when they have begun."""

    def __init__(self, loop):
        self.loop = loop
        self.begun = threading.Event()
        self.saved = []

    async def save(self, session):
        self.saved.append(session.id)

    async def get(self, id):
        self.begun.set()
        await asyncio.sleep(0.2)

    async def delete(self, id):
        pass


def test_an_interrupted_save_is_not_made_up_for_later():
    loop = asyncio.new_event_loop()
    storage = Slow(loop)
    wb = g.wrap(storage)
    with pytest.raises(KeyboardInterrupt), interrupted_when(storage.begun):
        wb.create("a", "t")
    # These take longer than what is left of the save.
    for _ in range(2):
        with pytest.raises(g.SessionNotFound):
            wb.get("other")
    assert storage.saved == []
    loop.close()


def test_a_loop_that_ends_under_a_call():
    raised = []

    async def main():
        storage = Slow(asyncio.get_running_loop())
        wb = g.wrap(storage)

        def call():
            try:
                wb.create("a", "t")
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert await asyncio.to_thread(storage.begun.wait, 20)
        return thread

    asyncio.run(main()).join()
    assert isinstance(raised[0], g.BridgeError)


def test_an_interrupt_before_the_loop_got_the_call(monkeypatch):
    """Without a handler nothing is done; with one, what it brings to an end is waited for."""
    bridge = LoopThread()
    submit, interrupts = bridge.loop.call_soon_threadsafe, []

    def interrupted_once(*arguments):
        if not interrupts:
            interrupts.append(1)
            raise KeyboardInterrupt
        return submit(*arguments)

    monkeypatch.setattr(bridge.loop, "call_soon_threadsafe", interrupted_once)
    done = []

    async def work() -> str:
        done.append("work")
        return "result"

    with pytest.raises(KeyboardInterrupt):
        bridge.run(work())
    assert bridge.run(work()) == "result"  # the loop has closed the first by now
    assert done == ["work"]
    interrupts.clear()
    assert bridge.run(work(), on_interrupt=lambda: done.append("end")) == "result"
    assert done == ["work", "end", "work"]
    submit(bridge.loop.stop)


def test_a_program_that_ends_waits_for_what_it_cancels():
    thread, ended = LoopThread(), []
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as a driver that tells the server
            ended.append("told")

    calls = [thread.submit(work()), thread.submit(work())]
    begun.wait(10)
    thread.end_calls()
    assert ended == ["told", "told"]
    assert all(call.cancelled() for call in calls)
    thread.end_calls()  # nothing runs any more
    thread.loop.call_soon_threadsafe(thread.loop.stop)


#: Is ended by a signal in the middle of a call, which takes its time to end.
_ENDED = """
import asyncio, os, signal
from graphflow_nb.bridge import LoopThread

async def work():
    try:
        os.kill(os.getpid(), signal.{first})
        await asyncio.Event().wait()
    finally:
        if signal.{first} == signal.SIGINT:
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C again, while the program waits for this
        await asyncio.sleep(0.1)
        print("told", flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has ignored
LoopThread.shared().submit(work())
while True:
    signal.pause()
"""


@pytest.mark.parametrize("first", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_program_that_a_signal_ends_waits_for_what_it_cancels(first):
    """A terminal that is closed sends SIGHUP, and a person presses Ctrl-C more than once."""
    words = [sys.executable, "-c", _ENDED.format(first=first)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.stdout == "told\n", done.stderr
    assert done.returncode == -getattr(signal, first)
