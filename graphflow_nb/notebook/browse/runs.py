"""What begins at a version, or goes beside it: forking a session, and comparing it with another."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import code, fact_table, plain_box
from ..comparing import RunComparison
from ..forking import Fork
from ..html import Html, LiveHtml, ScrolledHtml
from ..pictures import THEMES
from .stage import Place, Stage

__all__ = ["CompareBox", "ForkBox", "render_comparison", "render_origin"]


class _Box:
    """A box under the slider that is closed until its button is pressed.

    It belongs to the session that was open then, and closes when another one is opened.

    Args:
        stage: The state that the parts of the browser share.
        label: What its button says.
        icon: The icon of the button.
        tip: What the button says when it is pointed at.
    """

    def __init__(self, stage: Stage, label: str, icon: str, tip: str):
        self._stage = stage
        self._id: str | None = None  # of the session that it was opened for
        self.button = widgets.Button(description=label, icon=icon, tooltip=tip)
        self.close = widgets.Button(description="Cancel", tooltip="Close; nothing is changed")
        self.title, self.notice = Html(), LiveHtml()
        self.box = widgets.VBox(layout={"display": "none"})
        self.box.add_class("gfnb-reader")
        self.button.on_click(lambda _: self._act(self.open))
        self.close.on_click(lambda _: self._act(self.hide))

    def _act(self, action: Callable[[], None]) -> None:
        self._stage.act(action, place=self.notice)

    @property
    def is_open(self) -> bool:
        """Whether it is open, for the session that is open now."""
        session = self._stage.desk.session
        return self._id is not None and session is not None and session.id == self._id

    def open(self) -> None:
        """Open it for the open session, from within an action."""
        session = self._stage.desk.session
        self._id = None if session is None else session.id

    def hide(self) -> None:
        """Close it."""
        self._id = None

    def render(self) -> None:
        """Show it if it is open."""
        self.box.layout.display = "" if self.is_open else "none"


class ForkBox(_Box):
    """A new session that begins at the version that is looked at, until its preview.

    Args:
        stage: The state that the parts of the browser share.
        above: The place of notices above the open session, where this box is no longer shown.
    """

    def __init__(self, stage: Stage, above: Place):
        super().__init__(
            stage,
            "Fork from this version…",
            "code-fork",
            "Begin a new session as this one was; this one is not touched",
        )
        self._above = above
        self.id = widgets.Text(
            description="Id", tooltip="The id of the new session, not in the store yet"
        )
        self.confirm = widgets.Button(
            description="Preview fork",
            tooltip="Show what will be stored, and which tasks run again; nothing is stored yet",
            icon="search",
            button_style="info",
        )
        self.confirm.on_click(lambda _: self._act(self._confirm))
        row = widgets.HBox([self.id, self.confirm, self.close])
        row.add_class("gfnb-bar")
        self.box.children = (self.title, row, self.notice)

    def open(self) -> None:
        """Open it with an id that no session has."""
        super().open()
        self.id.value = self._stage.desk.propose_copy_id("fork")

    def render(self) -> None:
        """Show which version the fork begins at."""
        super().render()
        look = self._stage.past.look
        self.button.disabled = look is None or look.version.deleted
        if look is not None and self.is_open:
            self.confirm.disabled = look.version.deleted
            title = Markup("<h4>Fork %s from version %s</h4>")
            self.title.value = title % (code(look.version.id), look.version.number)

    def _confirm(self) -> None:
        stage = self._stage
        fork = stage.past.fork(self.id.value.strip())
        self.hide()
        stage.show_part("Edit")
        stage.desk.preview_changes()
        stage.notify(
            "info",
            f"This is a fork of {fork.origin.id!r} at version {fork.origin.number}, and nothing "
            "is stored yet: Create this session stores what the preview shows",
            place=self._above,
        )


class CompareBox(_Box):
    """The run of the open session beside that of another one.

    Args:
        stage: The state that the parts of the browser share.

    Attributes:
        found: The comparison that is shown; None if none is.
    """

    def __init__(self, stage: Stage):
        super().__init__(
            stage,
            "Compare with…",
            "columns",
            "Put the run of another session beside this one, step by step",
        )
        self._found: RunComparison | None = None
        self.close.description, self.close.tooltip = "Close", "Close the comparison"
        self.id = widgets.Combobox(
            description="Session",
            ensure_option=False,
            placeholder="an id",
            tooltip="The id of the other session; those of this page are offered",
        )
        self.confirm = widgets.Button(
            description="Compare runs",
            tooltip="Show where both were and for how long, and in what they differ",
            icon="columns",
            button_style="info",
        )
        self.confirm.on_click(lambda _: self._act(self._confirm))
        self.text = ScrolledHtml()
        row = widgets.HBox([self.id, self.confirm, self.close])
        row.add_class("gfnb-bar")
        self.box.children = (self.title, row, self.notice, self.text)

    @property
    def found(self) -> RunComparison | None:
        """The comparison that is shown; None if none is."""
        return self._found if self.is_open else None

    def open(self) -> None:
        """Open it with the ids of this page, and that of the session that this is a fork of."""
        super().open()
        origin = self._stage.past.forked_from
        ids = [origin, *self._stage.listing.ids()]
        self.id.options = [id for id in dict.fromkeys(ids) if id not in ("", self._id)]
        self.id.value = origin
        self._show(None)

    def render(self) -> None:
        """Show which session is compared."""
        super().render()
        if self.is_open:
            self.title.value = Markup("<h4>Compare the run of %s with another</h4>") % code(
                self._id or ""
            )

    def _confirm(self) -> None:
        self._show(None)  # what is shown is not of the id that was typed
        self._show(self._stage.past.compare(self.id.value.strip()))

    def _show(self, found: RunComparison | None) -> None:
        self._found = found
        self.text.value = Markup("") if found is None else render_comparison(found)


def render_comparison(found: RunComparison) -> Markup:
    """Return two runs compared, in the colours of the page that it is on."""
    return plain_box(Markup("<h4>%s</h4>") % found.title + found.to_body(*THEMES))


def render_origin(fork: Fork) -> Markup:
    """Return what a person has to know before a fork is stored."""
    rows = [
        ("begins as", Markup("%s at version %s") % (code(fork.origin.id), fork.origin.number)),
        ("may run again", code(fork.describe_tasks())),
    ]
    why = "The tasks that it was at from there on, with all that they do outside of the store."
    return plain_box(fact_table(rows) + Markup('<p class="q">%s</p>') % why)
