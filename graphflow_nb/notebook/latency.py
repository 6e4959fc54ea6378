"""Latency: what the recorded operations cost, as DataFrame, summary and figure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import StorageError
from ..frames import operations_frame
from ..monitoring import Histogram, Recorder, Records
from ..monitoring.operation import FAILED, Kind
from ..monitoring.percentiles import is_measurable, percentile

if TYPE_CHECKING:
    from ..client import Client
    from ..figures import LatencyFigure
    from ..figures.theme import ThemeName
    from .live import LiveLatency

__all__ = ["Latency"]

_COLUMNS = ("count", "errors", "mean_us", "p50_us", "p90_us", "p99_us", "max_us")


class Latency:
    """Recorded operations and what they cost; ``wb.latency`` has those of one workbench.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> for session_id in ("claim-0014", "support-0063"):
        ...     session = wb.get(session_id)
        >>> wb.latency.summary()["count"].to_dict()
        {'get': 2}

    Args:
        source: The recorder that goes on recording, or the operations that were recorded.
        client: The client whose operations these are.
    """

    def __init__(self, source: Recorder | Records, client: Client | None = None):
        self._source = source
        self._client = client

    @property
    def recorder(self) -> Recorder:
        """The recorder of these operations.

        Raises:
            StorageError: These operations were merged or read from a file: nothing records them.
        """
        if isinstance(self._source, Records):
            raise StorageError("merged or loaded operations have no recorder: use wb.latency")
        return self._source

    def records(self) -> Records:
        """Return the operations recorded until now, by column."""
        return self._source if isinstance(self._source, Records) else self._source.records()

    def frame(self, *, background: bool = False) -> pd.DataFrame:
        """Return the recorded operations in the order in which they began, the newest million.

        Args:
            background: Whether to return also what this package did by itself (following changes,
                counting for a view), with a column ``background`` (bool) that marks it.

        Returns:
            Columns ``op``, ``storage`` (category), ``session_id`` (text), ``started_at``
            (datetime64[ns, UTC]), ``duration_ns``, ``wait_ns``, ``encode_ns``, ``execute_ns``,
            ``decode_ns``, ``bytes``, ``rows`` (int64), ``outcome`` (category: ok, missing,
            conflict, error, cancelled), ``error`` (text, the exception's class), ``origin``
            (category: user; journal, which reads a session before each write by hand; and
            background where it was asked for).
        """
        return operations_frame(self.records(), background=background)

    def summary(self) -> pd.DataFrame:
        """Return the latency of each operation in microseconds, failed and cancelled ones included.

        Operations beyond the recorder's bound are included too: then percentiles come from
        histograms, at most 0.1 % above the true value. What the journal reads before a write is
        a row of its own, ``get (journal)``: a save by hand costs both.

        Returns:
            Indexed by ``op``: ``count``, ``errors`` (conflicts, errors and cancellations, int64),
            ``mean_us``, ``p50_us``, ``p90_us``, ``p99_us``, ``max_us`` (float64). A percentile is
            a duration that was really measured, and NaN where there are too few: p90
            needs 10 operations, p99 needs 100.
        """
        records = self.records().foreground()
        counts = records.counts()
        rows = {}
        for label in sorted({kind.label for kind in counts}):
            mine = np.array([kind.label == label for kind in records.kinds], bool)
            nanos = records.duration_ns[mine[records.kind]] if len(mine) else records.duration_ns
            same = {kind: n for kind, n in counts.items() if kind.label == label}
            rows[label] = {
                "count": sum(same.values()),
                "errors": sum(n for kind, n in same.items() if kind.outcome in FAILED),
                **_figures(nanos, _past(records.past, label)),
            }
        result = pd.DataFrame.from_dict(rows, orient="index", columns=list(_COLUMNS))
        result.index.name = "op"
        return result.astype({"count": "int64", "errors": "int64"})

    def plot(
        self, kind: str = "board", *, by: str | None = None, theme: ThemeName = "light"
    ) -> LatencyFigure:
        """Return a figure of the operations recorded until now.

        Args:
            kind: The name of a figure: ``board`` is a good first view, ``percentiles``,
                ``timeline`` and more show one thing each. ``graphflow_nb.figures.figure_kinds()``
                lists them all, with what they show.
            by: The column whose values are distinguished: ``op``, ``storage``, ``outcome``, …
            theme: ``light`` or ``dark``.

        Returns:
            A matplotlib figure that shows itself in a notebook and describes itself in words;
            ``savefig`` works on it.

        Raises:
            QueryError: The kind, the column or the theme is unknown.
        """
        from ..figures import draw_figure  # matplotlib takes its time: only when it is wanted

        return draw_figure(kind, operations_frame(self.records(), labels=True), by=by, theme=theme)

    def live(self, *, theme: ThemeName = "light") -> LiveLatency:
        """Return a view of operations as they come and of the slowest; a click opens a session.

        Args:
            theme: The theme of the figure, ``light`` or ``dark``.

        Returns:
            A widget, whose ``close()`` ends it; it stops by itself after an hour.

        Raises:
            StorageError: These operations were merged or read from a file: nothing records them.
        """
        from .live import LiveLatency

        if self._client is None:
            raise StorageError("merged or loaded operations don't go on: use wb.latency.live()")
        return LiveLatency(self._client, theme=theme)

    def merged(self, *others: Latency) -> Latency:
        """Return these operations and those of others together.

        Args:
            others: Operations of other workbenches or from files.
        """
        return Latency(self.records().merged(*(other.records() for other in others)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the operations recorded until now as a Parquet file, ids of sessions included.

        Any tool reads it; it has the columns of ``frame``.

        Args:
            path: The path of the file; an existing one is replaced.

        Raises:
            StorageError: The package pyarrow is missing, or the file can't be written.
        """
        self.records().save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the operations of a file that ``save`` wrote.

        Args:
            path: The path of the file.

        Raises:
            StorageError: The package pyarrow is missing, or ``save`` did not write this file.
        """
        return cls(Records.load(path))

    def clear(self) -> None:
        """Forget what was recorded.

        Raises:
            StorageError: These operations were merged or read from a file: nothing records them.
        """
        self.recorder.clear()

    def __len__(self) -> int:
        """Return the number of recorded operations, those beyond the bound included."""
        counts = self._source.counts()
        return sum(count for kind, count in counts.items() if not kind.background)

    def __repr__(self) -> str:
        summary = self.summary()
        if not len(summary):
            return "no operation was recorded yet"
        return f"{summary['count'].sum():,} operations, in microseconds\n{summary.round(1)}"

    def _repr_html_(self) -> str:
        summary = self.summary()
        if not len(summary):
            return "<p>No operation was recorded yet.</p>"
        return summary.round(1).to_html()


def _past(past: Mapping[Kind, Histogram], label: str) -> Histogram:
    found = Histogram()
    for kind, histogram in past.items():
        if kind.label == label:
            found.merge(histogram)
    return found


def _figures(nanos: NDArray[np.int64], past: Histogram) -> dict[str, float]:
    count = len(nanos) + len(past)
    everything = Histogram.of(nanos)
    everything.merge(past)
    figures = {"mean_us": everything.total_ns / count / 1000}
    for q in (50, 90, 99):
        if len(past):
            value = everything.percentile(q) if is_measurable(count, q) else float("nan")
        else:
            value = percentile(nanos, q)
        figures[f"p{q}_us"] = value / 1000
    return figures | {"max_us": everything.highest_ns / 1000}
