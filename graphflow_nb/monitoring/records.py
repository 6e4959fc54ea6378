"""Records: operations until a moment, by column, that can be merged, saved and loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import read_file, write_privately
from .columns import Chunk
from .histogram import Histogram
from .loading import FORM, KEY, KIND, import_pyarrow, read_columns
from .operation import KINDS, MEASURES, SINCE_1970, Kind, Operation

__all__ = ["Records", "describe_bound", "join_past"]


@dataclass(frozen=True)
class Records:
    """Recorded operations by column, in the order in which they began; immutable.

    Attributes:
        started_ns: The start of each, int64 ns since 1970 UTC.
        duration_ns: The duration of each, int64 ns.
        kind: The index in ``kinds`` of each.
        kinds: The kinds of operations: op, storage, outcome, error and origin.
        session: The index in ``sessions`` of each.
        sessions: The ids of the sessions; None for operations that concern no single session.
        measures: ``wait_ns``, ``encode_ns``, ``execute_ns``, ``decode_ns``, ``bytes``, ``rows``,
            int64 each.
        past: The durations of the operations beyond the recorder's bound, by kind.

    Example:
        >>> import graphflow_nb as g
        >>> wb = g.open("demo")
        >>> session = wb.get("claim-0014")
        >>> records = wb.latency.records()
        >>> len(records), records.kinds
        (1, (<Kind get InMemorySessionStorage ok>,))
    """

    started_ns: NDArray[np.int64]
    duration_ns: NDArray[np.int64]
    kind: NDArray[np.int64]
    kinds: tuple[Kind, ...]
    session: NDArray[np.int64]
    sessions: list[str | None]
    measures: dict[str, NDArray[np.int64]]
    past: Mapping[Kind, Histogram] = field(default_factory=dict)

    @classmethod
    def from_chunks(cls, chunks: Sequence[Chunk], past: Mapping[Kind, Histogram]) -> Records:
        """Return what a recorder keeps, in the order in which the operations began.

        Args:
            chunks: The operations that are kept.
            past: The durations of those beyond the bound, by kind.
        """
        started = _join(chunk.began + SINCE_1970 + chunk.start.astype(np.int64) for chunk in chunks)
        sessions: list[str | None] = []
        numbers = []
        for chunk in chunks:
            numbers.append(chunk.session.astype(np.int64) + len(sessions))
            sessions += chunk.ids.unpack()
        kind = _join(chunk.kind for chunk in chunks)
        codes = np.flatnonzero(np.bincount(kind))
        number = np.zeros(len(KINDS), np.int64)
        number[codes] = np.arange(len(codes))
        records = cls(
            started,
            _join(chunk.duration for chunk in chunks),
            number[kind],
            tuple(KINDS[code] for code in codes),
            _join(numbers),
            sessions,
            {
                name: _join(_measure_of(chunk, index) for chunk in chunks)
                for index, name in enumerate(MEASURES)
            },
            past,
        )
        if (np.diff(started) < 0).any():
            return records.select(np.argsort(started, kind="stable"))
        return records

    def select(self, rows: NDArray[Any]) -> Records:
        """Return some of the operations.

        Args:
            rows: A mask, or the positions.
        """
        return replace(
            self,
            started_ns=self.started_ns[rows],
            duration_ns=self.duration_ns[rows],
            kind=self.kind[rows],
            session=self.session[rows],
            measures={name: values[rows] for name, values in self.measures.items()},
        )

    def foreground(self) -> Records:
        """Return the operations that this package did not cause by itself."""
        background = np.array([kind.background for kind in self.kinds], bool)
        past = {kind: h for kind, h in self.past.items() if not kind.background}
        if not background.any():
            return self if len(past) == len(self.past) else replace(self, past=past)
        return replace(self.select(~background[self.kind]), past=past)

    @classmethod
    def chained(cls, parts: Sequence[Records]) -> Records:
        """Return several records one after the other, whenever their operations began.

        Args:
            parts: The records.
        """
        kinds = list(dict.fromkeys(kind for records in parts for kind in records.kinds))
        number = {kind: index for index, kind in enumerate(kinds)}
        past = join_past(records.past for records in parts)
        sessions: list[str | None] = []
        numbers, codes = [], []
        for records in parts:
            numbers.append(records.session + len(sessions))
            sessions += records.sessions
            numbered = np.array([number[kind] for kind in records.kinds], np.int64)
            codes.append(numbered[records.kind] if len(records) else records.kind)
        return cls(
            _join(r.started_ns for r in parts),
            _join(r.duration_ns for r in parts),
            _join(codes),
            tuple(kinds),
            _join(numbers),
            sessions,
            {name: _join(r.measures[name] for r in parts) for name in MEASURES},
            past,
        )

    def merged(self, *others: Records) -> Records:
        """Return these and others together, in the order in which they began.

        Args:
            others: The records of other workbenches, or of other processes.
        """
        joined = self.chained((self, *others))
        return joined.select(np.argsort(joined.started_ns, kind="stable"))

    def operations(self) -> list[Operation]:
        """Return one object for each operation."""
        columns = (self.kind, self.session, self.started_ns, self.duration_ns)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        phases = zip(*(self.measures[name].tolist() for name in MEASURES), strict=True)
        return [
            self.kinds[kind].operation(
                self.sessions[session], started - SINCE_1970, duration, spent
            )
            for (kind, session, started, duration), spent in zip(rows, phases, strict=True)
        ]

    def counts(self) -> dict[Kind, int]:
        """Return how many operations of each kind there were, those beyond the bound too."""
        kept = np.bincount(self.kind, minlength=len(self.kinds))
        counts = {kind: int(n) for kind, n in zip(self.kinds, kept, strict=True)}
        for kind, histogram in self.past.items():
            counts[kind] = counts.get(kind, 0) + len(histogram)
        return {kind: count for kind, count in counts.items() if count}

    def past_counts(self) -> dict[Kind, int]:
        """Return how many operations of each kind are beyond the bound."""
        return {kind: len(histogram) for kind, histogram in self.past.items()}

    @property
    def forgotten(self) -> int:
        """The number of operations beyond the bound, which are in ``past`` alone."""
        return sum(map(len, self.past.values()))

    @property
    def bound_note(self) -> str:
        """How many of the operations are kept; empty if all are."""
        return describe_bound(len(self), len(self) + self.forgotten)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a Parquet file, which any tool can read, with the columns of ``Latency.frame``.

        Args:
            path: The file. An existing one is replaced when the new one is complete.

        Raises:
            StorageError: The package pyarrow is missing, or the file can't be written.
        """
        write_privately(path, self.parquet())

    def parquet(self) -> bytes:
        """Return the content of the file that ``save`` writes.

        Raises:
            StorageError: The package pyarrow is missing.
        """
        pa, pq = import_pyarrow()
        columns = {
            **{
                name: self._text_column([getattr(kind, name) for kind in self.kinds], self.kind)
                for name in KIND
            },
            "background": pa.array(np.array([k.background for k in self.kinds], bool)[self.kind]),
            "session_id": self._text_column(self.sessions, self.session),
            "started_at": pa.array(self.started_ns, pa.timestamp("ns", tz="UTC")),
            "duration_ns": pa.array(self.duration_ns),
            **{name: pa.array(values) for name, values in self.measures.items()},
        }
        past = [
            {name: getattr(kind, name) for name in KIND} | histogram.state()
            for kind, histogram in self.past.items()
        ]
        kept = {KEY: json.dumps({"form": FORM, "past": past})}
        written = pa.BufferOutputStream()
        pq.write_table(pa.table(columns).replace_schema_metadata(kept), written, compression="zstd")
        return bytes(written.getvalue())

    def _text_column(self, values: Sequence[Any], numbers: NDArray[np.int64]) -> Any:
        pa, _ = import_pyarrow()
        # The values of a dictionary have to differ; the ids of several chunks may be equal.
        once = {value: number for number, value in enumerate(dict.fromkeys(values))}
        codes = np.array([once[value] for value in values], np.int32)
        indices = codes[numbers] if len(values) else numbers.astype(np.int32)
        texts = pa.array(list(once), pa.string())
        return pa.DictionaryArray.from_arrays(indices, texts).cast(pa.string())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Records:
        """Return the records that ``save`` wrote.

        Args:
            path: The file.

        Raises:
            StorageError: The package pyarrow is missing, or ``save`` did not write this file.
        """
        return cls.from_parquet(read_file(path), os.fspath(path))

    @classmethod
    def from_parquet(cls, content: bytes, name: str = "this", share: float = 1.0) -> Records:
        """Return the records of a content that ``parquet`` returned.

        Args:
            content: The content.
            name: The name of the content, for errors.
            share: Its part of a larger file, whose bounds it shares.

        Raises:
            StorageError: The package pyarrow is missing, or ``parquet`` did not return the content.
        """
        return cls(*read_columns(content, name, share))

    def __len__(self) -> int:
        return len(self.started_ns)


def describe_bound(kept: int, made: int, what: str = "operations") -> str:
    """Return in words how many operations are kept of those that there were; empty if all are.

    Args:
        kept: The number of those that are kept.
        made: The number of all.
        what: What they are.
    """
    return f"the newest {kept:,} of {made:,} {what} are kept" if kept < made else ""


def join_past(parts: Iterable[Mapping[Kind, Histogram]]) -> dict[Kind, Histogram]:
    """Return the histograms of all parts together, as new objects.

    Args:
        parts: Durations by kind.
    """
    joined: dict[Kind, Histogram] = {}
    for durations in parts:
        for kind, histogram in durations.items():
            joined.setdefault(kind, Histogram()).merge(histogram)
    return joined


def _join(parts: Iterable[NDArray[Any]]) -> NDArray[np.int64]:
    found = list(parts)
    return np.concatenate(found).astype(np.int64, copy=False) if found else np.zeros(0, np.int64)


def _measure_of(chunk: Chunk, index: int) -> NDArray[Any]:
    values = chunk.measures[index]
    return np.zeros(len(chunk), np.uint8) if values is None else values
