"""Columns that figures read from a frame of operations."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..monitoring.operation import FAILED
from .text import count_text

__all__ = ["failed_of", "note_of", "on_log_scale", "started_ns", "title_of"]

Number = TypeVar("Number", np.int64, np.float64)


def started_ns(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Return the time when each operation began, in nanoseconds since 1970 UTC."""
    times = frame["started_at"].dt.tz_convert(None).to_numpy("M8[ns]")
    return np.asarray(times.view(np.int64))


def failed_of(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether each operation ended in a conflict, an error or a cancellation."""
    return frame["outcome"].isin(FAILED).to_numpy(np.bool_)


def title_of(what: str, frame: pd.DataFrame) -> str:
    """Return a title that says what is shown, of how many operations, and how many failed.

    It also says how many operations there were if not all are in the frame: see ``note_of``.
    """
    note = note_of(frame)
    title = f"{what}, {count_text(len(frame), int(failed_of(frame).sum()))}"
    return f"{title} ({note})" if note else title


def note_of(frame: pd.DataFrame) -> str:
    """Return the remark that a frame has on operations which are no longer kept, or nothing."""
    return str(frame.attrs.get("note", ""))


def on_log_scale(nanos: NDArray[Number]) -> NDArray[Number]:
    """Return durations for a log axis, which has no zero: what took 0 ns is drawn at 1 ns."""
    return np.maximum(nanos, 1)
