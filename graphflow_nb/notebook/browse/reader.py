"""The open session, to be read."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as widgets
from markupsafe import Markup
from msgspec import Raw

from ... import cards
from ...cards import Portion, code, notice_html, patch_html
from ...cards.content import MAX_ITEMS, MAX_MESSAGES
from ...errors import QueryError
from ...model import Session
from ..html import Html
from .editor import Editor
from .paths import suggest_branches
from .render import raw_html
from .stage import Part, Place, Stage
from .typed import parse_typed_path

__all__ = ["Comparison", "Reader"]

PARTS: Final[tuple[Part, ...]] = ("Overview", "Context", "Chat", "JSON", "Edit")


class Reader:
    """The open session: overview, context, chat and JSON; and the editor, if the store is writable.

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
            tooltips=["What it is and when it was saved", "Its data, with paths", "Its chat"],
            style={"button_width": "auto"},
        )
        self.parts.observe(self._turn, "value")
        self.text = Html()
        self.text.add_class("gfnb-text")
        self.portion = PortionBar(stage)
        self.editor = Editor(stage, notice)
        self.box = widgets.VBox(
            [self.title, self.parts, self.portion.box, self.text, self.editor.box]
        )
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
        editing = part == "Edit"
        self.editor.render(visible=editing)
        self.text.layout.display = "none" if editing else ""
        in_portions = part in ("Context", "Chat")
        self.portion.box.layout.display = "" if in_portions else "none"
        shown = (session, session.version, part, self.portion.chosen if in_portions else None)
        if shown != self._shown and not editing:
            self.text.value = cards.plain_box(self._render_part(session, part))
            self._shown = (*shown[:3], self.portion.chosen if in_portions else None)

    def _render_part(self, session: Session, part: Part) -> Markup:
        if part == "JSON":
            return raw_html(session)
        if part == "Overview":
            return cards.overview_html(session)
        return self.portion.render(session, part)


class PortionBar:
    """The controls that say which part of a long context or chat is shown.

    Args:
        stage: The state that the parts of the browser share.
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self._start = 0
        self._of: object = None  # the session and its part that are shown
        self.notice = Html()
        self.find = widgets.Text(
            description="Find",
            placeholder="text, then Enter",
            tooltip="Show only where this text occurs; upper and lower case are alike",
            continuous_update=False,
        )
        self.below = widgets.Combobox(
            description="Below",
            placeholder="all, or a path",
            ensure_option=False,
            tooltip="Show only what is below this path, e.g. customer.orders",
            continuous_update=False,
        )
        self.previous = widgets.Button(
            description="Previous", icon="chevron-left", tooltip="Show what comes before"
        )
        self.next = widgets.Button(
            description="Next", icon="chevron-right", tooltip="Show what comes after"
        )
        self.shown = widgets.Label()
        for control in (self.find, self.below):
            control.observe(self._restart, "value")
        self.previous.on_click(lambda _: self._turn(-1))
        self.next.on_click(lambda _: self._turn(1))
        bar = widgets.HBox([self.find, self.below, self.previous, self.shown, self.next])
        bar.add_class("gfnb-bar")
        self.box = widgets.VBox([bar, self.notice])

    def _restart(self, _: object) -> None:
        if not self._stage.rendering:
            self._turn(0)

    def _turn(self, step: int) -> None:
        def turn() -> None:
            self._start = max(0, self._start + step * self._size) if step else 0

        self._stage.act(turn, quiet=True, place=self.notice)

    @property
    def _size(self) -> int:
        return MAX_MESSAGES if self._stage.part == "Chat" else MAX_ITEMS

    @property
    def chosen(self) -> tuple[int, str, str]:
        """What decides on the portion that is shown."""
        return self._start, self.find.value, self.below.value

    def render(self, session: Session, part: Part) -> Markup:
        """Show the controls for a part of a session, and return the portion that they select."""
        if self._of != (session.id, part):
            self._of = (session.id, part)
            self._start = 0
            self.find.value = self.below.value = ""
        self.below.layout.display = "" if part == "Context" else "none"
        if part == "Context":
            self.below.options = suggest_branches(Raw(session.context_json()))
        portion = self._read(session, part)
        words = (
            "messages, newest first"
            if part == "Chat"
            else "values found"
            if self.find.value.strip()
            else "items"
        )
        self.shown.value = f"{portion.first:,} to {portion.last:,} of {portion.total:,} {words}"
        self.previous.disabled = portion.first <= 1
        self.next.disabled = not portion.has_next
        return portion.html

    def _read(self, session: Session, part: Part) -> Portion:
        find = self.find.value.strip()
        if part == "Chat":
            return cards.chat_portion(session, find=find, start=self._start)
        typed = self.below.value.strip()
        try:
            below = parse_typed_path(typed) if typed else None
            return cards.context_portion(session, below=below, find=find, start=self._start)
        except QueryError as error:
            return Portion(notice_html("error", str(error)), 0, 0, 0)


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
