"""A page that takes long to be read: its time, and a button that stops it."""

from __future__ import annotations

from collections.abc import Callable

from ..progress import Bar
from ..reading import STOP_TIP

__all__ = ["ReadingBar"]


class ReadingBar:
    """The place in a view where a read is shown that a person waits for.

    The action that reads holds its thread meanwhile. Since ipykernel 7.4 a click on the button
    comes on another one; elsewhere interrupting the kernel does the same, or ``timeout=``.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self.bar = Bar(self._press, STOP_TIP)
        self.bar.box.layout.display = "none"

    def _press(self) -> None:
        if self._stop is not None:
            self._stop()

    def show(self, stop: Callable[[], None]) -> Bar:
        """Show the bar of a read, whose button calls ``stop``."""
        self._stop = stop
        self.bar.restart("reading …")
        self.bar.box.layout.display = ""
        return self.bar

    def end(self, bar: Bar, said: str) -> None:
        """Hide the bar: a notice says how it ended."""
        self._stop = None
        bar.box.layout.display = "none"
