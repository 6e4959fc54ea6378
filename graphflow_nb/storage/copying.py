"""Copies of sessions from one storage to another: resumable, verified by reading back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy as twin_of
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from ..errors import OF_THE_STORE, ContextError, GraphflowError, SessionConflict, StorageError
from ..model import Session, exactjson
from ..model.times import micros_or_unknown
from ..printable import describe_count
from .capabilities import require
from .content import content_hash
from .copy_report import NAMED, CopyFailure, CopyReport
from .estimates import answer_briefly
from .odd import problems_of
from .pagesize import PageSize
from .protocols import SupportsCount, SupportsImportMany, SupportsQuery
from .query import Cursor, Query

__all__ = ["Progress", "Redact", "copy", "redacted"]

Redact = Callable[[Session], Session | None]
Progress = Callable[[int, int | None], None]

_PAGE: Final = 500
_PAGE_BYTES: Final = 4_000_000  # of contexts, each of which is there in several forms at once
_REFUSED: Final = 100  # sessions on a page, all refused, after which no other is tried
_COUNT_SECONDS: Final = 2.0  # that counting what there is to copy may take


async def copy(
    source: Any,
    target: Any,
    query: Query,
    *,
    redact: Redact | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
    on_failure: Callable[[CopyFailure], None] | None = None,
    strict: bool = False,
) -> CopyReport:
    """Copy the sessions that a query selects; the source is only read.

    Run again, it continues where it ended: a session that is there with the same content is
    skipped, one with another content is never overwritten. A session that the target can't hold is
    reported, and the others are copied.

    Args:
        source: The storage to read, with ``query``.
        target: The storage to write; with ``import_many`` it keeps versions and times. One with
            ``save``, ``get`` and ``delete`` alone is asked for each id before it is saved, and what
            others create there in between is overwritten if its ``save`` does not notice.
        query: The sessions to copy; its order, limit and page are not used.
        redact: Takes a copy of each session and returns what to store instead, under the same id,
            or None to leave it out.
        progress: Called with the number of sessions done, and of all; None if that is unknown, or
            takes long to count.
        stop: Asked before each batch; True ends the copy there.
        on_failure: Called with each session that is not the same in both stores afterwards.
        strict: Whether to stop at the first session that can't be copied.

    Raises:
        CapabilityError: The source has no ``query``.
        StorageError: A store failed, ``redact`` returned something else, or with ``strict`` a
            session can't be copied.
    """
    began = time.perf_counter()
    find = require(source, SupportsQuery).query
    query = replace(query, order="id", limit=None, after=None)
    total = None
    if isinstance(source, SupportsCount):
        counting = source.count(query)
        total = await answer_briefly(source, counting, _COUNT_SECONDS)
    tally = _Tally(on_failure)
    after: Cursor | None = None
    stopped = False
    size = PageSize(_PAGE, rows=1, bytes=_PAGE_BYTES)  # the first may have megabytes
    try:
        while not (stopped := stop is not None and stop()):
            found = await find(query.following(after, size.rows))
            page, odd = _split_odd(found)
            tally.note_odd(odd, strict=strict)
            if not found:
                break
            after = Cursor("id", found[-1].id)
            size.note(len(found), sum(len(session.context_json()) for session in found))
            tally.read += len(page)
            wanted = [s for session in page if (s := redacted(session, redact)) is not None]
            tally.left_out += len(page) - len(wanted)
            written = await _store_new(target, wanted)
            if written.errors:
                tally.fail(wanted, written.errors, strict=strict)
            ids = [session.id for session in wanted if session.id not in written.errors]
            stored = await _read(target, ids)
            for session in wanted:
                if session.id not in written.errors:
                    was_there = session.id in written.taken
                    tally.add(session, stored.get(session.id), was_there=was_there)
            if progress is not None:
                progress(tally.read, total)
    except OF_THE_STORE as error:
        if tally.copied:
            copied = describe_count(tally.copied, "session was", "sessions were")
            error.note_done(f"{copied} copied before it; the same copy again goes on")
        raise
    keeps = isinstance(target, SupportsImportMany)
    return CopyReport(
        read=tally.read,
        copied=tally.copied,
        present=tally.present,
        different=tuple(tally.different),
        left_out=tally.left_out,
        wrong=tuple(tally.wrong),
        bytes=tally.bytes,
        seconds=time.perf_counter() - began,
        sha256=f"{tally.content:064x}",
        times_kept=keeps and tally.times_kept,
        versions_kept=keeps and tally.versions_kept,
        outdated=tuple(tally.outdated) if keeps else (),
        more=tally.count_unnamed(() if keeps else ("outdated",)),
        untimed=tally.untimed,
        unexpiring=tally.unexpiring,
        failures=tuple(tally.failures),
        stopped=stopped,
    )


@dataclass(slots=True)
class _Tally:
    """The counts of a copy so far; see ``CopyReport``."""

    on_failure: Callable[[CopyFailure], None] | None = None
    read: int = 0
    copied: int = 0
    present: int = 0
    left_out: int = 0
    bytes: int = 0
    content: int = 0
    untimed: int = 0
    unexpiring: int = 0
    times_kept: bool = True
    versions_kept: bool = True
    different: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    failures: list[CopyFailure] = field(default_factory=list)
    more: Counter[str] = field(default_factory=Counter)
    odd: set[str] = field(default_factory=set)  # what is not a session, and was counted

    def count_unnamed(self, ignored: Collection[str]) -> dict[str, int]:
        """Return how many sessions of each kind are not named."""
        return {kind: count for kind, count in self.more.items() if kind not in ignored}

    def _note(self, kind: str, id: str, reason: str) -> None:
        failure = CopyFailure(id, reason)
        named: Mapping[str, list[Any]] = {
            "different": self.different,
            "outdated": self.outdated,
            "wrong": self.wrong,
            "failures": self.failures,
        }
        if len(named[kind]) >= NAMED:
            self.more[kind] += 1
        else:
            named[kind].append(failure if kind == "failures" else id)
        if self.on_failure is not None:
            self.on_failure(failure)

    def add(self, session: Session, stored: Session | None, *, was_there: bool) -> None:
        """Count a session by what the target contains after the write."""
        hash = content_hash(session)
        if stored is not None and content_hash(stored) == hash:
            # A sum, so that the order does not count.
            self.content = (self.content + int.from_bytes(hash)) % 2**256
            timed = _has_times_of(stored, session)
            if was_there:
                self.present += 1
                if not timed:
                    self._note("outdated", session.id, "it is there with different times")
            else:
                self.copied += 1
                self.bytes += len(session.context_json())
                self.times_kept &= timed
                self.versions_kept &= stored.version == session.version
                self.untimed += session.updated_at is None and stored.updated_at is not None
                self.unexpiring += bool(session.expires_in) and not stored.expires_in
        elif was_there:
            self._note("different", session.id, "it is there with different content")
        else:
            self._note("wrong", session.id, "it was not read back as it was written")

    def note_odd(self, problems: Mapping[str, str], *, strict: bool) -> None:
        """Count what is stored in the source and is not a session.

        Raises:
            StorageError: With ``strict`` for the first one.
        """
        for id, problem in problems.items():
            if id in self.odd:  # a page may name what an earlier one has named
                continue
            if strict:
                raise StorageError(
                    f"{id!r} is not a session and can't be copied: {problem}. {self.copied:,} "
                    "sessions were copied before; without strict=True the others are copied and "
                    "this one is reported"
                )
            self.read += 1
            self.odd.add(id)
            self._note("failures", id, f"it is not a session: {problem}")

    def fail(
        self, sessions: Sequence[Session], errors: dict[str, GraphflowError], *, strict: bool
    ) -> None:
        """Count the sessions of a page that could not be stored.

        Raises:
            StorageError: With ``strict`` for the first one; and where not one of the first hundreds
                could be stored, since then the target takes none.
        """
        first = next(session.id for session in sessions if session.id in errors)
        error = errors[first]
        if strict:
            raise StorageError(
                f"session {first!r} can't be copied: {error}. "
                f"{describe_count(self.copied, 'session was copied', 'sessions were copied')} "
                "before; without strict=True the others are copied and this one is reported"
            ) from error
        if len(errors) == len(sessions) >= _REFUSED and not (self.copied or self.present):
            raise error
        for session in sessions:
            if session.id in errors:
                self._note("failures", session.id, str(errors[session.id]))


def _split_odd(found: Sequence[Session]) -> tuple[list[Session], dict[str, str]]:
    """Return the sessions that were found, and what is wrong with what is not one."""
    sessions, odd = [], dict(problems_of(found))
    for session in found:
        try:
            exactjson.split_object(session.context_json(), "context")
        except ContextError as error:  # a context is not read before it is touched
            odd[session.id] = str(error)
        else:
            sessions.append(session)
    return sessions, odd


def _has_times_of(stored: Session, session: Session) -> bool:
    """Return whether a stored session has the times of another one, where that has any."""
    # As numbers, since not every store's time is one of Python's datetime.
    pairs = (
        (session.raw_created, stored.raw_created),
        (session.raw_updated, stored.raw_updated),
    )
    return all(
        wanted is None or micros_or_unknown(wanted) == micros_or_unknown(found)
        for wanted, found in pairs
    )


def redacted(session: Session, redact: Redact | None) -> Session | None:
    """Return what is stored of a session elsewhere: a copy, or what ``redact`` made of it.

    Raises:
        StorageError: ``redact`` returned something else.
    """
    twin = twin_of(session)
    if redact is None:
        return twin
    changed = redact(twin)
    if changed is None:
        return None
    if not isinstance(changed, Session) or changed.id != session.id:
        raise StorageError(
            f"redact= must return the session {session.id!r} or None, not {changed!r}; an id can't "
            "be redacted, since the copy is found by it"
        )
    if changed.expires_in is None:  # a new session knows none
        changed.expires_in = session.expires_in
    return changed


class _Written(NamedTuple):
    """The result of writing sessions.

    Attributes:
        taken: The ids that were taken.
        errors: The error of each session that could not be stored, by id.
    """

    taken: set[str]
    errors: dict[str, GraphflowError]


async def _store_new(target: Any, sessions: Sequence[Session]) -> _Written:
    """Store sessions whose ids are free.

    Raises:
        StorageError: The store as a whole failed.
    """
    written = _Written(set(), {})
    if isinstance(target, SupportsImportMany):
        await _import(target, sessions, written)
        return written
    for session in sessions:
        if await target.get(session.id) is not None:
            written.taken.add(session.id)
            continue
        try:
            await target.save(session.copy())
        except SessionConflict:
            written.taken.add(session.id)
        except OF_THE_STORE:
            raise
        except GraphflowError as error:
            written.errors[session.id] = error
    return written


async def _import(
    target: SupportsImportMany, sessions: Sequence[Session], written: _Written
) -> None:
    """Import sessions, and in halves where the target refuses them, until those are found."""
    try:
        written.taken.update(await target.import_many(sessions))
    except OF_THE_STORE:
        raise
    except GraphflowError as error:
        if len(sessions) == 1:
            written.errors[sessions[0].id] = error
            return
        half = len(sessions) // 2
        await _import(target, sessions[:half], written)
        await _import(target, sessions[half:], written)


async def _read(storage: Any, ids: Sequence[str]) -> dict[str, Session]:
    if isinstance(storage, SupportsQuery):
        return {s.id: s for s in await storage.query(Query(ids=ids, order="id"))}
    found = [await storage.get(id) for id in ids]
    return {session.id: session for session in found if session is not None}
