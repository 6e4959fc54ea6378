"""Copies of sessions from one storage to another: resumable, verified by reading back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy as twin_of
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ..errors import (
    CapabilityError,
    ContextError,
    GraphflowError,
    ReadOnlyError,
    SessionConflict,
    StorageError,
    StorageFull,
    StorageTimeout,
    StorageUnavailable,
)
from ..model import Session, exactjson
from ..model.times import micros_or_unknown
from ..printable import describe_count, printable
from .capabilities import require
from .estimates import answer_briefly
from .odd import problems_of
from .pagesize import PageSize
from .protocols import SupportsCount, SupportsImportMany, SupportsQuery
from .query import Cursor, Query

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CopyFailure", "CopyReport", "content_hash", "copy"]

Redact = Callable[[Session], Session | None]
Progress = Callable[[int, int | None], None]

_PAGE: Final = 500
_PAGE_BYTES: Final = 4_000_000  # of contexts, each of which is there in several forms at once
_KEPT: Final = 1000  # sessions of each kind that a report names
_REFUSED: Final = 100  # sessions on a page, all refused, after which no other is tried
_COUNT_SECONDS: Final = 2.0  # that counting what there is to copy may take
#: Errors of the store as a whole, after which no other session can be copied either.
_OF_THE_STORE: Final = (
    StorageTimeout,
    StorageUnavailable,
    StorageFull,
    ReadOnlyError,
    CapabilityError,
)


class CopyFailure(NamedTuple):
    """A session that could not be copied.

    Attributes:
        id: The id of the session.
        reason: What the target, or ``redact``, said of it, or what is different.
    """

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """A report of a copy.

    Example:
        >>> import graphflow_nb
        >>> report = graphflow_nb.open("demo").copy_to(graphflow_nb.open("memory:"), task="payout")
        >>> report.verified, report.copied == report.read
        (True, True)

    Attributes:
        read: The number of sessions that the filters selected.
        copied: The number of sessions that were written.
        present: The number of sessions that were there already with the same content.
        different: The ids of sessions that were there with another content and were not changed.
        left_out: The number of sessions for which ``redact`` returned None.
        wrong: The ids of sessions that are missing from the target or differ after the copy.
        bytes: The size of the contexts that were written.
        seconds: The duration.
        sha256: The SHA-256 of the content of all that was copied or present, in any order.
        times_kept: Whether all that was copied has the times that it has in the source.
        versions_kept: Whether all that was copied has the version that it has in the source.
        outdated: The ids of sessions that were there with the same content, but were created or
            saved at another time, and were not changed.
        untimed: The number of sessions without a time in the source, which have the time of the
            copy in the target.
        unexpiring: The number of sessions that expire in the source and not in the target.
        failures: The sessions that could not be copied, with the reasons.
        more: How many there are beyond the first 1,000 that ``different``, ``outdated``, ``wrong``
            or ``failures`` names, by the name of that attribute. ``on_failure=`` of a copy is told
            of all.
        stopped: Whether it was stopped before its end; the same copy again goes on.
    """

    read: int
    copied: int
    present: int
    different: tuple[str, ...]
    left_out: int
    wrong: tuple[str, ...]
    bytes: int
    seconds: float
    sha256: str
    times_kept: bool
    versions_kept: bool = True
    outdated: tuple[str, ...] = ()
    untimed: int = 0
    unexpiring: int = 0
    failures: tuple[CopyFailure, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)
    stopped: bool = False

    @property
    def failed(self) -> pd.DataFrame:
        """The sessions that could not be copied, at most the first 1,000; ``more`` counts others.

        Returns:
            A DataFrame with the columns ``id`` and ``reason`` (str), in the order of the copy.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "id": pd.Series([f.id for f in self.failures], dtype="str"),
                "reason": pd.Series([f.reason for f in self.failures], dtype="str"),
            }
        )

    def count(self, kind: str) -> int:
        """Return how many sessions there are of a kind, also where not all are named.

        Args:
            kind: ``"different"``, ``"outdated"``, ``"wrong"`` or ``"failures"``.
        """
        named: Mapping[str, Sequence[object]] = {
            "different": self.different,
            "outdated": self.outdated,
            "wrong": self.wrong,
            "failures": self.failures,
        }
        return len(named[kind]) + self.more.get(kind, 0)

    @property
    def verified(self) -> bool:
        """Whether every selected session that was not left out is in the target unchanged.

        Never of a copy that was stopped. By content, and by its times where it was there before.
        What the target can't keep of a session that was copied is reported by ``times_kept`` and
        ``versions_kept``.
        """
        accounted = self.copied + self.present + self.left_out
        odd = self.different or self.wrong or self.outdated or self.failures or self.stopped
        return accounted == self.read and not odd

    @property
    def verdict(self) -> str:
        """The result in some words: verified, or what is not the same."""
        if self.verified:
            return "verified by count and content"
        if self.stopped:
            return "STOPPED before its end: the same copy again goes on"
        same = self.outdated and not (self.different or self.wrong or self.failures)
        return "NOT the same times" if same else "NOT the same content"

    def __str__(self) -> str:
        parts = [f"{self.copied:,} of {self.read:,} sessions copied in {self.seconds:.1f} s"]
        if self.present:
            parts.append(f"{self.present:,} were there already")
        if self.left_out:
            parts.append(f"{self.left_out:,} were left out")
        if self.failures:
            first = self.failures[0]
            parts.append(
                f"{self.count('failures'):,} could not be copied "
                f"({first.id!r}: {printable(first.reason)}); .failed lists "
                f"{'the first 1,000' if self.more.get('failures') else 'them'}"
            )
        if self.different:
            parts.append(
                f"{self.count('different'):,} are already there with different content and "
                f"were not changed ({_name_some(self.different)})"
            )
        if self.outdated:
            parts.append(
                f"{self.count('outdated'):,} are already there with the same content but different "
                f"times and were not changed ({_name_some(self.outdated)})"
            )
        if self.wrong:
            parts.append(
                f"{self.count('wrong'):,} with a mismatch on read-back ({_name_some(self.wrong)})"
            )
        if not (self.times_kept and self.versions_kept):
            lost = "versions" if self.times_kept else "times"
            if not (self.times_kept or self.versions_kept):
                lost = "versions and times"
            parts.append(f"with new {lost}, since the target can't keep them")
        if self.untimed:
            parts.append(f"{self.untimed:,} had no time and have that of the copy")
        if self.unexpiring:
            parts.append(f"{self.unexpiring:,} expire in the source, but not in the target")
        if self.more:
            parts.append(
                "on_failure= of the same copy again is told of all that are not named here"
            )
        return "; ".join([*parts, self.verdict])


def _name_some(ids: Sequence[str]) -> str:
    return ", ".join(repr(id) for id in ids[:3]) + (", …" if len(ids) > 3 else "")


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
    except _OF_THE_STORE as error:
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
        if len(named[kind]) >= _KEPT:
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
        except _OF_THE_STORE:
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
    except _OF_THE_STORE:
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


def content_hash(session: Session) -> bytes:
    """Return the SHA-256 of a session's content, which is the same in every store.

    The order of keys, the form of a number (``1e2`` or ``100``, but not ``1.10`` and ``1.1``),
    versions and times do not count.
    """
    context = exactjson.decode_exact(session.context_json())
    fields = [session.id, session.graph_id, session.current_task_id, session.status_message]
    return sha256(_encoder.encode([*fields, _canonical(context)])).digest()


_encoder = msgspec.json.Encoder(order="deterministic")


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        number = Decimal(value)
        _, digits, exponent = number.as_tuple()
        if isinstance(exponent, int) and exponent >= 0:
            # Integers are identified by their digits, in whatever form they were written.
            bare = "".join(map(str, digits)).rstrip("0")
            exponent += len(digits) - len(bare)
            return {"": [number < 0, bare, exponent if bare else 0]}
        return {"": [number < 0, "".join(map(str, digits)).lstrip("0"), str(exponent)]}
    return value
