"""The controls that say which part of a long context or chat is shown."""

from __future__ import annotations

import ipywidgets as widgets
from markupsafe import Markup
from msgspec import Raw

from ... import cards
from ...cards import Portion, notice_html
from ...cards.lines import MAX_ITEMS, MAX_MESSAGES, Lines, chat_lines, context_lines
from ...errors import QueryError
from ...model import Session
from ...printable import describe_count
from ...storage.paths import ContextPath
from ..html import LiveHtml
from .paths import suggest_branches
from .stage import Part, Stage
from .typed import parse_typed_path

__all__ = ["PortionBar"]


class PortionBar:
    """The controls that say which part of a long context or chat is shown.

    Args:
        stage: The state that the parts of the browser share.
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self._start = 0
        self._of: object = None  # the session and its part that are shown
        self.notice = LiveHtml()
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

    def render(self, session: Session) -> Markup:
        """Show the controls for a session's context, and return the portion that they select."""
        self._prepare(session, "Context")
        portion = self.read(session)
        self._count(portion, "Context")
        return portion.html

    def read(self, session: Session) -> Portion:
        """Return the portion of a session's context that the controls select."""
        find = self.find.value.strip()
        try:
            return cards.context_portion(
                session, below=self._read_below(), find=find, start=self._start
            )
        except QueryError as error:
            return Portion(notice_html("error", str(error)), 0, 0, 0)

    def select(self, session: Session, part: Part) -> Lines:
        """Show the controls for a part of a session, and return the lines that they select."""
        self._prepare(session, part)
        find = self.find.value.strip()
        try:
            if part == "Chat":
                lines = chat_lines(session, find=find, start=self._start)
            else:
                lines = context_lines(
                    session, below=self._read_below(), find=find, start=self._start
                )
        except QueryError as error:
            lines = Lines([], 0, 0, 0, str(error))
        self._count(lines, part)
        return lines

    def _prepare(self, session: Session, part: Part) -> None:
        if self._of != (session.id, part):
            self._of = (session.id, part)
            self._start = 0
            self.find.value = self.below.value = ""
        self.below.layout.display = "" if part == "Context" else "none"
        if part == "Context":
            self.below.options = suggest_branches(Raw(session.context_json()))

    def _read_below(self) -> ContextPath | None:
        typed = self.below.value.strip()
        return parse_typed_path(typed) if typed else None

    def _count(self, shown: Portion | Lines, part: Part) -> None:
        if part == "Chat":
            of = f"{describe_count(shown.total, 'message')}, newest first"
        elif self.find.value.strip():
            of = f"{describe_count(shown.total, 'value')} found"
        else:
            of = describe_count(shown.total, "item")
        self.shown.value = f"{shown.first:,} to {shown.last:,} of {of}"
        self.previous.disabled = shown.first <= 1
        self.next.disabled = shown.last >= shown.total
