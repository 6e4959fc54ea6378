"""NotedWrites: a storage, its journal, and what all writes that are noted need."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple
from uuid import UUID

from ..errors import GraphflowError, JournalError, PatchError, SessionFormatError
from ..model import Session
from ..storage.attributes import attributes_of
from ..storage.odd import problems_of
from ..storage.origin import is_same_state
from ..storage.protocols import (
    SessionStorage,
    SupportsDeleteMany,
    SupportsDeleteUnchanged,
    SupportsQuery,
)
from ..storage.query import MAX_IDS, Query
from .entries import Entry, Op
from .journal import Journal, Noted

__all__ = ["NotedWrites", "Pair", "delete_unchanged", "read_sessions"]

#: A session before and after a write; None where it does not exist.
Pair = tuple[Session | None, Session | None]


class Stored(NamedTuple):
    """What is stored under some ids.

    Attributes:
        sessions: The sessions, by the ids as they were given.
        odd: What is wrong with what is not a session, by its id.
    """

    sessions: dict[str, Session]
    odd: dict[str, str]


class NotedWrites:
    """A storage and the journal in which writes to it are noted.

    Args:
        storage: The storage that performs the writes.
        journal: The journal that notes them.
        reading: The storage that is read for the journal.
        place: The store's name in the journal, without secrets.

    Attributes:
        storage, journal, reading: As passed.
    """

    def __init__(
        self, storage: SessionStorage, journal: Journal, reading: SessionStorage, place: str
    ):
        self.storage = storage
        self.journal = journal
        self.reading = reading
        self._place = place

    @property
    def atomic(self) -> bool:
        """Whether the storage writes several sessions all or none."""
        return attributes_of(self.storage).atomic_batches

    @property
    def _identity(self) -> str:
        # Asked each time, since a storage may learn it only when it connects.
        return attributes_of(self.storage).identity

    def note(
        self, op: Op, pairs: Iterable[Pair], undoes: Sequence[int] | int | None = None
    ) -> AbstractContextManager[Noted]:
        """Note writes around them; see ``Journal.writing``."""
        return self.journal.writing(self._place, op, pairs, undoes, store=self._identity)

    async def delete(
        self, op: Op, sessions: Sequence[Session], undoes: Sequence[int] | int | None = None
    ) -> list[str]:
        """Note and delete the sessions that are still as they were read; return their ids.

        Raises:
            JournalError: They could not be put back as they were; none was deleted.
        """
        if op == "delete" and (why := attributes_of(self.storage).no_restore):
            raise JournalError(
                f"{why}, so that undo could not put a deleted session back as it was: nothing was "
                "deleted. Delete for good with undo=False, or open the store again once this has "
                "changed"
            )
        with self.note(op, [(session, None) for session in sessions], undoes) as noted:
            try:
                deleted = await delete_unchanged(self.storage, sessions)
            except GraphflowError as error:
                if error.nothing_written and len(sessions) > 1 and not self.atomic:
                    # True of the part that the store refused; others may have been deleted.
                    left = await self.read([session.id for session in sessions])
                    for entry in noted.entries:
                        noted.settle(entry, made=entry.id not in left.sessions)
                raise
            gone = set(deleted)
            for entry in noted.entries:
                noted.settle(entry, made=entry.id in gone)
        return deleted

    async def read(self, ids: Sequence[str], *, exact: Container[str] = ()) -> Stored:
        """Return what is stored under these ids; see ``read_sessions``."""
        return await read_sessions(self.reading, ids, exact=exact)

    # The entries of this store

    def entries(self) -> list[Entry]:
        """Return the writes on this store, oldest first."""
        return self.journal.entries(self._place, store=self._identity)

    def undoable(self) -> list[Entry]:
        """Return the writes that can be undone, oldest first."""
        return self.journal.undoable(self._place, store=self._identity)

    def redoable(self) -> list[Entry]:
        """Return the undos that can be taken back, oldest first."""
        return self.journal.redoable(self._place, store=self._identity)

    def pick_undo(self, number: object) -> Entry:
        """Return the undo that is to be taken back.

        Args:
            number: Its number; None for the newest that can be taken back.

        Raises:
            PatchError: There is none, or the entry is no undo, or was taken back already.
            JournalError: It is not known which entry is the newest.
        """
        if number is not None:
            entry = self.pick(number)
            if entry.undoes is None or entry.redo:
                raise PatchError(f"entry {number} is not an undo: undo({number}) undoes it")
            return entry
        self.journal.check_undamaged()
        found = self.redoable()
        if not found:
            raise PatchError("there is nothing to redo: the journal has no undo left")
        return found[-1]

    def pick(self, number: object) -> Entry:
        """Return the entry that is to be undone.

        Args:
            number: Its number; None for the newest that can be undone.

        Raises:
            PatchError: There is none, or it was undone already.
            JournalError: It is not known which entry is the newest.
        """
        if number is None:
            newest = self.journal.newest_undoable(self._place, store=self._identity)
            if newest is None:
                raise PatchError("there is nothing to undo: the journal has no write left")
            return newest
        entry = self.journal.find(number, self._place, store=self._identity)
        if entry is None:
            raise PatchError(
                f"the journal has no entry {number!r} of this store; wb.journal lists them"
            )
        if entry.undone_by is not None:
            raise PatchError(f"entry {number} was undone already, by {entry.undone_by}")
        return entry


async def read_sessions(
    storage: SessionStorage, ids: Sequence[str], *, exact: Container[str] = ()
) -> Stored:
    """Return what a storage has under these ids.

    By ``query`` where there is one: in Redis it also tells when each expires.

    Args:
        storage: The storage.
        ids: The ids.
        exact: Those that are spelled as the store does; of the others, UUIDs may be in another
            spelling, which only ``get`` understands.
    """
    known: dict[str, Session] = {}
    odd: dict[str, str] = {}
    asked = isinstance(storage, SupportsQuery)
    if isinstance(storage, SupportsQuery):
        for start in range(0, len(ids), MAX_IDS):
            found = await storage.query(Query(ids=ids[start : start + MAX_IDS], order="id"))
            known |= {session.id: session for session in found}
            odd |= problems_of(found)
    sessions = {}
    for id in dict.fromkeys(ids):
        session = known.get(id)
        if session is None and id not in odd and not (asked and (id in exact or _is_exact(id))):
            try:
                session = await storage.get(id)
            except SessionFormatError as error:
                odd[id] = str(error)
        if session is not None:
            sessions[id] = session
    return Stored(sessions, {id: odd[id] for id in ids if id in odd})


def _is_exact(id: str) -> bool:
    """Return whether an id can't be a UUID in another spelling than a store's."""
    try:
        return str(UUID(id)) == id
    except ValueError:
        return True


async def delete_unchanged(storage: SessionStorage, sessions: Sequence[Session]) -> list[str]:
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
        if stored is not None and is_same_state(session, stored):
            await storage.delete(session.id)
            deleted.append(session.id)
    return deleted
