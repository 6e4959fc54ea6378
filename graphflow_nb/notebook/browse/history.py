"""The page on which a person looks at the versions of the open session."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import notice_html, plain_box, size
from ...model.masks import NO_MASK
from ..html import Html, LiveHtml
from .past import Look
from .portions import PortionBar
from .revealing import RevealingHtml, reveal
from .runs import CompareBox, ForkBox
from .stage import Place, Stage
from .versions import describe_extent, name_version, render_changes, render_facts

__all__ = ["HistoryPage"]


class HistoryPage:
    """A slider over the versions of the open session; nothing is written by looking.

    Args:
        stage: The state that the parts of the browser share.
        above: The place of notices above the open session, where this page is no longer shown.
        box: The box to fill.
    """

    def __init__(self, stage: Stage, above: Place, box: widgets.VBox):
        self._stage = stage
        self._above = above
        self.notice, self.lack = LiveHtml(), LiveHtml()
        self.slider = widgets.SelectionSlider(
            options=[("none", 0)],
            description="Version",
            tooltip="Look at another version: drag, or use the arrow keys",
            continuous_update=False,
            layout={"width": "auto", "flex": "1 1 30em"},
        )
        self.older = widgets.Button(
            description="Older versions", icon="chevron-left", tooltip="Show older versions"
        )
        self.newer = widgets.Button(
            description="Newer versions", icon="chevron-right", tooltip="Show newer versions"
        )
        self.restore = widgets.Button(
            description="Restore as draft",
            icon="undo",
            tooltip="Put this version into the editor; nothing is stored before a preview and Save",
        )
        self.facts, self.heading = Html(), Html()
        self.changes, self.text = RevealingHtml(), RevealingHtml()
        self.portion = PortionBar(stage)
        self.slider.observe(self._choose, "value")
        self.older.on_click(lambda _: self._act(lambda: stage.past.turn(1)))
        self.newer.on_click(lambda _: self._act(lambda: stage.past.turn(-1)))
        self.restore.on_click(lambda _: self._act(self._restore))
        bar = widgets.HBox([self.older, self.slider, self.newer])
        bar.add_class("gfnb-history")
        self.fork, self.compare = ForkBox(stage, above), CompareBox(stage)
        writing = [] if stage.read_only else [self.restore, self.fork.button]
        buttons = widgets.HBox([*writing, self.compare.button])
        version = [self.facts, buttons, self.fork.box, self.compare.box, self.notice, self.changes]
        context = [self.heading, self.portion.box, self.text]
        self._found = widgets.VBox([bar, *version, *context])
        self.box = box
        self.box.children = (self.lack, self._found)
        self._shown: Any = None

    @property
    def spare(self) -> list[widgets.Widget]:
        """The widgets that it has and does not show."""
        return [self.restore, self.fork.button]

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
        self.fork.render()
        self.compare.render()
        self._render_slider(look)
        extent = describe_extent(past.versions, more=past.more)
        self.facts.value = plain_box(render_facts(look.version, extent, past.mask))
        if look is not self._shown:
            self._shown = look
            self.changes.show(
                plain_box(render_changes(look)), lambda: plain_box(render_changes(look, NO_MASK))
            )
        title = Markup('<b>The context at version %s</b> <span class="q">%s</span>')
        title %= look.version.number, size(look.version.bytes)
        self.heading.value = plain_box(title)
        self.text.show(
            plain_box(self.portion.render(look.session)),
            lambda: plain_box(self.portion.read(reveal(look.session)).html),
        )

    def _render_slider(self, look: Look) -> None:
        options = [(name_version(each), each.number) for each in self._stage.past.versions]
        with self.slider.hold_sync():
            if list(self.slider.options) != options:
                self.slider.options = options
            self.slider.value = look.version.number
