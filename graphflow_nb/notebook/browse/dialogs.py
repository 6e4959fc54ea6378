"""Creating, deleting and undoing: boxes that open under the row of actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import ipywidgets as widgets

from ...cards import code
from ...errors import PatchError
from ...journal import Entry
from .render import JOURNAL_COLUMNS, journal_rows, notice_html
from .rowtable import RowTable
from .stage import Stage

__all__ = ["Create", "Delete", "Dialog", "Undo"]

MAX_ENTRIES: Final = 200  # rows of the journal, and choices of a graph or a task
MAX_NAMED: Final = 10  # sessions named in a sentence


class Dialog:
    """A box that is closed until its action is asked for.

    Args:
        stage: The state that the parts of the browser share.
        title: The heading.
    """

    def __init__(self, stage: Stage, title: str):
        self._stage = stage
        self.title = widgets.HTML(f"<h4>{title}</h4>")
        self.cancel = widgets.Button(description="Cancel", tooltip="Close; nothing is changed")
        self.cancel.on_click(lambda _: stage.act(stage.close_dialog))
        self.box = widgets.VBox(layout={"display": "none"})
        self.box.add_class("gfnb-dialog")

    @property
    def is_open(self) -> bool:
        """Whether it is the dialog that is open."""
        return self._stage.dialog is self

    def open(self) -> None:
        """Open it, from within an action."""
        self._stage.open_dialog(self)

    def render(self) -> None:
        """Show it if it is open."""
        self.box.layout.display = "" if self.is_open else "none"

    def _refresh(self, _: object) -> None:
        if not self._stage.rendering:
            self._stage.render()


class Create(Dialog):
    """A new session: at a task, as a copy, or from JSON."""

    def __init__(self, stage: Stage):
        super().__init__(stage, "Create a session")
        self.mode = widgets.ToggleButtons(
            options=["At a task", "Copy of the open session", "From JSON"],
            style={"button_width": "auto"},
        )
        self.id = widgets.Text(description="Id", tooltip="An id that is not in the store yet")
        self.graph = widgets.Combobox(
            description="Graph", ensure_option=False, tooltip="The graph that it runs"
        )
        self.task = widgets.Combobox(
            description="Task", ensure_option=False, tooltip="The task at which it begins"
        )
        self.json = widgets.Textarea(
            description="JSON",
            placeholder='{"id": …, "graph_id": …, "current_task_id": …, "context": {…}}',
            rows=8,
            layout={"width": "auto"},
        )
        self.json.add_class("gfnb-json")
        self.confirm = widgets.Button(
            description="Preview new session",
            tooltip="Show what will be stored; nothing is stored yet",
            icon="search",
            button_style="info",
            layout={"width": "auto"},
        )
        self.confirm.on_click(lambda _: stage.act(self._confirm))
        self.mode.observe(self._refresh, "value")
        row = widgets.HBox([self.id, self.graph, self.task])
        row.add_class("gfnb-bar")
        buttons = widgets.HBox([self.confirm, self.cancel])
        self.box.children = (self.title, self.mode, row, self.json, buttons)

    def open(self) -> None:
        """Open it with a fresh id, and the graphs and tasks that the store has."""
        super().open()
        desk, listing = self._stage.desk, self._stage.listing
        self.id.value = desk.new_id()
        self.graph.options = [name for name, _ in listing.graphs()][:MAX_ENTRIES]
        self.task.options = [name for name, _ in listing.tasks()][:MAX_ENTRIES]
        self.graph.value = listing.filters.get("graph", "default")
        self.mode.value = "At a task"

    def render(self) -> None:
        """Show the fields of the chosen mode."""
        super().render()
        mode = self.mode.value
        self.id.layout.display = "none" if mode == "From JSON" else ""
        for control in (self.graph, self.task):
            control.layout.display = "" if mode == "At a task" else "none"
        self.json.layout.display = "" if mode == "From JSON" else "none"

    def _confirm(self) -> None:
        desk = self._stage.desk
        if self.mode.value == "From JSON":
            desk.draft_from_json(self.json.value)
        elif self.mode.value == "At a task":
            desk.draft_new(self.id.value, self.task.value, self.graph.value)
        else:
            desk.draft_copy(self.id.value)
        self._stage.close_dialog()
        self._stage.show_part("Edit")
        desk.preview_changes()


class Delete(Dialog):
    """Deleting the selected sessions, after a confirmation."""

    def __init__(self, stage: Stage):
        super().__init__(stage, "Delete")
        self.text = widgets.HTML()
        self.number = widgets.Text(
            description="Number", tooltip="Type the number of sessions to delete"
        )
        self.confirm = widgets.Button(
            button_style="danger",
            icon="trash",
            tooltip="Delete them, except those that others saved since; Undo… can undo it",
        )
        self.confirm.on_click(lambda _: stage.act(self._confirm))
        self.number.observe(self._refresh, "value")
        self._versions: dict[str, int] = {}
        self.box.children = (self.text, self.number, widgets.HBox([self.confirm, self.cancel]))

    def open(self) -> None:
        """Open it for the selected sessions.

        Raises:
            PatchError: No session is selected.
        """
        listing = self._stage.listing
        if not listing.selected:
            raise PatchError("select the sessions to delete first")
        super().open()
        # What is deleted is what was shown when this was opened, whatever is selected meanwhile.
        self._versions = listing.versions(listing.selected)
        self.number.value = ""

    def render(self) -> None:
        """Show which sessions are to be deleted, and allow it once their number was typed."""
        super().render()
        count = len(self._versions)
        names = ", ".join(code(id) for id in list(self._versions)[:MAX_NAMED])
        more = f" and {count - MAX_NAMED:,} more" if count > MAX_NAMED else ""
        ask = "" if count == 1 else f" Type <b>{count}</b> to confirm."
        question = f"<h4>Delete {_count_sessions(count)}?</h4>"
        self.text.value = (
            f'<div class="gfnb gfnb-plain">{question}{names}{more}.{ask} Undo… can undo it.</div>'
        )
        self.number.layout.display = "none" if count == 1 else ""
        self.confirm.description = f"Delete {_count_sessions(count)}"
        self.confirm.disabled = count != 1 and self.number.value.strip() != str(count)

    def _confirm(self) -> None:
        count = len(self._versions)
        deleted = self._stage.desk.delete(self._versions)
        self._stage.close_dialog()
        self._stage.listing.load()
        kept = count - len(deleted)
        if kept:
            self._stage.notify(
                "warning",
                f"Deleted {len(deleted):,} of {_count_sessions(count)}; left alone, since others "
                f"changed or deleted them after they were shown: {kept:,}",
            )
        else:
            self._stage.notify("good", f"Deleted {_count_sessions(count)}; Undo… can undo it")
        self._stage.count_later(again=True)


class Undo(Dialog):
    """The journal: what was written, to be undone."""

    def __init__(self, stage: Stage):
        super().__init__(stage, "Undo what was written through this workbench")
        self._entries: list[Entry] = []
        self._chosen: list[int] = []
        self.table = RowTable(
            "journal",
            JOURNAL_COLUMNS,
            on_open=lambda row: stage.act(lambda: self._choose([row])),
            on_select=lambda rows: stage.act(lambda: self._choose(rows)),
        )
        self.confirm = widgets.Button(
            description="Undo selected",
            icon="undo",
            tooltip="Undo these, newest first",
            button_style="info",
        )
        self.all = widgets.Button(
            description="Undo all",
            icon="undo",
            tooltip="Undo every write, newest first",
            layout={"width": "auto"},
        )
        self.confirm.on_click(lambda _: stage.act(self._undo))
        self.all.on_click(lambda _: stage.act(self._undo_all))
        self.note = widgets.HTML()
        self.cancel.description = "Close"
        buttons = widgets.HBox([self.confirm, self.all, self.cancel])
        self.box.children = (self.title, self.note, self.table, buttons)

    def _choose(self, rows: list[int]) -> None:
        self._chosen = [row for row in rows if 0 <= row < len(self._entries)]

    def open(self) -> None:
        """Open it, with nothing chosen."""
        super().open()
        self._chosen = []

    def render(self) -> None:
        """Show the writes that can be undone."""
        super().render()
        if not self.is_open:
            return
        entries = self._stage.desk.undoable()
        if [e.number for e in entries[:MAX_ENTRIES]] != [e.number for e in self._entries]:
            self._chosen = []
        self._entries = entries[:MAX_ENTRIES]
        self.table.show(
            [e.number for e in self._entries],
            journal_rows(self._entries),
            selected=self._chosen,
            empty="Nothing to undo: nothing was written yet, or all was undone.",
        )
        journal = self._stage.desk.journal
        place = "in memory, gone with the kernel; open(url, journal=file) keeps it"
        if journal.path is not None:
            place = f"in {journal.path}"
        cut = f" Showing {MAX_ENTRIES} of {len(entries):,}." if len(entries) > MAX_ENTRIES else ""
        lost = f" {journal.dropped:,} older ones are no longer held." if journal.dropped else ""
        self.note.value = notice_html("info", f"Kept {place}.{cut}{lost}")
        self.confirm.disabled = not self._chosen
        self.all.disabled = not entries
        self.all.description = f"Undo all {len(entries):,}"

    def _undo(self) -> None:
        undone = self._stage.desk.undo([self._entries[row] for row in self._chosen])
        if self._stage.desk.conflict is None:
            self._finish(undone)
            return
        self._stage.close_dialog()
        self._stage.show_part("Edit")
        self._stage.listing.load()
        self._stage.notify(
            "warning",
            f"Undone: {undone:,}. The next session was changed by someone since: merge it below",
        )

    def _undo_all(self) -> None:
        undone = self._stage.desk.undo_all()
        self._finish(undone.writes, undone.skipped)

    def _finish(self, writes: int, skipped: Sequence[str] = ()) -> None:
        self._stage.listing.load()
        text = f"Undone: {writes:,} {'write' if writes == 1 else 'writes'}"
        if skipped:
            names = ", ".join(map(repr, skipped[:MAX_NAMED]))
            more = f" and {len(skipped) - MAX_NAMED:,} more" if len(skipped) > MAX_NAMED else ""
            text += (
                f"; left alone, since others changed them: {names}{more}. Select one here and undo "
                "it to merge"
            )
        self._stage.notify("warning" if skipped else "good", text)
        self._stage.count_later(again=True)


def _count_sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"
