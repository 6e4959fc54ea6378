"""The hook that keeps operations."""

from __future__ import annotations

import threading
import time
from collections import deque

import numpy as np

from ..errors import StorageError
from .columns import PORTION, Block, Chunk
from .histogram import Histogram
from .operation import KINDS, Kind, Operation, Phases, kind_of
from .records import Records

__all__ = ["Recorder"]

_BYTES_EACH = 64  # at most, on average
_PATIENCE = 1000  # ms that are waited for a thread that took a place and did not write yet


class Recorder:
    """Keeps the newest operations by column, in bounded memory. Thread-safe.

    Beyond the bound it goes on counting: of what it no longer keeps there are exact counts and a
    histogram of durations for each kind of operation.

    Args:
        limit: operations kept at most, in at most 64 bytes each.

    Attributes:
        block: where the next operations are written, see ``Block``; it stays the same.
    """

    def __init__(self, limit: int = 1_000_000):
        if type(limit) is not int or limit < 1:
            raise StorageError(f"a recorder keeps at least one operation, not {limit!r}")
        self.limit = limit
        self._lock = threading.Lock()
        self.block = Block()
        self._chunks: deque[Chunk] = deque()
        self._ever = 0  # packed since the beginning, whatever was forgotten
        self._packed = 0
        self._bytes = 0
        self._past: dict[Kind, Histogram] = {}

    def on_operation(self, operation: Operation) -> None:
        """Keep one."""
        o = operation
        self.put(
            o.start_ns,
            o.start_ns + o.duration_ns,
            o.session_id,
            kind_of(o.op, o.storage, o.outcome, o.error, o.origin),
            (o.wait_ns, o.encode_ns, o.execute_ns, o.decode_ns, o.bytes, o.rows),
        )

    def put(
        self, start: int, end: int, id: str | None, kind: Kind, phases: Phases | None = None
    ) -> None:
        """Keep one, as ``on_operation`` does, without making an ``Operation`` of it."""
        block = self.block
        try:
            at = block.take()
        except StopIteration:
            at = self.make_room()
        block.starts[at] = start
        block.ends[at] = end
        block.ids[at] = id
        block.phases[at] = phases
        block.codes[at] = kind.code

    def make_room(self) -> int:
        """Pack the block, if no other thread did, and take a place in it."""
        with self._lock:
            try:
                return self.block.take()
            except StopIteration:
                self._pack()
                return self.block.take()

    def _pack(self) -> None:
        # A thread may have taken a place and not written there yet; if an interrupt hit it just
        # then, it never will.
        for _ in range(_PATIENCE):
            if -1 not in self.block.codes:
                break
            time.sleep(0.001)
        chunk = Chunk.of(self.block)
        self.block.empty()
        if chunk is not None:
            self._take(chunk)

    def _take(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._ever += len(chunk)
        self._packed += len(chunk)
        self._bytes += chunk.nbytes
        while self._packed > self.limit or self._bytes > max(self.limit, PORTION) * _BYTES_EACH:
            oldest = self._chunks.popleft()
            self._packed -= len(oldest)
            self._bytes -= oldest.nbytes
            spare = self.limit - self._packed
            if 0 < spare < len(oldest):
                oldest, kept = oldest.parted(len(oldest) - spare)
                self._chunks.appendleft(kept)
                self._packed += spare
                self._bytes += kept.nbytes
            _count(self._past, oldest)

    def records(self, newest: int | None = None) -> Records:
        """What is recorded at this moment.

        Args:
            newest: at most so many of the last operations, None for all.
        """
        chunks, past, _ = self._moment()
        return Records.of(chunks if newest is None else _newest(chunks, newest), past)

    def since(self, mark: int = 0) -> tuple[Records, int]:
        """What came in since an earlier call, as far as it is kept; and the mark for the next.

        Args:
            mark: what the earlier call gave.
        """
        chunks, past, now = self._moment()
        return Records.of(_newest(chunks, now - mark), past), now

    def _moment(self) -> tuple[list[Chunk], dict[Kind, Histogram], int]:
        """What is kept, what was forgotten, and how many there have been, all of one moment."""
        with self._lock:
            chunks = list(self._chunks)
            latest = Chunk.of(self.block)
            past = {kind: histogram.copy() for kind, histogram in self._past.items()}
            ever = self._ever
        if latest is not None:
            chunks.append(latest)
            ever += len(latest)
        spare = sum(map(len, chunks)) - self.limit
        while spare > 0:
            oldest = chunks.pop(0)
            if spare < len(oldest):
                oldest, kept = oldest.parted(spare)
                chunks.insert(0, kept)
            spare -= len(oldest)
            _count(past, oldest)
        return chunks, past, ever

    def counts(self) -> dict[Kind, int]:
        """How many operations of each kind there were, those beyond the bound too."""
        with self._lock:
            codes = [chunk.kind for chunk in self._chunks]
            codes.append(np.array([code for code in self.block.codes if code >= 0], np.int64))
            found = {kind: len(histogram) for kind, histogram in self._past.items()}
        kept = np.bincount(np.concatenate(codes), minlength=len(KINDS))
        for code in np.flatnonzero(kept):
            found[KINDS[code]] = found.get(KINDS[code], 0) + int(kept[code])
        return found

    def operations(self) -> list[Operation]:
        """Those kept, oldest first."""
        return self.records().operations()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._ever += PORTION - self.block.codes.count(-1)
            self.block.empty()
            self._chunks.clear()
            self._past.clear()
            self._packed = self._bytes = 0

    def __len__(self) -> int:
        with self._lock:
            written = PORTION - self.block.codes.count(-1)
            return min(self.limit, self._packed + written)

    def __repr__(self) -> str:
        return f"<Recorder: {len(self):,} operations kept, at most {self.limit:,}>"


def _newest(chunks: list[Chunk], count: int) -> list[Chunk]:
    found: list[Chunk] = []
    for chunk in reversed(chunks):
        if count <= 0:
            break
        found.insert(0, chunk if len(chunk) <= count else chunk.parted(len(chunk) - count)[1])
        count -= len(chunk)
    return found


def _count(past: dict[Kind, Histogram], chunk: Chunk) -> None:
    for code in np.unique(chunk.kind):
        histogram = past.setdefault(KINDS[code], Histogram())
        histogram.add(chunk.duration[chunk.kind == code].astype(np.int64))
