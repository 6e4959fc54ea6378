"""Upkeep: what keeps a history small while it is written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from random import randrange
from typing import Final

from ..errors import GraphflowError
from ..storage.attributes import attributes_of
from ..storage.history import Retention
from .archive import HistoryArchive, Tail

__all__ = ["Upkeep"]

log = logging.getLogger("graphflow_nb")

_COMPACT: Final = 16  # writes of a session after which its history is compacted
_PRUNE: Final = 32  # and after which it is pruned
_TURN: Final = 500  # writes after which other sessions have their turn
_SWEPT: Final = 200  # of which so many are pruned
_COUNTED: Final = 100_000  # sessions whose writes are counted


class Upkeep:
    """What compacts and prunes a history in small steps, in between what is written to it.

    The history of a session is compacted after every 16 of its writes and pruned after every 32.
    After every 500 writes other sessions have their turn: those that were written in the turn
    before the last, and not since, are compacted to their end, and 200 are pruned. Counts of what
    is rare begin at random, so that short processes do their share. No write waits for it, except
    in memory, where nothing can wait.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.history import Retention, history_of
        >>> from graphflow_nb.history.upkeep import Upkeep
        >>> upkeep = Upkeep(history_of(InMemorySessionStorage()), Retention(versions=20))
        >>> await upkeep.note_writes(["claim-1"])

    Args:
        archive: The history.
        retention: What is kept; None to prune nothing.

    Attributes:
        archive, retention: As passed.
    """

    def __init__(self, archive: HistoryArchive, retention: Retention | None):
        self.archive = archive
        self.retention = retention
        self._writes: dict[str, int] = {}
        self._tails: dict[str, Tail | None] = {}  # of the sessions whose writes are counted
        self._due: dict[str, int] = {}  # how many of a session's versions may be whole
        self._full: set[str] = set()  # the sessions that are due to be pruned
        self._recent: set[str] = set()  # the sessions that were written in this turn
        self._earlier: set[str] = set()  # and in the one before
        self._unswept = randrange(_TURN)
        self._swept: str | None = None  # the session after which the next turn begins
        self._task: asyncio.Task[None] | None = None

    async def note_writes(self, ids: Iterable[str]) -> None:
        """Count writes, and begin with what is due.

        Args:
            ids: The ids of the sessions that were written, each as often as it was.
        """
        for id in ids:
            self._unswept += 1
            if not self._writes:
                self._swept = id
            writes = self._writes.get(id)
            if writes is None:
                writes = randrange(0, _PRUNE, _COMPACT)
                if len(self._writes) >= _COUNTED:
                    self._writes.clear()
                    self._tails.clear()
            self._writes[id] = writes = writes + 1
            self._recent.add(id)
            if writes % _COMPACT == 0:
                self._due[id] = self._due.get(id, 0) + _COMPACT
            if writes % _PRUNE == 0:
                self._full.add(id)
        if not self._due and self._unswept < _TURN:
            return
        if not attributes_of(self.archive.table).suspends:
            await self._keep_small()
        elif self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep_small())

    async def settle(self) -> None:
        """Wait until the step that is under way has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Begin nothing more, and wait until the step that is under way has ended."""
        self._due.clear()
        await self.settle()

    async def _keep_small(self) -> None:
        """Compact and prune the histories that are due; a failure is logged."""
        ended = self._unswept >= _TURN
        if ended:
            self._unswept = 0
            for id in self._earlier - self._recent:
                if whole := self._writes.get(id, 0) % _COMPACT:
                    self._due.setdefault(id, whole)
            self._earlier, self._recent = self._recent, set()
        while self._due:
            for id in tuple(self._due):
                # Another thread, of a storage in memory, may have taken it.
                if whole := self._due.pop(id, 0):
                    await self._keep_one_small(id, whole)
        if ended and self.retention is not None:
            try:
                await self._sweep(self.retention)
            except GraphflowError as error:
                log.warning("old versions were not removed: %s", error)

    async def _keep_one_small(self, id: str, whole: int) -> None:
        full = id in self._full
        self._full.discard(id)
        try:
            tail = await self.archive.compact_newest(id, whole, self._tails.pop(id, None))
            self._tails[id] = tail
            if full and self.retention is not None:
                await self.archive.prune(self.retention, ids=[id])
        except GraphflowError as error:
            log.warning("the history of session %r was not compacted: %s", id, error)

    async def _sweep(self, retention: Retention) -> None:
        """Prune the histories of the next sessions, those without writes in their turn."""
        ids = await self.archive.table.ids(self._swept, _SWEPT)
        self._swept = ids[-1] if len(ids) == _SWEPT else None
        await self.archive.prune(retention, ids=ids)
