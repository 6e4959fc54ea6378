"""Sessions from one storage into another: resumable, and verified by reading back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy as twin_of
from dataclasses import dataclass, replace
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
_NAMED: Final = 1000  # ids that a report names of each kind


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy did.

    Attributes:
        read: sessions that the filters selected.
        copied: those that were written.
        present: those that were there already with the same content.
        different: ids of those that were there with another content, and were left as they are.
        left_out: those for which ``redact`` gave None.
        wrong: ids of those that read back otherwise than they were written, or not at all.
        bytes: of the contexts that were written.
        seconds: it took.
        sha256: of the content of all that was copied or present, in any order.
        times_kept: whether the target could take versions and times along.
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
        """Whether every session that was read, and not left out, is in the target as it should."""
        there = self.copied + self.present + self.left_out
        return there == self.read and not self.different and not self.wrong

    def __str__(self) -> str:
        parts = [f"{self.copied:,} of {self.read:,} sessions copied in {self.seconds:.1f} s"]
        if self.present:
            parts.append(f"{self.present:,} were there already")
        if self.left_out:
            parts.append(f"{self.left_out:,} were left out")
        if self.different:
            parts.append(
                f"{len(self.different):,} are there with another content and were left as they "
                f"are ({_some(self.different)})"
            )
        if self.wrong:
            parts.append(f"{len(self.wrong):,} do not read back as written ({_some(self.wrong)})")
        if not self.times_kept:
            parts.append("with new versions and times, since the target takes none along")
        end = "; verified by count and content" if self.verified else "; NOT the same content"
        return "; ".join(parts) + end


def _some(ids: Sequence[str]) -> str:
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

    Run again, it goes on where it ended: what is there with the same content is passed over, what
    is there with another is never overwritten.

    Args:
        source: a storage with ``query``.
        target: a storage; with ``import_many`` it keeps versions and times.
        query: which; its order, limit and page are not used.
        redact: given a copy of each session, returns what is stored instead, under the same id, or
            None to leave it out.
        progress: called with how many were done, and of how many if that is known.

    Raises:
        CapabilityError: the source has no ``query``.
        StorageError: a store failed, or ``redact`` gave something else.
    """
    began = time.perf_counter()
    find = require(source, SupportsQuery).query
    total = None
    if isinstance(source, SupportsCount):
        total = await source.count(replace(query, order="id", limit=None, after=None))
    counts = {"read": 0, "copied": 0, "present": 0, "left_out": 0, "bytes": 0}
    different: list[str] = []
    wrong: list[str] = []
    content = 0
    after: Cursor | None = None
    while True:
        page = await find(replace(query, order="id", limit=_PAGE, after=after))
        if not page:
            break
        after = Cursor("id", page[-1].id)
        counts["read"] += len(page)
        wanted = [s for session in page if (s := _redacted(session, redact)) is not None]
        counts["left_out"] += len(page) - len(wanted)
        taken = await _put(target, wanted)
        stored = await _read(target, [session.id for session in wanted])
        for session in wanted:
            hash = content_hash(session)
            there = stored.get(session.id)
            if there is not None and content_hash(there) == hash:
                content = (content + int.from_bytes(hash)) % 2**256
                counts["present" if session.id in taken else "copied"] += 1
                if session.id not in taken:
                    counts["bytes"] += len(session.context_json())
            elif session.id in taken:
                different.append(session.id)
            else:
                wrong.append(session.id)
        if progress is not None:
            progress(counts["read"], total)
    return CopyReport(
        read=counts["read"],
        copied=counts["copied"],
        present=counts["present"],
        different=tuple(different[:_NAMED]),
        left_out=counts["left_out"],
        wrong=tuple(wrong[:_NAMED]),
        bytes=counts["bytes"],
        seconds=time.perf_counter() - began,
        sha256=f"{content:064x}",
        times_kept=isinstance(target, SupportsImportMany),
    )


def _redacted(session: Session, redact: Redact | None) -> Session | None:
    twin = twin_of(session)
    if redact is None:
        return twin
    changed = redact(twin)
    if changed is None:
        return None
    if not isinstance(changed, Session) or changed.id != session.id:
        raise StorageError(
            f"redact= must return the session {session.id!r} or None, not {changed!r}; an id can't "
            "be redacted, since the copy is found again by it"
        )
    return changed


async def _put(target: Any, sessions: Sequence[Session]) -> set[str]:
    """The ids that were taken."""
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
    """SHA-256 of a session's content, the same in every store.

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
            # Integers are told by their digits, however they were written.
            bare = "".join(map(str, digits)).rstrip("0")
            exponent += len(digits) - len(bare)
            return {"": [number < 0, bare, exponent if bare else 0]}
        return {"": [number < 0, "".join(map(str, digits)).lstrip("0"), str(exponent)]}
    return value
