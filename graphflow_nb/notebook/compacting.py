"""Compacting a history beside its writers: what triggers write, nobody else makes smaller."""

from __future__ import annotations

import logging
import time
import weakref
from typing import Final

from ..client import Client
from ..errors import StorageError
from ..history.sweep import Sweep
from ..storage.history import TriggeredTable
from .following import Follower

__all__ = ["Compacting"]

log = logging.getLogger("graphflow_nb")

INTERVAL: Final = 2.0  # seconds between looks
LOOK: Final = 0.2  # seconds after which a look ends, so that a pause is short


class Compacting:
    """A thread that compacts the history of a client's store, until it is stopped.

    It takes at most 5 % of the time, and ends when the client or the history is gone. Another
    failure is logged, and it tries again.

    Args:
        client: The client.
        table: The history table.

    Attributes:
        running: Whether it goes on.
    """

    def __init__(self, client: Client, table: TriggeredTable):
        self._bridge = client.bridge
        self._table, self._sweep = table, Sweep(table)
        self._failure = ""
        self._follower = Follower(self._look, self._report, interval=INTERVAL, limit=None)
        weakref.finalize(client, self._follower.stop).atexit = False
        self._follower.start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._follower.running

    @property
    def compacted(self) -> int:
        """The number of contexts that were replaced by patches."""
        return self._sweep.compacted

    def stop(self) -> None:
        """End soon; the step that is under way is not waited for."""
        self._follower.stop()

    def _look(self) -> None:
        until = time.monotonic() + LOOK
        try:
            while self.running and time.monotonic() < until:
                if self._bridge.run(self._sweep.step()):
                    return
        except StorageError:
            if self._bridge.run(self._table.exists()):
                raise
            self.stop()  # someone removed the history

    def _report(self, text: str, wrong: bool) -> None:
        if wrong and text != self._failure:
            log.warning("the history is not compacted at the moment: %s", text)
        self._failure = text if wrong else ""
