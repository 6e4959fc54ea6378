"""JournaledStorage: a storage whose writes are noted and can be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..errors import GraphflowError, JournalError, SessionConflict, StorageError
from ..model import Session, stored_session
from ..model.times import micros_or_none
from ..storage.capabilities import require
from ..storage.origin import is_as_read, is_same_state
from ..storage.protocols import SessionStorage, SupportsUpsert
from .entries import Entry, Op, UndoReport
from .journal import Journal
from .noting import NotedWrites, delete_unchanged, read_sessions
from .portions import Portions
from .undoing import undo, undo_many

__all__ = ["JournaledStorage", "UnnotedStorage"]

_TRIES = 10


class JournaledStorage:
    """A storage around another one that notes every write with what it replaces.

    Before each write the session is read, through ``reading``. Each write is compare-and-swap with
    what was read, so what it replaces is exactly what is noted. An upsert and a delete are repeated
    until one succeeds.

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
        unnoted: The same storage for writes that are not noted.
    """

    def __init__(
        self, storage: SessionStorage, journal: Journal, reading: SessionStorage, place: str
    ):
        self.inner = storage
        self.journal = journal
        self.unnoted = UnnotedStorage(storage, reading)
        self._writes = NotedWrites(storage, journal, reading, place)

    async def get(self, id: str) -> Session | None:
        """Return the session with this id; see ``SessionStorage.get``."""
        return await self.inner.get(id)

    async def save(self, session: Session, *, before: Session | None = None) -> None:
        """Save a session; see ``SessionStorage.save``.

        Args:
            session: The session to save.
            before: The stored session, if the caller has just read it. Default: it is read.

        Raises:
            JournalError: It can't be noted; it was not saved.
        """
        if before is None:
            before = await self._writes.reading.get(session.id)
        if before is None and not session.is_new:
            raise SessionConflict(session, None)
        if before is not None and _knows_less(session, before):
            await self._save_over(before, session, "save")
            return
        with self._writes.note("save", [(before, session)]):
            await self.inner.save(session)

    async def upsert(self, session: Session) -> None:
        """Save a session whatever is stored; see ``SupportsUpsert``.

        Raises:
            JournalError: It can't be noted; it was not saved.
            StorageError: Others save the session again and again; it was not saved.
        """
        require(self.inner, SupportsUpsert)
        for _ in range(_TRIES):
            before = await self._writes.reading.get(session.id)
            try:
                await self._save_over(before, session, "upsert")
            except SessionConflict:  # others saved it meanwhile, so it would replace what is noted
                continue
            return
        raise _contention_error(session.id, "not saved")

    async def _save_over(self, before: Session | None, session: Session, op: Op) -> None:
        """Save the content of a session over what was read, or not at all."""
        over = session.copy() if before is None else _put_over(before, session)
        with self._writes.note(op, [(before, over)]):
            await self.inner.save(over)
        session.mark_saved(over.version, over.raw_created, over.raw_updated, over.seen)

    async def delete(self, id: str) -> None:
        """Delete the session with this id; see ``SessionStorage.delete``.

        Raises:
            JournalError: It can't be noted; it was not deleted.
        """
        for _ in range(_TRIES):
            found = await self._writes.read([id])
            if found.odd:
                raise _odd_error(found.odd, 0)
            before = found.sessions.get(id)
            if before is None or await self._writes.delete("delete", [before]):
                return
        raise _contention_error(id, "not deleted")

    async def delete_many(
        self,
        ids: Sequence[str],
        versions: Sequence[int | Session] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Delete sessions, where versions are given only those that still have them.

        Args:
            ids: The ids; unknown ones are skipped.
            versions: The version that each session must still have, or the session in the state
                that it must still have; None for any.
            progress, stop: See ``Client.undo_many``, with the number of ids.

        Returns:
            The ids that were deleted, in the order given.

        Raises:
            JournalError: Some can't be noted and were not deleted; the error says how many were.
        """
        wanted = None if versions is None else dict(zip(ids, versions, strict=True))
        order = list(dict.fromkeys(ids))
        deleted: list[str] = []
        odd: dict[str, str] = {}
        portions = Portions(self._writes.storage)
        at = 0
        try:
            while at < len(order):
                if stop is not None and stop():
                    break
                stored = await self._writes.read(order[at : at + portions.size])
                at += portions.size
                found = stored.sessions
                if wanted is None:
                    odd |= stored.odd
                else:
                    found = {id: s for id, s in found.items() if _is_expected(s, wanted[id])}
                with portions.written(found.values()):
                    deleted += await self._delete_portion(found, again=wanted is None)
                if progress is not None:
                    progress(min(at, len(order)), len(order))
                if at < len(order):
                    await portions.rest()
        except GraphflowError as error:
            _note_deleted(error, deleted, order, ", which can be undone")
            raise
        if odd:
            raise _odd_error(odd, len(deleted))
        return deleted

    async def delete_unchanged(
        self,
        sessions: Sequence[Session],
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Delete the sessions that are still exactly as they were read.

        Args:
            sessions: The sessions as they were read.
            progress, stop: See ``Client.undo_many``, with the number of ids.

        Returns:
            The ids that were deleted, in the order given.
        """
        # Read again: what is noted is what is stored, also where the caller has changed a session
        # since, or has not asked when it expires.
        ids = [session.id for session in sessions]
        return await self.delete_many(ids, sessions, progress=progress, stop=stop)

    async def _delete_portion(self, found: dict[str, Session], *, again: bool) -> list[str]:
        """Delete sessions that were read, and return the ids of those that are gone.

        Args:
            found: The sessions, by the ids as they were given.
            again: Whether one that was saved meanwhile is read and deleted again.
        """
        sessions = {session.id: session for session in found.values()}
        gone = set(await self._writes.delete("delete", list(sessions.values())))
        if again:
            for id in sessions.keys() - gone:
                await self.delete(id)
                gone.add(id)
        first = {session.id: id for id, session in reversed(found.items())}
        return [id for id, s in found.items() if s.id in gone and first[s.id] == id]

    # Undoing

    def entries(self) -> list[Entry]:
        """Return the writes on this store, oldest first."""
        return self._writes.entries()

    def undoable(self) -> list[Entry]:
        """Return the writes that can be undone, oldest first.

        An undo is not among them, or undoing twice would go back and forth; the redo of a write is.
        """
        return self._writes.undoable()

    def redoable(self) -> list[Entry]:
        """Return the undos that can be taken back, oldest first."""
        return self._writes.redoable()

    async def redo(self, number: int | None = None) -> Session | None:
        """Take back one undo, if the session is still as that undo left it.

        Args:
            number: The number of the undo's entry; None for the newest that can be taken back.

        Returns:
            The session as it is stored now; None if the write had deleted it.

        Raises:
            SessionConflict: The session was changed since; nothing was written.
            PatchError: There is nothing to redo, or the entry is not an undo.
            JournalError: Lines of the journal can't be read, and ``number`` was left out.
        """
        return await undo(self._writes, self._writes.pick_undo(number))

    async def undo(self, number: int | None = None) -> Session | None:
        """Undo one write, if the session is still as that write left it.

        Args:
            number: The number of the entry; None for the newest that can be undone.

        Returns:
            The session as it is stored now; None if the write had created it.

        Raises:
            SessionConflict: The session was changed since; nothing was written.
            PatchError: The entry does not exist, or it was undone already.
            JournalError: Lines of the journal can't be read, and ``number`` was left out.
        """
        return await undo(self._writes, self._writes.pick(number))

    async def undo_many(
        self,
        numbers: Iterable[int] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> UndoReport:
        """Undo several writes, newest first for each session; see ``Client.undo_many``."""
        if numbers is None:
            self.journal.check_undamaged()
            wanted = [entry.number for entry in self._writes.undoable()]
        else:
            wanted = [self._writes.pick(number).number for number in dict.fromkeys(numbers)]
        return await undo_many(self._writes, wanted, progress, stop)


class UnnotedStorage:
    """The same methods for writes that the journal does not note.

    Args:
        storage: The storage that performs the writes.
        reading: The storage that is read for what is compared.
    """

    def __init__(self, storage: SessionStorage, reading: SessionStorage):
        self._storage = storage
        self._reading = reading

    async def get(self, id: str) -> Session | None:
        """Return the session with this id."""
        return await self._storage.get(id)

    async def save(self, session: Session, *, before: Session | None = None) -> None:
        """Save a session; ``before`` is not needed."""
        await self._storage.save(session)

    async def upsert(self, session: Session) -> None:
        """Save a session whatever is stored."""
        await require(self._storage, SupportsUpsert).upsert(session)

    async def delete(self, id: str) -> None:
        """Delete the session with this id."""
        await self._storage.delete(id)

    async def delete_many(
        self,
        ids: Sequence[str],
        versions: Sequence[int | Session] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Delete sessions, where versions are given only those that still have them.

        Returns:
            The ids that were deleted, in the order given.
        """
        wanted = None if versions is None else dict(zip(ids, versions, strict=True))
        order = list(dict.fromkeys(ids))
        deleted: list[str] = []
        portions = Portions(self._storage)
        at = 0
        try:
            while at < len(order):
                if stop is not None and stop():
                    break
                portion = order[at : at + portions.size]
                at += len(portion)
                stored = await read_sessions(self._reading, portion)
                found = stored.sessions
                if wanted is not None:
                    found = {id: s for id, s in found.items() if _is_expected(s, wanted[id])}
                with portions.written(found.values()):
                    gone = set(await delete_unchanged(self._storage, list(found.values())))
                if wanted is None:
                    for session in found.values():
                        if session.id not in gone:
                            await self._storage.delete(session.id)
                            gone.add(session.id)
                    for id in stored.odd:
                        await self._storage.delete(id)
                deleted += [
                    id
                    for id in portion
                    if (id in found and found[id].id in gone)
                    or (wanted is None and id in stored.odd)
                ]
                if progress is not None:
                    progress(at, len(order))
                if at < len(order):
                    await portions.rest()
        except GraphflowError as error:
            _note_deleted(error, deleted, order)
            raise
        return deleted

    async def delete_unchanged(
        self,
        sessions: Sequence[Session],
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Delete the sessions that are still exactly as they were read, and return their ids."""
        deleted: list[str] = []
        portions = Portions(self._storage)
        at = 0
        try:
            while at < len(sessions):
                if stop is not None and stop():
                    break
                portion = sessions[at : at + portions.size]
                at += len(portion)
                with portions.written(portion):
                    deleted += await delete_unchanged(self._storage, portion)
                if progress is not None:
                    progress(at, len(sessions))
                if at < len(sessions):
                    await portions.rest()
        except GraphflowError as error:
            _note_deleted(error, deleted, sessions)
            raise
        return deleted


def _knows_less(session: Session, stored: Session) -> bool:
    """Return whether a save compares less of the stored session than the journal has read.

    So it is for a session that came from JSON, or from another store.
    """
    state, seen = stored.seen, session.seen
    if state is None or session.is_new:
        return False
    if seen is not None and seen.version == session.version and seen.store == state.store:
        return False
    return is_as_read(session, state, micros_or_none(stored.raw_created))


def _put_over(stored: Session, session: Session) -> Session:
    """Return the content of a session in the state of a stored one, so that a save replaces it."""
    return stored_session(
        stored.id,
        session.graph_id,
        session.current_task_id,
        session.status_message,
        session.context_json(),
        stored.version,
        stored.raw_created,
        stored.raw_updated,
        session.extra,
        stored.seen,
    )


def _contention_error(id: str, outcome: str) -> StorageError:
    return StorageError(
        f"session {id!r} was saved by others ten times in a row and {outcome}: try again",
        nothing_written=True,
    )


def _note_deleted(
    error: GraphflowError, deleted: Sequence[str], wanted: Sequence[object], back: str = ""
) -> None:
    """Let an error say how many of many sessions were deleted before it, if any were."""
    if deleted:
        error.note_done(
            f"{len(deleted):,} of {len(wanted):,} sessions were deleted before it{back}; the same "
            "call goes on with the others"
        )


def _odd_error(odd: Mapping[str, str], deleted: int) -> JournalError:
    """Return the error for what is not a session, so that its delete could not be undone."""
    id, problem = next(iter(odd.items()))
    more = f" and {len(odd) - 1:,} more" if len(odd) > 1 else ""
    rest = f"; the other {deleted:,} were deleted, which can be undone" if deleted else ""
    return JournalError(
        f"{id!r}{more} can't be noted in the journal, and was not deleted{rest} ({problem}). "
        f"wb.raw({id!r}) shows it; wb.delete({id!r}, undo=False) deletes it for good"
    )


def _is_expected(stored: Session, wanted: int | Session) -> bool:
    """Return whether a stored session has a version, or is in the state of another session."""
    if isinstance(wanted, Session):
        return is_same_state(wanted, stored)
    return stored.version == wanted
