"""The properties of writers that really run at the same time: in threads, and in processes.

On one event loop a storage that never waits between its comparison and its write can't be
interrupted there, so tasks of one loop show no race. Here two writers have a thread or a process
each, meet before each save, and pause at each line of the storage's own code. So between a
comparison and a write that no lock holds together, the other writer gets its turn.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, BinaryIO, Final, Protocol

from ..errors import GraphflowError, SessionConflict
from ..model import Session
from ..storage.protocols import SupportsClose
from ..storage.wrappers.base import find_innermost
from .kit import Deviation, Kit, NotTested, Open, add_property, resolve

_SWAP: Final = "conflicts (compare-and-swap)"
_ROUNDS: Final = 8
_PAUSE: Final = 0.0005  # seconds at each line of the storage
_PATIENCE: Final = 30.0  # seconds that one writer waits for the other

#: What a writer reports of each round.
_SAVED, _CONFLICT = "saved", "conflict"


class _Barrier(Protocol):
    def wait(self, timeout: float | None = None) -> int: ...

    def abort(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Refused:
    """The error of a storage that does not serve this thread or process at all."""

    error: str


@dataclass(frozen=True, slots=True)
class _Race:
    """What one of two writers does: saves ids in turn, each at the same moment as the other.

    Attributes:
        open: Opens the storage of this writer.
        shared: The storage that must stay open; None for none.
        barrier: Where the writers meet.
        ids: The id of each round; a session is updated where it exists and else created.
    """

    open: Open
    shared: Any
    barrier: _Barrier
    ids: list[str]

    def run(self) -> list[str] | _Refused:
        """Return the outcome of each round."""
        try:
            return asyncio.run(self._write())
        except BaseException:
            self.barrier.abort()
            raise

    async def _write(self) -> list[str] | _Refused:
        try:
            storage = await resolve(self.open())
            await storage.get(self.ids[0])
        except GraphflowError as error:
            self.barrier.abort()
            return _Refused(f"{type(error).__name__}: {error}")
        try:
            return [await self._save(storage, id) for id in self.ids]
        finally:
            if storage is not self.shared and isinstance(storage, SupportsClose):
                await storage.close()

    async def _save(self, storage: Any, id: str) -> str:
        self.barrier.wait(_PATIENCE)
        session = await storage.get(id) or Session(id, "t", context={"n": 0})
        session.context["n"] += 1
        self.barrier.wait(_PATIENCE)
        try:
            with _pausing(storage):
                await storage.save(session)
        except SessionConflict:
            return _CONFLICT
        return _SAVED


@contextmanager
def _pausing(storage: Any) -> Iterator[None]:
    """Pause this thread at each line of a storage's own code."""
    classes = {*type(storage).__mro__, *type(find_innermost(storage)).__mro__}
    codes = (getattr(value, "__code__", None) for cls in classes for value in vars(cls).values())
    files = {code.co_filename for code in codes if code is not None}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            time.sleep(_PAUSE)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def _judge(results: list[list[str] | _Refused], where: str) -> None:
    """Raise unless one of two writers saved in each round, and the other got a conflict."""
    for result in results:
        if isinstance(result, _Refused):
            raise NotTested(f"the storage does not serve two {where} ({result.error})")
    for number, ends in enumerate(zip(*results, strict=True), 1):
        saved = ends.count(_SAVED)
        if saved != 1:
            raise Deviation(
                f"of two writers in two {where} that saved the same version at the same time "
                f"{saved} succeeded (round {number} of {_ROUNDS}), and should be one: "
                + ("an update was lost" if saved else "none was stored")
            )


@add_property(
    _SWAP,
    "compare and replace in one statement of the store, or under a threading.Lock; a lock of "
    "asyncio holds within one loop alone",
)
async def two_threads_race(kit: Kit) -> None:
    """Two threads save the same version at the same time: one does, the other gets a conflict."""
    ids = await _prepare(kit)
    barrier = threading.Barrier(2)
    race = _Race(kit.open, kit.storage, barrier, ids)
    tasks = [asyncio.create_task(asyncio.to_thread(race.run)) for _ in range(2)]
    results = await _collect(tasks)
    _judge(results, "threads")


@add_property(
    _SWAP,
    "compare and replace in one statement of the store, or under a lock that processes share, "
    "such as fcntl.flock on a file",
    trait="open_elsewhere",
)
async def two_processes_race(kit: Kit) -> None:
    """Two processes save the same version at the same time: one does, the other conflicts."""
    assert kit.traits.open_elsewhere is not None
    open = kit.traits.open_elsewhere(kit.storage)
    ids = await _prepare(kit)
    try:
        task = pickle.dumps((open, ids))
    except Exception as error:
        raise NotTested(
            f"what open_elsewhere returned can't be sent to another process ({error}): a "
            "functools.partial of a function in an importable module can"
        ) from error
    _judge(await asyncio.to_thread(_run_pair, task), "processes")


# Processes of our own, and not those of multiprocessing, which runs the caller's main module again.
_WRITER: Final = "from graphflow_nb.testing.races import run_writer; run_writer()"
_MEETING, _RESULT = b"m", b"r"


class _PipeBarrier:
    """The meeting of two processes, each of which waits for the word of the one that started both.

    Args:
        out: Where the process says that it waits.
    """

    def __init__(self, out: BinaryIO):
        self._out = out

    def wait(self, timeout: float | None = None) -> int:
        self._out.write(_MEETING)
        self._out.flush()
        if sys.stdin.buffer.read(1) != _MEETING:
            raise threading.BrokenBarrierError
        return 0

    def abort(self) -> None:
        """Do nothing: the end of this process says it."""


def run_writer() -> None:
    """Run one of two writers, told by pipe what to do; ``two_processes_race`` starts it."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # what the storage prints goes elsewhere
        open, ids = pickle.load(sys.stdin.buffer)
        try:
            result: object = _Race(open, None, _PipeBarrier(out), ids).run()
        except Exception as error:
            result = error
        out.write(_RESULT + pickle.dumps(result))


def _run_pair(task: bytes) -> list[list[str] | _Refused]:
    """Run two writers in processes, and let them go on together whenever both wait."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _WRITER]
    with ExitStack() as stack:
        writers = []
        for _ in range(2):
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            writer = stack.enter_context(process)
            stack.callback(writer.kill)
            writers.append(writer)
        timer = threading.Timer(_PATIENCE, _kill_all, [writers])
        stack.callback(timer.cancel)
        timer.start()
        for writer in writers:
            _send(writer, task)
        words = [_read(writer) for writer in writers]
        while words == [_MEETING, _MEETING]:
            for writer in writers:
                _send(writer, _MEETING)
            words = [_read(writer) for writer in writers]
        results = []
        for writer, word in zip(writers, words, strict=True):
            if word == _RESULT:
                assert writer.stdout is not None
                results.append(pickle.load(writer.stdout))
        for result in results:
            if isinstance(result, _Refused):
                return [result]
            if isinstance(result, Exception):
                raise result
        if len(results) < len(writers):
            raise Deviation(f"a process that saved ended without a result (within {_PATIENCE} s)")
        return results


def _kill_all(writers: list[subprocess.Popen[bytes]]) -> None:
    for writer in writers:
        writer.kill()


def _send(writer: subprocess.Popen[bytes], text: bytes) -> None:
    assert writer.stdin is not None
    writer.stdin.write(text)
    writer.stdin.flush()


def _read(writer: subprocess.Popen[bytes]) -> bytes:
    assert writer.stdout is not None
    return writer.stdout.read(1)


async def _prepare(kit: Kit) -> list[str]:
    """Store the sessions of half of the rounds; the others are created in the race."""
    for number in range(0, _ROUNDS, 2):
        await kit.save_new(f"s{number}", context={"n": 0})
    return [kit.id(f"s{number}") for number in range(_ROUNDS)]


async def _collect(tasks: list[asyncio.Task[Any]]) -> list[list[str] | _Refused]:
    """Return the results of both writers; the error of the one that stopped the other is raised."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    kept: list[list[str] | _Refused] = []
    for result in sorted(results, key=lambda r: isinstance(r, threading.BrokenBarrierError)):
        if isinstance(result, threading.BrokenBarrierError) and any(
            isinstance(other, _Refused) for other in kept
        ):
            continue
        if isinstance(result, BaseException):
            raise result
        kept.append(result)
    return kept
