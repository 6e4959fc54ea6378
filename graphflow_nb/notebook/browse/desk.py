"""The open session, and what is done to others too: delete, change, undo. No widgets.

Nothing is written but by ``save``, ``delete``, ``change_many``, ``undo`` and ``undo_many``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ...changes import Draft
from ...errors import JournalError, SessionConflict
from ...journal import Entry, Journal, UndoReport
from ...model import Session
from ...storage import Query, problems_of
from ...storage.protocols import SupportsQuery
from .opened import Difference, OpenSession
from .shown import ShownSession
from .typed import WORKBENCH

__all__ = ["Desk", "Difference"]


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

    See ``OpenSession`` for the arguments and the attributes.
    """

    # Deleting and undoing

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
        deleted = self._client.delete_unchanged(same, undo=undo)
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
        every = len(numbers) == len(self.undoable())
        call = "undo_all()" if every else f"undo_many({sorted(numbers)!r})"
        self._calls.append(f"{WORKBENCH}.{call}")
        return self._client.undo_many(numbers, progress=progress, stop=stop)


def _name(ids: Sequence[str]) -> str:
    return ", ".join(map(repr, ids))
