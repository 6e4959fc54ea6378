"""The only place where synchronous code meets an event loop.

Three ways to run a coroutine to its end, one for each place where a storage can live:

    InPlace        nothing in it ever suspends (memory): driven on the spot, in microseconds
    LoopThread     on one daemon thread's loop, that of everything ``open(url)`` makes
    ForeignLoop    on the loop where the user connected the storage, which may be the very one
                   that runs the cell: then that loop is re-entered, the only use of nest-asyncio

Each has ``run`` (wait here, interruptible) and ``wait`` (await from any loop).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sys
import threading
from _thread import allocate_lock
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import update_wrapper
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from .errors import BridgeError

__all__ = [
    "Bridge",
    "Dual",
    "ForeignLoop",
    "InPlace",
    "LoopThread",
    "dual",
    "meeting_point",
    "running_loop",
]

T = TypeVar("T")
P = ParamSpec("P")
S = TypeVar("S", bound="Bridged")


class Bridge(Protocol):
    """Runs coroutines where their storage lives."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result, waited for here; an interrupt cancels the coroutine."""

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """The result, to be awaited on any loop."""

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Begin it and go on; the future can cancel it."""


class InPlace:
    """For coroutines that never suspend."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            coroutine.send(None)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        coroutine.close()
        raise BridgeError(
            "the storage says that it never suspends (suspends = False), but it did: "
            "take that attribute away"
        )

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        return coroutine

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        done.set_result(self.run(coroutine))
        return done


class _Call:
    """A coroutine on its way through another thread's loop, and the lock at which its caller waits.

    ``asyncio.run_coroutine_threadsafe`` would do, but its two futures and their callbacks take the
    interpreter's lock from the thread that is waking up: with them a call on PostgreSQL takes
    70 µs more.
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
        else:
            self._task = loop.create_task(self._run())

    async def _run(self) -> None:
        try:
            self._result = await self._coroutine
        except BaseException as error:
            self._error = error
        finally:
            self._done.release()

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def wait(self, alive: Callable[[], bool]) -> Any:
        # The time limit is there for a loop that ends meanwhile, and for systems on which a wait
        # without one can't be interrupted.
        while not self._done.acquire(timeout=1.0):
            if not alive():
                self._abandoned = True
                raise BridgeError(
                    "the event loop ended before the call did, so whether it was carried out is "
                    "not known: open the store again"
                )
        if self._error is None:
            return self._result
        if isinstance(self._error, asyncio.CancelledError):
            raise BridgeError(
                "the event loop cancelled the call, as it does when it ends; whether a write took "
                "place is not known: open the store again"
            ) from self._error
        try:
            raise self._error
        finally:
            self._error = None  # or it would hold itself through its traceback


def _submit(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T],
    alive: Callable[[], bool],
    on_interrupt: Callable[[], None] | None = None,
) -> T:
    call = _Call(coroutine)
    try:
        loop.call_soon_threadsafe(call.start, loop)
    except RuntimeError as error:
        coroutine.close()
        raise BridgeError("the event loop of this storage is closed: open it again") from error
    try:
        return call.wait(alive)  # type: ignore[no-any-return]
    except KeyboardInterrupt:
        if on_interrupt is not None:
            on_interrupt()
            return call.wait(alive)  # type: ignore[no-any-return]
        # The coroutine ends by itself and its storage cleans up after it: nobody waits for that.
        loop.call_soon_threadsafe(call.cancel)
        raise


def _schedule(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]
) -> concurrent.futures.Future[T]:
    try:
        return asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError as error:
        coroutine.close()
        raise BridgeError("the event loop of this storage is closed: open it again") from error


def _await_elsewhere(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]
) -> Awaitable[T]:
    async def here() -> T:
        if running_loop() is loop:
            return await coroutine
        return await asyncio.wrap_future(_schedule(loop, coroutine))

    return here()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs on this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class LoopThread:
    """One daemon thread with one loop."""

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
                "this process was forked from the one that opened the store, and its connections "
                "did not come along: open the store again here"
            )

    def run(
        self, coroutine: Coroutine[Any, Any, T], on_interrupt: Callable[[], None] | None = None
    ) -> T:
        """As ``Bridge.run``.

        Args:
            on_interrupt: brings the coroutine to its end; then its result is waited for after all.
        """
        self._check(coroutine)
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise BridgeError(
                "a synchronous call from the loop's own thread (a hook, say) would wait for itself "
                "for ever: await the .aio form there, e.g. await wb.get.aio(id)"
            )
        return _submit(self.loop, coroutine, self._alive, on_interrupt)

    def _alive(self) -> bool:
        # When Python ends, a daemon thread stands still, and is alive all the same.
        return self._thread.is_alive() and not sys.is_finalizing()

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        self._check(coroutine)
        return _await_elsewhere(self.loop, coroutine)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        self._check(coroutine)
        return _schedule(self.loop, coroutine)

    _shared: LoopThread | None = None
    _lock = threading.Lock()

    @classmethod
    def shared(cls) -> LoopThread:
        """The one of this process; a forked process gets its own."""
        with cls._lock:
            if cls._shared is None or cls._shared.pid != os.getpid():
                cls._shared = cls()
            return cls._shared


class ForeignLoop:
    """The loop on which the user connected the storage."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self._turn = threading.Lock()  # held by whoever drives a loop that rests

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
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
            # Left alone, the task would go on with the next call, and write after all.
            task.cancel()
            if not self.loop.is_running():
                self.loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            raise

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        return _await_elsewhere(self.loop, coroutine)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        return _schedule(self.loop, coroutine)


def _let_reenter(loop: asyncio.AbstractEventLoop) -> None:
    """Patch a loop so that it can be run while it runs.

    nest-asyncio breaks ipykernel 7, where queued cells get lost; nest-asyncio2, which ipykernel 7
    itself needs, does not.
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
    """Where a coroutine can run that waits for storages of all these.

    A loop of the user's can only be waited for by re-entering it; ours waits for any other.
    """
    foreign = next((bridge for bridge in bridges if isinstance(bridge, ForeignLoop)), None)
    return LoopThread.shared() if foreign is None else foreign


class Bridged(Protocol):
    """What ``dual`` methods need of their object."""

    bridge: Bridge


class _Bound(Generic[P, T]):
    """A method of one object, callable both ways."""

    def __init__(self, method: Callable[..., Coroutine[Any, Any, T]], owner: Any):
        # A bound method, so that help and completion show its arguments without self.
        self.__wrapped__: Callable[..., Coroutine[Any, Any, T]] = MethodType(method, owner)
        self.__doc__ = method.__doc__
        self._bridge: Bridge = owner.bridge

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._bridge.run(self.__wrapped__(*args, **kwargs))

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """The same to be awaited, on the same connections."""
        return self._bridge.wait(self.__wrapped__(*args, **kwargs))


class Dual(Generic[S, P, T]):
    """A coroutine method with two forms: ``x.get(id)`` waits, ``await x.get.aio(id)`` awaits."""

    def __init__(self, method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]):
        self._method = method
        update_wrapper(self, method)  # type: ignore[arg-type]

    @overload
    def __get__(self, owner: None, kind: type[S]) -> Dual[S, P, T]: ...
    @overload
    def __get__(self, owner: S, kind: type[S]) -> _Bound[P, T]: ...
    def __get__(self, owner: S | None, kind: type[S]) -> Dual[S, P, T] | _Bound[P, T]:
        return self if owner is None else _Bound(self._method, owner)


def dual(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Dual[S, P, T]:
    """Make a coroutine method callable both ways; see ``Dual``."""
    return Dual(method)
