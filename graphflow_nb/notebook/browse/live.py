"""Following a store: a thread that looks for changes, or is woken by the store's own messages."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Live"]

INTERVAL = 2.0  # seconds between looks, where the store does not tell
WATCHED_INTERVAL = 30.0  # where it does: in case a message was missed
QUIET = 0.2  # seconds in which several messages count as one
SHARE = 0.05  # of the time at most that looking may take
LIMIT = 3600.0  # seconds after which nobody is watching any more


class Live:
    """Calls ``look`` when the store may have changed, until it is stopped.

    Args:
        look: reads and shows what is new.
        say: called with how it goes: ``following …``, or what is wrong.
        watch: the storage's ``watch``, if it can tell of changes.
        submit: runs that on the storage's own loop.
    """

    def __init__(
        self,
        look: Callable[[], None],
        say: Callable[[str, bool], None],
        watch: Callable[[Callable[[str], None], Callable[[bool], None]], Any] | None,
        submit: Callable[[Any], Any],
    ):
        self._look, self._say, self._watch, self._submit = look, say, watch, submit
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._watching = False
        self._watcher: Any = None
        self._thread = threading.Thread(target=self._work, name="graphflow_nb-live", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End soon; nothing is waited for, since this may be called under the view's lock."""
        self._stopped.set()
        self._wake.set()
        if self._watcher is not None:
            self._watcher.cancel()

    @property
    def running(self) -> bool:
        return not self._stopped.is_set()

    def _state(self, watching: bool) -> None:
        self._watching = watching
        self._wake.set()

    def _work(self) -> None:
        if self._watch is not None:
            self._watcher = self._submit(self._watch(lambda _: self._wake.set(), self._state))
        began, pause, lost = time.monotonic(), INTERVAL, False
        while not self._stopped.is_set():
            if time.monotonic() - began > LIMIT:
                self._stopped.set()
                self._say("stopped following after an hour; switch it on again to go on", False)
                return
            started = time.monotonic()
            try:
                self._look()
            except (Exception, asyncio.CancelledError) as error:  # nobody else would show it
                lost, pause = True, min(pause * 2, WATCHED_INTERVAL)
                if not self._stopped.is_set():
                    self._say(f"connection lost, trying again: {error}", True)
            else:
                took = time.monotonic() - started
                pause = max(WATCHED_INTERVAL if self._watching else INTERVAL, took / SHARE)
                how = "told by the store" if self._watching else f"every {pause:.0f} s"
                if not self._stopped.is_set():
                    again = "connected again, " if lost else ""
                    self._say(f"{again}following, {how}", False)
                lost = False
            self._wake.wait(pause)
            if not self._stopped.is_set():
                self._stopped.wait(QUIET)
            self._wake.clear()
