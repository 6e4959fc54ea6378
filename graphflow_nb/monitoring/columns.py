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

from .operation import MEASURES, Phases

__all__ = ["PORTION", "Block", "Chunk", "Ids"]

PORTION: Final = 8192  # operations that are packed at a time

_DASHES: Final = (8, 13, 18, 23)  # where a UUID has them
_TEXTS: Final = {str, type(None)}
_NOTHING: Final = (0, 0, 0, 0, 0, 0)


class Block:
    """Room for some thousand operations that are not packed yet, a list for each column.

    Whoever records takes a place, and writes there into each list, the code last. Taking a place
    is a single step of C, so threads need no lock; and a list takes a value in a tenth of the time
    in which an object for all of them is made. The lists stay the same when the block is emptied.

    Attributes:
        take: the next free place; StopIteration if there is none.
        starts, ends: on ``time.perf_counter_ns``.
        ids: of sessions.
        phases: None for storages that report none.
        codes: of kinds; -1 until the place is written.
    """

    __slots__ = ("codes", "ends", "ids", "phases", "starts", "take")

    def __init__(self) -> None:
        self.starts = [0] * PORTION
        self.ends = [0] * PORTION
        self.ids: list[str | None] = [None] * PORTION
        self.phases: list[Phases | None] = [None] * PORTION
        self.codes = [-1] * PORTION
        self.empty()

    def empty(self) -> None:
        """Make all places free again."""
        self.codes[:] = _NO_CODES
        self.phases[:] = _NO_PHASES
        self.take: Callable[[], int] = iter(range(PORTION)).__next__


_NO_CODES: Final = [-1] * PORTION
_NO_PHASES: Final[list[Phases | None]] = [None] * PORTION


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some thousand operations, packed.

    Attributes:
        began: when the first of them began, in ns on ``time.perf_counter_ns``.
        start: the start of each, in ns after that.
        duration: ns.
        kind: the code of the kind of each.
        session: index into ``ids``.
        ids: the sessions' ids, each once.
        measures: the columns of ``MEASURES``; None where all are 0.
    """

    began: int
    start: NDArray[np.unsignedinteger]
    duration: NDArray[np.unsignedinteger]
    kind: NDArray[np.unsignedinteger]
    session: NDArray[np.unsignedinteger]
    ids: Ids
    measures: tuple[NDArray[np.unsignedinteger] | None, ...]

    @classmethod
    def of(cls, block: Block) -> Chunk | None:
        """What was written into a block so far; None if that is nothing."""
        kind = np.fromiter(block.codes, np.int64, PORTION)
        starts, ends, ids, phases = block.starts, block.ends, block.ids, block.phases
        if kind.min() < 0:
            written = kind >= 0
            starts, ends = list(compress(starts, written)), list(compress(ends, written))
            ids, phases = list(compress(ids, written)), list(compress(phases, written))
            kind = kind[written]
        count = len(kind)
        if not count:
            return None
        start = np.fromiter(starts, np.int64, count)
        began = int(start.min())
        try:
            once = {id: number for number, id in enumerate(dict.fromkeys(ids))}
        except TypeError:  # a list was asked for, say
            ids = [_text(id) for id in ids]
            once = {id: number for number, id in enumerate(dict.fromkeys(ids))}
        measures: tuple[NDArray[np.unsignedinteger] | None, ...] = (None,) * len(MEASURES)
        if any(phases):
            told = zip(*(p or _NOTHING for p in phases), strict=True)
            measures = tuple(_narrow(np.fromiter(c, np.int64, count)) for c in told)
        return cls(
            began,
            _narrowest(start - began),
            _narrowest(np.fromiter(ends, np.int64, count) - start),
            _narrowest(kind),
            _narrowest(np.fromiter(map(once.__getitem__, ids), np.int64, count)),
            Ids.of(list(once)),
            measures,
        )

    def parted(self, at: int) -> tuple[Chunk, Chunk]:
        """The first ``at`` operations and the others."""
        return self._part(slice(at)), self._part(slice(at, None))

    def _part(self, cut: slice) -> Chunk:
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
        """Memory that it takes."""
        arrays = (self.start, self.duration, self.kind, self.session, *self.measures)
        own = 1_000  # of the objects around the arrays
        return own + len(self.ids.packed) + sum(a.nbytes for a in arrays if a is not None)

    def __len__(self) -> int:
        return len(self.start)


def _narrow(values: NDArray[np.int64]) -> NDArray[np.unsignedinteger] | None:
    return _narrowest(values) if values.any() else None


def _narrowest(values: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    return values.astype(np.min_scalar_type(int(values.max())))


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of sessions as bytes; a UUID takes 16 of them."""

    packed: bytes
    uuids: bool

    @classmethod
    def of(cls, ids: list[str | None]) -> Ids:
        uuids = _packed_uuids(ids)
        if uuids is not None:
            return cls(uuids, True)
        if set(map(type, ids)) <= _TEXTS:
            with suppress(UnicodeEncodeError):
                return cls(msgspec.msgpack.encode(ids), False)
        # Operations on ids that no store takes are recorded too.
        return cls(msgspec.msgpack.encode([_text(id) for id in ids]), False)

    def texts(self) -> list[str | None]:
        """The ids."""
        if not self.uuids:
            return msgspec.msgpack.decode(self.packed)  # type: ignore[no-any-return]
        text = _uuid_text(self.packed)
        return [text[at : at + 36] for at in range(0, len(text), 36)]


def _text(id: object) -> str | None:
    if id is None:
        return None
    return (id if isinstance(id, str) else repr(id)).encode("utf-8", "replace").decode()


def _packed_uuids(ids: list[str | None]) -> bytes | None:
    """Ids that all are UUIDs as these are usually written, or None."""
    try:
        text = "".join(ids)  # type: ignore[arg-type]
        if len(text) != 36 * len(ids):
            return None
        packed = bytes.fromhex(text.replace("-", ""))
    except (TypeError, ValueError):
        return None
    if len(packed) != 16 * len(ids) or _uuid_text(packed) != text:
        return None
    # Ids of other lengths could give the same text together.
    return packed if all(len(id or "") == 36 for id in ids) else None


def _uuid_text(packed: bytes) -> str:
    letters = np.frombuffer(packed.hex().encode(), np.uint8).reshape(-1, 32)
    written = np.full((len(letters), 36), ord("-"), np.uint8)
    written[:, [at for at in range(36) if at not in _DASHES]] = letters
    return written.tobytes().decode()
