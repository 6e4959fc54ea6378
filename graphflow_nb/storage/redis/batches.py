"""Several sessions at once: many commands are sent together, in portions of bounded size."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import SessionConflict
from ...model import Session
from ...model.times import UNKNOWN_TIME, micros_or_none
from ..trace import current
from .clock import next_time, next_version
from .form import UNCOUNTED, Stored, digest, encode
from .index import Position, RedisIndex
from .records import New, Records, Swap, Write

__all__ = ["PORTION", "Batches", "position_of", "restored"]

PORTION = 500  # commands sent at once
_PORTION_BYTES = 4_000_000


class Batches:
    """The writes of several sessions; callers have checked the texts, ids and rights.

    Args:
        records: The stored sessions.
        index: The index that is kept up to date.
    """

    def __init__(self, records: Records, index: RedisIndex):
        self._records = records
        self._index = index

    async def save(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Save each session as ``RedisSessionStorage.save`` does.

        Returns:
            The conflicts, in the order given; their sessions were not saved.
        """
        conflicts: dict[str, SessionConflict] = {}
        for portion in _portions(sessions):
            conflicts |= await self._save_portion(portion)
        return [conflicts[session.id] for session in sessions if session.id in conflicts]

    async def _save_portion(self, portion: Sequence[Session]) -> dict[str, SessionConflict]:
        trace = current()
        # Where it is not known from which text a session was read, the stored one is read again.
        unseen = [
            session
            for session in portion
            if not session.is_new and self._records.seen_mark(session) is None
        ]
        conflicts: dict[str, SessionConflict] = {}
        known: dict[str, Stored] = {}
        there = await self._records.read_many([session.id for session in unseen])
        for session, stored in zip(unseen, there, strict=True):
            if stored is None or not self._records.is_as_read(session, stored):
                conflicts[session.id] = SessionConflict(
                    session, None if stored is None else self._records.session(stored)
                )
            else:
                known[session.id] = stored
        trace.lap("execute")
        creates: list[Write] = []
        updates: list[Write] = []
        swaps: list[Swap] = []
        for session in portion:
            if session.is_new:
                now = next_time()
                creates.append(Write(session, encode(session, 1, now, now), 1, now, now))
            elif session.id not in conflicts:
                write, seen = _update(session, known.get(session.id))
                updates.append(write)
                swaps.append(Swap(session.id, seen, write.text))
        writes = [*creates, *updates]
        trace.lap("encode")
        trace.size(sum(len(write.text) for write in writes), len(writes))
        created = await self._records.create_many([New(w.session.id, w.text) for w in creates])
        swapped = await self._records.swap_many(swaps)
        trace.lap("execute")
        saved: list[Session] = []
        for write, done in zip(creates, created, strict=True):
            # An id that was taken may be free again by now.
            other = None if done else await self._records.create(New(write.session.id, write.text))
            if other is None:
                write.mark_saved(self._records.store)
                saved.append(write.session)
            else:
                conflicts[write.session.id] = self._records.conflict(write.session, other)
        for write, other in zip(updates, swapped, strict=True):
            if other is None:
                write.mark_saved(self._records.store)
                saved.append(write.session)
            else:
                conflicts[write.session.id] = self._records.conflict(write.session, other)
        if self._index.exists:
            await self._index.put(map(position_of, saved))
        return conflicts

    async def import_new(self, sessions: Sequence[Session]) -> list[str]:
        """Store sessions with the versions and times that they have, where their ids are free.

        Returns:
            The ids that were taken; nothing was written under them.
        """
        taken: list[str] = []
        for portion in _portions(sessions):
            # One that never expired follows this storage's rule.
            texts = [New(s.id, _encode_as_is(s), s.expires_in or None) for s in portion]
            created = await self._records.create_many(texts)
            new = [session for session, done in zip(portion, created, strict=True) if done]
            taken += [
                session.id for session, done in zip(portion, created, strict=True) if not done
            ]
            if self._index.exists:
                await self._index.put(map(position_of, new))
        return taken

    async def restore(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Put each session back as ``RedisSessionStorage.restore`` does.

        Returns:
            The conflicts, in the order given; nothing was written for their sessions.
        """
        conflicts: dict[str, SessionConflict] = {}
        for portion in _portions(sessions):
            writes = [restored(session) for session in portion]
            texts = [New(w.session.id, w.text, w.session.expires_in) for w in writes]
            created = await self._records.create_many(texts)
            saved: list[Session] = []
            for write, new, done in zip(writes, texts, created, strict=True):
                # An id that was taken may be free again by now.
                other = None if done else await self._records.create(new)
                if other is None:
                    write.mark_saved(self._records.store)
                    saved.append(write.session)
                else:
                    conflicts[new.id] = self._records.conflict(write.session, other)
            if self._index.exists:
                await self._index.put(map(position_of, saved))
        current().lap("execute")
        return [conflicts[session.id] for session in sessions if session.id in conflicts]

    async def delete(self, ids: Sequence[str], versions: Sequence[int] | None) -> list[str]:
        """Delete sessions, where versions are given only those that still have them.

        Returns:
            The ids that were deleted, in the order given.
        """
        wanted = None if versions is None else dict(zip(ids, versions, strict=True))
        found = [
            stored
            for stored in await self._records.find_all(ids)
            if stored is not None and (wanted is None or stored.version == wanted[stored.id])
        ]
        gone: set[str] = set()
        for start in range(0, len(found), PORTION):
            portion = found[start : start + PORTION]
            swaps = [Swap(stored.id, digest(stored.text), b"") for stored in portion]
            answers = await self._records.swap_many(swaps)
            for stored, other in zip(portion, answers, strict=True):
                if other is None:
                    gone.add(stored.id)
                elif wanted is None:  # saved by others in between
                    await self._records.delete(stored.id)
                    gone.add(stored.id)
        if self._index.exists:
            await self._index.remove(sorted(gone))
        current().lap("execute")
        return [id for id in dict.fromkeys(ids) if id in gone]

    async def delete_unchanged(self, sessions: Sequence[Session]) -> list[str]:
        """Delete the sessions whose stored text is the one that they were read from.

        Returns:
            The ids that were deleted, in the order given.
        """
        gone: list[str] = []
        for start in range(0, len(sessions), PORTION):
            swaps = await self._find_unchanged(sessions[start : start + PORTION])
            answers = await self._records.swap_many(swaps)
            deleted = [s.id for s, other in zip(swaps, answers, strict=True) if other is None]
            if self._index.exists:
                await self._index.remove(deleted)
            gone += deleted
        current().lap("execute")
        return gone

    async def _find_unchanged(self, sessions: Sequence[Session]) -> list[Swap]:
        """Return what deletes the sessions, without those that are known to have changed."""
        marks = {session.id: self._records.seen_mark(session) for session in sessions}
        unseen = [session for session in sessions if marks[session.id] is None]
        there = await self._records.read_many([session.id for session in unseen])
        for session, stored in zip(unseen, there, strict=True):
            if stored is not None and self._records.is_as_read(session, stored):
                marks[session.id] = digest(stored.text)
        return [Swap(id, mark, b"") for id, mark in marks.items() if mark is not None]


def position_of(session: Session) -> Position:
    """Return the entry of a session for the index."""
    updated = micros_or_none(session.raw_updated) or UNKNOWN_TIME
    return Position(session.id, updated, session.graph_id, session.current_task_id)


def restored(session: Session) -> Write:
    """Return what to write for a deleted session that is put back, at its next version."""
    version, now = next_version(session.version), next_time()
    created = now if session.raw_created is None else micros_or_none(session.raw_created)
    return Write(session, encode(session, version, created, now), version, created, now)


def _update(session: Session, stored: Stored | None) -> tuple[Write, str]:
    """Return what to write for a session, and the digest of the text that it replaces.

    Args:
        session: The session.
        stored: The stored session, None where the session knows from which text it was read.
    """
    if stored is None:
        assert session.seen is not None
        created, seen = micros_or_none(session.raw_created), str(session.seen.mark)
    else:
        created, seen = stored.known_created, digest(stored.text)
    version, now = next_version(session.version), next_time(session.raw_updated)
    return Write(session, encode(session, version, created, now), version, created, now), seen


def _encode_as_is(session: Session) -> bytes:
    now = next_time()
    created, updated = (
        now if time is None else micros_or_none(time)
        for time in (session.raw_created, session.raw_updated)
    )
    version = 0 if session.version >= UNCOUNTED else session.version
    return encode(session, version, created, updated)


def _portions(sessions: Sequence[Session]) -> list[list[Session]]:
    """Return the sessions in portions, bounded in number and bytes."""
    portions: list[list[Session]] = []
    size = 0
    for session in sessions:
        more = len(session.context_json())
        if not portions or len(portions[-1]) >= PORTION or size + more > _PORTION_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(session)
        size += more
    return portions
