"""The open session, to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import ipywidgets as widgets
from markupsafe import Markup

from ... import cards
from ...cards import code, patch_html
from ...model import Session
from ..comparing import RunComparison
from ..html import Html, ScrolledHtml
from .editor import Editor
from .history import HistoryPage
from .inplace import InPlace
from .later import Later
from .portions import PortionBar
from .render import raw_html
from .revealing import RevealingHtml, reveal
from .saving import Saving
from .stage import Part, Place, Stage

__all__ = ["Comparison", "Reader"]

MAX_STATUS: Final = 200  # characters of a status in the heading
PARTS: Final[tuple[Part, ...]] = ("Overview", "Context", "Chat", "JSON", "History", "Edit")


class Reader:
    """The open session: overview, context, chat, JSON and history; and the editor, if writable.

    Args:
        stage: The state that the parts of the browser share.
        notice: The place of notices about the open session, above it.
        copy: The function that opens the dialog for a copy of it, within an action.
        box: The box to fill.
    """

    def __init__(self, stage: Stage, notice: Place, copy: Callable[[], None], box: widgets.VBox):
        self._stage = stage
        self._notice = notice
        self.title = Html()
        self.copy = widgets.Button(
            description="Copy…",
            icon="copy",
            tooltip="Create a session with the content of this one",
            layout={"width": "auto"},
        )
        self.copy.on_click(lambda _: stage.act(copy))
        self.parts = widgets.ToggleButtons(
            options=[part for part in PARTS if part != "Edit" or not stage.read_only],
            tooltips=[
                "Task, status and times",
                "The data of the context, with paths",
                "The chat messages",
                "The whole session as JSON, as graph-flow writes it",
                "Earlier versions",
                "Change the session in a draft",
            ],
            style={"button_width": "auto"},
        )
        self.parts.observe(self._turn, "value")
        self.text = RevealingHtml()
        self.portion = PortionBar(stage)
        self.values = InPlace(stage)
        self._history = Later(lambda box: HistoryPage(stage, notice, box))
        self._editor = Later(lambda box: Editor(stage, box))
        self._saving = Later(lambda box: Saving(stage, notice, box))
        parts = [
            self.portion.box,
            self.text,
            self.values.box,
            self._history.box,
            self._editor.box,
            self._saving.box,
        ]
        tabs = widgets.HBox([self.parts] if stage.read_only else [self.parts, self.copy])
        self.box = box
        self.box.children = (self.title, tabs, *parts)
        self.box.add_class("gfnb-reader")
        self._shown: Any = None
        self._lines_shown: Any = None

    # Parts that are made when they are first shown

    @property
    def history(self) -> HistoryPage:
        """The page on the versions of the open session."""
        return self._history.get()

    @property
    def editor(self) -> Editor:
        """The fields of the draft."""
        return self._editor.get()

    @property
    def saving(self) -> Saving:
        """The preview of the draft, and what saves it."""
        return self._saving.get()

    @property
    def spare(self) -> list[widgets.Widget]:
        """The widgets that it has and does not show."""
        history = self._history.made
        return [self.copy, *([] if history is None else history.spare)]

    @property
    def compared(self) -> RunComparison | None:
        """The comparison of runs that is shown; None if none is."""
        return None if self._history.made is None else self._history.made.compare.found

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
            self._shown = self._lines_shown = None
            return
        self.copy.layout.display = "none" if desk.dirty else ""
        self.values.follow_draft()
        self.title.value = self._render_title(session)
        if part == "Edit" or self._editor.made is not None:
            self.editor.render(visible=part == "Edit")
        if desk.draft is not None or self._saving.made is not None:
            self.saving.render()
        if part == "History" or self._history.made is not None:
            self.history.render(visible=part == "History")
        in_lines, as_text = part in ("Context", "Chat"), part in ("Overview", "JSON")
        self.text.layout.display = "" if as_text else "none"
        for box in (self.portion.box, self.values.box):
            box.layout.display = "" if in_lines else "none"
        draft = None if desk.draft is None else desk.draft.value()
        shown = (session, session.version, part, draft, desk.in_conflict)
        if shown == self._shown and not in_lines:
            return
        self._shown = shown
        if as_text:
            render = raw_html if part == "JSON" else cards.overview_html
            self.text.show(
                cards.plain_box(render(session)), lambda: cards.plain_box(render(reveal(session)))
            )
        elif part in ("Context", "Chat"):
            self._render_lines(part)

    def _render_lines(self, part: Literal["Context", "Chat"]) -> None:
        """Show values or messages, with the changes of the draft; a portion is made once."""
        chosen = (*self._shown, self.portion.chosen)
        if chosen == self._lines_shown:
            return
        wanted = self._stage.desk.wanted
        assert wanted is not None
        lines = self.portion.select(wanted, part)
        self.values.render(wanted, part, lines, finding=bool(self.portion.find.value.strip()))
        self._lines_shown = (*self._shown, self.portion.chosen)

    def _render_title(self, session: Session) -> Markup:
        desk = self._stage.desk
        dirty = Markup(" <em>has changes that are not saved</em>") if desk.dirty else ""
        kind = "new session" if desk.new else "session"
        title = Markup("<h4>%s %s%s</h4>") % (kind, code(session.id), dirty)
        if desk.new:
            return title
        text = session.mask.hide_in(session.status_message or "")
        status = f" · {text[:MAX_STATUS]}" if text else ""
        facts = (
            f"{session.graph_id} · at {session.current_task_id}{status} · version "
            f"{session.version} · updated {cards.age(session.updated_at)}"
        )
        return title + Markup('<div class="gfnb-facts">%s</div>') % facts


class Comparison:
    """The differences between two sessions.

    Args:
        stage: The state that the parts of the browser share.
        box: The box to fill.
    """

    def __init__(self, stage: Stage, box: widgets.VBox):
        self._stage = stage
        self._text = ScrolledHtml()
        close = widgets.Button(description="Close", tooltip="Close the comparison", icon="times")
        close.on_click(lambda _: stage.act(self.hide))
        self.box = box
        self.box.children = (self._text, close)
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
