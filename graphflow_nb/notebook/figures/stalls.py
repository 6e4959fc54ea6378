"""Intervals in which a store answered nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .axis import started_ns
from .checks import need

__all__ = ["stalls"]

SHORTEST = 10_000_000  # ns: less is what any machine does now and then
FACTOR = 10


def stalls(frame: pd.DataFrame) -> pd.DataFrame:
    """The intervals in which nothing finished though work was under way.

    Such an interval lies between two ends of operations, and begins where the first operation that
    was still under way began, if that is later. It counts as a stall if it lasted at least 10 ms,
    and at least ten times the 90th percentile of the kind (storage and op) of operation that ended
    it: a slow kind does not stall by being slow, and of fewer than ten operations none can be said
    to have.

    Args:
        frame: as ``Latency.frame()`` gives it.

    Returns:
        Columns ``started_at`` (datetime64[ns, UTC]), ``duration_ns`` (int64), ``storage``, ``op``
        (of the operation that ended it), the oldest first.

    Raises:
        QueryError: the frame lacks a column.
    """
    need(frame, ["started_at", "duration_ns", "op", "storage"])
    started = started_ns(frame)
    ends = started + frame["duration_ns"].to_numpy(np.int64)
    order = np.argsort(ends, kind="stable")
    ends, started = ends[order], started[order]
    # Of those that end here or later, when did the first begin?
    since = np.minimum.accumulate(started[::-1])[::-1]
    since[1:] = np.maximum(since[1:], ends[:-1])
    found = np.flatnonzero(ends - since >= SHORTEST)
    ended_by = frame.iloc[order[found]]
    lasted = (ends - since)[found]
    usual = np.empty(len(found), np.int64)
    for (storage, op), rows in ended_by.reset_index().groupby(["storage", "op"], observed=True):
        kind = frame.loc[(frame["storage"] == storage) & (frame["op"] == op), "duration_ns"]
        usual[rows.index] = np.percentile(kind, 90, method="inverted_cdf")
    result = pd.DataFrame(
        {
            "started_at": pd.DatetimeIndex(since[found].view("M8[ns]")).tz_localize("UTC"),
            "duration_ns": lasted,
            "storage": ended_by["storage"].to_numpy(),
            "op": ended_by["op"].to_numpy(),
        }
    )
    stalled: pd.DataFrame = result[lasted >= FACTOR * usual].reset_index(drop=True)
    return stalled
