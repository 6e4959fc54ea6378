"""Undoing: one write, or many in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Final, NamedTuple

from ..changes import diff, document, with_document
from ..errors import (
    ContextError,
    GraphflowError,
    ReadOnlyError,
    SessionConflict,
    StorageDenied,
    StorageFull,
    StorageMissing,
    StorageUnavailable,
)
from ..model import Session
from ..storage.capabilities import require
from ..storage.content import content_hash
from ..storage.protocols import (
    SessionStorage,
    SupportsRestore,
    SupportsRestoreMany,
    SupportsSaveMany,
)
from .entries import Entry, UndoReport
from .journal import Noted
from .noting import NotedWrites, delete_unchanged
from .portions import Portions

__all__ = ["is_same", "undo", "undo_many"]

#: Errors of a store that takes no write now, each by itself neither.
_TAKES_NONE: Final = (StorageFull, StorageMissing, StorageUnavailable, ReadOnlyError)
_BATCH_BYTES: Final = 4_000_000  # of writes that are undone together


async def undo(writes: NotedWrites, entry: Entry) -> Session | None:
    """Undo one write; see ``JournaledStorage.undo``."""
    stored = await writes.reading.get(entry.id)
    before, after = entry.sides()
    if not is_same(stored, after, by_mark=entry.state == "done"):
        if is_same(stored, before, by_mark=False):
            writes.journal.void(entry.number)  # never written, or undone by someone else
            return stored
        wanted = before or after
        assert wanted is not None
        raise SessionConflict(copy(wanted), stored)
    if before is None:
        assert stored is not None
        if not await writes.delete("undo", [stored], entry.number):
            raise SessionConflict(stored, await writes.reading.get(entry.id))
        return None
    if stored is None:
        back = copy(before)
        with writes.note("undo", [(None, back)], entry.number):
            await _restore(writes.storage, back)
        return back
    back = with_document(stored, document(before))
    with writes.note("undo", [(stored, back)], entry.number):
        await writes.storage.save(back)
    return back


class _Step(NamedTuple):
    """A write that undoes another: the session that is stored, and the one that will be."""

    entry: Entry
    stored: Session | None
    back: Session | None


class _Tally:
    """What became of the writes so far."""

    def __init__(self) -> None:
        self.undone = 0
        self.changed: dict[str, None] = {}
        self.failed: dict[str, str] = {}

    def is_left_alone(self, id: str) -> bool:
        """Return whether a session has a later write that was not undone."""
        return id in self.changed or id in self.failed

    def report(self, remaining: int) -> UndoReport:
        """Return the report."""
        return UndoReport(self.undone, list(self.changed), self.failed, remaining)


async def undo_many(
    writes: NotedWrites,
    numbers: Iterable[int],
    progress: Callable[[int, int], None] | None,
    stop: Callable[[], bool] | None,
) -> UndoReport:
    """Undo several writes; see ``Client.undo_many``.

    Args:
        writes: The storage and its journal.
        numbers: The numbers of the entries, which can be undone.
        progress, stop: See there.
    """
    waiting = deque(sorted(numbers, reverse=True))
    total = len(waiting)
    tally = _Tally()
    portions = Portions(writes.storage)
    while waiting:
        if stop is not None and stop():
            break
        batch = _take_batch(writes, waiting, portions.size)
        left = [entry for entry in batch if not tally.is_left_alone(entry.id)]
        try:
            with portions.measure(len(batch), sum(entry.size for entry in batch)):
                await _undo_batch(writes, left, tally)
        except GraphflowError as error:
            if tally.undone:
                error.note_done(
                    f"{tally.undone:,} of {total:,} writes were undone before it; undoing again "
                    "goes on with the others"
                )
            raise
        if progress is not None:
            progress(total - len(waiting), total)
        if waiting:
            await portions.rest()
    return tally.report(len(waiting))


def _take_batch(writes: NotedWrites, waiting: deque[int], most: int) -> list[Entry]:
    """Take the newest entries that are of different sessions, of bounded number and size.

    Those of a session that the batch has already stay in front.
    """
    batch: dict[str, Entry] = {}
    later: list[int] = []
    size = 0
    # As many are put back as are taken at most, so that many writes of one session cost no more.
    while waiting and len(batch) < most and size < _BATCH_BYTES and len(later) <= len(batch):
        entry = writes.pick(waiting.popleft())
        if entry.id in batch:
            later.append(entry.number)
        else:
            batch[entry.id] = entry
            size += entry.size
    waiting.extendleft(reversed(later))
    return list(batch.values())


async def _undo_batch(writes: NotedWrites, batch: Sequence[Entry], tally: _Tally) -> None:
    # A session that was stored before was noted by its own id.
    exact = {entry.id for entry in batch if entry.version_before is not None}
    stored = await writes.read([entry.id for entry in batch], exact=exact)
    deletes: list[_Step] = []
    restores: list[_Step] = []
    saves: list[_Step] = []
    for entry in batch:
        now = stored.sessions.get(entry.id)
        if entry.id in stored.odd:
            tally.failed[entry.id] = stored.odd[entry.id]
            continue
        try:
            before, after = entry.sides()
            if not is_same(now, after, by_mark=entry.state == "done"):
                if is_same(now, before, by_mark=False):
                    writes.journal.void(entry.number)
                    tally.undone += 1
                else:
                    tally.changed[entry.id] = None
            elif before is None:
                deletes.append(_Step(entry, now, None))
            elif now is None:
                restores.append(_Step(entry, None, copy(before)))
            else:
                saves.append(_Step(entry, now, with_document(now, document(before))))
        except GraphflowError as error:
            tally.failed[entry.id] = str(error)
    await _make(writes, deletes, tally, _delete_all, _delete_one)
    restore_all = _restore_all if isinstance(writes.storage, SupportsRestoreMany) else None
    await _make(writes, restores, tally, restore_all, _restore_one)
    save_all = _save_all if isinstance(writes.storage, SupportsSaveMany) else None
    await _make(writes, saves, tally, save_all, _save_one)


#: Makes several writes, and returns the ids of the sessions that others changed.
_MakeAll = Callable[[SessionStorage, Sequence[_Step]], Awaitable[set[str]]]
#: Makes one write; raises SessionConflict where others changed the session.
_MakeOne = Callable[[SessionStorage, _Step], Awaitable[None]]


async def _make(
    writes: NotedWrites,
    steps: Sequence[_Step],
    tally: _Tally,
    make_all: _MakeAll | None,
    make_one: _MakeOne,
) -> None:
    """Make writes at once; where the store refuses one of them, each by itself."""
    if make_all is not None and len(steps) > 1:
        made: set[str] = set()
        try:
            with _note(writes, steps) as noted:
                try:
                    changed = await make_all(writes.storage, steps)
                except GraphflowError as error:
                    if error.nothing_written and not writes.atomic:
                        # True of the part that the store refused; others may have been made.
                        made = await _find_made(writes, steps)
                        for entry, step in zip(noted.entries, steps, strict=True):
                            noted.settle(entry, made=step.entry.id in made)
                    raise
                for entry, step in zip(noted.entries, steps, strict=True):
                    noted.settle(entry, made=step.entry.id not in changed)
        except GraphflowError as error:
            if not error.nothing_written:
                raise
            tally.undone += len(made)
            if isinstance(error, _TAKES_NONE):
                raise
            steps = [step for step in steps if step.entry.id not in made]
            if isinstance(error, StorageDenied):  # nor has the user the right to each
                tally.failed |= dict.fromkeys((step.entry.id for step in steps), str(error))
                return
        else:
            tally.undone += len(steps) - len(changed)
            tally.changed |= dict.fromkeys(changed)
            return
    if not steps:
        return
    with _note(writes, steps) as noted:
        pending = deque(zip(noted.entries, steps, strict=True))
        try:
            while pending:
                entry, step = pending.popleft()
                try:
                    await make_one(writes.storage, step)
                except GraphflowError as error:
                    if not error.nothing_written:
                        raise
                    noted.settle(entry, made=False)
                    if isinstance(error, _TAKES_NONE):
                        raise
                    if isinstance(error, SessionConflict):
                        tally.changed[step.entry.id] = None
                    else:
                        tally.failed[step.entry.id] = str(error)
                else:
                    noted.settle(entry, made=True)
                    tally.undone += 1
        except BaseException:
            for entry, _ in pending:
                noted.settle(entry, made=False)
            raise


async def _find_made(writes: NotedWrites, steps: Sequence[_Step]) -> set[str]:
    """Return the ids of the sessions that are as their write was to leave them."""
    stored = (await writes.read([step.entry.id for step in steps])).sessions
    return {
        step.entry.id
        for step in steps
        if is_same(stored.get(step.entry.id), step.back, by_mark=False)
    }


def _note(writes: NotedWrites, steps: Sequence[_Step]) -> AbstractContextManager[Noted]:
    pairs = [(step.stored, step.back) for step in steps]
    return writes.note("undo", pairs, [step.entry.number for step in steps])


async def _delete_all(storage: SessionStorage, steps: Sequence[_Step]) -> set[str]:
    sessions = [step.stored for step in steps if step.stored is not None]
    gone = set(await delete_unchanged(storage, sessions))
    return {session.id for session in sessions if session.id not in gone}


async def _delete_one(storage: SessionStorage, step: _Step) -> None:
    assert step.stored is not None
    if await _delete_all(storage, [step]):
        raise SessionConflict(step.stored, await storage.get(step.stored.id))


async def _save_all(storage: SessionStorage, steps: Sequence[_Step]) -> set[str]:
    save_many = require(storage, SupportsSaveMany).save_many
    conflicts = await save_many([step.back for step in steps if step.back is not None])
    return {conflict.session.id for conflict in conflicts}


async def _restore_all(storage: SessionStorage, steps: Sequence[_Step]) -> set[str]:
    restore_many = require(storage, SupportsRestoreMany).restore_many
    conflicts = await restore_many([step.back for step in steps if step.back is not None])
    return {conflict.session.id for conflict in conflicts}


async def _save_one(storage: SessionStorage, step: _Step) -> None:
    assert step.back is not None
    await storage.save(step.back)


async def _restore_one(storage: SessionStorage, step: _Step) -> None:
    assert step.back is not None
    await _restore(storage, step.back)


async def _restore(storage: SessionStorage, session: Session) -> None:
    """Put a deleted session back; as a new one in a storage without ``restore``."""
    if isinstance(storage, SupportsRestore):
        await storage.restore(session)
        return
    fresh = session.copy()
    await storage.save(fresh)
    session.mark_saved(fresh.version, fresh.raw_created, fresh.raw_updated, fresh.seen)


def is_same(stored: Session | None, known: Session | None, *, by_mark: bool) -> bool:
    """Return whether a stored session is the one that a write left.

    By its content, because undoing one write increments the version that an earlier one had left,
    and since some writers count no versions. Where the outcome of the write is known, also by the
    mark of the stored state: the store may hold the content in another form than it was sent in.
    """
    if stored is None or known is None:
        return stored is known
    marked = by_mark and known.seen is not None and known.seen == stored.seen
    return marked or not diff(stored, known) or _differ_in_form_only(stored, known)


def _differ_in_form_only(stored: Session, known: Session) -> bool:
    """Return whether only the form of numbers differs, which JSONB changes: 1e21 and 1000…."""
    try:
        return content_hash(stored) == content_hash(known)
    except ContextError:
        return False
