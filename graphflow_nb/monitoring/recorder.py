"""The hook that keeps operations in bounded memory."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import deque
from typing import Final, TypeAlias

import numpy as np

from ..arguments import is_whole
from ..errors import StorageError
from ..printable import describe_count
from .columns import PORTION, Block, Chunk
from .histogram import Histogram
from .operation import KINDS, Kind, Operation, Phases, kind_of, wall_start
from .records import Records, join_past

__all__ = ["Recorder"]

BYTES_EACH = 64  # at most, on average
PATIENCE_MS = 1000  # the wait for a thread that took a place and has not written there yet
MARKS: Final = 64  # the newest marks that ``since`` counts exactly from

# Histograms of what is no longer kept, from each mark on, by the number of operations before it.
_Past: TypeAlias = dict[int, dict[Kind, Histogram]]


class Recorder:
    """A hook that keeps the newest operations by column, in bounded memory. Thread-safe.

    Beyond the bound it goes on counting: for what it no longer keeps it has exact counts, and a
    histogram of durations for each kind of operation.

    Args:
        limit: The largest number of operations that are kept, in at most 64 bytes each.

    Attributes:
        limit: As passed.
        block: The block for the next operations, see ``Block``; it stays the same object.

    Raises:
        StorageError: The limit is not an integer >= 1.

    Example:
        >>> from graphflow_nb import Operation, Recorder
        >>> recorder = Recorder(limit=1000)
        >>> recorder.on_operation(Operation("get", "Mine", "claim-1", start_ns=0, duration_ns=1500))
        >>> len(recorder), recorder.operations()[0].duration_ns
        (1, 1500)
    """

    def __init__(self, limit: int = 1_000_000):
        if type(limit) is not int or limit < 1:
            raise StorageError(
                "a recorder keeps at least one operation: "
                f"limit has to be an integer >= 1, not {limit!r}"
            )
        self.limit = limit
        self._lock = threading.RLock()
        self.block = Block()
        self._chunks: deque[Chunk] = deque()
        self._ever = 0  # packed since the beginning, those beyond the bound too
        self._packed = 0
        self._bytes = 0
        self._past: _Past = {}
        self._marks: list[int] = []

    def on_operation(self, operation: Operation) -> None:
        """Keep one operation."""
        o = operation
        self.put(
            o.start_ns,
            o.start_ns + o.duration_ns,
            o.session_id,
            kind_of(o.op, o.storage, o.outcome, o.error, o.origin),
            (o.wait_ns, o.encode_ns, o.execute_ns, o.decode_ns, o.bytes, o.rows),
            wall_start(o),
        )

    def put(
        self,
        start: int,
        end: int,
        id: str | None,
        kind: Kind,
        phases: Phases | None = None,
        wall: int = 0,
    ) -> None:
        """Keep one operation, as ``on_operation`` does, without creating an ``Operation``.

        Args:
            start: Its start, on ``time.perf_counter_ns``.
            end: Its end, on the same clock.
            id: The id of the session; None where the call concerns no single session.
            kind: The kind of the operation.
            phases: The time in each phase; None where the storage reports none.
            wall: Its start, on ``time.time_ns``; 0 if it was not read: then ``CLOCK`` dates it.
        """
        block = self.block
        try:
            at = block.take()
        except StopIteration:
            at = self.make_room()
        block.starts[at] = start
        block.ends[at] = end
        if wall:
            block.walls[at] = wall
        block.ids[at] = id
        block.phases[at] = phases
        block.codes[at] = kind.code

    def make_room(self) -> int:
        """Pack the block, unless another thread did, and return a free place in it."""
        with self._lock:
            try:
                return self.block.take()
            except StopIteration:
                self._pack()
                return self.block.take()

    def _pack(self) -> None:
        # A thread may have taken a place and not written there yet. If an interrupt hit it just
        # then, it never will.
        for _ in range(PATIENCE_MS):
            if -1 not in self.block.codes:
                break
            time.sleep(0.001)
        chunk = Chunk.pack(self.block)
        self.block.empty()
        if chunk is not None:
            self._keep(chunk)

    def _keep(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._ever += len(chunk)
        self._packed += len(chunk)
        self._bytes += chunk.nbytes
        while self._packed > self.limit or self._bytes > max(self.limit, PORTION) * BYTES_EACH:
            oldest, first = self._chunks.popleft(), self._ever - self._packed
            self._packed -= len(oldest)
            self._bytes -= oldest.nbytes
            spare = self.limit - self._packed
            if 0 < spare < len(oldest):
                oldest, kept = oldest.split(len(oldest) - spare)
                self._chunks.appendleft(kept)
                self._packed += spare
                self._bytes += kept.nbytes
            _count_past(self._past, self._marks, oldest, first)

    def records(self, newest: int | None = None) -> Records:
        """Return what is recorded at this moment.

        Args:
            newest: The number of operations to return, the newest, and nothing of older ones;
                None for all that are kept, and the counts of those beyond the bound.

        Raises:
            StorageError: It is not an integer >= 0.
        """
        if newest is not None and not is_whole(newest):
            raise StorageError(f"newest has to be an integer >= 0 or None, not {newest!r}")
        chunks, past, _ = self._snapshot()
        if newest is not None:
            return Records.from_chunks(_take_newest(chunks, newest), {})
        return Records.from_chunks(chunks, join_past(past.values()))

    def since(self, mark: int = 0) -> tuple[Records, int]:
        """Return what was recorded since an earlier call, and nothing from before it.

        What came since and is no longer kept is counted in ``Records.past``.

        Args:
            mark: The mark that the earlier call returned; 0 for everything. It is used up: a
                second call with it may miss operations that are no longer kept.

        Returns:
            The records, and the mark for the next call.
        """
        with self._lock:
            chunks, past, now = self._snapshot()
            marks = [*self._marks, now]
            if mark in marks:
                marks.remove(mark)
            self._marks = sorted(marks)[-MARKS:]
        later = [counted for first, counted in past.items() if first >= mark]
        return Records.from_chunks(_take_newest(chunks, now - mark), join_past(later)), now

    def _snapshot(self) -> tuple[list[Chunk], _Past, int]:
        """Return what is kept, what is only counted, and the number of all, at one moment."""
        with self._lock:
            chunks = list(self._chunks)
            latest = Chunk.pack(self.block)
            past = {first: join_past([counted]) for first, counted in self._past.items()}
            ever, marks = self._ever, self._marks
        if latest is not None:
            chunks.append(latest)
            ever += len(latest)
        spare = sum(map(len, chunks)) - self.limit
        while spare > 0:
            first = ever - sum(map(len, chunks))
            oldest = chunks.pop(0)
            if spare < len(oldest):
                oldest, kept = oldest.split(spare)
                chunks.insert(0, kept)
            spare -= len(oldest)
            _count_past(past, marks, oldest, first)
        return chunks, past, ever

    def counts(self) -> dict[Kind, int]:
        """Return how many operations of each kind there were, those beyond the bound too."""
        with self._lock:
            codes = [chunk.kind for chunk in self._chunks]
            codes.append(np.array([code for code in self.block.codes if code >= 0], np.int64))
            past = join_past(self._past.values())
        found = {kind: len(histogram) for kind, histogram in past.items()}
        kept = np.bincount(np.concatenate(codes), minlength=len(KINDS))
        for code in np.flatnonzero(kept):
            found[KINDS[code]] = found.get(KINDS[code], 0) + int(kept[code])
        return found

    def past_counts(self) -> dict[Kind, int]:
        """Return how many operations of each kind are beyond the bound."""
        past = join_past(self._snapshot()[1].values())
        return {kind: len(histogram) for kind, histogram in past.items()}

    def operations(self) -> list[Operation]:
        """Return the operations that are kept, in the order in which they began."""
        return self.records().operations()

    def clear(self) -> None:
        """Forget all operations, and their counts."""
        with self._lock:
            self._ever += PORTION - self.block.codes.count(-1)
            self.block.empty()
            self._chunks.clear()
            self._past.clear()
            self._packed = self._bytes = 0

    @property
    def nbytes(self) -> int:
        """The memory that the packed operations take, in bytes."""
        with self._lock:
            return self._bytes

    def __len__(self) -> int:
        with self._lock:
            written = PORTION - self.block.codes.count(-1)
            return min(self.limit, self._packed + written)

    def __repr__(self) -> str:
        return f"<Recorder: {describe_count(len(self), 'operation')} kept, at most {self.limit:,}>"


def _take_newest(chunks: list[Chunk], count: int) -> list[Chunk]:
    """Return the last operations, so many of them."""
    found: list[Chunk] = []
    for chunk in reversed(chunks):
        if count <= 0:
            break
        found.insert(0, chunk if len(chunk) <= count else chunk.split(len(chunk) - count)[1])
        count -= len(chunk)
    return found


def _count_past(past: _Past, marks: list[int], chunk: Chunk, first: int) -> None:
    """Count the operations of a chunk in the histograms of their kinds, apart for each mark.

    Args:
        past: Where they are counted.
        marks: The marks, in ascending order.
        chunk: The operations.
        first: How many operations there were before the chunk.
    """
    _join_unmarked(past, marks)
    while len(chunk):
        number = bisect_right(marks, first)
        count = marks[number] - first if number < len(marks) else len(chunk)
        part, chunk = chunk.split(count)
        counted = past.setdefault(marks[number - 1] if number else 0, {})
        for code in np.unique(part.kind):
            histogram = counted.setdefault(KINDS[code], Histogram())
            histogram.add(part.duration[part.kind == code].astype(np.int64))
        first += len(part)


def _join_unmarked(past: _Past, marks: list[int]) -> None:
    """Count what came since a mark that was used up together with what came before it."""
    for first in [first for first in past if first and first not in marks]:
        number = bisect_right(marks, first)
        before = marks[number - 1] if number else 0
        past[before] = join_past([past.pop(first), past.get(before, {})])
