"""The only place where synchronous code meets an event loop.

Three ways to run a coroutine, one for each place where a storage can live:

    InPlace        no loop: the coroutine never waits (memory), so it runs in microseconds
    LoopThread     the loop of one daemon thread, on which everything that ``open(url)`` makes lives
    ForeignLoop    the loop on which the user connected the storage. If that loop runs the cell, it
                   is re-entered: the only use of nest-asyncio

Each has ``run`` (wait here, interruptible), ``wait`` (await from any loop) and ``submit``.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import signal
import sys
import threading
from _thread import allocate_lock
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import (
    Any,
    Final,
    Protocol,
    TypeVar,
)

from .errors import BridgeError

__all__ = [
    "Bridge",
    "ForeignLoop",
    "InPlace",
    "LoopThread",
    "meeting_point",
    "running_loop",
]

T = TypeVar("T")


class Bridge(Protocol):
    """A way to run coroutines on the loop where their storage lives."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for the result and return it; an interrupt cancels the coroutine.

        Raises:
            BridgeError: The coroutine can't be run from here; it was closed.
        """

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Return the result to be awaited on any loop."""

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start the coroutine and return its future, which can cancel it."""


class InPlace:
    """The bridge for coroutines that never wait.

    They may let others take a turn, by ``asyncio.sleep(0)``: here they go on at once.
    """

    def run(
        self,
        coroutine: Coroutine[Any, Any, T],
        on_wait: Callable[[Callable[[], object]], None] | None = None,
    ) -> T:
        """See ``Bridge.run``.

        Args:
            coroutine: The coroutine to run.
            on_wait: A function that is called where others could take a turn, with the function
                that cancels the coroutine.

        Raises:
            BridgeError: Also if ``on_wait`` cancelled it; the cause is a ``CancelledError``.
        """
        cancelled = threading.Event() if on_wait is not None else None
        try:
            while coroutine.send(None) is None:
                if on_wait is None or cancelled is None:
                    continue
                on_wait(cancelled.set)
                if cancelled.is_set():
                    coroutine.throw(asyncio.CancelledError())
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        except asyncio.CancelledError as error:
            if cancelled is None or not cancelled.is_set():
                raise
            raise BridgeError("the call was cancelled before it was done") from error
        coroutine.close()
        raise BridgeError(
            "the storage has suspends = False, but one of its coroutines suspended: "
            "remove that attribute"
        )

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """See ``Bridge.wait``."""
        return coroutine

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """See ``Bridge.submit``."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        done.set_result(self.run(coroutine))
        return done


#: The calls that run on other threads' loops.
_calls: set[asyncio.Task[Any] | None] = set()
#: How long a program that ends waits for its calls to be cancelled, in the store too.
END_SECONDS: Final = 2.0
#: How often who waits is told so, where that is shown.
WAIT_SECONDS: Final = 0.25


class _Call:
    """A coroutine on another thread's loop, and the lock on which its caller waits.

    ``asyncio.run_coroutine_threadsafe`` does the same, but its two futures and their callbacks take
    the interpreter's lock from the thread that is waking up: a call on PostgreSQL takes 70 µs more.
    """

    __slots__ = ("_abandoned", "_coroutine", "_done", "_error", "_result", "_task")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]):
        self._coroutine = coroutine
        self._abandoned = False
        self._done = allocate_lock()
        self._done.acquire()
        self._error: BaseException | None = None
        self._result: Any = None
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._abandoned:
            self._coroutine.close()
        elif self._task is None:
            self._task = loop.create_task(self._run())
            _calls.add(self._task)

    async def _run(self) -> None:
        try:
            self._result = await self._coroutine
        except BaseException as error:
            self._error = error
        finally:
            _calls.discard(self._task)
            self._done.release()

    def cancel(self) -> None:
        if self._task is None:
            self._coroutine.close()
        else:
            self._task.cancel()

    def wait(self, alive: Callable[[], bool], on_wait: Callable[[], None] | None = None) -> Any:
        # With a time limit, since the loop may end meanwhile, and since on some systems a wait
        # without one can't be interrupted.
        while not self._done.acquire(timeout=1.0 if on_wait is None else WAIT_SECONDS):
            if on_wait is not None:
                on_wait()
            if not alive():
                self._abandoned = True
                raise BridgeError(
                    "the event loop ended before the call did, so it is not known whether the call "
                    "was carried out: open the store again"
                )
        if self._error is None:
            return self._result
        if isinstance(self._error, asyncio.CancelledError):
            raise BridgeError(
                "the event loop cancelled the call, as it does when it ends; it is not known "
                "whether a write was made: open the store again"
            ) from self._error
        try:
            raise self._error
        finally:
            self._error = None  # its traceback refers to this frame


def _submit(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T],
    alive: Callable[[], bool],
    on_interrupt: Callable[[], None] | None = None,
    on_wait: Callable[[Callable[[], object]], None] | None = None,
) -> T:
    call = _Call(coroutine)
    told = on_wait and partial(on_wait, partial(loop.call_soon_threadsafe, call.cancel))
    # An interrupt may come at any point from here on, also before the wait.
    try:
        try:
            loop.call_soon_threadsafe(call.start, loop)
        except RuntimeError as error:
            coroutine.close()
            raise BridgeError("the event loop of this storage is closed: open it again") from error
        return call.wait(alive, told)  # type: ignore[no-any-return]
    except KeyboardInterrupt:
        if on_interrupt is not None:
            on_interrupt()
            # Again, since the interrupt may have come before the loop got it.
            loop.call_soon_threadsafe(call.start, loop)
            return call.wait(alive)  # type: ignore[no-any-return]
        # The coroutine ends by itself and its storage cleans up: no need to wait for that.
        loop.call_soon_threadsafe(call.cancel)
        raise


def _schedule(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]
) -> concurrent.futures.Future[T]:
    noted = _note(coroutine)
    try:
        return asyncio.run_coroutine_threadsafe(noted, loop)
    except RuntimeError as error:
        noted.close()
        coroutine.close()
        raise BridgeError("the event loop of this storage is closed: open it again") from error


async def _note(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine as one of the calls that are cancelled when the program ends."""
    task = asyncio.current_task()
    _calls.add(task)
    try:
        return await coroutine
    finally:
        _calls.discard(task)


def _await_elsewhere(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]
) -> Awaitable[T]:
    async def wait_there() -> T:
        if running_loop() is loop:
            return await coroutine
        return await asyncio.wrap_future(_schedule(loop, coroutine))

    return wait_there()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs on this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class LoopThread:
    """The bridge to the loop of one daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.pid = os.getpid()
        self._thread = threading.Thread(target=self._work, name="graphflow_nb-loop", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def _check(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        if os.getpid() != self.pid:
            coroutine.close()
            raise BridgeError(
                "this process was forked from the one that opened the store, and connections are "
                "not inherited: open the store again here"
            )

    def run(
        self,
        coroutine: Coroutine[Any, Any, T],
        on_interrupt: Callable[[], None] | None = None,
        on_wait: Callable[[Callable[[], object]], None] | None = None,
    ) -> T:
        """See ``Bridge.run``.

        Args:
            coroutine: The coroutine to run.
            on_interrupt: The function that an interrupt calls to make the coroutine end; its
                result is still awaited. Default: an interrupt cancels the coroutine.
            on_wait: A function that is called again and again while this waits, on the same thread,
                with the function that cancels the coroutine.

        Raises:
            BridgeError: Also if ``on_wait`` cancelled it; the cause is a ``CancelledError``.
        """
        self._check(coroutine)
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise BridgeError(
                "a synchronous call from the loop's own thread (a hook, for example) would wait "
                "for itself forever: await the .aio form there, e.g. await wb.get.aio(id)"
            )
        return _submit(self.loop, coroutine, self._alive, on_interrupt, on_wait)

    def _alive(self) -> bool:
        # When Python ends, a daemon thread is stopped, but is_alive() stays true.
        return self._thread.is_alive() and not sys.is_finalizing()

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """See ``Bridge.wait``."""
        self._check(coroutine)
        return _await_elsewhere(self.loop, coroutine)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """See ``Bridge.submit``."""
        self._check(coroutine)
        return _schedule(self.loop, coroutine)

    def end_calls(self) -> None:
        """Cancel what runs, and wait until the stores have ended it, two seconds at most."""
        if os.getpid() != self.pid or not self._alive():
            return
        ending = asyncio.run_coroutine_threadsafe(self._end_calls(), self.loop)
        with suppress(TimeoutError, concurrent.futures.CancelledError):
            ending.result(END_SECONDS + 0.5)

    def end_at_exit(self) -> None:
        """End calls as ``end_calls`` does, whose files would stay if Ctrl-C is pressed again."""
        before = None
        with suppress(ValueError):  # another thread than the main one
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.end_calls()
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)

    async def _end_calls(self) -> None:
        # A copy, since other threads' loops begin and end calls meanwhile.
        running = [
            task for task in list(_calls) if task is not None and task.get_loop() is self.loop
        ]
        for task in running:
            if not task.cancelling():  # twice, it would not wait for the store
                task.cancel()
        if running:
            await asyncio.wait(running, timeout=END_SECONDS)

    _shared: LoopThread | None = None
    _lock = threading.Lock()

    @classmethod
    def shared(cls) -> LoopThread:
        """Return the loop thread of this process; a forked process gets its own."""
        with cls._lock:
            if cls._shared is None or cls._shared.pid != os.getpid():
                cls._shared = cls()
                atexit.register(cls._shared.end_at_exit)
                cls._handle_ends()
            return cls._shared

    @classmethod
    def _handle_ends(cls) -> None:
        """Cancel what runs before a signal ends the process, if nobody else handles that signal.

        Otherwise a server would go on with a statement until its limit.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGTERM", "SIGHUP"):  # Windows has no terminal that hangs up
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, cls._end)

    @classmethod
    def _end(cls, number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
        if cls._shared is not None:  # without the lock, which this thread may hold
            cls._shared.end_calls()
        os.kill(os.getpid(), number)


class ForeignLoop:
    """The bridge to the loop on which the user connected the storage.

    Args:
        loop: The loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self._turn = threading.Lock()  # held by the thread that runs a loop that is not running

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """See ``Bridge.run``."""
        running = running_loop()
        if running is self.loop:
            try:
                _let_reenter(self.loop)
            except BridgeError:
                coroutine.close()
                raise
            return self._drive(coroutine)
        with self._turn:
            if not self.loop.is_running():
                if self.loop.is_closed() or running is not None:
                    coroutine.close()
                    raise BridgeError(
                        "the event loop on which this storage was connected no longer runs: use "
                        "graphflow_nb.open(url), or connect on the loop that is in use"
                    )
                return self._drive(coroutine)
        return _submit(self.loop, coroutine, self.loop.is_running)

    def _drive(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = self.loop.create_task(coroutine)
        try:
            return self.loop.run_until_complete(task)
        except KeyboardInterrupt:
            # Otherwise the task would go on with the next call, and write after all.
            task.cancel()
            if not self.loop.is_running():
                self.loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            raise

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """See ``Bridge.wait``."""
        return _await_elsewhere(self.loop, coroutine)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """See ``Bridge.submit``."""
        return _schedule(self.loop, coroutine)


def _let_reenter(loop: asyncio.AbstractEventLoop) -> None:
    """Patch a loop so that it can be run while it is running.

    nest-asyncio 1.6.0 breaks ipykernel 7, where queued cells get lost. nest-asyncio2, on which
    ipykernel 7 itself depends, does not.
    """
    if not isinstance(loop, asyncio.BaseEventLoop):
        raise BridgeError(
            f"a loop of {type(loop).__module__} can't be re-entered, so a storage connected on it "
            "can't be called synchronously from it: use graphflow_nb.open(url), or await the "
            ".aio form, e.g. await wb.get.aio(id)"
        )
    try:
        modern = int(version("ipykernel").partition(".")[0]) >= 7
    except PackageNotFoundError:
        modern = False
    import_module("nest_asyncio2" if modern else "nest_asyncio").apply(loop)


def meeting_point(bridges: Iterable[Bridge]) -> Bridge:
    """Return the bridge for a coroutine that awaits storages of all these bridges.

    Only a loop that is re-entered can wait for itself, so a user's loop is chosen; our own can wait
    for any other.
    """
    foreign = next((bridge for bridge in bridges if isinstance(bridge, ForeignLoop)), None)
    return LoopThread.shared() if foreign is None else foreign
