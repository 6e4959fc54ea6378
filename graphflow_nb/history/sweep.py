"""Sweep: what compacts a history that triggers write, whose writes nothing here counts."""

from __future__ import annotations

import logging
import time
from typing import Final, NamedTuple

from ..errors import HistoryError
from ..storage.history import TriggeredTable
from .archive import HistoryArchive

__all__ = ["Sweep"]

log = logging.getLogger("graphflow_nb")

_PORTION: Final = 100  # sessions of one step
_DUE: Final = 16  # new versions after which a session that is still written is compacted
_ENDED: Final = 60.0  # seconds without a version after which one with less is compacted
_REMEMBERED: Final = 100_000  # sessions


class _Seen(NamedTuple):
    """What was seen of a session: how many versions were whole, since when, and how many must be.

    The time is of ``time.monotonic``.
    """

    whole: int
    since: float
    left: int


class Sweep:
    """What compacts the history of one portion of sessions after the other, in small steps.

    A session is due when 16 of its versions are new, or when some are and no more came for a
    minute. What can't be made smaller is not tried again.

    Example:
        >>> from graphflow_nb import open
        >>> from graphflow_nb.history import HistoryArchive
        >>> from graphflow_nb.history.sweep import Sweep
        >>> wb = open("sqlite:claims.db", create=True)
        >>> installed = wb.install_history()
        >>> session = wb.create("claim-1", "intake", context={"note": "x" * 200})
        >>> for n in range(20):
        ...     session.context["n"] = n
        ...     wb.save(session)
        >>> sweep = Sweep(wb.archive.table)
        >>> await sweep.step(), sweep.compacted
        (True, 20)
        >>> wb.close()

    Args:
        table: The history table.

    Attributes:
        compacted: The number of contexts that were replaced by patches.
    """

    def __init__(self, table: TriggeredTable):
        self.compacted = 0
        self._table = table
        self._archive = HistoryArchive(table)
        self._after: str | None = None
        self._seen: dict[str, _Seen] = {}

    async def step(self) -> bool:
        """Compact what is due among the next 100 sessions; return whether they were the last.

        Raises:
            StorageError: There is no history table, or the store failed; the next step goes on.
        """
        ids = await self._table.ids(self._after, _PORTION)
        whole = await self._table.count_whole(ids)
        for id in ids:
            await self._look_at(id, whole.get(id, 0))
        ended = len(ids) < _PORTION
        self._after = None if ended else ids[-1]
        return ended

    async def _look_at(self, id: str, whole: int) -> None:
        now = time.monotonic()
        before = self._seen.pop(id, None)
        # The newest version stays whole.
        left = 1 if before is None else min(before.left, whole)
        since = now if before is None or before.whole != whole else before.since
        if whole - left >= _DUE or (whole > left and now - since >= _ENDED):
            try:
                done = await self._archive.compact(id)
            except HistoryError as error:  # of this session alone
                log.warning("the history of session %r was not compacted: %s", id, error)
                done = 0
            self.compacted += done
            whole = left = whole - done
        if whole > 1:
            self._seen[id] = _Seen(whole, since, left)
            if len(self._seen) > _REMEMBERED:
                del self._seen[next(iter(self._seen))]
