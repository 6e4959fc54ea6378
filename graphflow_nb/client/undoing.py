"""Undoing writes of the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..arguments import is_whole
from ..dual import dual
from ..errors import QueryError
from ..journal import UndoReport
from ..model import Session
from ..printable import describe_count
from ..storage.checks import check_callables
from ..warning import warn
from .asking import Confirm
from .connected import Connected

__all__ = ["Undoing"]


class Undoing(Connected):
    """A store whose journaled writes can be taken back."""

    @dual
    async def undo(self, entry: int | None = None) -> Session | None:
        """Undo one write of the journal, if the session is still as that write left it.

        A deleted session comes back with the time of its creation, at a higher version.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete("claim-0014")
            ['claim-0014']
            >>> wb.undo().id
            'claim-0014'

        Args:
            entry: The entry's number in ``wb.journal``; None for the newest that was not undone.

        Returns:
            The session as it is stored now; None if the write had created it.

        Raises:
            SessionConflict: The session was changed since; nothing was written.
            PatchError: The entry does not exist, or it was undone already.
            StorageError: The store failed.
        """
        session = await self.journaled.undo(entry)
        if session is not None:
            self.note_shown(session, None)
        return session

    @dual
    async def redo(self, entry: int | None = None) -> Session | None:
        """Take back an undo: make its write again, if the session is still as the undo left it.

        A redo is a write of the journal, which ``undo`` undoes again.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete("claim-0014")
            ['claim-0014']
            >>> wb.undo().id
            'claim-0014'
            >>> wb.redo() is None  # it is deleted again
            True

        Args:
            entry: The number of the undo in ``wb.journal``; None for the newest that was not taken
                back.

        Returns:
            The session as it is stored now; None if the write had deleted it.

        Raises:
            SessionConflict: The session was changed since; nothing was written.
            PatchError: There is nothing to redo, or the entry is not an undo.
            StorageError: The store failed.
        """
        session = await self.journaled.redo(entry)
        if session is not None:
            self.note_shown(session, None)
        return session

    @dual
    async def undo_all(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        confirm: Confirm = None,
    ) -> UndoReport:
        """Undo all writes of the journal; see ``Workbench.undo_all``, which shows its progress."""
        check_callables(progress=progress, stop=stop)
        numbers = self._pick_confirmed(None, confirm, "wb.undo_all(")
        report = await self.journaled.undo_many(numbers, progress=progress, stop=stop)
        if report.failed:
            id, reason = next(iter(report.failed.items()))
            failed = describe_count(len(report.failed), "session was", "sessions were")
            warn(f"{failed} not undone, the first is {id!r}: {reason}")
        return report

    @dual
    async def undo_many(
        self,
        entries: Iterable[int] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        confirm: Confirm = None,
    ) -> UndoReport:
        """Undo several writes of the journal in batches, newest first for each session.

        If others changed a session since, its earlier writes are not undone either. Interrupted or
        stopped, it can be called again and goes on with what is left.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete(["claim-0014", "claim-0118"])
            ['claim-0014', 'claim-0118']
            >>> wb.undo_many().undone
            2

        Args:
            entries: The numbers of the entries in ``wb.journal``; None for all that can be undone.
            progress: A function that is called after each batch, on the storage's thread, with the
                number of writes looked at and of all.
            stop: A function that is asked before each batch, on the storage's thread; True ends the
                work there.
            confirm: The number of sessions whose writes they are, or True for any: needed for more
                than 1,000 in a server's database (``open(ask_above_sessions=…)``).

        Returns:
            The report: how many were undone, which sessions were not and why, how many remain.

        Raises:
            QueryError: An argument is something else.
            PatchError: An entry does not exist, or it was undone already; nothing was undone.
            ChangeRefused: They are many, and it was not confirmed.
            JournalError: Lines of the journal can't be read, and ``entries`` was left out.
            StorageError: The store failed; what was undone until then stays undone.
        """
        check_callables(progress=progress, stop=stop)
        if not (entries is None or isinstance(entries, Iterable)):
            raise QueryError(
                f"entries must be a list of the numbers in wb.journal, not {entries!r}"
            )
        call = "wb.undo_many(" if entries is None else "wb.undo_many(entries"
        numbers = self._pick_confirmed(entries, confirm, call)
        return await self.journaled.undo_many(numbers, progress=progress, stop=stop)

    def _pick_confirmed(
        self, entries: Iterable[int] | None, confirm: Confirm, call: str
    ) -> list[int]:
        """Return the numbers of the writes to undo: those that were counted, and no later ones.

        Raises:
            ChangeRefused: They are of many sessions, and it was not confirmed.
            JournalError: Lines of the journal can't be read, and ``entries`` is None.
        """
        if entries is None:
            self.journaled.journal.check_undamaged()
        found = {entry.number: entry.id for entry in self.journaled.undoable()}
        numbers = list(found if entries is None else entries)
        odd = [number for number in numbers if not is_whole(number, 1)]
        if odd:
            raise QueryError(
                f"entries must be the numbers in wb.journal, not {odd[0]!r}: nothing was undone"
            )
        sessions = {found[each] for each in numbers if each in found}
        self.asking.check_change(len(sessions), confirm, "changed by undoing", call)
        return numbers
