"""Latency: what the recorded operations cost, as DataFrame, summary and figure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from ..errors import QueryError, StorageError
from ..frames import frame_html, operations_frame
from ..model.moments import parse_duration
from ..monitoring import Histogram, Recorder, Records
from ..monitoring.durations import Durations
from ..monitoring.operation import FAILED
from ..monitoring.records import describe_bound
from ..printable import describe_count, printable_lines

if TYPE_CHECKING:
    from ..client import Client
    from ..figures import LatencyFigure
    from ..figures.theme import ThemeName
    from .exploring import LatencyExplorer
    from .live import LiveLatency

__all__ = ["Latency", "distinct_latencies"]

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

    @property
    def recorded(self) -> object:
        """What is recorded, the same object for those who record the same operations."""
        return self._source if self._client is None else self._client.storage

    def records(self) -> Records:
        """Return the operations recorded until now, by column."""
        return self._source if isinstance(self._source, Records) else self._source.records()

    def frame(self, *, background: bool = False) -> pd.DataFrame:
        """Return the recorded operations in the order in which they began.

        A recorder keeps the newest million in at most 64 MB, fewer if ids are long. If there were
        more, ``attrs["note"]`` says how many; ``summary()`` counts all.

        Args:
            background: Whether to return also what this package did by itself (following changes,
                counting for a view), with a column ``background`` (bool) that marks it.

        Returns:
            Columns ``op``, ``storage`` (category), ``session_id`` (text), ``started_at``
            (datetime64[ns, UTC]), ``duration_ns``, ``wait_ns``, ``encode_ns``, ``execute_ns``,
            ``decode_ns``, ``bytes``, ``rows`` (int64; from ``wait_ns`` on float64 if a storage,
            such as memory, reports none of them for an operation: NaN there), ``outcome``
            (category: ok, missing, conflict, error, cancelled), ``error`` (text, the exception's
            class), ``origin`` (category: user; journal, which reads a session before each write by
            hand; and background where it was asked for).
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
                **_figures(nanos, [h for kind, h in records.past.items() if kind.label == label]),
            }
        result = pd.DataFrame.from_dict(rows, orient="index", columns=list(_COLUMNS))
        result.index.name = "op"
        return result.astype({"count": "int64", "errors": "int64"})

    def plot(
        self,
        kind: str = "board",
        *,
        by: str | None = None,
        objective: str | timedelta | None = None,
        large: bool = False,
        theme: ThemeName = "both",
    ) -> LatencyFigure:
        """Return a figure of the operations recorded until now.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> for _ in range(5):
            ...     session = wb.get("claim-0014")
            >>> figure = wb.latency.plot(objective="20 ms")
            >>> "over 20 ms: get 0 %" in figure.said
            True

        Args:
            kind: The name of a figure: ``board`` is a good first view, ``percentiles``,
                ``timeline`` and more show one thing each. ``graphflow_nb.figures.figure_kinds()``
                lists them all, with what they show.
            by: The column whose values are distinguished: ``op``, ``storage``, ``outcome``, …
            objective: A duration that operations should not exceed, such as ``"20 ms"``: it is
                drawn as a line, with the share of operations beyond it.
            large: Whether it is for a projector: larger, and one picture below the other.
            theme: ``both`` (transparent, for a light and a dark ground), ``light`` or ``dark``.

        Returns:
            A matplotlib figure that shows itself in a notebook and describes itself in words;
            ``savefig`` works on it.

        Raises:
            QueryError: The kind, the column or the theme is unknown, the objective is not a
                duration, or the kind of figure does not draw one.
        """
        from ..figures import draw_figure  # matplotlib takes its time: only when it is wanted

        nanos = None if objective is None else _parse_objective(objective)
        frame = operations_frame(self.records(), labels=True)
        return draw_figure(kind, frame, by=by, objective=nanos, large=large, theme=theme)

    def live(self, *, theme: ThemeName = "both") -> LiveLatency:
        """Return a view of operations as they come and of the slowest; a click opens a session.

        Args:
            theme: The theme of the figure: ``both`` (transparent), ``light`` or ``dark``.

        Returns:
            A widget, whose ``close()`` ends it; it stops by itself after an hour.

        Raises:
            StorageError: These operations were merged or read from a file: nothing records them.
        """
        from .live import LiveLatency

        if self._client is None:
            raise StorageError("merged or loaded operations don't go on: use wb.latency.live()")
        return LiveLatency(self._client, theme=theme)

    def explore(self) -> LatencyExplorer:
        """Return a chart to zoom and point in, of dots or as a heat map; a dot opens its session.

        It works in JupyterLab, Notebook and other front ends with anywidget, without a network, by
        mouse and by keyboard. Of many operations at most 4,000 are dots at a time, the slowest and
        failed ones among them; the heat map counts all. ``plot`` makes pictures.

        Returns:
            A widget. Where no store is open (merged or loaded operations) a dot shows its phases
            and opens no session.
        """
        from .exploring import LatencyExplorer

        return LatencyExplorer(self.records, self._client)

    def merged(self, *others: Latency) -> Latency:
        """Return these operations and those of others together.

        Workbenches with one storage count once. What was merged or loaded is taken as it is.

        Args:
            others: Operations of other workbenches or from files.
        """
        first, *rest = [each.records() for each in distinct_latencies([self, *others])]
        return Latency(first.merged(*rest))

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

    @property
    def bound_note(self) -> str:
        """How many of the operations are kept one by one; empty if all are."""
        past = self._source.past_counts()  # before all are counted, so that it is no more
        forgotten = sum(count for kind, count in past.items() if not kind.background)
        made = len(self)
        return describe_bound(made - forgotten, made)

    def __repr__(self) -> str:
        summary = self.summary()
        if not len(summary):
            return "no operation was recorded yet"
        table = printable_lines(str(summary.round(1)))
        operations = describe_count(int(summary["count"].sum()), "operation")
        text = f"{operations}, in microseconds\n{table}"
        note = self._describe_bound()
        return f"{text}\n{note}" if note else text

    def _repr_html_(self) -> str:
        summary = self.summary()
        if not len(summary):
            return str(Markup("<p>No operation was recorded yet.</p>"))
        note = self._describe_bound()
        below = Markup("<p>%s</p>") % note if note else ""
        return str(frame_html(summary.round(1)) + below)

    def _describe_bound(self) -> str:
        note = self.bound_note
        return note and f"{note}; this table counts all, frame() and figures have the newest"


def distinct_latencies(latencies: Sequence[Latency]) -> list[Latency]:
    """Return those that recorded different operations.

    Two names can be one workbench, and two workbenches can be on one monitored storage, whose
    operations both record. Of those, the one that recorded more is returned.

    What is not recorded any more, but merged or loaded, is returned as it is.

    Args:
        latencies: Recorded operations, in any order.
    """
    found: dict[int, Latency] = {}
    ready = [each for each in latencies if isinstance(each.recorded, Records)]
    for latency in latencies:
        key = id(latency.recorded)
        if latency not in ready and (key not in found or len(found[key]) < len(latency)):
            found[key] = latency
    return [*found.values(), *ready]


def _parse_objective(objective: str | timedelta) -> float:
    """Return an objective in nanoseconds."""
    try:
        duration = parse_duration(objective)
    except ValueError as error:
        raise QueryError(f'objective: {error}; for example "20 ms"') from error
    if not duration:
        raise QueryError('objective: it has to be longer than 0, for example "20 ms"')
    return duration / timedelta(microseconds=1) * 1000


def _figures(nanos: NDArray[np.int64], past: Iterable[Histogram]) -> dict[str, float]:
    found = Durations(nanos, past)
    percentiles = {f"p{q}_us": found.percentile(q) / 1000 for q in (50, 90, 99)}
    return {"mean_us": found.mean / 1000} | percentiles | {"max_us": found.highest / 1000}
