"""Deleting the selected sessions."""

from __future__ import annotations

from contextlib import suppress

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import notice_html, plain_box
from ...errors import GraphflowError, JournalError, PatchError, StorageError
from ...printable import describe_count
from ...storage.attributes import attributes_of
from ..html import Html
from .dialogs import Dialog, name_ids
from .render import named_sessions_html
from .shown import ShownSession
from .stage import Stage

__all__ = ["Delete"]


class Delete(Dialog):
    """Deleting the selected sessions, after a confirmation."""

    def __init__(self, stage: Stage, box: widgets.VBox):
        super().__init__(stage, "Delete", box)
        self.text = Html()
        self.number = widgets.Text(
            description="Number", tooltip="Type the number of sessions to delete"
        )
        self.confirm = widgets.Button(
            description="Delete",
            button_style="danger",
            icon="trash",
            tooltip="Delete them, except those that others saved since; Undo… can undo it",
        )
        self.confirm.on_click(lambda _: stage.act(self._confirm, place=self.notice))
        self.anyway = widgets.Button(
            description="Delete without undo",
            button_style="danger",
            icon="trash",
            tooltip="Delete them, although nothing can restore them",
        )
        self.anyway.on_click(
            lambda _: stage.act(lambda: self._confirm(undo=False), place=self.notice)
        )
        self.number.observe(self._refresh, "value")
        self._no_undo = ""  # why it can't be undone
        self._shown: list[ShownSession] = []
        self._changed: set[str] = set()  # ids of those that changed since a person looked
        self._asked = False  # whether it says that unsaved changes are dropped
        buttons = widgets.HBox([self.confirm, self.anyway, self.cancel])
        self.box.children = (self.text, self.number, buttons, self.notice)

    def open(self) -> None:
        """Open it for the selected sessions.

        Raises:
            PatchError: No session is selected.
        """
        listing = self._stage.listing
        if not listing.selected:
            raise PatchError("select the sessions to delete first")
        super().open()
        # What is deleted is what is shown here, whatever is selected or changed meanwhile.
        self._shown = listing.shown_sessions(listing.selected)
        self._changed = listing.changed.intersection(listing.selected)
        self.number.value = ""
        self._no_undo = attributes_of(listing.reads.storage).no_restore

    def render(self) -> None:
        """Show which sessions are to be deleted, and allow it once their number was typed."""
        super().render()
        if not self.is_open:
            return
        count, draft = len(self._shown), self._draft_among()
        self._asked = bool(draft)
        warning = (
            f"{draft!r} is open and has changes that are not saved: they are dropped with it"
            if draft
            else ""
        )
        ask = Markup("")
        if count != 1:
            ask += Markup("Type <b>%s</b> to confirm. ") % count
        if self._no_undo:
            ask += Markup("<b>It can't be undone</b>: %s.") % self._no_undo
        else:
            ask += "Undo… can undo it."
        body = Markup("<h4>Delete %s?</h4>%s%s<p>%s</p>") % (
            describe_count(count, "session"),
            named_sessions_html(self._shown, self._changed),
            notice_html("warning", warning),
            ask,
        )
        self.text.value = plain_box(body)
        self.number.layout.display = "none" if count == 1 else ""
        self.confirm.description = f"Delete {describe_count(count, 'session')}"
        self.confirm.disabled = count != 1 and self.number.value.strip() != str(count)
        self.anyway.disabled = self.confirm.disabled
        self.anyway.layout.display = "" if self._no_undo else "none"

    def _draft_among(self) -> str:
        """Return the id of the session to be deleted that has unsaved changes; empty for none."""
        changing = self._stage.desk.is_changing
        return next((row.id for row in self._shown if changing(row.id)), "")

    def _confirm(self, *, undo: bool = True) -> None:
        listing, desk = self._stage.listing, self._stage.desk
        draft = self._draft_among()
        if draft and not self._asked:
            raise PatchError(
                f"{draft!r} has changes by now that are not saved; nothing was deleted: save or "
                "discard them, or delete it with them"
            )
        try:
            deleted = set(desk.delete(self._shown, undo=undo))
        except JournalError:
            self._no_undo = self._no_undo or "the journal can't note it, as it says below"
            raise
        except StorageError:
            with suppress(GraphflowError):
                listing.load()  # a part may have been deleted
            raise
        self._stage.close_dialog()
        listing.deselect(deleted)
        listing.load()
        kept = [row.id for row in self._shown if row.id not in deleted]
        what = describe_count(len(self._shown), "session")
        if kept:
            self._stage.notify(
                "warning",
                f"Deleted {len(deleted):,} of {what}; left alone, since others changed or deleted "
                f"them after they were shown: {name_ids(kept)}",
            )
        else:
            later = "; Undo… can undo it" if undo else ""
            self._stage.notify("good", f"Deleted {what}{later}")
        self._stage.count_later(again=True)
