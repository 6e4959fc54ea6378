"""JournaledStorage: a storage whose writes are noted and can be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

from ..changes import diff, document, with_document
from ..errors import PatchError, SessionConflict, StorageError
from ..model import Session
from ..storage.origin import is_same_state
from ..storage.protocols import (
    SessionStorage,
    SupportsDeleteMany,
    SupportsDeleteUnchanged,
    SupportsQuery,
    SupportsRestore,
    SupportsUpsert,
    require,
)
from ..storage.query import MAX_IDS, Query
from .entries import Entry, Op, UndoReport
from .journal import Journal

__all__ = ["JournaledStorage"]

#: A session before and after a write; None where it does not exist.
Pair = tuple[Session | None, Session | None]


class JournaledStorage:
    """A storage around another one that notes every write with what it replaces.

    Before each write the session is read, through ``reading``. A save that is compare-and-swap
    replaces exactly what was read, since otherwise it is refused. Deletes are compare-and-swap too,
    repeated until one succeeds.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> from graphflow_nb.journal import Journal, JournaledStorage
        >>> inner = InMemorySessionStorage()
        >>> storage = JournaledStorage(inner, Journal(), inner, "memory")
        >>> await storage.save(Session("claim-1", "intake"))
        >>> await storage.undo()  # the session was created, so it is deleted again
        >>> await inner.get("claim-1")

    Args:
        storage: The storage that performs the writes.
        journal: The journal that notes them.
        reading: The storage that is read for the journal, so that its reads are marked.
        place: The store's name in the journal, without secrets.

    Attributes:
        inner: The storage that performs the writes.
        journal: The journal.
    """

    def __init__(
        self, storage: SessionStorage, journal: Journal, reading: SessionStorage, place: str
    ):
        self._noting = True
        self.inner = storage
        self.journal = journal
        self._reading = reading
        self._place = place

    def without_notes(self) -> JournaledStorage:
        """Return the same storage for writes that the journal does not note."""
        twin = JournaledStorage(self.inner, self.journal, self._reading, self._place)
        twin._noting = False
        return twin

    @contextmanager
    def _note(
        self, op: Op, pairs: Sequence[Pair], undoes: int | None = None
    ) -> Iterator[list[Entry]]:
        """Note a write around it; see ``Journal.writing``."""
        if not self._noting:
            yield []
            return
        with self.journal.writing(self._place, op, pairs, undoes) as entries:
            yield entries

    async def get(self, id: str) -> Session | None:
        """Return the session with this id; see ``SessionStorage.get``."""
        return await self.inner.get(id)

    async def save(self, session: Session, *, before: Session | None = None) -> None:
        """Save a session; see ``SessionStorage.save``.

        Args:
            session: The session to save.
            before: The stored session, if the caller has just read it. Default: it is read.
        """
        if not self._noting:
            await self.inner.save(session)
            return
        if before is None:
            before = await self._reading.get(session.id)
        await self._save("save", session, before)

    async def _save(
        self, op: Op, session: Session, before: Session | None, undoes: int | None = None
    ) -> None:
        if before is None and not session.is_new:
            raise SessionConflict(session, None)
        with self._note(op, [(before, session)], undoes):
            await self.inner.save(session)

    async def upsert(self, session: Session) -> None:
        """Save a session whatever is stored; see ``SupportsUpsert``."""
        upsert = require(self.inner, SupportsUpsert).upsert
        before = await self._reading.get(session.id) if self._noting else None
        with self._note("upsert", [(before, session)]):
            await upsert(session)

    async def delete(self, id: str) -> None:
        """Delete the session with this id; see ``SessionStorage.delete``."""
        for _ in range(10):
            before = (await self._read([id])).get(id)
            if before is None or await self._delete("delete", [before]):
                return
        raise StorageError(f"session {id!r} was saved by others ten times in a row: try again")

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int | Session] | None = None
    ) -> list[str]:
        """Delete sessions, where versions are given only those that still have them.

        Args:
            ids: The ids; unknown ones are skipped.
            versions: The version that each session must still have, or the session in the state
                that it must still have; None for any.

        Returns:
            The ids that were deleted, in the order given.
        """
        wanted = {} if versions is None else dict(zip(ids, versions, strict=True))
        found = await self._read(ids)
        if versions is not None:
            found = {id: s for id, s in found.items() if _is_expected(s, wanted[id])}
        sessions = list(found.values())
        gone = set(await self.delete_unchanged(sessions))
        if versions is None:
            for session in sessions:
                if session.id not in gone:  # saved while it was to be deleted
                    await self.delete(session.id)
            return list(found)
        return [id for id, session in found.items() if session.id in gone]

    async def delete_unchanged(self, sessions: Sequence[Session]) -> list[str]:
        """Delete the sessions that are still exactly as they were read.

        Args:
            sessions: The sessions as they were read.

        Returns:
            The ids that were deleted, in the order given.
        """
        deleted: list[str] = []
        # In portions, so that no transaction grows without bound.
        for start in range(0, len(sessions), 1000):
            deleted += await self._delete("delete", sessions[start : start + 1000])
        return deleted

    async def _read(self, ids: Sequence[str]) -> dict[str, Session]:
        """Return the sessions that exist, by the ids as they were given.

        By ``query`` where there is one: in Redis it also tells in which time each expires.
        """
        known: dict[str, Session] = {}
        if isinstance(self._reading, SupportsQuery):
            for start in range(0, len(ids), MAX_IDS):
                query = Query(ids=ids[start : start + MAX_IDS], order="id")
                known |= {s.id: s for s in await self._reading.query(query)}
        found = {}
        for id in dict.fromkeys(ids):
            # A UUID may have been given in another spelling, which only get understands.
            session = known.get(id) or await self._reading.get(id)
            if session is not None:
                found[id] = session
        return found

    async def _delete(
        self, op: Op, sessions: Sequence[Session], undoes: int | None = None
    ) -> list[str]:
        with self._note(op, [(s, None) for s in sessions], undoes) as done:
            deleted = await delete_unchanged(self.inner, sessions)
            gone = set(deleted)
            done[:] = [entry for entry in done if entry.id in gone]
        return deleted

    # Undoing

    def entries(self) -> list[Entry]:
        """Return the writes on this store, oldest first."""
        return self.journal.entries(self._place)

    def undoable(self) -> list[Entry]:
        """Return the writes that can be undone, oldest first.

        An undo is not among them, or undoing twice would go back and forth.
        """
        return [
            entry
            for entry in self.entries()
            if entry.undone_by is None and entry.undoes is None and entry.state != "void"
        ]

    async def undo(self, number: int | None = None) -> Session | None:
        """Undo one write, if the session is still as that write left it.

        Args:
            number: The number of the entry; None for the newest that can be undone.

        Returns:
            The session as it is stored now; None if the write had created it.

        Raises:
            SessionConflict: The session was changed since; nothing was written.
            PatchError: The entry does not exist, or it was undone already.
        """
        entry = self._pick(number)
        stored = await self._reading.get(entry.id)
        if not _is_same(stored, entry.after, by_version=entry.state == "done"):
            if _is_same(stored, entry.before, by_version=False):
                self.journal.void(entry.number)  # never written, or undone by someone else
                return stored
            wanted = entry.before or entry.after
            assert wanted is not None
            raise SessionConflict(copy(wanted), stored)
        if entry.before is None:
            assert stored is not None
            if not await self._delete("undo", [stored], entry.number):
                raise SessionConflict(stored, await self._reading.get(entry.id))
            return None
        if stored is None:
            back = copy(entry.before)
            with self._note("undo", [(None, back)], entry.number):
                await restore(self.inner, back)
            return back
        back = with_document(stored, document(entry.before))
        await self._save("undo", back, stored, entry.number)
        return back

    async def undo_all(self) -> tuple[int, list[str]]:
        """Undo every write, newest first.

        If a session was changed by others since, its earlier writes are not undone either.

        Returns:
            The number of writes that were undone, and the ids of the sessions that were not undone.
        """
        report = await self.undo_many()
        return report.undone, [*report.changed, *report.failed]

    async def undo_many(
        self,
        numbers: Iterable[int] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> UndoReport:
        """Undo several writes, newest first for each session; see ``Client.undo_many``."""
        if numbers is None:
            numbers = [entry.number for entry in self.undoable()]
        wanted = {number: self._pick(number) for number in numbers}
        done = 0
        changed: dict[str, None] = {}
        failed: dict[str, str] = {}
        for looked, number in enumerate(sorted(wanted, reverse=True)):
            if stop is not None and stop():
                return UndoReport(done, list(changed), failed, len(wanted) - looked)
            id = wanted[number].id
            if id not in changed and id not in failed:
                try:
                    await self.undo(number)
                    done += 1
                except SessionConflict:
                    changed[id] = None
            if progress is not None:
                progress(looked + 1, len(wanted))
        return UndoReport(done, list(changed), failed)

    def _pick(self, number: int | None) -> Entry:
        if number is None:
            undoable = self.undoable()
            if not undoable:
                raise PatchError("there is nothing to undo: the journal has no write left")
            return undoable[-1]
        for entry in self.entries():
            if entry.number == number:
                if entry.undone_by is not None:
                    raise PatchError(f"entry {number} was undone already, by {entry.undone_by}")
                return entry
        raise PatchError(
            f"the journal has no entry {number!r} of this store; wb.journal lists them"
        )


def _is_expected(stored: Session, wanted: int | Session) -> bool:
    """Return whether a stored session has a version, or is in the state of another session."""
    if isinstance(wanted, Session):
        return is_same_state(wanted, stored)
    return stored.version == wanted


def _is_same(stored: Session | None, known: Session | None, *, by_version: bool) -> bool:
    """Return whether a stored session is the one that a write left.

    By its content, because undoing one write increments the version that an earlier one had left.
    By its version, where the outcome of the write is known; then the times count too, since in
    Redis a worker may save at the version that we left, without a time.
    """
    if stored is None or known is None:
        return stored is known
    before, now = (
        (session.version, session.created_at, session.updated_at) for session in (known, stored)
    )
    return (by_version and before == now) or not diff(stored, known)


async def delete_unchanged(storage: Any, sessions: Sequence[Session]) -> list[str]:
    """Delete the sessions that are still as they were read, and return their ids.

    A storage with ``delete_many`` alone compares versions. Without that too, sessions are read and
    deleted one by one; then a save between the comparison and the delete is lost.
    """
    if isinstance(storage, SupportsDeleteUnchanged):
        return await storage.delete_unchanged(sessions)
    if isinstance(storage, SupportsDeleteMany):
        return await storage.delete_many([s.id for s in sessions], [s.version for s in sessions])
    deleted = []
    for session in sessions:
        stored = await storage.get(session.id)
        if stored is not None and stored.version == session.version:
            await storage.delete(session.id)
            deleted.append(session.id)
    return deleted


async def restore(storage: Any, session: Session) -> None:
    """Put a deleted session back; as a new one in a storage without ``restore``."""
    if isinstance(storage, SupportsRestore):
        await storage.restore(session)
        return
    fresh = session.copy()
    await storage.save(fresh)
    session.mark_saved(fresh.version, fresh.raw_created, fresh.raw_updated)
