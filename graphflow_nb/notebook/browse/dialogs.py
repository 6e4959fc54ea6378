"""Creating, deleting and undoing: boxes that open under the row of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from ...cards import code
from ...errors import PatchError
from ...journal import Entry
from .render import JOURNAL_COLUMNS, journal_rows, notice
from .rowtable import RowTable

if TYPE_CHECKING:
    from .view import Browser

__all__ = ["Create", "Delete", "Undo"]

MAX_ENTRIES = 200
MAX_NAMED = 10


class _Dialog:
    """A box that is closed until its action is asked for."""

    def __init__(self, browser: Browser, title: str):
        self.browser = browser
        self.is_open = False
        self.title = widgets.HTML(f"<h4>{title}</h4>")
        self.cancel = widgets.Button(description="Cancel", tooltip="Close; nothing is changed")
        self.cancel.on_click(lambda _: browser.act(self.close))
        self.box = widgets.VBox(layout={"display": "none"})
        self.box.add_class("gfnb-dialog")

    def _refresh(self, _: object) -> None:
        if not self.browser.rendering:
            self.browser.render()

    def open(self) -> None:
        for dialog in self.browser.dialogs:
            dialog.close()
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def render(self) -> None:
        self.box.layout.display = "" if self.is_open else "none"


class Create(_Dialog):
    """A new session: at a task, as a copy, or from JSON."""

    def __init__(self, browser: Browser):
        super().__init__(browser, "New session")
        self.way = widgets.ToggleButtons(
            options=["At a task", "Copy of the open session", "From JSON"],
            style={"button_width": "auto"},
        )
        self.id = widgets.Text(description="Id", tooltip="Unique in its store")
        self.graph = widgets.Combobox(
            description="Graph", ensure_option=False, tooltip="Which graph it shall run"
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
        self.go = widgets.Button(
            description="Preview new session",
            tooltip="Shows what will be stored; nothing is stored yet",
            icon="search",
            button_style="info",
            layout={"width": "auto"},
        )
        self.go.on_click(lambda _: browser.act(self._go))
        self.way.observe(self._refresh, "value")
        row = widgets.HBox([self.id, self.graph, self.task])
        row.add_class("gfnb-bar")
        buttons = widgets.HBox([self.go, self.cancel])
        self.box.children = (self.title, self.way, row, self.json, buttons)

    def open(self) -> None:
        super().open()
        desk, listing = self.browser.desk, self.browser.listing
        self.id.value = desk.new_id()
        self.graph.options = [name for name, _ in listing.graphs()][:MAX_ENTRIES]
        self.task.options = [name for name, _ in listing.tasks()][:MAX_ENTRIES]
        self.graph.value = listing.filters.graph or "default"
        self.way.value = "At a task"

    def render(self) -> None:
        super().render()
        way = self.way.value
        self.id.layout.display = "none" if way == "From JSON" else ""
        for control in (self.graph, self.task):
            control.layout.display = "" if way == "At a task" else "none"
        self.json.layout.display = "" if way == "From JSON" else "none"

    def _go(self) -> None:
        desk = self.browser.desk
        if self.way.value == "From JSON":
            desk.create_from_json(self.json.value)
        elif self.way.value == "At a task":
            desk.create(self.id.value, self.task.value, self.graph.value)
        else:
            desk.create_copy(self.id.value)
        self.close()
        self.browser.reader.show("Edit")
        desk.look()


class Delete(_Dialog):
    """Deleting the selected sessions, after a confirmation."""

    def __init__(self, browser: Browser):
        super().__init__(browser, "Delete")
        self.text = widgets.HTML()
        self.typed = widgets.Text(description="Number", tooltip="How many are deleted, typed")
        self.go = widgets.Button(
            button_style="danger",
            icon="trash",
            tooltip="Delete them, but what was saved by others since; the journal can undo it",
        )
        self.go.on_click(lambda _: browser.act(self._go))
        self.typed.observe(self._refresh, "value")
        self._versions: dict[str, int] = {}
        self.box.children = (self.text, self.typed, widgets.HBox([self.go, self.cancel]))

    def open(self) -> None:
        listing = self.browser.listing
        if not listing.selected:
            raise PatchError("select the sessions to delete first")
        super().open()
        # What is deleted is what was shown when this was opened, whatever is selected meanwhile.
        self._versions = listing.versions(listing.selected)
        self.typed.value = ""

    def render(self) -> None:
        super().render()
        count = len(self._versions)
        names = ", ".join(code(id) for id in list(self._versions)[:MAX_NAMED])
        more = f" and {count - MAX_NAMED:,} more" if count > MAX_NAMED else ""
        ask = "" if count == 1 else f" Type <b>{count}</b> to confirm."
        self.text.value = (
            f'<div class="gfnb gfnb-plain"><h4>Delete {_sessions(count)}?</h4>{names}{more}.{ask} '
            "The journal can undo it.</div>"
        )
        self.typed.layout.display = "none" if count == 1 else ""
        self.go.description = f"Delete {_sessions(count)}"
        self.go.disabled = count != 1 and self.typed.value.strip() != str(count)

    def _go(self) -> None:
        count = len(self._versions)
        deleted = self.browser.desk.delete(self._versions)
        self.close()
        self.browser.listing.load()
        kept = count - len(deleted)
        if kept:
            self.browser.tell(
                "warning",
                f"Deleted {len(deleted):,} of {_sessions(count)}; {kept:,} were changed or deleted "
                "by others since they were shown, and were left alone",
            )
        else:
            self.browser.tell("good", f"Deleted {_sessions(count)}; Journal can undo it")
        self.browser.count_later(again=True)


class Undo(_Dialog):
    """The journal: what was written, to be taken back."""

    def __init__(self, browser: Browser):
        super().__init__(browser, "Journal: what was written through this workbench")
        self._entries: list[Entry] = []
        self._chosen: list[int] = []
        self.table = RowTable(
            "journal",
            JOURNAL_COLUMNS,
            on_open=lambda row: browser.act(lambda: self._choose([row])),
            on_select=lambda rows: browser.act(lambda: self._choose(rows)),
        )
        self.go = widgets.Button(
            description="Undo selected", icon="undo", tooltip="Newest first", button_style="info"
        )
        self.all = widgets.Button(
            description="Undo all", icon="undo", tooltip="Newest first", layout={"width": "auto"}
        )
        self.go.on_click(lambda _: browser.act(self._undo))
        self.all.on_click(lambda _: browser.act(self._undo_all))
        self.note = widgets.HTML()
        self.cancel.description = "Close"
        buttons = widgets.HBox([self.go, self.all, self.cancel])
        self.box.children = (self.title, self.note, self.table, buttons)

    def _choose(self, rows: list[int]) -> None:
        self._chosen = [row for row in rows if 0 <= row < len(self._entries)]

    def open(self) -> None:
        super().open()
        self._chosen = []

    def render(self) -> None:
        super().render()
        if not self.is_open:
            return
        entries = self.browser.desk.undoable()
        if [e.number for e in entries[:MAX_ENTRIES]] != [e.number for e in self._entries]:
            self._chosen = []
        self._entries = entries[:MAX_ENTRIES]
        self.table.show(
            [e.number for e in self._entries],
            journal_rows(self._entries),
            selected=self._chosen,
            empty="Nothing to undo: nothing was written yet, or all was taken back.",
        )
        journal = self.browser.wb.journaled.journal
        place = "in memory, gone with the kernel; open(url, journal=file) keeps it"
        if journal.path is not None:
            place = f"in {journal.path}"
        cut = f" Showing {MAX_ENTRIES} of {len(entries):,}." if len(entries) > MAX_ENTRIES else ""
        lost = f" {journal.dropped:,} older ones are no longer held." if journal.dropped else ""
        self.note.value = notice("info", f"Kept {place}.{cut}{lost}")
        self.go.disabled = not self._chosen
        self.all.disabled = not entries
        self.all.description = f"Undo all {len(entries):,}"

    def _undo(self) -> None:
        # Newest first, as each was made on top of those before it.
        chosen = sorted((self._entries[row] for row in self._chosen), key=lambda e: -e.number)
        for done, entry in enumerate(chosen):
            self.browser.desk.undo(entry)
            if self.browser.desk.conflict is not None:
                self._stopped(done)
                return
        self._finished(len(chosen))

    def _undo_all(self) -> None:
        done, changed = self.browser.desk.undo_all()
        self._finished(done, changed)

    def _finished(self, done: int, changed: list[str] | None = None) -> None:
        self.browser.listing.load()
        text = f"Undone: {done:,} {'write' if done == 1 else 'writes'}"
        if changed:
            names = ", ".join(map(repr, changed[:MAX_NAMED]))
            more = f" and {len(changed) - MAX_NAMED:,} more" if len(changed) > MAX_NAMED else ""
            text += (
                f"; left alone, since others changed them: {names}{more}. Select one here and undo "
                "it to merge"
            )
        self.browser.tell("warning" if changed else "good", text)
        self.browser.count_later(again=True)

    def _stopped(self, done: int) -> None:
        self.close()
        self.browser.reader.show("Edit")
        self.browser.listing.load()
        self.browser.tell(
            "warning",
            f"Undone: {done:,}. The next session was changed by someone since: merge it below",
        )


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"
