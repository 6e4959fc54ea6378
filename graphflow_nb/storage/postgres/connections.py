"""Connections to PostgreSQL that are held between operations.

asyncpg's pool opens, checks and replaces the connections. A connection that it hands out is kept
here after an operation without error. After an error or a cancellation the connection goes back to
the pool, which waits for the server to stop, ends a transaction and replaces what is broken. The
pool runs no reset query: a storage leaves no session state behind, and through a pooler the query
would meet that of other clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import asyncpg

from ...errors import BridgeError, StorageError
from ..trace import current
from .errors import LOST, UNPREPARED
from .link import Link, Opener

__all__ = ["Connection", "Connections", "Lending", "NotConnected"]

T = TypeVar("T")
#: asyncpg's ``PoolConnectionProxy`` of a ``Link``, which has the methods and attributes of both.
Connection = Any

# Firewalls forget silent connections. asyncpg's pool too replaces them after five minutes.
IDLE_SECONDS = 300.0


class NotConnected(Exception):
    """The error for a connection that could not be made.

    Attributes:
        error: The driver's error.
    """

    def __init__(self, error: Exception):
        super().__init__(str(error))
        self.error = error


class _Held(NamedTuple):
    connection: Connection
    link: Link  # the same without the pool's proxy, through which an attribute takes a microsecond
    since: float  # when it was used last


class Lending(Protocol):
    """Something that lends connections of one event loop: these, or the one of a snapshot."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the connections belong to."""

    @property
    def size(self) -> int:
        """The most connections that are held."""

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of ``work(connection)``."""

    async def run_query(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run work that may take long as ``run`` does."""

    async def renew(self) -> None:
        """Connect again for each further operation."""

    async def close(self) -> None:
        """Close the connections; closing twice is not an error."""


class Connections:
    """At most ``size`` connections, used on the event loop on which this object was made.

    Args:
        pool: The pool, connected, that resets nothing.
        size: The most connections to hold.
        timeout: Seconds that connecting, and closing all connections, may take.

    Attributes:
        loop: The event loop that the connections belong to.
        size: The most connections that are held.
    """

    def __init__(self, pool: asyncpg.Pool, size: int, timeout: float):
        self.loop = asyncio.get_running_loop()
        self.size = size
        self._pool = pool
        self._free = asyncio.Semaphore(size)
        # One stays free for what is short, so that a get does not wait for scans.
        self._free_for_queries = asyncio.Semaphore(max(1, size - 1))
        self._held: list[_Held] = []
        self._timeout = timeout
        self._closed = False
        self._generation = 0

    @classmethod
    async def open(cls, opener: Opener, size: int, timeout: float) -> Self:
        """Return connections, none of which is made before it is needed.

        Args:
            opener: Opens each connection; asyncpg's pool calls it.
            size: The most connections to hold.
            timeout: Seconds that connecting, and closing all connections, may take.
        """
        pool = await asyncpg.create_pool(
            connect=opener,
            connection_class=Link,
            min_size=0,
            max_size=size,
            reset=_reset_nothing,
        )
        return cls(pool, size, timeout)

    async def run_query(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run work that may take long as ``run`` does, on any connection but the last."""
        async with self._free_for_queries:
            return await self.run(work)

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of ``work(connection)``; reports the phase ``wait``.

        Args:
            work: A coroutine function that takes the connection.

        Raises:
            BridgeError: The call comes from another event loop.
            StorageError: The connections were closed.
            NotConnected: There was no connection and none could be made.
        """
        loop = self.loop
        if asyncio.get_running_loop() is not loop:
            raise BridgeError(
                "this PostgreSQL storage belongs to another event loop, the one it was connected "
                "on: use graphflow_nb.open(url), whose workbench can be called from anywhere"
            )
        self._check_open()
        async with self._free:
            self._check_open()  # again: it may have been closed during the wait
            held = await self._take(loop.time())
            connection = held.connection
            generation = self._generation
            task = asyncio.current_task()
            assert task is not None
            cancelling = task.cancelling()
            current().lap("wait")
            try:
                result = await work(held.link)  # a call through the pool's proxy takes longer
            except BaseException as error:
                current().lap("execute")  # also what ends in a conflict has taken its time there
                if task.cancelling() > cancelling or isinstance(error, asyncio.CancelledError):
                    await held.link.end_cancelled(self._pool.release(connection))
                    if not isinstance(error, asyncio.CancelledError):  # ROLLBACK failed after it
                        raise asyncio.CancelledError from error
                    raise
                if isinstance(error, UNPREPARED):  # the next call prepares its statements again
                    held.link.terminate()
                await self._pool.release(connection)
                if isinstance(
                    error, (*LOST, asyncpg.InterfaceError)
                ):  # and so, most likely, are those that were idle
                    await self._drop_held()
                raise
            if self._closed or generation != self._generation:
                await self._pool.release(connection)
            else:
                self._held.append(_Held(connection, held.link, loop.time()))
            return result

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("the storage is closed: connect again", nothing_written=True)

    async def _take(self, now: float) -> _Held:
        while self._held:
            held = self._held.pop()
            connection = held.connection
            if _is_open(connection):
                link = held.link
                if now - held.since < IDLE_SECONDS and not (link.switched_off or link.doubtful):
                    return held
                connection.terminate()
            await self._pool.release(connection)
        # The semaphore ensures that the pool has a free one, so this waits only for the network.
        try:
            fresh: Connection = await self._pool.acquire(timeout=self._timeout)
            while fresh.link.doubtful:
                fresh.terminate()
                await self._pool.release(fresh)
                fresh = await self._pool.acquire(timeout=self._timeout)
        except Exception as error:
            self._check_open()
            raise NotConnected(error) from error
        return _Held(fresh, fresh.link, now)

    async def renew(self) -> None:
        """Connect again for each further operation: the held connections lead to a wrong server."""
        self._generation += 1
        await self._pool.expire_connections()
        await self._release_held()

    async def close(self) -> None:
        """Close all connections; operations in progress have the timeout to end."""
        if self._closed:
            return
        self._closed = True
        await self._release_held()
        try:
            await asyncio.wait_for(self._pool.close(), self._timeout)
        except TimeoutError:
            self._pool.terminate()

    async def _drop_held(self) -> None:
        while self._held:
            connection = self._held.pop().connection
            if _is_open(connection):
                connection.terminate()
            await self._pool.release(connection)

    async def _release_held(self) -> None:
        while self._held:
            await self._pool.release(self._held.pop().connection)


def _is_open(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took it back when the server closed it
        return False


async def _reset_nothing(connection: Connection) -> None:
    """Do nothing, in place of the pool's reset query."""
