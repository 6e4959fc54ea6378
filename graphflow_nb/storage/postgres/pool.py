"""Connections to PostgreSQL that are held between operations.

asyncpg's pool makes, checks and mends the connections. What it hands out is kept here after a
clean operation. After an error or a cancellation the connection goes back to the pool, which waits
for the server to stop, ends a transaction and replaces what is broken. It runs no reset query: a
storage leaves no session state behind, and through a pooler the query would meet that of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from ...errors import BridgeError, StorageError
from ..trace import current

__all__ = ["Connections"]

T = TypeVar("T")
Connection = Any  # asyncpg's PoolConnectionProxy

# Firewalls forget silent connections; asyncpg's pool too replaces them after five minutes.
IDLE_SECONDS = 300.0


class Connections:
    """At most ``size`` connections, used on the loop that made them."""

    def __init__(self, pool: asyncpg.Pool, size: int, timeout: float):
        self.loop = asyncio.get_running_loop()
        self._pool = pool
        self.size = size
        self._free = asyncio.Semaphore(size)
        self._held: list[tuple[Connection, float]] = []
        self._timeout = timeout
        self._closed = False
        self._generation = 0

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Await ``work(connection)``; reports the phase ``wait``."""
        loop = self.loop
        if asyncio.get_running_loop() is not loop:
            raise BridgeError(
                "this PostgreSQL storage belongs to another event loop, the one it was connected "
                "on: use graphflow_nb.open(url), whose workbench can be called from anywhere"
            )
        if self._closed:
            raise StorageError("the storage is closed: connect again")
        async with self._free:
            connection = await self._take(loop.time())
            generation = self._generation
            current().lap("wait")
            try:
                result = await work(connection)
            except BaseException:
                await self._pool.release(connection)
                raise
            if self._closed or generation != self._generation:
                await self._pool.release(connection)
            else:
                self._held.append((connection, loop.time()))
            return result

    async def _take(self, now: float) -> Connection:
        while self._held:
            connection, since = self._held.pop()
            if _lives(connection):
                if now - since < IDLE_SECONDS:
                    return connection
                connection.terminate()
            await self._pool.release(connection)
        # The semaphore has seen to it that the pool has one to give: this waits for the network
        # alone.
        return await self._pool.acquire(timeout=self._timeout)

    async def renew(self) -> None:
        """Connect anew for each further operation: those that are held lead to the wrong server."""
        self._generation += 1
        await self._pool.expire_connections()
        while self._held:
            await self._pool.release(self._held.pop()[0])

    async def close(self) -> None:
        """Close all; operations under way have the timeout to end."""
        if self._closed:
            return
        self._closed = True
        while self._held:
            await self._pool.release(self._held.pop()[0])
        try:
            await asyncio.wait_for(self._pool.close(), self._timeout)
        except TimeoutError:
            self._pool.terminate()


def _lives(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took it back when the server closed it
        return False
