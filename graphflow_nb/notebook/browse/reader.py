"""The open session, to be read."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from ... import cards
from ...cards import code, patch_html
from .editor import Editor
from .render import raw_html

if TYPE_CHECKING:
    from .view import Browser

__all__ = ["Reader"]

PARTS = ("Overview", "Context", "Chat", "JSON", "Edit")


class Reader:
    """The open session: overview, context, chat, raw JSON; and the editor, where one may write."""

    def __init__(self, browser: Browser):
        self._browser = browser
        self.title = widgets.HTML()
        self.parts = widgets.ToggleButtons(
            options=[p for p in PARTS if p != "Edit" or not browser.read_only],
            tooltips=["What it is and when", "Its data, with their paths", "Its conversation"],
            style={"button_width": "auto"},
        )
        self.parts.observe(self._turned, "value")
        self.text = widgets.HTML()
        self.text.add_class("gfnb-text")
        self.editor = Editor(browser)
        self.box = widgets.VBox([self.title, self.parts, self.text, self.editor.box])
        self.box.add_class("gfnb-reader")
        self._shown: Any = None

    def _turned(self, _: Any) -> None:
        if not self._browser.rendering:
            self._browser.act(self._start_editing)

    def _start_editing(self) -> None:
        if self.parts.value == "Edit":
            self._browser.desk.edit()

    def show(self, part: str) -> None:
        """Turn to a part, from within an action."""
        self.parts.value = part

    def render(self) -> None:
        desk = self._browser.desk
        session = desk.session
        self.box.layout.display = "none" if session is None else ""
        if session is None:
            self._shown = None
            return
        self.title.value = (
            f"<h4>{'new session' if desk.new else 'session'} {code(session.id)}"
            f"{' <em>has changes that are not saved</em>' if desk.dirty else ''}</h4>"
        )
        editing = self.parts.value == "Edit"
        self.editor.render(visible=editing)
        self.text.layout.display = "none" if editing else ""
        shown = (session, session.version, self.parts.value)
        if shown != self._shown and not editing:
            self.text.value = f'<div class="gfnb gfnb-plain">{self._html()}</div>'
            self._shown = shown

    def _html(self) -> str:
        session = self._browser.desk.session
        assert session is not None
        if self.parts.value == "Context":
            return cards.context_html(session)
        if self.parts.value == "Chat":
            return cards.chat_html(session)
        if self.parts.value == "JSON":
            return raw_html(session)
        return cards.overview_html(session)


class Comparison:
    """The differences between two sessions."""

    def __init__(self, browser: Browser):
        self._browser = browser
        self._text = widgets.HTML()
        self._text.add_class("gfnb-text")
        close = widgets.Button(description="Close", tooltip="Close the comparison", icon="times")
        close.on_click(lambda _: browser.act(self.hide))
        self.box = widgets.VBox([self._text, close], layout={"display": "none"})
        self.box.add_class("gfnb-reader")

    def show(self) -> None:
        """Compare the two selected sessions."""
        left, right = self._browser.listing.selected
        one, other, changes = self._browser.desk.compare(left, right)
        self._text.value = (
            f'<div class="gfnb gfnb-plain"><h4>from {code(one.id)} to {code(other.id)}</h4>'
            f"{patch_html(changes, 'Their contents are the same.')}"
            f'<p class="q">{escape("before: the first, after: the second")}</p></div>'
        )
        self.box.layout.display = ""

    def hide(self) -> None:
        self.box.layout.display = "none"
