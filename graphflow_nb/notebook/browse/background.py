"""How the browser reads a store: as background traffic, which a person is asked about first."""

from __future__ import annotations

from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ...client import Client
from ...errors import ReadStopped
from ...storage.scans import unguarded
from ..reading import Place, run_shown

__all__ = ["BackgroundReads"]

Found = TypeVar("Found")


class BackgroundReads:
    """Reads of a client's store that are recorded as background traffic.

    Args:
        client: The client.

    Attributes:
        storage: The storage from which to read.
        place: Where reads are shown that a person waits for; None for the output of the cell.
    """

    def __init__(self, client: Client):
        self._client = client
        self.storage = client.storage.background
        self.place: Place | None = None

    def run(self, work: Coroutine[Any, Any, Found]) -> Found:
        """Return what a read found that is never large.

        Raises:
            StorageError: The store failed.
        """
        return self._client.bridge.run(work)

    def run_asked(self, work: Coroutine[Any, Any, Found], *, by_itself: bool = False) -> Found:
        """Return what a read found, unless it would go through a large table.

        Args:
            work: The read.
            by_itself: Whether no person asked for it: then it does not matter what was allowed.

        Raises:
            ScanRefused: It would go through a large table, and was not allowed.
            StorageError: The store failed.
        """
        return self._client.bridge.run(self._ask_first(work, by_itself=by_itself))

    def run_shown(self, work: Coroutine[Any, Any, Found]) -> Found:
        """Return what a read found that a person waits for, as ``run_asked`` does.

        It is shown if it takes long, and can be stopped.

        Raises:
            ReadStopped: It was stopped, or interrupted.
            ScanRefused: It would go through a large table, and was not allowed.
            StorageError: The store failed.
        """
        asked = self._ask_first(work, by_itself=False)
        try:
            return run_shown(
                self._client.bridge, "reading" if self.place else "browse", asked, self.place
            )
        except (ReadStopped, KeyboardInterrupt):  # else the view would say "Working …" for ever
            if self.place is None:
                raise
            raise ReadStopped(
                "Reading was stopped, in the store too: nothing was changed, and the page is as it "
                "was. A filter that an index serves reads less: wb.advise() names one"
            ) from None

    def submit(self, work: Coroutine[Any, Any, Found]) -> Future[Found]:
        """Start a read that a person asked for, however long it takes; the future can cancel it."""
        return self._client.bridge.submit(_unasked(work))

    def allow_scan(self, kind: str) -> None:
        """Read from now on although it goes through a large table, for a reason of this kind."""
        self._client.asking.allow(kind)

    async def _ask_first(self, work: Coroutine[Any, Any, Found], *, by_itself: bool) -> Found:
        asking = self._client.asking
        with asking.guard(allow=False, call=lambda: "Read anyway", by_itself=by_itself):
            return await work


async def _unasked(work: Coroutine[Any, Any, Found]) -> Found:
    with unguarded():
        return await work
