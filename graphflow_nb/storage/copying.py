"""Copies of sessions from one storage to another: resumable, verified by reading back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy as twin_of
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import msgspec

from ..errors import SessionConflict, StorageError
from ..model import Session, exactjson
from .protocols import SupportsCount, SupportsImportMany, SupportsQuery, require
from .query import Cursor, Query

__all__ = ["CopyReport", "content_hash", "copy"]

Redact = Callable[[Session], Session | None]
Progress = Callable[[int, int | None], None]

_PAGE: Final = 500
_NAMED: Final = 1000  # the most ids of each kind that a report names


@dataclass(frozen=True, slots=True)
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
        times_kept: Whether the target kept versions and times.
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

    @property
    def verified(self) -> bool:
        """Whether every session that was read, and not left out, is in the target unchanged."""
        accounted = self.copied + self.present + self.left_out
        return accounted == self.read and not self.different and not self.wrong

    def __str__(self) -> str:
        parts = [f"{self.copied:,} of {self.read:,} sessions copied in {self.seconds:.1f} s"]
        if self.present:
            parts.append(f"{self.present:,} were there already")
        if self.left_out:
            parts.append(f"{self.left_out:,} were left out")
        if self.different:
            parts.append(
                f"{len(self.different):,} are there with another content and were not changed "
                f"({_name_some(self.different)})"
            )
        if self.wrong:
            parts.append(
                f"{len(self.wrong):,} do not read back as written ({_name_some(self.wrong)})"
            )
        if not self.times_kept:
            parts.append("with new versions and times, since the target can't keep them")
        end = "; verified by count and content" if self.verified else "; NOT the same content"
        return "; ".join(parts) + end


def _name_some(ids: Sequence[str]) -> str:
    return ", ".join(repr(id) for id in ids[:3]) + (", …" if len(ids) > 3 else "")


async def copy(
    source: Any,
    target: Any,
    query: Query,
    *,
    redact: Redact | None = None,
    progress: Progress | None = None,
) -> CopyReport:
    """Copy the sessions that a query selects; the source is only read.

    Run again, it continues where it ended: a session that is there with the same content is
    skipped, one with another content is never overwritten.

    Args:
        source: The storage to read, with ``query``.
        target: The storage to write; with ``import_many`` it keeps versions and times.
        query: The sessions to copy; its order, limit and page are not used.
        redact: Takes a copy of each session and returns what to store instead, under the same id,
            or None to leave it out.
        progress: Called with the number of sessions done, and of all; None if that is unknown.

    Raises:
        CapabilityError: The source has no ``query``.
        StorageError: A store failed, or ``redact`` returned something else.
    """
    began = time.perf_counter()
    find = require(source, SupportsQuery).query
    total = None
    if isinstance(source, SupportsCount):
        total = await source.count(replace(query, order="id", limit=None, after=None))
    tally = _Tally()
    after: Cursor | None = None
    while True:
        page = await find(replace(query, order="id", limit=_PAGE, after=after))
        if not page:
            break
        after = Cursor("id", page[-1].id)
        tally.read += len(page)
        wanted = [s for session in page if (s := _redact(session, redact)) is not None]
        tally.left_out += len(page) - len(wanted)
        taken = await _store_new(target, wanted)
        stored = await _read(target, [session.id for session in wanted])
        for session in wanted:
            tally.add(session, stored.get(session.id), was_there=session.id in taken)
        if progress is not None:
            progress(tally.read, total)
    return CopyReport(
        read=tally.read,
        copied=tally.copied,
        present=tally.present,
        different=tuple(tally.different[:_NAMED]),
        left_out=tally.left_out,
        wrong=tuple(tally.wrong[:_NAMED]),
        bytes=tally.bytes,
        seconds=time.perf_counter() - began,
        sha256=f"{tally.content:064x}",
        times_kept=isinstance(target, SupportsImportMany),
    )


@dataclass(slots=True)
class _Tally:
    """The counts of a copy so far; see ``CopyReport``."""

    read: int = 0
    copied: int = 0
    present: int = 0
    left_out: int = 0
    bytes: int = 0
    content: int = 0
    different: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, session: Session, stored: Session | None, *, was_there: bool) -> None:
        """Count a session by what the target contains after the write."""
        hash = content_hash(session)
        if stored is not None and content_hash(stored) == hash:
            # A sum, so that the order does not count.
            self.content = (self.content + int.from_bytes(hash)) % 2**256
            if was_there:
                self.present += 1
            else:
                self.copied += 1
                self.bytes += len(session.context_json())
        elif was_there:
            self.different.append(session.id)
        else:
            self.wrong.append(session.id)


def _redact(session: Session, redact: Redact | None) -> Session | None:
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
    return changed


async def _store_new(target: Any, sessions: Sequence[Session]) -> set[str]:
    """Store sessions whose ids are free; return the ids that were taken."""
    if isinstance(target, SupportsImportMany):
        return set(await target.import_many(sessions))
    taken = set()
    for session in sessions:
        try:
            await target.save(session.copy())
        except SessionConflict:
            taken.add(session.id)
    return taken


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
