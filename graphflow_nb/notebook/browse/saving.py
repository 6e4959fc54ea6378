"""Preview, save and conflict of the open session's draft, under the part where it was changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import NoticeKind, notice_html, patch_html, plain_box, session_html
from ...changes import Choice, Patch, Path
from ...errors import JournalError, PatchError
from ...printable import describe_count
from ..html import Html, LiveHtml, ScrolledHtml
from .render import clash_html, merge_html
from .runs import render_origin
from .stage import Place, Stage

__all__ = ["Saving"]


class Saving:
    """What becomes of the draft; nothing is written but by the Save button, after a preview.

    Args:
        stage: The state that the parts of the browser share.
        above: The place of notices above the open session, where the draft is no longer shown.
        box: The box to fill.
    """

    def __init__(self, stage: Stage, above: Place, box: widgets.VBox):
        self._stage = stage
        self._above = above
        self.notice, self._save_notice = LiveHtml(), LiveHtml()
        self.preview = widgets.Button(
            description="Preview changes",
            tooltip="Show what saving would change; nothing is stored yet",
            icon="search",
            button_style="info",
        )
        self.discard = widgets.Button(
            description="Discard changes", tooltip="Drop the draft", icon="undo"
        )
        self.preview_text = ScrolledHtml()
        self.save = widgets.Button(
            description="Save",
            tooltip="Save the previewed changes",
            icon="check",
            button_style="success",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        self.anyway = widgets.Button(
            description="Save without undo",
            tooltip="Save the previewed changes, although nothing can restore what they replace",
            icon="check",
            button_style="danger",
            layout={"width": "auto"},
        )
        self._unnoted: Any = None  # the preview that the journal could not note
        self._confirm = widgets.VBox([self.preview_text, widgets.HBox([self.save, self.anyway])])
        self.conflict = widgets.VBox()
        self.conflict.add_class("gfnb-conflict")
        self._confirm.add_class("gfnb-preview")
        self._buttons = widgets.HBox([self.preview, self.discard])
        self.box = box
        self.box.children = (
            *(self._buttons, self.notice, self.conflict),
            *(self._confirm, self._save_notice),
        )
        self.box.add_class("gfnb-saving")
        self._merge: Any = None
        self._choices: list[tuple[Path, widgets.RadioButtons]] = []
        self._wire()

    def _wire(self) -> None:
        def act(action: Callable[[], None]) -> None:
            self._stage.act(action, place=self.notice)

        self.preview.on_click(lambda _: act(self._preview_changes))
        self.discard.on_click(lambda _: act(self._stage.desk.discard))
        self.save.on_click(lambda _: self._act_below(self._save))
        self.anyway.on_click(lambda _: self._act_below(lambda: self._save(undo=False)))

    def _act_below(self, action: Callable[[], None]) -> None:
        """Do what a button under the preview says; notices are under that button."""
        self._stage.act(action, place=self._save_notice)

    def _check_typed(self) -> None:
        typed = self._stage.desk.find_typed()
        if typed:
            raise PatchError(typed)

    def _preview_changes(self) -> None:
        self._check_typed()
        self._stage.desk.preview_changes()

    def _save(self, *, undo: bool = True) -> None:
        desk = self._stage.desk
        self._check_typed()
        if desk.draft is None:
            raise PatchError("there is nothing to save: the changes were saved or dropped already")
        id, new = desk.draft.base.id, desk.new
        try:
            desk.save(undo=undo)
        except JournalError:
            self._unnoted = desk.preview
            raise
        if desk.conflict is not None or desk.deleted_meanwhile:
            return
        listing = self._stage.listing
        listing.load()
        hidden = listing.keep_in_view(id) if new else ""
        done, later = "Created" if new else "Saved", "; Undo… can undo it" if undo else ""
        kind: NoticeKind = "warning" if hidden else "good"
        self._stage.notify(kind, f"{done} {id!r}{later}{hidden}", place=self._above)
        self._stage.count_later(again=True)

    # Showing

    def render(self) -> None:
        """Show what becomes of the draft: in the editor, and wherever it changes something."""
        desk = self._stage.desk
        shown = desk.draft is not None and (self._stage.part == "Edit" or desk.dirty)
        self.box.layout.display = "" if shown else "none"
        self._render_conflict()
        self._buttons.layout.display = "none" if desk.in_conflict else ""
        self.preview.layout.display = "none" if desk.preview is not None else ""
        self._confirm.layout.display = "none" if desk.preview is None else ""
        if desk.preview is not None:
            self.anyway.layout.display = "" if desk.preview is self._unnoted else "none"
            changes = len(desk.preview)
            words = (
                "Create this session" if desk.new else f"Save {describe_count(changes, 'change')}"
            )
            self.save.description = words
            self.save.tooltip = f"{words}, unless someone else saved the session meanwhile"
            html = self._render_new() if desk.new else _render_changes(desk.preview)
            if desk.respelled:
                html = notice_html("warning", desk.respelled) + html
            self.preview_text.value = html

    def _render_new(self) -> Markup:
        fork, wanted = self._stage.desk.fork, self._stage.desk.wanted
        assert wanted is not None
        origin = Markup("") if fork is None else render_origin(fork)
        return origin + Markup("<b>This will be stored</b>%s") % session_html(wanted)

    def _render_conflict(self) -> None:
        desk = self._stage.desk
        merge = desk.conflict
        shown = "deleted" if desk.deleted_meanwhile else merge
        if shown is self._merge:
            return
        self._merge = shown
        self._choices = []
        if shown is None:
            self.conflict.children = ()
            return
        drop = widgets.Button(
            description="Drop my changes", tooltip="Keep what is stored", icon="undo"
        )
        drop.on_click(lambda _: self._act_below(self._drop))
        if merge is None:
            text = notice_html(
                "warning", "Someone deleted this session meanwhile. Nothing was written."
            )
            keep = widgets.Button(description="Save it as a new session", layout={"width": "auto"})
            keep.on_click(lambda _: self._act_below(self._keep))
            self.conflict.children = (Html(text, tabbable=True), widgets.HBox([keep, drop]))
            return
        clashes = len(merge.clashes)
        both = describe_count(clashes, "field was", "fields were")
        say = "Someone saved this session meanwhile. Nothing was written. " + (
            f"{both} changed by both: choose."
            if clashes
            else "Your changes do not conflict with theirs."
        )
        told = notice_html("warning", say) + plain_box(merge_html(merge))
        children: list[Any] = [Html(told, tabbable=True)]
        for clash in merge.clashes:
            choice = widgets.RadioButtons(
                options=[("keep what is stored now", "stored"), ("take mine", "mine")],
                value=None,
                layout={"width": "auto"},
            )
            self._choices.append((clash.path, choice))
            children += [Html(plain_box(clash_html(clash, desk.mask))), choice]
        use = widgets.Button(
            description="Preview the merged session",
            button_style="info",
            icon="search",
            layout={"width": "auto"},
        )
        use.on_click(lambda _: self._act_below(self._resolve))
        self.conflict.children = (*children, widgets.HBox([use, drop]))

    def _resolve(self) -> None:
        desk = self._stage.desk
        chosen = {path: control.value for path, control in self._choices}
        if None in chosen.values():
            raise PatchError("choose a value for each field that was changed by both")
        desk.resolve(cast(dict[Path, Choice], chosen))
        if desk.draft is None:
            self._stage.notify("info", "What you wanted is stored already", place=self._above)

    def _drop(self) -> None:
        desk = self._stage.desk
        id = desk.session.id if desk.session is not None else None
        deleted = desk.deleted_meanwhile
        desk.discard()
        if id is not None:
            if deleted:
                desk.close()
            else:
                desk.open(id)

    def _keep(self) -> None:
        self._stage.desk.keep_deleted()
        self._stage.desk.preview_changes()


def _render_changes(changes: Patch) -> Markup:
    return plain_box(Markup("<b>This will change</b>%s") % patch_html(changes))
