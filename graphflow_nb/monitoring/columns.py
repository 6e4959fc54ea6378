"""Operations by column, each column as narrow as its values allow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from .clock import CLOCK, SINCE_1970
from .operation import MEASURES, NO_PHASES, Phases

__all__ = ["PORTION", "Block", "Chunk", "Ids"]

PORTION: Final = 8192  # operations that are packed at a time

_DASHES: Final = (8, 13, 18, 23)  # where a UUID has them
_TEXTS: Final = {str, type(None)}


class Block:
    """Room for some thousand operations that are not packed yet, one list for each column.

    A thread that records takes a place and writes into each list there, the code last. Taking a
    place is a single step of C, so threads need no lock. A list takes a value in a tenth of the
    time that making an object of all values would take. The lists stay the same objects when the
    block is emptied.

    Attributes:
        take: Returns the next free place; raises StopIteration if the block is full.
        starts: The start of each operation, on ``time.perf_counter_ns``.
        ends: The end of each operation, on the same clock.
        walls: The start on ``time.time_ns``, by place, of those whose ``put`` got it.
        ids: The ids of the sessions.
        phases: The phases of each operation; None for storages that report none.
        codes: The codes of the kinds; -1 until the place is written.
    """

    __slots__ = ("codes", "ends", "ids", "phases", "starts", "take", "walls")

    def __init__(self) -> None:
        self.starts = [0] * PORTION
        self.ends = [0] * PORTION
        self.walls: dict[int, int] = {}
        self.ids: list[str | None] = [None] * PORTION
        self.phases: list[Phases | None] = [None] * PORTION
        self.codes = [-1] * PORTION
        self.empty()

    def empty(self) -> None:
        """Free all places."""
        self.codes[:] = _NO_CODES
        self.phases[:] = _NO_PHASES
        self.walls.clear()
        self.take: Callable[[], int] = iter(range(PORTION)).__next__


_NO_CODES: Final = [-1] * PORTION
_NO_PHASES: Final[list[Phases | None]] = [None] * PORTION


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some thousand operations, packed.

    Attributes:
        began: The start of the first of them, as ``Operation.start_ns``.
        start: The start of each, in ns after the first.
        duration: The duration of each, in ns.
        kind: The code of the kind of each.
        session: The index in ``ids`` of the session of each.
        ids: The ids of the sessions, each once.
        measures: The columns of ``MEASURES``; None where all values are 0.
    """

    began: int
    start: NDArray[np.unsignedinteger]
    duration: NDArray[np.unsignedinteger]
    kind: NDArray[np.unsignedinteger]
    session: NDArray[np.unsignedinteger]
    ids: Ids
    measures: tuple[NDArray[np.unsignedinteger] | None, ...]

    @classmethod
    def pack(cls, block: Block) -> Chunk | None:
        """Return what was written into a block so far; None if it is empty."""
        kind = np.fromiter(block.codes, np.int64, PORTION)
        starts = np.fromiter(block.starts, np.int64, PORTION)
        duration = np.fromiter(block.ends, np.int64, PORTION) - starts
        start = CLOCK.shift_all(starts)
        for at, wall in block.walls.copy().items():
            start[at] = wall - SINCE_1970
        ids, phases = block.ids, block.phases
        if kind.min() < 0:
            written = kind >= 0
            start, duration, kind = start[written], duration[written], kind[written]
            ids, phases = list(compress(ids, written)), list(compress(phases, written))
        count = len(kind)
        if not count:
            return None
        began = int(start.min())
        try:
            once = {id: number for number, id in enumerate(dict.fromkeys(ids))}
        except TypeError:  # an id that is not a text, such as a list
            ids = [_text_of(id) for id in ids]
            once = {id: number for number, id in enumerate(dict.fromkeys(ids))}
        measures: tuple[NDArray[np.unsignedinteger] | None, ...] = (None,) * len(MEASURES)
        if any(phases):
            columns = zip(*(p or NO_PHASES for p in phases), strict=True)
            measures = tuple(_narrow(np.fromiter(c, np.int64, count)) for c in columns)
        return cls(
            began,
            _narrowest(start - began),
            _narrowest(duration),
            _narrowest(kind),
            _narrowest(np.fromiter(map(once.__getitem__, ids), np.int64, count)),
            Ids.pack(list(once)),
            measures,
        )

    def split(self, at: int) -> tuple[Chunk, Chunk]:
        """Return the first ``at`` operations, and the others."""
        return self._cut(slice(at)), self._cut(slice(at, None))

    def _cut(self, cut: slice) -> Chunk:
        return replace(
            self,
            start=self.start[cut],
            duration=self.duration[cut],
            kind=self.kind[cut],
            session=self.session[cut],
            measures=tuple(None if m is None else m[cut] for m in self.measures),
        )

    @property
    def nbytes(self) -> int:
        """The memory that it takes, in bytes."""
        arrays = (self.start, self.duration, self.kind, self.session, *self.measures)
        objects = 1_000  # those around the arrays
        return objects + len(self.ids.packed) + sum(a.nbytes for a in arrays if a is not None)

    def __len__(self) -> int:
        return len(self.start)


def _narrow(values: NDArray[np.int64]) -> NDArray[np.unsignedinteger] | None:
    return _narrowest(values) if values.any() else None


def _narrowest(values: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    return values.astype(np.min_scalar_type(int(values.max())))


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of sessions as bytes; a UUID takes 16 of them.

    Attributes:
        packed: The bytes: those of the UUIDs, or a MessagePack array.
        uuids: Whether all ids are UUIDs.
    """

    packed: bytes
    uuids: bool

    @classmethod
    def pack(cls, ids: list[str | None]) -> Ids:
        """Return ids as bytes."""
        uuids = _packed_uuids(ids)
        if uuids is not None:
            return cls(uuids, True)
        if set(map(type, ids)) <= _TEXTS:
            with suppress(UnicodeEncodeError):
                return cls(msgspec.msgpack.encode(ids), False)
        # Operations on ids that no store accepts are recorded too.
        return cls(msgspec.msgpack.encode([_text_of(id) for id in ids]), False)

    def unpack(self) -> list[str | None]:
        """Return the ids as they were, or as the text that represents them."""
        if not self.uuids:
            return msgspec.msgpack.decode(self.packed, type=list[str | None])
        text = _uuid_text(self.packed)
        return [text[at : at + 36] for at in range(0, len(text), 36)]


def _text_of(id: object) -> str | None:
    if id is None:
        return None
    return (id if isinstance(id, str) else repr(id)).encode("utf-8", "replace").decode()


def _packed_uuids(ids: list[str | None]) -> bytes | None:
    """Return the bytes of ids that are all UUIDs as these are usually written, otherwise None."""
    try:
        text = "".join(ids)  # type: ignore[arg-type]  # None raises TypeError, which is expected
        if len(text) != 36 * len(ids):
            return None
        packed = bytes.fromhex(text.replace("-", ""))
    except (TypeError, ValueError):
        return None
    if len(packed) != 16 * len(ids) or _uuid_text(packed) != text:
        return None
    # Ids of other lengths could form the same text together.
    return packed if all(len(id or "") == 36 for id in ids) else None


def _uuid_text(packed: bytes) -> str:
    letters = np.frombuffer(packed.hex().encode(), np.uint8).reshape(-1, 32)
    written = np.full((len(letters), 36), ord("-"), np.uint8)
    written[:, [at for at in range(36) if at not in _DASHES]] = letters
    return written.tobytes().decode()
