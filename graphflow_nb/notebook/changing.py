"""Changes of many sessions from a cell: with a bar and a Stop button."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

from ..client import Client
from ..client.asking import Confirm
from ..dual import dual
from ..journal import UndoReport
from ..model import Session
from ..storage.checks import check_no_table
from ..storage.protocols import SupportsIndex
from .copying import CopyTo
from .stopping import MANY, show_work

__all__ = ["Changes"]


class Changes(Client):
    """A client whose long writes show how far they are, and can be stopped."""

    @dual
    def undo_all(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        confirm: Confirm = None,
    ) -> Coroutine[Any, Any, UndoReport]:
        """Undo all writes of the journal, newest first for each session.

        In a notebook a bar with a Stop button is shown where there are many, if ``progress`` is not
        given. Interrupting the kernel (■) stops it too; called again, it goes on with what is left.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete("claim-0014")
            ['claim-0014']
            >>> print(wb.undo_all())
            1 write was undone

        Args:
            progress, stop, confirm: See ``undo_many``.

        Returns:
            The report: how many were undone, and which sessions were not: others changed them
            since, or the store refused what was there before, of which a warning gives the reason.

        Raises:
            ChangeRefused: They are many, and it was not confirmed.
            JournalError: Lines of the journal can't be read.
            StorageError: The store failed; what was undone until then stays undone.
        """
        # Not a coroutine function: the bar belongs to the cell's thread, which calls this.
        undo = super().undo_all.__wrapped__
        if progress is not None or len(self.journaled.journal) <= MANY:
            return undo(progress=progress, stop=stop, confirm=confirm)
        if len(self.journaled.undoable()) <= MANY:
            return undo(stop=stop, confirm=confirm)
        return show_work(
            partial(undo, confirm=confirm),
            stop,
            step="undoing …",
            unit="writes",
            done="undone",
            again="wb.undo_all() continues",
        )

    @dual
    def delete(
        self,
        ids: str | Iterable[str] | Mapping[str, int | Session],
        *,
        undo: bool = True,
        confirm: Confirm = None,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, list[str]]:
        """Delete one session or several, in batches; unknown ids are skipped.

        In a notebook a bar with a Stop button is shown where there are many, if ``progress`` is not
        given. Interrupting the kernel (■) stops it too; called again with the same ids, it goes on
        with what is left. What was deleted until then can be undone.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> wb.delete(["claim-0014", "no such id"])
            ['claim-0014']
            >>> old = wb.stuck("1 day", task="payout")
            >>> gone = wb.delete(dict(zip(old["id"], old["version"])))  # if not saved since
            >>> len(gone) == len(old)
            True

        Args:
            ids: An id, several (a column of a DataFrame too), or a mapping from id to the version
                that the session must still have, or to the session that was read: one that was
                saved, or deleted and created again, meanwhile stays. A version is the one that this
                object showed last under that id (by ``get``, ``sessions``, the browser or a
                write); of a session that it never showed at that version the number alone is
                compared.
            undo: Whether the journal notes it, so that it can be undone.
            confirm: The number of different ids, or True for any: needed for more than 1,000 in a
                server's database (``open(ask_above_sessions=…)``).
            progress, stop: See ``undo_many``, with the number of ids.

        Returns:
            The ids that were deleted.

        Raises:
            QueryError: ``ids`` or another argument is something else.
            ChangeRefused: They are many, and it was not confirmed; or ``confirm`` is another
                number.
            JournalError: The journal can't note it, or undo could not put a session back as it was:
                the user may not insert, the table has columns that are not graph-flow's, or the
                database changes other tables with it. Nothing was deleted.
            StorageError: The store failed.
        """
        check_no_table("ids", ids)
        delete = partial(super().delete.__wrapped__, undo=undo, confirm=confirm)
        if isinstance(ids, Iterable) and not isinstance(ids, (str, Mapping)):
            ids = list(ids)
        if progress is not None or not isinstance(ids, (list, Mapping)) or len(ids) <= MANY:
            return delete(ids, progress=progress, stop=stop)
        return show_work(
            partial(delete, ids),
            stop,
            step="deleting …",
            unit="sessions",
            done="deleted, which can be undone" if undo else "deleted",
            again="wb.delete(…) with the same ids continues",
        )

    @dual
    def build_index(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, int]:
        """Build an index for quick pages in Redis, or update it; no session is changed.

        What this package writes afterwards is kept in it. Workers don't know it: what they save
        keeps its place, and what they create is not shown until the index is built again. One that
        was interrupted or stopped before it was whole is not used: build it again.

        Args:
            progress: A function that is called after each batch, on the storage's thread, with the
                number of sessions read, and of how many (None if unknown). Default: a notebook
                shows a bar with a Stop button.
            stop: A function that is asked before each batch, on the storage's thread; True ends the
                work there.

        Returns:
            The number of sessions in the index; of those that were read, if it was stopped.

        Raises:
            CapabilityError: The storage has no method ``build_index``.
            StorageError: The store failed.
        """
        build = super().build_index.__wrapped__
        if progress is not None or not isinstance(self.storage, SupportsIndex):
            return build(progress=progress, stop=stop)
        return show_work(
            build,
            stop,
            step="reading …",
            unit="sessions",
            done="read",
            again="wb.build_index() begins again; until it is whole, pages are read without it",
        )

    @property
    def copy_to(self) -> CopyTo:
        """Copy sessions into another store, verified: ``wb.copy_to(other, graph="claims")``.

        See ``help(wb.copy_to)`` for its arguments.
        """
        return CopyTo(self)
