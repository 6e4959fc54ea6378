"""A storage whose writes are noted, and can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from ..changes.patch import diff, document, with_document
from ..errors import PatchError, SessionConflict, StorageError
from ..model import Session
from ..storage.protocols import (
    SessionStorage,
    SupportsDeleteMany,
    SupportsQuery,
    SupportsRestore,
    SupportsUpsert,
    require,
)
from ..storage.query import MAX_IDS, Query
from .entries import Entry, Journal, Op

__all__ = ["JournaledStorage"]


class JournaledStorage:
    """Wraps a storage; every write is noted with what stood there before.

    Before each write the session is read once more, through ``reading``. A save that is
    compare-and-swap then replaces just what was read, since otherwise it is refused. Deletes are
    compare-and-swap too, again and again until one succeeds.

    Args:
        storage: that writes.
        journal: that notes.
        reading: the storage inside that is read for the journal, so that no operation is recorded.
        place: the store's name in the journal, without secrets.
    """

    def __init__(
        self, storage: SessionStorage, journal: Journal, reading: SessionStorage, place: str
    ):
        self.inner = storage
        self.journal = journal
        self._reading = reading
        self._place = place

    async def get(self, id: str) -> Session | None:
        return await self.inner.get(id)

    async def save(self, session: Session, *, before: Session | None = None) -> None:
        """Save a session; see ``SessionStorage.save``.

        Args:
            session: The session to save.
            before: The stored session, if the caller has just read it. Default: it is read.
        """
        if before is None:
            before = await self._reading.get(session.id)
        await self._save("save", session, before)

    async def _save(
        self, op: Op, session: Session, before: Session | None, undoes: int | None = None
    ) -> None:
        if before is None and not session.is_new:
            raise SessionConflict(session, None)
        with self.journal.writing(self._place, op, [(before, session)], undoes):
            await self.inner.save(session)

    async def upsert(self, session: Session) -> None:
        """Save a session whatever is stored; see ``SupportsUpsert``."""
        upsert = require(self.inner, SupportsUpsert).upsert
        before = await self._reading.get(session.id)
        with self.journal.writing(self._place, "upsert", [(before, session)]):
            await upsert(session)

    async def delete(self, id: str) -> None:
        for _ in range(10):
            before = await self._reading.get(id)
            if before is None or await self._delete("delete", [before]):
                return
        raise StorageError(f"session {id!r} was saved by others ten times in a row: try again")

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete these, where versions are given only those that still have them.

        Returns:
            The ids that were deleted, in the order given.
        """
        wanted = {} if versions is None else dict(zip(ids, versions, strict=True))
        found = await self._read(ids)
        if versions is not None:
            found = {id: s for id, s in found.items() if s.version == wanted[id]}
        sessions = list(found.values())
        gone: set[str] = set()
        # In portions, so that no transaction grows without bound.
        for start in range(0, len(sessions), 1000):
            gone.update(await self._delete("delete", sessions[start : start + 1000]))
        if versions is None:
            for session in sessions:
                if session.id not in gone:  # saved while it was to be deleted
                    await self.delete(session.id)
            return list(found)
        return [id for id, session in found.items() if session.id in gone]

    async def _read(self, ids: Sequence[str]) -> dict[str, Session]:
        """Those that are there, by the ids as they were given."""
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
        with self.journal.writing(self._place, op, [(s, None) for s in sessions], undoes) as done:
            deleted = await delete_unchanged(self.inner, sessions)
            gone = set(deleted)
            done[:] = [entry for entry in done if entry.id in gone]
        return deleted

    # Undoing

    def entries(self) -> list[Entry]:
        """The writes on this store, oldest first."""
        return self.journal.entries(self._place)

    def undoable(self) -> list[Entry]:
        """Those that ``undo`` could take back, oldest first.

        An undo is no write of its own here, or undoing twice would go back and forth.
        """
        return [
            entry
            for entry in self.entries()
            if entry.undone_by is None and entry.undoes is None and entry.state != "void"
        ]

    async def undo(self, number: int | None = None) -> Session | None:
        """Take one write back, if the session is still as that write left it.

        Args:
            number: of the entry; None for the newest that was not undone and undoes none.

        Returns:
            The session as it is stored now, None if the write had created it.

        Raises:
            SessionConflict: the session was changed since; nothing was written.
            PatchError: there is no such entry, or it was undone already.
        """
        entry = self._pick(number)
        stored = await self._reading.get(entry.id)
        if not _is(stored, entry.after, told=entry.state == "done"):
            if _is(stored, entry.before, told=False):
                self.journal.void(entry.number)  # never written, or taken back by someone else
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
            with self.journal.writing(self._place, "undo", [(None, back)], entry.number):
                await restore(self.inner, back)
            return back
        back = with_document(stored, document(entry.before))
        await self._save("undo", back, stored, entry.number)
        return back

    async def undo_all(self) -> tuple[int, list[str]]:
        """Take back every write, newest first.

        Of a session that was changed by others since, what was written before is left alone too.

        Returns:
            How many were taken back, and the ids of the sessions that were left alone.
        """
        done = 0
        changed: dict[str, None] = {}
        for entry in reversed(self.undoable()):
            if entry.id in changed:
                continue
            try:
                await self.undo(entry.number)
                done += 1
            except SessionConflict:
                changed[entry.id] = None
        return done, list(changed)

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


def _is(stored: Session | None, known: Session | None, told: bool) -> bool:
    """Whether a session is the one known, by its version if that was told, or by its content.

    By content, because undoing one write moves on the version that an earlier one had left. The
    times count too: in Redis a worker may save at the version that we left, and tells no time.
    """
    if stored is None or known is None:
        return stored is known
    stood, stands = (
        (session.version, session.created_at, session.updated_at) for session in (known, stored)
    )
    return (told and stood == stands) or not diff(stored, known)


async def delete_unchanged(storage: Any, sessions: Sequence[Session]) -> list[str]:
    """Delete sessions that are as they were read; one by one where the storage has no better way.

    Then a save between the comparison and the delete is lost, which only a storage with
    ``delete_many`` can prevent.
    """
    if isinstance(storage, SupportsDeleteMany):
        found: list[str] = await storage.delete_many(
            [s.id for s in sessions], [s.version for s in sessions]
        )
        return found
    deleted = []
    for session in sessions:
        stored = await storage.get(session.id)
        if stored is not None and stored.version == session.version:
            await storage.delete(session.id)
            deleted.append(session.id)
    return deleted


async def restore(storage: Any, session: Session) -> None:
    """Put a deleted session back; as a new one where the storage has no better way."""
    if isinstance(storage, SupportsRestore):
        await storage.restore(session)
        return
    fresh = session.copy()
    await storage.save(fresh)
    session.mark_saved(fresh.version, fresh.raw_created, fresh.raw_updated)
