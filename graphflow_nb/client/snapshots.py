"""A snapshot of a store that several reads share, and that ends soon whatever becomes of them."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from ..bridge import running_loop
from ..errors import GraphflowError, StorageError
from ..storage.capabilities import require
from ..storage.limits import SNAPSHOT_PAUSE, SNAPSHOT_SECONDS
from ..storage.protocols import SessionStorage, SupportsClose, SupportsSnapshot
from .client import Client

__all__ = ["HeldSnapshot"]


class HeldSnapshot:
    """A snapshot that the first read takes, and that ends after the last one.

    It ends at once when it is closed or dropped, and with a read that fails or is interrupted;
    besides after ten minutes without a read, and before a read an hour after it was taken: a server
    or a file keeps everything for it that is replaced or deleted meanwhile.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb import Query
        >>> from graphflow_nb.client import HeldSnapshot
        >>> wb = graphflow_nb.open("memory:")
        >>> held = HeldSnapshot(wb)
        >>> async def count():
        ...     async with held.reading() as storage:
        ...         return len((await storage.table(Query())).id)
        >>> await count()
        0
        >>> _ = wb.create("claim-1", "intake")
        >>> await count(), len(wb.sessions())
        (0, 1)
        >>> await held.close()

    Args:
        client: The client of the store.

    Raises:
        CapabilityError: The store takes no snapshots.
    """

    def __init__(self, client: Client):
        self._storage = require(client.storage, SupportsSnapshot)
        self._bridge = client.bridge
        self._snapshot: SessionStorage | None = None
        self._ends_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = ""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """Give the storage to read, and end the snapshot if that fails.

        Raises:
            StorageError: It has ended.
        """
        loop = running_loop()  # without one there is no server and no file to be kept free
        self._stop_timer()
        try:
            if loop is not None and self._snapshot is not None and loop.time() > self._ends_at:
                minutes = f"after {SNAPSHOT_SECONDS / 60:.0f} minutes"
                await self.close(f"{minutes}, since what is replaced meanwhile is kept for it")
            if self._ended:
                raise StorageError(
                    f"the snapshot has ended {self._ended}: nothing was read. What was read before "
                    "is of one moment, the rest of which can't be read any more. Begin again, with "
                    "filters for less, or go on behind it without snapshot=True",
                    nothing_written=True,
                )
            if self._snapshot is None:
                self._snapshot = await self._storage.snapshot()
                if loop is not None:
                    self._ends_at = loop.time() + SNAPSHOT_SECONDS
            yield self._snapshot
        except BaseException:
            await self.close("with a read that failed or was interrupted")
            raise
        if loop is not None and self._snapshot is not None:
            self._timer = loop.call_later(SNAPSHOT_PAUSE, _drop, weakref.ref(self))

    async def close(self, why: str = "when it was closed") -> None:
        """End the snapshot; ending it twice is not an error.

        Args:
            why: When or why it ends, for the error of what reads it afterwards.
        """
        self._stop_timer()
        self._ended = self._ended or why
        snapshot, self._snapshot = self._snapshot, None
        if isinstance(snapshot, SupportsClose):
            await snapshot.close()

    def drop(self, why: str = "when it was closed") -> None:
        """Let the snapshot end, without waiting for that; from any thread.

        Args:
            why: As of ``close``.
        """
        snapshot, self._snapshot = self._snapshot, None
        self._ended = self._ended or why
        if isinstance(snapshot, SupportsClose):
            closing = _close(snapshot)
            try:
                self._bridge.submit(closing)
            except GraphflowError:  # the loop has ended, and what was open on it with it
                closing.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __del__(self) -> None:
        with suppress(Exception):  # at the end of the program the loop may be gone
            self.drop()


async def _close(snapshot: SupportsClose) -> None:
    await snapshot.close()


def _drop(held: weakref.ref[HeldSnapshot]) -> None:
    """Let a snapshot end that nobody has read for a while, if it is still there."""
    if (found := held()) is not None:
        found.drop(f"after {SNAPSHOT_PAUSE / 60:.0f} minutes without a read")
