"""Upkeep: what keeps a history small while it is written."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable
from random import randrange
from typing import Final

from ..bridge import InPlace
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
_PAUSE: Final = 0.0005  # seconds for which saves go first, which else waited 5 ms for this thread
_LINGER: Final = 0.5  # seconds for which a thread waits for more, since starting one takes 80 µs


class Upkeep:
    """What compacts and prunes a history in small steps, in between what is written to it.

    The history of a session is compacted after every 16 of its writes and pruned after every 32.
    After every 500 writes other sessions have their turn: those that were written in the turn
    before the last, and not since, are compacted to their end, and 200 are pruned. Counts of what
    is rare begin at random, so that short processes do their share. No write waits for it: it is a
    task beside the writes, and on a thread where the history is in memory.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.history import Retention, history_of
        >>> from graphflow_nb.history.upkeep import Upkeep
        >>> upkeep = Upkeep(history_of(InMemorySessionStorage()), Retention(versions=20))
        >>> upkeep.note_writes(["claim-1"])

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
        self._suspends = attributes_of(archive.table).suspends
        self._task: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()  # of what the thread is to do, or has done
        self._asked = self._busy = False

    def note_writes(self, ids: Iterable[str]) -> None:
        """Count writes, and begin with what is due.

        Args:
            ids: The ids of the sessions that were written, each as often as it was.
        """
        # Not any(), which would leave the rest uncounted.
        if sum([self.count_write(id) for id in ids]):
            self.begin()

    def count_write(self, id: str) -> bool:
        """Count one write of a session; return whether it is time to ``begin``."""
        self._unswept += 1
        writes = self._writes.get(id)
        if writes is None:
            writes = randrange(0, _PRUNE, _COMPACT)
            if not self._writes:
                self._swept = id
            if len(self._writes) >= _COUNTED:
                self._writes.clear()
                self._tails.clear()
        self._writes[id] = writes = writes + 1
        self._recent.add(id)
        if writes % _COMPACT:
            return self._unswept >= _TURN
        self._due[id] = self._due.get(id, 0) + _COMPACT
        if not writes % _PRUNE:
            self._full.add(id)
        return True

    def begin(self) -> None:
        """Begin with what is due, beside what is written."""
        if self._suspends:
            if self._task is None or self._task.done():
                self._task = asyncio.get_running_loop().create_task(self._keep_small())
        elif not self._asked:
            with self._changed:
                self._asked = True
                # After a fork the thread is gone.
                if self._thread is None or not self._thread.is_alive():
                    self._busy = False
                    self._thread = threading.Thread(
                        target=self._work, name="graphflow_nb upkeep", daemon=True
                    )
                    self._thread.start()
                self._changed.notify_all()

    def _work(self) -> None:
        """Keep a history in memory small, until nothing was asked for some time."""
        while True:
            with self._changed:
                if not self._changed.wait_for(self._is_asked, _LINGER):
                    self._thread = None
                    return
                self._asked, self._busy = False, True
            try:
                InPlace().run(self._keep_small())
            except Exception:
                log.exception("a history in memory was not made smaller")
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _is_asked(self) -> bool:
        return self._asked

    def _is_idle(self) -> bool:
        return not (self._asked or self._busy)

    async def settle(self) -> None:
        """Wait until the step that is under way has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._thread is not None:  # a storage in memory may not suspend
            with self._changed:
                self._changed.wait_for(self._is_idle)

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
                if whole := self._due.pop(id, 0):  # stop() may have taken it
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
            tail = self._tails.pop(id, None)
            pause = 0 if self._suspends else _PAUSE
            tail = await self.archive.compact_newest(id, whole, tail, pause=pause)
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
