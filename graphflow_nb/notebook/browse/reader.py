"""The open session, to be read."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as widgets
from markupsafe import Markup

from ... import cards
from ...cards import code, patch_html
from ...model import Session
from ..html import Html
from .editor import Editor
from .history import HistoryPage
from .portions import PortionBar
from .render import raw_html
from .stage import Part, Place, Stage

__all__ = ["Comparison", "Reader"]

PARTS: Final[tuple[Part, ...]] = ("Overview", "Context", "Chat", "JSON", "History", "Edit")


class Reader:
    """The open session: overview, context, chat, JSON and history; and the editor, if writable.

    Args:
        stage: The state that the parts of the browser share.
        notice: The place of notices about the open session, above it.
    """

    def __init__(self, stage: Stage, notice: Place):
        self._stage = stage
        self._notice = notice
        self.title = Html()
        self.parts = widgets.ToggleButtons(
            options=[part for part in PARTS if part != "Edit" or not stage.read_only],
            tooltips=[
                "What it is and when it was saved",
                "Its data, with paths",
                "Its chat",
                "All of it, as graph-flow writes it",
                "What it was before",
                "Change it in a draft",
            ],
            style={"button_width": "auto"},
        )
        self.parts.observe(self._turn, "value")
        self.text = Html()
        self.text.add_class("gfnb-text")
        self.portion = PortionBar(stage)
        self.history = HistoryPage(stage, notice)
        self.editor = Editor(stage, notice)
        parts = [self.portion.box, self.text, self.history.box, self.editor.box]
        self.box = widgets.VBox([self.title, self.parts, *parts])
        self.box.add_class("gfnb-reader")
        self._shown: Any = None

    def _turn(self, change: Any) -> None:
        if not self._stage.rendering:
            self._stage.act(lambda: self._stage.show_part(change["new"]), place=self._notice)

    def render(self) -> None:
        """Show the open session, or nothing if none is open."""
        desk, part = self._stage.desk, self._stage.part
        session = desk.session
        self.box.layout.display = "none" if session is None else ""
        self.parts.value = part
        if session is None:
            self._shown = None
            return
        dirty = Markup(" <em>has changes that are not saved</em>") if desk.dirty else ""
        kind = "new session" if desk.new else "session"
        self.title.value = Markup("<h4>%s %s%s</h4>") % (kind, code(session.id), dirty)
        self.editor.render(visible=part == "Edit")
        self.history.render(visible=part == "History")
        as_text = part not in ("Edit", "History")
        self.text.layout.display = "" if as_text else "none"
        in_portions = part in ("Context", "Chat")
        self.portion.box.layout.display = "" if in_portions else "none"
        shown = (session, session.version, part, self.portion.chosen if in_portions else None)
        if shown != self._shown and as_text:
            self.text.value = cards.plain_box(self._render_part(session, part))
            self._shown = (*shown[:3], self.portion.chosen if in_portions else None)

    def _render_part(self, session: Session, part: Part) -> Markup:
        if part == "JSON":
            return raw_html(session)
        if part == "Overview":
            return cards.overview_html(session)
        return self.portion.render(session, part)


class Comparison:
    """The differences between two sessions.

    Args:
        stage: The state that the parts of the browser share.
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self._text = Html()
        self._text.add_class("gfnb-text")
        close = widgets.Button(description="Close", tooltip="Close the comparison", icon="times")
        close.on_click(lambda _: stage.act(self.hide))
        self.box = widgets.VBox([self._text, close], layout={"display": "none"})
        self.box.add_class("gfnb-reader")

    def show(self) -> None:
        """Compare the two selected sessions."""
        difference = self._stage.desk.compare(*self._stage.listing.selected)
        body = Markup(
            '<h4>from %s to %s</h4>%s<p class="q">before: the first, after: the second</p>'
        ) % (
            code(difference.left.id),
            code(difference.right.id),
            patch_html(difference.changes, "Their contents are the same."),
        )
        self._text.value = cards.plain_box(body)
        self.box.layout.display = ""

    def hide(self) -> None:
        """Hide the comparison."""
        self.box.layout.display = "none"
