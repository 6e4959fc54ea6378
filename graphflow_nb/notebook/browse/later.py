"""Parts of the browser that are made when they are first shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import ipywidgets as widgets

__all__ = ["Later"]

Part_co = TypeVar("Part_co", covariant=True)


class Later(Generic[Part_co]):
    """The place of a part that is made when it is first shown.

    Most widgets of a browser are in parts that few people open, and each widget takes a quarter of
    a millisecond and a message to the page. The place is there from the beginning, so that nothing
    that is shown already moves or is drawn again.

    Args:
        make: The function that makes the part, in the box that it is given.

    Attributes:
        box: The box of the part, hidden and empty until it is made.
        made: The part; None until it is made.
    """

    def __init__(self, make: Callable[[widgets.VBox], Part_co]):
        self._make = make
        self.box = widgets.VBox(layout={"display": "none"})
        self.made: Part_co | None = None

    def get(self) -> Part_co:
        """Return the part; make it if it was not needed before."""
        if self.made is None:
            self.made = self._make(self.box)
        return self.made
