"""The page on which a person looks at the versions of the open session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import age, code, fact_table, notice_html, patch_html, plain_box, size
from ...history import Version
from ...storage.history import OBSERVED, TRIGGER, WRITTEN
from ..html import Html
from .past import Look
from .portions import PortionBar
from .stage import Place, Stage

__all__ = ["HistoryPage"]

SOURCES: Final = {
    WRITTEN: "noted with the save by graphflow_nb",
    TRIGGER: "noted by the database, whoever saves",
    OBSERVED: "a sample: what was saved in between is unknown",
}


class HistoryPage:
    """A slider over the versions of the open session; nothing is written by looking.

    Args:
        stage: The state that the parts of the browser share.
        above: The place of notices above the open session, where this page is no longer shown.
    """

    def __init__(self, stage: Stage, above: Place):
        self._stage = stage
        self._above = above
        self.notice, self.lack = Html(), Html()
        self.slider = widgets.SelectionSlider(
            options=[("none", 0)],
            description="Version",
            tooltip="Look at another version: drag, or use the arrow keys",
            continuous_update=False,
            layout={"width": "auto", "flex": "1 1 30em"},
        )
        self.older = widgets.Button(
            description="Older versions", icon="chevron-left", tooltip="Read those before these"
        )
        self.newer = widgets.Button(
            description="Newer versions", icon="chevron-right", tooltip="Read those after these"
        )
        self.restore = widgets.Button(
            description="Restore as draft",
            icon="undo",
            tooltip="Put this version into the editor; nothing is stored before a preview and Save",
        )
        self.facts, self.changes, self.heading, self.text = (Html() for _ in range(4))
        for text in (self.changes, self.text):
            text.add_class("gfnb-text")
        self.portion = PortionBar(stage)
        self.slider.observe(self._choose, "value")
        self.older.on_click(lambda _: self._act(lambda: stage.past.turn(1)))
        self.newer.on_click(lambda _: self._act(lambda: stage.past.turn(-1)))
        self.restore.on_click(lambda _: self._act(self._restore))
        bar = widgets.HBox([self.older, self.slider, self.newer])
        bar.add_class("gfnb-history")
        buttons = [] if stage.read_only else [self.restore]
        version = [self.facts, *buttons, self.notice, self.changes]
        context = [self.heading, self.portion.box, self.text]
        self._found = widgets.VBox([bar, *version, *context])
        self.box = widgets.VBox([self.lack, self._found])
        self._shown: Any = None

    def _act(self, action: Any, *, quiet: bool = False) -> None:
        self._stage.act(action, quiet=quiet, place=self.notice)

    def _choose(self, change: Any) -> None:
        if not self._stage.rendering and change["new"]:
            self._act(lambda: self._stage.past.choose(change["new"]), quiet=True)

    def _restore(self) -> None:
        look = self._stage.past.look
        self._stage.past.restore()
        self._stage.show_part("Edit")
        number = "" if look is None else f" {look.version.number}"
        self._stage.notify(
            "info",
            f"Version{number} is the draft now, and nothing is stored yet: Preview changes shows "
            "what saving would change",
            place=self._above,
        )

    def render(self, *, visible: bool) -> None:
        """Show the version that is looked at.

        Args:
            visible: Whether this is the part that is shown.
        """
        self.box.layout.display = "" if visible else "none"
        if not visible:
            return
        past = self._stage.past
        self.lack.value = notice_html("info", past.lack) if past.lack else Markup("")
        look = past.look
        self._found.layout.display = "none" if look is None else ""
        self.older.disabled, self.newer.disabled = not past.more, past.newest
        turning = "" if past.more or not past.newest else "none"
        self.older.layout.display = self.newer.layout.display = turning
        if look is None:
            return
        self.restore.disabled = look.version.deleted
        self._render_slider(look)
        extent = _describe_extent(past.versions, more=past.more)
        self.facts.value = plain_box(_render_facts(look.version, extent))
        if look is not self._shown:
            self._shown = look
            self.changes.value = plain_box(_render_changes(look))
        title = Markup('<b>The context at version %s</b> <span class="q">%s</span>')
        title %= look.version.number, size(look.version.bytes)
        self.heading.value = plain_box(title)
        self.text.value = plain_box(self.portion.render(look.session, "Context"))

    def _render_slider(self, look: Look) -> None:
        options = [(_name_version(each), each.number) for each in self._stage.past.versions]
        with self.slider.hold_sync():
            if list(self.slider.options) != options:
                self.slider.options = options
            self.slider.value = look.version.number


def _name_version(version: Version) -> str:
    return f"{version.number}, {version.at:%Y-%m-%d %H:%M:%S}"


def _describe_extent(versions: Sequence[Version], *, more: bool) -> str:
    shown = f"of {versions[0].number:,} to {versions[-1].number:,}"
    return f"{shown}; there are older ones" if more else shown


def _render_facts(version: Version, extent: str) -> Markup:
    hint = Markup('%s <span class="q">%s</span>')
    stored = "" if version.version is None else f"; version {version.version} in the store"
    task = Markup("<b>deleted</b>, at task %s") if version.deleted else Markup("%s")
    writer = Markup("; writer %s") % code(version.writer) if version.writer else ""
    source = hint % (code(version.source), SOURCES.get(version.source, ""))
    rows = [
        ("version", hint % (Markup("<b>%s</b>") % version.number, extent + stored)),
        ("saved", hint % (f"{version.at:%Y-%m-%d %H:%M:%S.%f} UTC", age(version.at))),
        ("task", task % code(version.current_task_id)),
        ("status", code(version.status_message or "none")),
        ("source", Markup("%s%s") % (source, writer)),
    ]
    return fact_table(rows)


def _render_changes(look: Look) -> Markup:
    if look.before is None and look.problem:
        return notice_html("warning", f"What it changed is not known: {look.problem}")
    if look.before is None:
        first = look.version.number == 1
        what = (
            "The first version that is kept: what was before it is not known."
            if first
            else "The oldest version that is kept."
        )
        return Markup("<p>%s</p>") % what
    if look.version.deleted:
        return Markup("<p>The session was deleted; this is what was deleted.</p>")
    if look.before.deleted:
        return Markup("<p>The session was deleted before, and this is a new one.</p>")
    title = Markup("<b>Changes since version %s</b>%s")
    if look.changes is None:
        problem = f"These versions can't be compared: {look.problem}"
        return title % (look.before.number, notice_html("warning", problem))
    return title % (look.before.number, patch_html(look.changes, "Saved without a change."))
