"""Intervals in which a store answered nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .checks import check_columns
from .frame import started_ns

__all__ = ["SHORTEST", "stalls"]

SHORTEST = 10_000_000  # ns: any machine stalls for less now and then
FACTOR = 20  # times the median
FEWEST = 10  # operations that are enough for a median


def stalls(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the intervals in which nothing finished though work was under way.

    Such an interval ends where an operation ends, and begins where the one before ended, or where
    this one began if that was later. It is a stall if it lasted at least 10 ms and at least twenty
    times the median of the kind (storage and op) of the operation that ended it: a slow kind does
    not stall by being slow, and fewer than ten operations do not show what is slow.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.

    Returns:
        Columns ``started_at`` (datetime64[ns, UTC]), ``duration_ns`` (int64), ``storage``, ``op``
        (category, of the operation that ended it), the oldest first.

    Raises:
        QueryError: The frame lacks a column.

    Example:
        >>> import graphflow_nb as g
        >>> from graphflow_nb.figures import stalls
        >>> wb = g.open("demo")
        >>> session = wb.get("claim-0014")
        >>> len(stalls(wb.latency.frame()))
        0
    """
    check_columns(frame, ["started_at", "duration_ns", "op", "storage"])
    started = started_ns(frame)
    ends = started + frame["duration_ns"].to_numpy(np.int64)
    order = np.argsort(ends, kind="stable")
    ends, since = ends[order], started[order]
    since[1:] = np.maximum(since[1:], ends[:-1])
    found = np.flatnonzero(ends - since >= SHORTEST)
    ended_by = frame.iloc[order[found]]
    lasted = (ends - since)[found]
    median = np.full(len(found), np.inf)
    for (storage, op), rows in ended_by.reset_index().groupby(["storage", "op"], observed=True):
        kind = frame.loc[(frame["storage"] == storage) & (frame["op"] == op), "duration_ns"]
        if len(kind) >= FEWEST:
            median[rows.index] = np.percentile(kind, 50, method="inverted_cdf")
    result = pd.DataFrame(
        {
            "started_at": pd.DatetimeIndex(since[found].view("M8[ns]")).tz_localize("UTC"),
            "duration_ns": lasted,
            "storage": ended_by["storage"].array,
            "op": ended_by["op"].array,
        }
    )
    stalled: pd.DataFrame = result[lasted >= FACTOR * median].reset_index(drop=True)
    return stalled
