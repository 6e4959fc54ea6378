"""Connections for queries on one file: a page does not wait for a search that reads it all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from ...errors import StorageError
from .connection import SqliteConnection
from .odd import Database

__all__ = ["READERS", "Readers"]

T = TypeVar("T")

#: Queries that run at once, each on a connection of its own.
READERS: Final = 4


class Readers:
    """Connections that only read, opened as they are needed; usable on any event loop.

    Args:
        make: Returns a connection that is not open yet.
    """

    def __init__(self, make: Callable[[], SqliteConnection]):
        self._make = make
        self._lock = threading.Lock()
        self._jobs: dict[SqliteConnection, int] = {}  # the number that each has to do
        self._opening = 0

    async def open(self) -> None:
        """Open the first connection.

        Raises:
            StorageError: The file can't be opened.
        """
        first = self._make()
        await first.open()
        with self._lock:
            self._jobs[first] = 0

    async def run(self, work: Callable[[Database], T]) -> T:
        """Return ``work(db)``, run on a connection that is free, or else on the least busy one.

        Raises:
            StorageError: The connections are closed, or the database refused the statement.
            StorageTimeout: Another process was writing all the time.
        """
        connection = await self._take()
        try:
            return await connection.run(work, writes=False)
        finally:
            with self._lock:
                if connection in self._jobs:
                    self._jobs[connection] -= 1

    async def _take(self) -> SqliteConnection:
        with self._lock:
            if not self._jobs:
                raise StorageError("the storage is closed: connect again", nothing_written=True)
            least = min(self._jobs, key=self._jobs.__getitem__)
            opens = self._jobs[least] > 0 and len(self._jobs) + self._opening < READERS
            if not opens:
                self._jobs[least] += 1
                return least
            self._opening += 1
        another, opened = self._make(), False
        try:
            with suppress(StorageError):  # then one that is open has one more job
                await another.open()
                opened = True
        except BaseException:
            with self._lock:
                self._opening -= 1
            raise
        with self._lock:
            self._opening -= 1
            if opened and self._jobs:
                self._jobs[another] = 0
                least = another
            if least in self._jobs:
                self._jobs[least] += 1
        if opened and least is not another:  # all were closed meanwhile
            await another.close()
        return least

    async def close(self) -> None:
        """Close the connections; closing twice is not an error."""
        with self._lock:
            connections, self._jobs = list(self._jobs), {}
        for connection in connections:
            await connection.close()
