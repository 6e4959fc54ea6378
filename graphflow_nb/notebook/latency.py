"""What the operations of a workbench cost: frame, summary, plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..monitoring import Recorder
from .frames import operations_frame

if TYPE_CHECKING:
    from .plots import LatencyFigure

__all__ = ["Latency"]


class Latency:
    """The recorded operations of one workbench: ``wb.latency``."""

    def __init__(self, recorder: Recorder):
        self.recorder = recorder

    def frame(self) -> pd.DataFrame:
        """The recorded operations, oldest first.

        Returns:
            Columns ``op``, ``storage`` (category), ``session_id`` (text), ``started_at``
            (datetime64[ns, UTC]), ``duration_ns``, ``wait_ns``, ``encode_ns``, ``execute_ns``,
            ``decode_ns``, ``bytes``, ``rows`` (int64), ``outcome`` (category: ok, missing,
            conflict, error, cancelled), ``error`` (text, the exception's class).
        """
        return operations_frame(self.recorder.operations())

    def summary(self) -> pd.DataFrame:
        """Latency of each operation, in microseconds; failed and cancelled ones are counted in.

        Returns:
            Indexed by ``op``: ``count``, ``errors`` (conflicts, errors and cancellations, int64),
            ``mean_us``, ``p50_us``, ``p90_us``, ``p99_us``, ``max_us`` (float64). A percentile is
            a duration that was really measured, and NaN where there are too few to tell: p90
            needs 10 operations, p99 needs 100.
        """
        frame = self.frame()
        rows = {}
        for op, group in frame.groupby("op", observed=True):
            micros = group["duration_ns"].to_numpy() / 1000
            rows[str(op)] = {
                "count": len(micros),
                "errors": int(group["outcome"].isin(["conflict", "error", "cancelled"]).sum()),
                "mean_us": micros.mean(),
                "p50_us": percentile(micros, 50),
                "p90_us": percentile(micros, 90),
                "p99_us": percentile(micros, 99),
                "max_us": micros.max(),
            }
        columns = ["count", "errors", "mean_us", "p50_us", "p90_us", "p99_us", "max_us"]
        result = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        result.index.name = "op"
        return result.astype({"count": "int64", "errors": "int64"})

    def plot(self) -> LatencyFigure:
        """A first look: how the latencies of each operation are distributed, and when they were.

        Returns:
            A matplotlib figure that shows itself in a notebook; ``savefig`` works on it.
        """
        from .plots import latency_board  # matplotlib takes its time: only when it is wanted

        return latency_board(self.frame())

    def clear(self) -> None:
        """Forget what was recorded."""
        self.recorder.clear()

    def __len__(self) -> int:
        return len(self.recorder)

    def __repr__(self) -> str:
        if not len(self):
            return "no operation was recorded yet"
        return f"{len(self)} operations, in microseconds\n{self.summary().round(1)}"

    def _repr_html_(self) -> str:
        if not len(self):
            return "<p>No operation was recorded yet.</p>"
        return self.summary().round(1).to_html()


def percentile(values: np.typing.NDArray[np.float64], q: float) -> float:
    """The smallest measured value that q per cent do not exceed; NaN if n is too small for it."""
    if len(values) < round(1 / (1 - q / 100), 6):
        return float("nan")
    return float(np.percentile(values, q, method="inverted_cdf"))
