"""Changing the task or the status of the selected sessions."""

from __future__ import annotations

import threading
from typing import Final, Literal

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import NoticeKind, code, plain_box
from ...errors import PatchError
from ...printable import describe_count
from ..html import Html
from ..progress import Bar
from .desk import ChangeReport
from .dialogs import MAX_ENTRIES, Dialog, name_ids
from .shown import ShownSession
from .stage import Stage

__all__ = ["ChangeMany"]

Field = Literal["current_task_id", "status_message"]
FIELDS: Final[dict[str, Field]] = {"Task": "current_task_id", "Status": "status_message"}


class ChangeMany(Dialog):
    """One new task or status for all selected sessions, after a preview of each."""

    def __init__(self, stage: Stage, box: widgets.VBox):
        super().__init__(stage, "Change the selected sessions", box)
        self.field = widgets.Dropdown(
            description="Field", options=list(FIELDS), tooltip="What is changed of each"
        )
        self.value = widgets.Combobox(
            description="New value",
            ensure_option=False,
            tooltip="The same for each; an empty status is none (null)",
        )
        self.preview = widgets.Button(
            description="Preview changes",
            icon="search",
            button_style="info",
            tooltip="Show what becomes of each session; nothing is stored yet",
        )
        self.confirm = widgets.Button(
            description="Change",
            icon="check",
            button_style="success",
            tooltip="Change them, except those that others saved since; Undo… can undo it",
            layout={"width": "auto"},
        )
        self.text = Html()
        self._shown: list[ShownSession] = []
        self._asked: list[ShownSession] = []  # those whose preview is shown
        self._wanted: tuple[Field, str | None] = "current_task_id", None
        self._stopped = threading.Event()
        self.bar = Bar(self._stopped.set, "Stop; what was changed stays changed")
        self.preview.on_click(lambda _: stage.act(self._preview, place=self.notice))
        self.confirm.on_click(lambda _: stage.act(self._confirm, place=self.notice))
        for control in (self.field, self.value):
            control.observe(self._drop_preview, "value")
        fields = widgets.HBox([self.field, self.value])
        fields.add_class("gfnb-bar")
        buttons = widgets.HBox([self.preview, self.cancel])
        self.box.children = (
            *(self.title, fields, buttons, self.text, self.confirm),
            *(self.bar.box, self.notice),
        )

    @property
    def spare(self) -> list[widgets.Widget]:
        """The widgets that it has and does not show."""
        return [*super().spare, self.bar.view]

    def open(self) -> None:
        """Open it for the selected sessions.

        Raises:
            PatchError: No session is selected.
        """
        listing = self._stage.listing
        if not listing.selected:
            raise PatchError("select the sessions to change first")
        super().open()
        # What is changed is what is shown here, whatever is selected or changed meanwhile.
        self._shown, self._asked = listing.shown_sessions(listing.selected), []
        self.title.value = Markup("<h4>Change %s</h4>") % describe_count(
            len(self._shown), "session"
        )
        self.value.value = ""
        self._offer()

    def _offer(self) -> None:
        names = [name for name, _ in self._stage.listing.counts.tasks()][:MAX_ENTRIES]
        self.value.options = names if self.field.value == "Task" else []

    def _drop_preview(self, _: object) -> None:
        if not self._stage.rendering:
            self._asked = []
            self._offer()
            self._stage.render()

    def render(self) -> None:
        """Show the preview, and what is being done."""
        super().render()
        if not self.is_open:
            return
        working = self._stage.working
        for part in (self.text, self.confirm):
            part.layout.display = "" if self._asked and not working else "none"
        self.preview.disabled = self.confirm.disabled = working
        self.bar.box.layout.display = "" if working else "none"

    def _preview(self) -> None:
        self._stage.check_idle()
        field, value = FIELDS[self.field.value], self.value.value or None
        if field == "current_task_id" and value is None:
            raise PatchError("type the task first: a session is always at one")
        changing = [row.id for row in self._shown if self._stage.desk.is_changing(row.id)]
        if changing:
            raise PatchError(
                f"{name_ids(changing)} is open and has changes that are not saved: save or discard "
                "them first"
            )
        asked = [row for row in self._shown if getattr(row, field) != value]
        if not asked:
            raise PatchError(f"nothing would change: the {self.field.value.lower()} is so already")
        self._asked, self._wanted = asked, (field, value)
        same = len(self._shown) - len(asked)
        self.text.value = plain_box(_render_preview(asked, field, value, same))
        self.confirm.description = f"Change {describe_count(len(asked), 'session')}"

    def _confirm(self) -> None:
        asked, (field, value) = self._asked, self._wanted
        if not asked:
            raise PatchError("preview the changes first: that shows what will be saved")
        self._asked = []
        self._stopped.clear()
        self.bar.restart("changing …")
        self._stage.work_later(lambda: self._change(asked, field, value))

    def _change(
        self, asked: list[ShownSession], field: Field, value: str | None
    ) -> tuple[NoticeKind, str]:
        report = self._stage.desk.change_many(
            asked,
            field,
            value,
            lambda done, total: self.bar.show_count(done, total, "sessions"),
            self._stopped.is_set,
        )
        self._stage.close_dialog()
        return _describe(report, len(asked))


def _describe(report: ChangeReport, asked: int) -> tuple[NoticeKind, str]:
    done = len(report.changed)
    text = f"Changed {describe_count(done, 'session')}"
    if done != asked:
        text = f"Changed {done:,} of {describe_count(asked, 'session')}"
    if report.left:
        text += (
            "; left alone, since others changed or deleted them after they were shown: "
            f"{name_ids(report.left)}"
        )
    if report.refused:
        id, reason = next(iter(report.refused.items()))
        text += f"; refused: {name_ids(list(report.refused))}. {id!r}: {reason}"
    if report.remaining:
        why = "not tried" if report.ended else "stopped, left"
        text += f"; {why}: {describe_count(report.remaining, 'session')}"
    if done:
        text += "; Undo… can undo it, together"
    return "good" if done == asked else "warning", text


_ROW: Final = Markup("<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>")


def _render_preview(
    asked: list[ShownSession], field: Field, value: str | None, same: int
) -> Markup:
    """Return the preview: of each session the value before and after."""

    def show(text: str | None) -> Markup:
        return Markup('<span class="q">none</span>') if text is None else code(text)

    rows = [_ROW % (code(r.id), r.version, show(getattr(r, field)), show(value)) for r in asked]
    table = Markup(
        '<b>This will change</b><div class="gfnb-names"><table class="gfnb-diff"><thead><tr>'
        "<th>session</th><th>version</th><th>%s before</th><th>after</th></tr></thead>"
        "<tbody>%s</tbody></table></div>"
    ) % ("task" if field == "current_task_id" else "status", Markup("").join(rows))
    if same:
        table += Markup('<p class="q">%s written</p>') % describe_count(
            same,
            "session has this value already, and is not",
            "sessions have this value already, and are not",
        )
    return table
