"""A read that takes long is shown with its time, and can be stopped, in the store too."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

from ..bridge import Bridge, InPlace, LoopThread
from ..errors import BridgeError, ReadStopped
from ..printable import describe_count
from ..storage.estimates import Estimate
from ..storage.scans import ScanEstimate, noting_rows, noting_scans
from .progress import Bar, has_kernel, show_bar

__all__ = ["SHOW_SECONDS", "STOP_TIP", "Place", "run_shown"]

T = TypeVar("T")

#: Reads that take longer are shown: what is shorter would only flicker.
SHOW_SECONDS: Final = 1.0
#: What the button says when pointed at.
STOP_TIP: Final = "Stop reading, in the store too"


class Place(Protocol):
    """Where a read is shown that takes long."""

    def show(self, stop: Callable[[], None]) -> Bar | None:
        """Show a bar, whose button calls ``stop``; return None where there is no place for it."""

    def end(self, bar: Bar, said: str) -> None:
        """Show how the read ended; nothing is said of what ended well."""


class _Cell:
    """The output of the cell that reads."""

    def show(self, stop: Callable[[], None]) -> Bar | None:
        return show_bar("", stop, STOP_TIP)

    def end(self, bar: Bar, said: str) -> None:
        if said:
            bar.finish(said)
        else:
            bar.remove()


def run_shown(
    bridge: Bridge, name: str, coroutine: Coroutine[Any, Any, T], place: Place | None = None
) -> T:
    """Return the result of a read, which is shown in a notebook while one waits for it.

    Args:
        bridge: The bridge that runs it.
        name: The name of the method that reads.
        coroutine: The read.
        place: Where it is shown. Default: in the output of the cell, on whose thread this must be.

    Raises:
        ReadStopped: Its button was pressed.
    """
    if place is None and threading.current_thread() is threading.main_thread() and has_kernel():
        place = _Cell()
    if place is None or not isinstance(bridge, (LoopThread, InPlace)):
        return bridge.run(coroutine)
    reading = _Reading(name, place)
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
        place: Where it is shown.
    """

    def __init__(self, name: str, place: Place):
        self._name = name
        self._place = place
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
            self._bar = self._place.show(self._pressed.set)
        if self._bar is not None:
            self._bar.show_step(self._say("stopping" if self.stopped else ""))
            done, about = self._rows
            if about:
                self._bar.show_share(min(done / about, 0.95))
            elif self._scan is not None and self._scan.seconds:
                self._bar.show_share(min(seconds / max(self._scan.seconds, 0.1), 0.95))

    def end(self, how: str) -> None:
        """Show how it ended, if it was shown; nothing stays of what ended well."""
        if self._bar is not None:
            self._place.end(self._bar, "" if how == "done" else self._say(how))

    def _say(self, how: str) -> str:
        parts = [f"{self._name}: {self.seconds:,.0f} s", how, str(self._scan or "")]
        done, about = self._rows
        if done:
            read = describe_count(done, "session")
            if about and about > done:
                read = f"{done:,} of {Estimate(about, 'about')} sessions"
            parts[2] = f"{read} read"
        return ", ".join(filter(None, parts))
