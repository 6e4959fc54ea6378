"""Undoing and redoing what was written."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import NoticeKind, code, notice_html, patch_html, plain_box
from ...changes import diff
from ...errors import JournalError, PatchError
from ...frames import describe_changes
from ...journal import Entry
from ...model.masks import Mask
from ...printable import describe_count
from ...storage.paths import place_text
from ..html import Html
from ..progress import Bar
from .dialogs import MAX_ENTRIES, MAX_NAMED, Dialog, name_ids
from .render import JOURNAL_COLUMNS, journal_rows
from .rowtable import RowTable
from .stage import Stage

__all__ = ["Undo"]


class Undo(Dialog):
    """The journal: what was written, to be undone."""

    def __init__(self, stage: Stage, box: widgets.VBox):
        super().__init__(stage, "Undo what was written through this workbench", box)
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
        self.together = widgets.Button(
            description="Undo last change of several",
            icon="undo",
            tooltip="Show what undoing it changes; nothing is undone yet",
            layout={"width": "auto"},
        )
        self.redo = widgets.Button(
            description="Redo",
            icon="repeat",
            tooltip="Show what taking the last undo back changes; nothing is stored yet",
            layout={"width": "auto"},
        )
        self.preview = Html()
        self.confirm.on_click(lambda _: stage.act(self._undo, place=self.notice))
        self.all.on_click(lambda _: stage.act(self._preview_all, place=self.notice))
        self.together.on_click(lambda _: stage.act(self._preview_together, place=self.notice))
        self.redo.on_click(lambda _: stage.act(self._preview_redo, place=self.notice))
        self.sure.on_click(lambda _: stage.act(self._undo_all, place=self.notice))
        self.note = Html()
        self.cancel.description = "Close"
        self._changes: dict[int, str] = {}  # what each entry changed
        self._all: list[int] = []  # the entries that "Undo all" means
        self._asked: list[int] = []  # those whose preview is shown
        self._word = "Undo"  # what is done to them: Undo or Redo
        self._stopped = threading.Event()
        self.bar = Bar(self._stopped.set, "Stop; what was undone stays undone")
        buttons = widgets.HBox([self.confirm, self.together, self.all, self.redo, self.cancel])
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

    @property
    def spare(self) -> list[widgets.Widget]:
        """The widgets that it has and does not show."""
        return [*super().spare, self.bar.view]

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
        together = self._entries_together()
        self.together.layout.display = "" if together else "none"
        self.together.description = (
            f"Undo last change of {describe_count(len(together), 'session')}…"
        )
        redoable = self._stage.desk.redoable()
        self.redo.layout.display = "" if redoable else "none"
        self.redo.description = f"Redo {describe_count(len(redoable), 'write')}…"
        self.redo.disabled = self.together.disabled = working
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
            self._stage.notify("good", f"Undone: {describe_count(undone, 'write')}")
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
        wanted = set(self._all)
        self._ask("Undo", [e for e in self._stage.desk.undoable() if e.number in wanted])

    def _entries_together(self) -> list[Entry]:
        """Return the writes of the last change of several sessions, if all can be undone."""
        numbers = set(self._stage.desk.changed_together)
        found = [entry for entry in self._stage.desk.undoable() if entry.number in numbers]
        return found if len(found) == len(numbers) > 1 else []

    def _preview_together(self) -> None:
        self._stage.check_idle()
        self._stage.desk.check_free()
        self._ask("Undo", self._entries_together())

    def _preview_redo(self) -> None:
        self._stage.check_idle()
        self._stage.desk.check_free()
        self._ask("Redo", self._stage.desk.redoable())

    def _ask(self, word: str, entries: Sequence[Entry]) -> None:
        """Show what undoing these entries changes, and ask for it."""
        if not entries:
            raise PatchError(f"there is nothing to {word.lower()} any more")
        self._word, self._asked = word, [entry.number for entry in entries]
        self.preview.value = plain_box(
            _describe_undoing(entries, word.lower(), self._stage.desk.mask)
        )
        self.sure.description = f"{word} {describe_count(len(entries), 'write')}"
        self.sure.icon = "undo" if word == "Undo" else "repeat"
        self.sure.tooltip = f"{word} these writes, newest first"

    def _undo_all(self) -> None:
        self._stage.desk.check_free()
        self._stage.desk.journal.check_undamaged()
        numbers, self._asked, word = self._asked, [], self._word
        self._stopped.clear()
        self.bar.restart("undoing …" if word == "Undo" else "redoing …")
        self._stage.work_later(lambda: self._undo_many(numbers, word))

    def _undo_many(self, numbers: list[int], word: str) -> tuple[NoticeKind, str]:
        report = self._stage.desk.undo_many(numbers, self._show_progress, self._stopped.is_set)
        text = (
            f"{'Undone' if word == 'Undo' else 'Redone'}: {describe_count(report.undone, 'write')}"
        )
        if report.stopped:
            text += f"; stopped, left: {describe_count(report.remaining, 'write')}"
        if report.changed:
            text += (
                f"; left alone, since others changed them: {name_ids(report.changed)}. Select one "
                "here and undo it to merge"
            )
        if report.failed:
            id, reason = next(iter(report.failed.items()))
            text += f"; refused by the store: {name_ids(list(report.failed))}. {id!r}: {reason}"
        return "good" if report.undone == len(numbers) else "warning", text

    def _show_progress(self, done: int, total: int) -> None:
        # On the storage's thread, and so without the stage: an action may wait for that thread.
        self.bar.show_count(done, total, "writes")


def _describe_undoing(entries: Sequence[Entry], word: str, mask: Mask) -> Markup:
    """Return what undoing or redoing writes changes: by what becomes of each session."""
    created = {entry.id for entry in entries if entry.version_before is None}
    deleted = {entry.id for entry in entries if entry.version_after is None}
    changed = {entry.id for entry in entries} - created - deleted
    undo = word == "undo"
    lines = [
        Markup("<li>%s, %s: %s</li>")
        % (what, describe_count(len(ids), "session"), name_ids(sorted(ids)))
        for ids, what in (
            (changed, "changed back" if undo else "changed again"),
            (deleted - created, "restored" if undo else "created again"),
            (created, "deleted, since these writes created them" if undo else "deleted again"),
        )
        if ids
    ]
    return Markup("<b>This will %s %s</b><ul>%s</ul>%s%s") % (
        word,
        describe_count(len(entries), "write"),
        Markup("").join(lines),
        "Sessions that others changed since are left alone.",
        _render_changes(entries, mask),
    )


def _render_changes(entries: Sequence[Entry], mask: Mask) -> Markup:
    """Return what changes in each session, of a few of them."""
    parts = []
    for entry in entries[:MAX_NAMED]:
        if entry.version_before is None or entry.version_after is None:
            continue
        try:
            before, after = entry.sides()
        except JournalError as error:
            parts.append(Markup("<p>%s: %s</p>") % (code(entry.id), str(error)))
            continue
        assert before is not None
        assert after is not None
        parts.append(
            Markup("<p>%s</p>%s") % (code(entry.id), patch_html(diff(after, before), mask=mask))
        )
    more = len(entries) - MAX_NAMED
    if parts and more > 0:
        parts.append(Markup('<p class="q">%s more, not shown</p>') % describe_count(more, "write"))
    return Markup("").join(parts)
