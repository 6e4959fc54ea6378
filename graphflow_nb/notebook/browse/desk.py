"""The open session, and what is done to others too: delete, change, undo. No widgets.

Nothing is written but by ``save``, ``delete``, ``change_many``, ``undo`` and ``undo_many``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from ...changes import Draft
from ...client import Client
from ...errors import OF_THE_STORE, GraphflowError, JournalError, SessionConflict
from ...journal import Entry, Journal, UndoReport
from ...model import Session
from ...model.secrets import mask_secrets
from ...storage import Query, problems_of
from ...storage.protocols import SupportsQuery
from ..exporting import ExportReport, export_sessions
from .opened import Difference, OpenSession
from .shown import ShownSession
from .typed import WORKBENCH

__all__ = ["ChangeReport", "Desk", "Difference"]

PORTION: Final = 50  # sessions that are read at once to be changed


@dataclass(slots=True)
class ChangeReport:
    """What became of sessions that were to be changed in the same way.

    Attributes:
        changed: The ids of those that were changed.
        left: Those that others changed or deleted after they were shown.
        refused: Why the store, or the journal, refused a change, by id.
        remaining: The number of those that were not looked at, since it was stopped.
        ended: Whether the store, and not a person, ended it there, since it takes none.
    """

    changed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    remaining: int = 0
    ended: bool = False


class Desk(OpenSession):
    """The session at which one person works, what is done to others, and the calls that this makes.

    Example:
        >>> from graphflow_nb.client import open_client
        >>> desk = Desk(open_client("demo"))
        >>> desk.open("claim-0014")
        >>> desk.edit().set("status_message", "mended")
        >>> len(desk.preview_changes())
        1
        >>> desk.save()
        >>> desk.session.status_message
        'mended'

    See ``OpenSession`` for the arguments and the other attributes.

    Attributes:
        changed_together: The numbers of the journal's entries that ``change_many`` made last.
    """

    def __init__(self, client: Client):
        super().__init__(client)
        self.changed_together: list[int] = []
        self._undone: list[int] = []  # the entries that were undone last

    # Changing, deleting, exporting

    def change_many(
        self,
        shown: Sequence[ShownSession],
        name: Literal["current_task_id", "status_message"],
        value: str | None,
        progress: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> ChangeReport:
        """Set the task or the status of sessions that are still as they were shown.

        Each is saved by itself, compare-and-swap, and noted in the journal.

        Args:
            shown: What was shown of each session.
            name: The field.
            value: Its new value.
            progress: Called with the number of sessions looked at, and of all.
            stop: Asked before each session.
        """
        report = ChangeReport()
        versions = {row.id: row.version for row in shown}
        step = [{"op": "replace", "path": f"/{name}", "value": value}]
        self._calls.append(
            f"for id, version in {versions!r}.items(): "
            f"{WORKBENCH}.patch(id, {step!r}, version=version)"
        )
        last = max((entry.number for entry in self.undoable()), default=0)
        for start in range(0, len(shown), PORTION):
            portion = shown[start : start + PORTION]
            found = {session.id: session for session in self._read_many([r.id for r in portion])}
            for done, row in enumerate(portion, start):
                if stop():
                    report.remaining = len(shown) - done
                    break
                goes_on = self._change(row, found.get(row.id), name, value, report)
                progress(done + 1, len(shown))
                if not goes_on:
                    report.ended = True
                    report.remaining = len(shown) - done - 1
                    break
            if report.remaining:
                break
        changed = set(report.changed)
        self.changed_together = [
            entry.number for entry in self.undoable() if entry.number > last and entry.id in changed
        ]
        return report

    def _change(
        self,
        row: ShownSession,
        session: Session | None,
        name: str,
        value: str | None,
        report: ChangeReport,
    ) -> bool:
        """Change one session; return whether the store may take another one."""
        if session is None or not row.is_state_of(session):
            report.left.append(row.id)
            return True
        try:
            draft = Draft(session)
            draft.set(name, value)
            self._client.save(draft.session())
        except SessionConflict:
            report.left.append(row.id)
        except GraphflowError as error:
            report.refused[row.id] = str(error)
            return not isinstance(error, OF_THE_STORE)
        else:
            report.changed.append(row.id)
        return True

    def export(self, ids: Sequence[str], path: str, *, masked: bool = False) -> ExportReport:
        """Write sessions to a file; see ``wb.export``.

        Args:
            ids: The ids of the sessions.
            path: The file.
            masked: Whether it is without what looks secret.
        """
        call = f"{WORKBENCH}.export({path!r}, {list(ids)!r}"
        if masked:
            call = f"import graphflow_nb; {call}, redact=graphflow_nb.mask_secrets"
        self._calls.append(f"{call})")
        chosen = mask_secrets if masked else None
        return self._client.bridge.run(export_sessions(self._client, path, ids, {}, None, chosen))

    def delete(self, shown: Sequence[ShownSession], *, undo: bool = True) -> list[str]:
        """Delete sessions that are still as they were shown; return the ids of those.

        A draft of one of them is dropped with it.

        Args:
            shown: What was shown of each session.
            undo: Whether the journal notes it, so that it can be undone.

        Raises:
            JournalError: The journal can't note it; nothing was deleted.
            StorageError: The store failed, or refused it.
        """
        versions = {row.id: row.version for row in shown}
        self._calls.append(f"{WORKBENCH}.delete({versions!r}{'' if undo else ', undo=False'})")
        stored = self._read_many(list(versions))
        odd = [problem for problem in problems_of(stored) if problem in versions]
        if odd and undo:
            raise JournalError(
                f"what is stored under {_name(odd)} is not a session, and the journal can't note "
                "it: nothing was deleted"
            )
        found = {session.id: session for session in stored}
        same = [found[row.id] for row in shown if row.is_state_of(found.get(row.id))]
        deleted = self._client.delete_unchanged(same, undo=undo, confirm=True)
        for id in odd:
            self._client.bridge.run(self._client.storage.delete(id))
        deleted += odd
        if self.session is not None and self.session.id in deleted and not self.new:
            self._place(None)
        return deleted

    def _read_many(self, ids: Sequence[str]) -> Sequence[Session]:
        """Return the sessions that exist; a read of the journal's, not the user's."""
        storage, run = self._client.storage.for_journal, self._client.bridge.run
        if isinstance(storage, SupportsQuery):
            return run(storage.query(Query(ids=ids, order="id")))
        found = (run(storage.get(id)) for id in ids)
        return [session for session in found if session is not None]

    @property
    def journal(self) -> Journal:
        """The journal of the writes."""
        return self._client.journaled.journal

    def undoable(self) -> list[Entry]:
        """Return the writes that can be undone, newest first."""
        return self._client.journaled.undoable()[::-1]

    def redoable(self) -> list[Entry]:
        """Return what a redo takes back: the undos that were made together last, or the newest."""
        found = self._client.journaled.redoable()
        together = [entry for entry in found if entry.undoes in self._undone]
        return together or found[-1:]

    def undo(self, entries: Iterable[Entry]) -> int:
        """Undo writes, newest first, and read the open session again if it was among them.

        It stops at a session that was changed since: ``conflict`` then holds both sides.

        Args:
            entries: The journal's entries of these writes.

        Returns:
            The number of writes that were undone.

        Raises:
            PatchError: The open session has changes that are not saved, or an entry was undone
                already.
            StorageError: The store failed; what was undone until then stays undone.
        """
        self.check_free()
        entries = list(entries)
        self._undone = [entry.number for entry in entries]
        undone = 0
        outdated = False
        try:
            # Newest first, as each was made on top of those before it.
            for entry in sorted(entries, key=lambda entry: -entry.number):
                self._calls.append(f"{WORKBENCH}.undo({entry.number})")
                try:
                    session = self._client.undo(entry.number)
                except SessionConflict as conflict:
                    if conflict.stored is None or entry.before is None or entry.after is None:
                        raise
                    outdated = False
                    self._place(conflict.stored)
                    self.draft = Draft(conflict.stored)
                    self._meet_conflict(entry.after, conflict.stored, entry.before)
                    return undone
                undone += 1
                if self.session is not None and self.session.id == entry.id:
                    self._place(None if session is None else self.session)
                    outdated = session is not None
        finally:
            if outdated:
                self.refresh()
        return undone

    def undo_many(
        self,
        numbers: Collection[int],
        progress: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> UndoReport:
        """Undo writes in batches; what is open is not read again.

        Of a session that others changed since nothing is undone that was written before.

        Args:
            numbers: The numbers of the entries in the journal.
            progress, stop: See ``Client.undo_many``.

        Raises:
            PatchError: An entry was undone already; nothing was undone.
            StorageError: The store failed; what was undone until then stays undone.
        """
        undos = {entry.number for entry in self.redoable()}
        redo = undos.issuperset(numbers)
        every = sorted(numbers) == sorted(entry.number for entry in self.undoable())
        call = "undo_all()" if every else f"undo_many({sorted(numbers)!r})"
        if redo and len(numbers) == 1:
            call = f"redo({min(numbers)})"
        self._undone = [] if redo else list(numbers)
        self._calls.append(f"{WORKBENCH}.{call}")
        report = self._client.undo_many(numbers, progress=progress, stop=stop, confirm=True)
        if redo:  # what was redone together is undone together
            redone = set(numbers)
            self.changed_together = [e.number for e in self.undoable() if e.undoes in redone]
        return report


def _name(ids: Sequence[str]) -> str:
    return ", ".join(map(repr, ids))
