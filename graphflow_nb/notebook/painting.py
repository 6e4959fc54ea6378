"""Pictures made beside the work that they show: in a thread of their own, on a budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Final

__all__ = ["Painter"]

SHARE: Final = 0.03  # of one core at most that pictures may take
LEAST: Final = 1.0  # seconds between two pictures at least, however cheap they are

_log = logging.getLogger(__name__)


class Painter:
    """A maker of pictures that takes at most 3 % of one core, and keeps nobody waiting.

    Under load a picture comes whenever the budget allows it. When the work stops, a last one comes
    at once, so that what is seen is what was done; the next one then waits the longer.

    Example:
        >>> from graphflow_nb.notebook.painting import Painter
        >>> pictures = []
        >>> painter = Painter(lambda: pictures.append("a picture"))
        >>> painter.offer(True, idle=False)
        >>> painter.join()
        >>> pictures
        ['a picture']
        >>> painter.close()

    Args:
        paint: The function that makes and shows one picture; called in a thread, one at a time.
        clock: The time in seconds.
    """

    def __init__(self, paint: Callable[[], None], clock: Callable[[], float] = time.monotonic):
        self._paint, self._clock = paint, clock
        # One thread for all pictures: ipykernel keeps a socket for each thread that sent something.
        self._thread = ThreadPoolExecutor(1, "graphflow_nb-picture")
        self._picture: Future[None] | None = None
        self._closed = False
        self._due = 0.0
        self._was_last = False  # whether the newest picture came because the work stopped

    def offer(self, news: bool, *, idle: bool) -> None:
        """Start a picture, if there is something new to show and the budget allows it.

        Nothing happens while the last one is still being made.

        Args:
            news: Whether something is not yet in a picture.
            idle: Whether the work has stopped, for now.
        """
        if self._closed or not news or not (self._picture is None or self._picture.done()):
            return
        early = self._clock() < self._due
        if early and (not idle or self._was_last):
            return
        self._was_last = idle
        with suppress(RuntimeError):  # closed in this very moment
            self._picture = self._thread.submit(self._work)

    def _work(self) -> None:
        began = time.thread_time()
        try:
            self._paint()
        except Exception:
            _log.exception("a picture could not be made; the next one is tried in its turn")
        finally:
            cost = time.thread_time() - began
            # What a picture before its time cost is added to what has to be waited for.
            now = self._clock()
            self._due = max(self._due, now) + max(cost / SHARE, LEAST)

    def join(self) -> None:
        """Wait for the picture that is being made, if there is one."""
        if self._picture is not None:
            wait([self._picture])

    def close(self) -> None:
        """Make no more pictures; the one that is being made is finished."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
