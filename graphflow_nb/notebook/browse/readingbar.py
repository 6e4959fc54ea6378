"""A page that takes long to be read: its time, and a button that stops it."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from ..progress import Bar
from ..reading import STOP_TIP
from .later import Later

__all__ = ["ReadingBar"]


class ReadingBar:
    """The place in a view where a read is shown that a person waits for.

    The action that reads holds its thread meanwhile. Since ipykernel 7.4 a click on the button
    comes on another one; elsewhere interrupting the kernel does the same, or ``timeout=``.

    Attributes:
        box: The widget to show.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self._bar = Later(self._make)
        self.box = self._bar.box

    def _make(self, box: widgets.VBox) -> Bar:
        bar = Bar(self._press, STOP_TIP)
        box.children = (bar.box,)
        return bar

    @property
    def bar(self) -> Bar:
        """The bar."""
        return self._bar.get()

    @property
    def spare(self) -> list[widgets.Widget]:
        """The widgets that it has and does not show."""
        return [] if self._bar.made is None else [self._bar.made.view]

    def _press(self) -> None:
        if self._stop is not None:
            self._stop()

    def show(self, stop: Callable[[], None]) -> Bar:
        """Show the bar of a read, whose button calls ``stop``."""
        self._stop = stop
        self.bar.restart("reading …")
        self.box.layout.display = ""
        return self.bar

    def end(self, bar: Bar, said: str) -> None:
        """Hide the bar: a notice says how it ended."""
        self._stop = None
        self.box.layout.display = "none"
