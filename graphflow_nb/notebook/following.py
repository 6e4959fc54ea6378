"""Following a store: a thread that polls for changes, or is woken by the store's own reports."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, NamedTuple, TypeAlias

from ..errors import StorageTimeout, StorageUnavailable

__all__ = ["Follower", "Watch"]

#: Starts to watch a store, given what to call at each change and when the connection comes or goes;
#: cancelling the future ends it.
Watch: TypeAlias = Callable[[Callable[[str], None], Callable[[bool], None]], Future[None]]

INTERVAL: Final = 2.0  # seconds between polls, where the store does not report changes
WATCHED_INTERVAL: Final = 30.0  # where it does: in case a report was missed
QUIET: Final = 0.2  # seconds in which several reports count as one
SHARE: Final = 0.05  # of the time at most that polling may take
LIMIT: Final = 3600.0  # seconds after which following stops by itself


class _Failure(NamedTuple):
    """What went wrong in a poll.

    Attributes:
        text: What it is called.
        over: What the first poll says that goes well again.
    """

    text: str
    over: str


class Follower:
    """A thread that calls ``poll`` when the store may have changed, until it is stopped.

    Args:
        poll: The function that reads and shows what is new.
        report: The function that shows how it goes: a text, and whether something is wrong.
        watch: The function that starts to watch the store; None where it reports no changes.
        interval: Seconds between polls, where the store does not report changes.
        limit: Seconds after which it stops by itself; None for never.
    """

    def __init__(
        self,
        poll: Callable[[], None],
        report: Callable[[str, bool], None],
        watch: Watch | None = None,
        interval: float = INTERVAL,
        limit: float | None = LIMIT,
    ):
        self._interval, self._limit = interval, limit
        self._poll, self._report, self._watch = poll, report, watch
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._watching = False
        self._watcher: Future[None] | None = None
        self._thread = threading.Thread(target=self._follow, name="graphflow_nb-live", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; nothing is waited for, since this may be called under the view's lock."""
        self._stopped.set()
        self._wake.set()
        self._end_watch()

    def _end_watch(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    @property
    def running(self) -> bool:
        """Whether it was not stopped, and did not stop by itself."""
        return not self._stopped.is_set()

    def _set_watching(self, watching: bool) -> None:
        self._watching = watching
        self._wake.set()

    def _follow(self) -> None:
        try:
            if self._watch is not None:
                self._watcher = self._watch(lambda _: self._wake.set(), self._set_watching)
            self._poll_until_stopped()
        finally:
            # Also where it was stopped before there was one, or stopped by itself.
            self._end_watch()

    def _poll_until_stopped(self) -> None:
        began, pause = time.monotonic(), self._interval
        failure: _Failure | None = None
        while not self._stopped.is_set():
            if self._limit is not None and time.monotonic() - began > self._limit:
                self._stopped.set()
                self._report(
                    "stopped following after an hour; switch it on again to continue", False
                )
                return
            started = time.monotonic()
            try:
                self._poll()
            except (Exception, asyncio.CancelledError) as error:  # it would be shown nowhere else
                failure, pause = _name_failure(error), min(pause * 2, WATCHED_INTERVAL)
                if not self._stopped.is_set():
                    why = f": {error}" if str(error) else ""
                    self._report(f"{failure.text}, trying again{why}", True)
            else:
                took = time.monotonic() - started
                pause = max(WATCHED_INTERVAL if self._watching else self._interval, took / SHARE)
                how = "reported by the store" if self._watching else f"every {pause:.0f} s"
                if not self._stopped.is_set():
                    again = f"{failure.over}, " if failure else ""
                    self._report(f"{again}following, {how}", False)
                failure = None
            self._wake.wait(pause)
            if not self._stopped.is_set():
                self._stopped.wait(QUIET)
            self._wake.clear()


def _name_failure(error: BaseException) -> _Failure:
    """Return what to call an error: a store that is away, one that is slow, or anything else."""
    if isinstance(error, StorageUnavailable):
        return _Failure("connection lost", "connected again")
    if isinstance(error, StorageTimeout):
        return _Failure("no answer in time", "the store answers again")
    return _Failure(f"not read ({type(error).__name__})", "read again")
