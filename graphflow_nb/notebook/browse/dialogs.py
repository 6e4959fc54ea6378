"""Creating, deleting and undoing: boxes that open under the row of actions."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import NoticeKind, notice_html, plain_box
from ...errors import GraphflowError, JournalError, PatchError, StorageError
from ...frames import describe_changes
from ...journal import Entry
from ...storage.paths import place_text
from ..html import Html
from ..progress import Bar
from .render import (
    JOURNAL_COLUMNS,
    journal_rows,
    named_sessions_html,
)
from .rowtable import RowTable
from .shown import ShownSession
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
        self.title = Html(Markup("<h4>%s</h4>") % title)
        self.cancel = widgets.Button(description="Cancel", tooltip="Close; nothing is changed")
        self.cancel.on_click(lambda _: stage.act(stage.close_dialog))
        self.notice = Html()
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
        self._proposed = ""  # the id that was offered
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
        self.confirm.on_click(lambda _: stage.act(self._confirm, place=self.notice))
        self.mode.observe(self._turn, "value")
        row = widgets.HBox([self.id, self.graph, self.task])
        row.add_class("gfnb-bar")
        buttons = widgets.HBox([self.confirm, self.cancel])
        self.box.children = (self.title, self.mode, row, self.json, buttons, self.notice)

    def open(self) -> None:
        """Open it with a fresh id, and the graphs and tasks that the store has."""
        super().open()
        listing = self._stage.listing
        self.id.value = ""
        self.graph.options = [name for name, _ in listing.graphs()][:MAX_ENTRIES]
        self.task.options = [name for name, _ in listing.tasks()][:MAX_ENTRIES]
        self.graph.value = listing.filters.get("graph", "default")
        with self._stage.quietly():
            self.mode.value = "At a task"
        self._propose_id()

    def render(self) -> None:
        """Show the fields of the chosen mode."""
        super().render()
        mode = self.mode.value
        self.id.layout.display = "none" if mode == "From JSON" else ""
        for control in (self.graph, self.task):
            control.layout.display = "" if mode == "At a task" else "none"
        self.json.layout.display = "" if mode == "From JSON" else "none"

    def _turn(self, _: object) -> None:
        if not self._stage.rendering:
            self._stage.act(self._propose_id, quiet=True, place=self.notice)

    def _propose_id(self) -> None:
        """Offer an id that suits the mode, unless a person typed one."""
        if self.id.value.strip() not in ("", self._proposed):
            return
        desk = self._stage.desk
        copies = self.mode.value == "Copy of the open session"
        self._proposed = desk.propose_copy_id() if copies else desk.new_id()
        self.id.value = self._proposed

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
        self._can_undo = True  # False once the journal could not note it
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
        self._can_undo = True

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
        if self._can_undo:
            ask += "Undo… can undo it."
        else:
            ask += Markup("<b>It can't be undone</b>: the journal can't note it, as it says below.")
        body = Markup("<h4>Delete %s?</h4>%s%s<p>%s</p>") % (
            _count_sessions(count),
            named_sessions_html(self._shown, self._changed),
            notice_html("warning", warning),
            ask,
        )
        self.text.value = plain_box(body)
        self.number.layout.display = "none" if count == 1 else ""
        self.confirm.description = f"Delete {_count_sessions(count)}"
        self.confirm.disabled = count != 1 and self.number.value.strip() != str(count)
        self.anyway.disabled = self.confirm.disabled
        self.anyway.layout.display = "none" if self._can_undo else ""

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
            self._can_undo = False
            raise
        except StorageError:
            with suppress(GraphflowError):
                listing.load()  # a part may have been deleted
            raise
        self._stage.close_dialog()
        listing.deselect(deleted)
        listing.load()
        kept = [row.id for row in self._shown if row.id not in deleted]
        what = _count_sessions(len(self._shown))
        if kept:
            self._stage.notify(
                "warning",
                f"Deleted {len(deleted):,} of {what}; left alone, since others changed or deleted "
                f"them after they were shown: {_name_ids(kept)}",
            )
        else:
            later = "; Undo… can undo it" if undo else ""
            self._stage.notify("good", f"Deleted {what}{later}")
        self._stage.count_later(again=True)


class Undo(Dialog):
    """The journal: what was written, to be undone."""

    def __init__(self, stage: Stage):
        super().__init__(stage, "Undo what was written through this workbench")
        self._chosen: list[int] = []  # numbers of entries
        self.table = RowTable(
            "journal",
            JOURNAL_COLUMNS,
            on_open=lambda number: stage.act(lambda: self._choose([number]), quiet=True),
            on_select=lambda numbers: stage.act(lambda: self._choose(numbers), quiet=True),
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
            tooltip="Show what undoing every write changes; nothing is undone yet",
            layout={"width": "auto"},
        )
        self.sure = widgets.Button(
            description="Undo",
            button_style="danger",
            icon="undo",
            tooltip="Undo these writes, newest first",
            layout={"width": "auto"},
        )
        self.preview = Html()
        self.confirm.on_click(lambda _: stage.act(self._undo, place=self.notice))
        self.all.on_click(lambda _: stage.act(self._preview_all, place=self.notice))
        self.sure.on_click(lambda _: stage.act(self._undo_all, place=self.notice))
        self.note = Html()
        self.cancel.description = "Close"
        self._changes: dict[int, str] = {}  # what each entry changed
        self._all: list[int] = []  # the entries that "Undo all" means
        self._asked: list[int] = []  # those whose preview is shown
        self._stopped = threading.Event()
        self.bar = Bar(self._stopped.set, "Stop; what was undone stays undone")
        buttons = widgets.HBox([self.confirm, self.all, self.cancel])
        self.box.children = (
            self.title,
            self.note,
            self.table,
            self.bar.box,
            buttons,
            self.preview,
            self.sure,
            self.notice,
        )

    def _choose(self, numbers: list[int]) -> None:
        self._chosen = numbers

    def open(self) -> None:
        """Open it, with nothing chosen."""
        super().open()
        self._chosen = self._asked = []

    def render(self) -> None:
        """Show the writes that can be undone."""
        super().render()
        if not self.is_open:
            return
        entries = self._stage.desk.undoable()
        shown = entries[:MAX_ENTRIES]
        listed = [entry.number for entry in shown]
        self._chosen = [number for number in self._chosen if number in listed]
        self.table.show(
            listed,
            journal_rows(shown, self._describe(shown)),
            selected=self._chosen,
            empty="Nothing to undo: nothing was written yet, or all was undone.",
        )
        journal = self._stage.desk.journal
        place = "in memory, lost when the kernel ends; open(url, journal=file) keeps it"
        if journal.path is not None:
            place = f"in {journal.path}"
        cut = f" Showing {MAX_ENTRIES} of {len(entries):,}." if len(entries) > MAX_ENTRIES else ""
        lines = [f"{line.line:,}" for line in journal.damaged]
        more = " and more" if len(lines) > MAX_NAMED else ""
        damage = (
            f"these lines of the journal can't be read: {', '.join(lines[:MAX_NAMED])}{more}. "
            "There may be later writes than those listed; each of these can be undone by itself"
            if lines
            else ""
        )
        self.note.value = notice_html("warning", damage) + notice_html(
            "info", f"Kept {place}.{cut}"
        )
        self._all = [entry.number for entry in entries]
        working = self._stage.working
        self.confirm.disabled = working or not self._chosen
        self.all.disabled = working or not entries
        self.all.description = f"Undo all {len(entries):,}…"
        for part in (self.preview, self.sure):
            part.layout.display = "" if self._asked and not working else "none"
        self.sure.disabled = working
        self.bar.box.layout.display = "" if working else "none"

    def _describe(self, entries: Sequence[Entry]) -> list[str]:
        """Return what each write changed; each is read from the journal once."""
        self._changes = {
            entry.number: self._changes.get(entry.number) or describe_changes(entry, place_text)
            for entry in entries
        }
        return list(self._changes.values())

    def _undo(self) -> None:
        chosen = [e for e in self._stage.desk.undoable() if e.number in self._chosen]
        if len(chosen) < len(self._chosen):
            raise PatchError("a selected write was undone meanwhile; nothing more was undone")
        undone = self._stage.desk.undo(chosen)
        if self._stage.desk.conflict is None:
            self._stage.listing.load()
            self._stage.notify("good", f"Undone: {_count_writes(undone)}")
            self._stage.count_later(again=True)
            return
        self._stage.close_dialog()
        self._stage.show_part("Edit")
        self._stage.listing.load()
        self._stage.notify(
            "warning",
            f"Undone: {undone:,}. The next session was changed by someone since: merge it below",
        )

    def _preview_all(self) -> None:
        """Show what undoing all changes; what is written meanwhile is not among it."""
        self._stage.check_idle()
        self._stage.desk.check_free()
        self._stage.desk.journal.check_undamaged()
        self._asked = self._all
        wanted = set(self._asked)
        entries = [entry for entry in self._stage.desk.undoable() if entry.number in wanted]
        self.preview.value = plain_box(_describe_undoing(entries))
        self.sure.description = f"Undo {_count_writes(len(entries))}"

    def _undo_all(self) -> None:
        self._stage.desk.check_free()
        self._stage.desk.journal.check_undamaged()
        numbers, self._asked = self._asked, []
        self._stopped.clear()
        self.bar.restart("undoing …")
        self._stage.work_later(lambda: self._undo_many(numbers))

    def _undo_many(self, numbers: list[int]) -> tuple[NoticeKind, str]:
        report = self._stage.desk.undo_many(numbers, self._show_progress, self._stopped.is_set)
        text = f"Undone: {_count_writes(report.undone)}"
        if report.stopped:
            text += f"; stopped, left: {_count_writes(report.remaining)}"
        if report.changed:
            text += (
                f"; left alone, since others changed them: {_name_ids(report.changed)}. Select one "
                "here and undo it to merge"
            )
        if report.failed:
            id, reason = next(iter(report.failed.items()))
            text += f"; refused by the store: {_name_ids(list(report.failed))}. {id!r}: {reason}"
        return "good" if report.undone == len(numbers) else "warning", text

    def _show_progress(self, done: int, total: int) -> None:
        # On the storage's thread, and so without the stage: an action may wait for that thread.
        self.bar.show_count(done, total, "writes")


def _describe_undoing(entries: Sequence[Entry]) -> Markup:
    """Return what undoing writes changes, in words: by what becomes of each session."""
    created = {entry.id for entry in entries if entry.version_before is None}
    deleted = {entry.id for entry in entries if entry.version_after is None}
    changed = {entry.id for entry in entries} - created - deleted
    lines = [
        Markup("<li>%s, %s: %s</li>") % (what, _count_sessions(len(ids)), _name_ids(sorted(ids)))
        for ids, what in (
            (changed, "changed back"),
            (deleted - created, "restored"),
            (created, "deleted, since these writes created them"),
        )
        if ids
    ]
    return Markup("<b>This will undo %s</b><ul>%s</ul>%s") % (
        _count_writes(len(entries)),
        Markup("").join(lines),
        "Sessions that others changed since are left alone.",
    )


def _name_ids(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - MAX_NAMED:,} more" if len(ids) > MAX_NAMED else ""
    return ", ".join(map(repr, ids[:MAX_NAMED])) + more


def _count_writes(count: int) -> str:
    return "1 write" if count == 1 else f"{count:,} writes"


def _count_sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"
