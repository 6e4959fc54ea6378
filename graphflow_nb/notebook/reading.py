"""A read that takes long is shown with its time, and can be stopped, in the store too."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from ..bridge import Bridge, InPlace, LoopThread
from ..errors import BridgeError, ReadStopped
from ..printable import describe_count
from ..storage.estimates import Estimate
from ..storage.scans import ScanEstimate, noting_rows, noting_scans
from .progress import Bar, has_kernel, show_bar

__all__ = ["SHOW_SECONDS", "run_shown"]

T = TypeVar("T")

#: Reads that take longer are shown: what is shorter would only flicker.
SHOW_SECONDS: Final = 1.0


def run_shown(bridge: Bridge, name: str, coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a read, which is shown in a notebook while one waits for it.

    Args:
        bridge: The bridge that runs it.
        name: The name of the method that reads.
        coroutine: The read.

    Raises:
        ReadStopped: Its button was pressed.
    """
    # Only the thread of the cells has an output that belongs to the call.
    on_cells = threading.current_thread() is threading.main_thread()
    if not (on_cells and isinstance(bridge, (LoopThread, InPlace)) and has_kernel()):
        return bridge.run(coroutine)
    reading = _Reading(name)
    try:
        with noting_scans(reading.note), noting_rows(reading.note_rows):
            result = bridge.run(coroutine, on_wait=reading.show)
    except BridgeError as error:
        if not (reading.stopped and isinstance(error.__cause__, asyncio.CancelledError)):
            reading.end("failed")
            raise
        reading.end("stopped")
        raise ReadStopped(
            f"{name} was stopped after {reading.seconds:.0f} s, in the store too: nothing was "
            f"changed{reading.lost}. Call it again to read it; a limit= or a filter that an index "
            "serves reads less"
        ) from None
    except KeyboardInterrupt:
        reading.end("stopped")
        raise
    except BaseException:
        reading.end("failed")
        raise
    reading.end("done")
    return result


class _Reading:
    """A read and the bar that shows it, both on the thread that waits for it.

    Args:
        name: The name of the method that reads.
    """

    def __init__(self, name: str):
        self._name = name
        self._began = time.monotonic()
        self._bar: Bar | None = None
        self._pressed = threading.Event()
        self._scan: ScanEstimate | None = None
        self._rows: tuple[int, int | None] = (0, None)
        self._shown = -1
        self.stopped = False

    @property
    def seconds(self) -> float:
        """How long it takes already."""
        return time.monotonic() - self._began

    def note(self, scan: ScanEstimate) -> None:
        """Remember what the store expects to read."""
        self._scan = scan

    def note_rows(self, done: int, about: int | None) -> None:
        """Remember how many sessions were read, and of about how many."""
        self._rows = (done, about)

    @property
    def lost(self) -> str:
        """What is not kept of a read that ends early, as a part of a sentence."""
        done, about = self._rows
        read = describe_count(done, "session that was read is", "sessions that were read are")
        if about and about > done:
            read = f"{done:,} of {Estimate(about, 'about')} sessions that were read are"
        return f", and the {read} not kept" if done else ""

    def show(self, cancel: Callable[[], object]) -> None:
        """Show how long it takes, or cancel it if its button was pressed."""
        if self._pressed.is_set() and not self.stopped:
            self.stopped = True
            cancel()
        seconds = self.seconds
        if seconds < SHOW_SECONDS or int(seconds) == self._shown:
            return
        self._shown = int(seconds)
        if self._bar is None:
            self._bar = show_bar("", self._pressed.set, "Stop reading, in the store too")
        if self._bar is not None:
            self._bar.show_step(self._say("stopping" if self.stopped else ""))
            done, about = self._rows
            if about:
                self._bar.show_share(min(done / about, 0.95))
            elif self._scan is not None and self._scan.seconds:
                self._bar.show_share(min(seconds / max(self._scan.seconds, 0.1), 0.95))

    def end(self, how: str) -> None:
        """Show how it ended, if it was shown; nothing stays of what ended well."""
        if self._bar is not None and how == "done":
            self._bar.remove()
        elif self._bar is not None:
            self._bar.finish(self._say(how))

    def _say(self, how: str) -> str:
        parts = [f"{self._name}: {self.seconds:,.0f} s", how, str(self._scan or "")]
        done, about = self._rows
        if done:
            read = describe_count(done, "session")
            if about and about > done:
                read = f"{done:,} of {Estimate(about, 'about')} sessions"
            parts[2] = f"{read} read"
        return ", ".join(filter(None, parts))
