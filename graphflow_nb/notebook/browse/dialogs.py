"""Boxes that open under the row of actions, and what their sentences share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import ipywidgets as widgets
from markupsafe import Markup

from ..html import Html, LiveHtml
from .stage import Stage

__all__ = ["MAX_ENTRIES", "MAX_NAMED", "Dialog", "name_ids"]

MAX_ENTRIES: Final = 200  # rows of the journal, and choices of a graph or a task
MAX_NAMED: Final = 10  # sessions named in a sentence


class Dialog:
    """A box that is closed until its action is asked for.

    Args:
        stage: The state that the parts of the browser share.
        title: The heading.
        box: The box to fill.
    """

    def __init__(self, stage: Stage, title: str, box: widgets.VBox):
        self._stage = stage
        self.title = Html(Markup("<h4>%s</h4>") % title)
        self.cancel = widgets.Button(description="Cancel", tooltip="Close; nothing is changed")
        self.cancel.on_click(lambda _: stage.act(stage.close_dialog))
        self.notice = LiveHtml()
        self.box = box
        self.box.add_class("gfnb-dialog")

    @property
    def spare(self) -> list[widgets.Widget]:
        """The widgets that it has and does not show."""
        return [self.title]

    @property
    def is_open(self) -> bool:
        """Whether it is the dialog that is open."""
        return self._stage.dialog is self

    def open(self) -> None:
        """Open it, from within an action."""
        self._stage.open_dialog(self)

    def render(self) -> None:
        """Show it if it is open."""
        self.box.layout.display = "" if self.is_open else "none"

    def _refresh(self, _: object) -> None:
        if not self._stage.rendering:
            self._stage.render()


def name_ids(ids: Sequence[str]) -> str:
    """Return the first ids, and how many more there are."""
    more = f" and {len(ids) - MAX_NAMED:,} more" if len(ids) > MAX_NAMED else ""
    return ", ".join(map(repr, ids[:MAX_NAMED])) + more
