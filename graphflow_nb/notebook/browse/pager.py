"""The line under the table: which rows are shown, and what turns pages."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..html import LiveHtml
from .columnbar import ColumnBar
from .listing import PAGE_SIZES
from .stage import Stage

__all__ = ["Pager"]


class Pager:
    """The line under the table: which rows are shown, and the buttons that turn pages.

    Args:
        stage: The state that the parts of the browser share.
        columns: The choice of columns.

    Attributes:
        notice: The place of notices about a row or a page, under the table.
    """

    def __init__(self, stage: Stage, columns: ColumnBar):
        self._stage = stage
        listing = stage.listing
        self.notice = LiveHtml()
        self.previous = widgets.Button(
            description="Previous", icon="chevron-left", tooltip="Go to the page before (Page Up)"
        )
        self.next = widgets.Button(
            description="Next", icon="chevron-right", tooltip="Go to the page after (Page Down)"
        )
        self.shown = widgets.Label()
        self.shown.add_class("gfnb-live")
        self.count = widgets.Button(layout={"width": "auto"})
        self.count.on_click(lambda _: stage.act(stage.count_exactly, place=self.notice))
        self.size = widgets.Dropdown(
            description="Rows per page",
            options=sorted({*PAGE_SIZES, listing.page_size}),
            value=listing.page_size,
            tooltip="The number of sessions on a page",
        )
        self.previous.on_click(lambda _: self.turn(-1))
        self.next.on_click(lambda _: self.turn(1))
        self.size.observe(self._resize, "value")
        bar = widgets.HBox(
            [self.previous, self.shown, self.count, self.next, self.size, columns.open]
        )
        bar.add_class("gfnb-bar")
        self.box = widgets.VBox([bar, columns.box, self.notice])

    def _resize(self, change: Any) -> None:
        if not self._stage.rendering:
            self._stage.act(lambda: self._stage.listing.resize(change["new"]), place=self.notice)

    def turn(self, step: int) -> None:
        """Go to the next page (1) or the one before (-1)."""
        listing = self._stage.listing
        self._stage.act(listing.next if step > 0 else listing.previous, place=self.notice)

    def render(self) -> None:
        """Show which rows are shown, and where a page can be turned to."""
        listing = self._stage.listing
        parts = [listing.describe_page(), listing.describe_selection()]
        self.shown.value = ", ".join(part for part in parts if part)
        counting = self._stage.counting_exactly
        self.count.layout.display = (
            "" if counting or listing.counts.estimate is not None else "none"
        )
        self.count.description = "Stop counting" if counting else "Count"
        self.count.icon = "stop" if counting else "calculator"
        self.count.tooltip = (
            "Stop; what is known of the total stays"
            if counting
            else "Count the sessions exactly, which reads a large table"
        )
        self.previous.disabled = not listing.page
        self.next.disabled = not listing.has_next
