"""The choice of the list's columns, context paths among them."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as widgets

from ...errors import QueryError
from ...storage.paths import ContextPath, parse_path, path_text
from ..html import LiveHtml
from .columns import COLUMNS, DEFAULT_COLUMNS
from .stage import Stage
from .typed import parse_typed_path

__all__ = ["ColumnBar", "make_chip"]

MAX_PATHS: Final = 20  # context columns beside each other


def make_chip(text: str, tip: str) -> widgets.Button:
    """Return a button that shows what is set and removes it."""
    chip = widgets.Button(description=text, icon="times", tooltip=tip, layout={"width": "auto"})
    chip.add_class("gfnb-chip")
    return chip


class ColumnBar:
    """The boxes that say which columns the list has.

    Args:
        stage: The state that the parts of the browser share.

    Attributes:
        names: The names of the columns that are shown, of ``COLUMNS``.
        open: The button that shows the boxes, and hides them.
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self.names = DEFAULT_COLUMNS
        self.open = widgets.ToggleButton(
            description="Columns…",
            icon="columns",
            tooltip="Choose the columns of the list",
            layout={"width": "auto"},
        )
        self.open.observe(self._show, "value")
        self.notice = LiveHtml()
        self._boxes = {
            name: widgets.Checkbox(
                value=name in self.names, description=str(column["label"]), indent=False
            )
            for name, column in COLUMNS.items()
            if name != "id"
        }
        for box in self._boxes.values():
            box.observe(self._choose, "value")
        self.path = widgets.Combobox(
            description="Context path",
            placeholder="customer.tier, then Enter",
            tooltip="A path in the context's data, shown as a column",
            continuous_update=False,
        )
        self.path.observe(self._add, "value")
        self._chips = widgets.HBox()
        self._shown: tuple[ContextPath, ...] | None = None
        choices = widgets.HBox(list(self._boxes.values()))
        context = widgets.HBox([self.path, self._chips])
        for bar in (choices, context, self._chips):
            bar.add_class("gfnb-bar")
        choices.add_class("gfnb-choices")
        self.box = widgets.VBox([choices, context, self.notice], layout={"display": "none"})
        self.box.add_class("gfnb-drawer")

    def _show(self, change: Any) -> None:
        self.box.layout.display = "" if change["new"] else "none"
        if change["new"]:
            self._stage.act(self._stage.listing.read_paths, place=self.notice)

    def _choose(self, _: Any) -> None:
        names = (name for name in COLUMNS if name == "id" or self._boxes[name].value)
        self.names = tuple(names)
        self._stage.act(lambda: None, quiet=True, place=self.notice)

    def _add(self, change: Any) -> None:
        if change["new"].strip() and not self._stage.rendering:
            self._stage.act(lambda: self._add_path(change["new"]), place=self.notice)

    def _add_path(self, text: str) -> None:
        listing, path = self._stage.listing, parse_typed_path(text)
        if len(listing.context) >= MAX_PATHS:
            raise QueryError(
                f"the list shows at most {MAX_PATHS} context paths: remove one first; "
                "wb.sessions(context=[…]) takes more"
            )
        if path not in listing.context:
            listing.show_context([*listing.context, path])
        with self._stage.quietly():
            self.path.value = ""

    def _remove(self, path: ContextPath) -> None:
        listing = self._stage.listing
        listing.show_context([other for other in listing.context if other != path])
        self.path.focus()  # the chip that had the focus is gone

    def render(self) -> None:
        """Show the context paths that are columns, and those that may be."""
        listing = self._stage.listing
        if self.path.options != listing.paths.paths:
            self.path.options = listing.paths.paths
        context = listing.context
        if context == self._shown:
            return
        self._shown = context
        for chip in self._chips.children:
            chip.close()
        self._chips.children = [self._make_chip(path) for path in context]

    def _make_chip(self, path: ContextPath) -> widgets.Button:
        text = path if isinstance(path, str) else path_text(parse_path(path))
        chip = make_chip(text, f"Remove the column {text}")
        chip.on_click(lambda _: self._stage.act(lambda: self._remove(path), place=self.notice))
        return chip
