"""DataFrames of how long sessions stayed at their tasks, from the versions of their history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..model.masks import DEFAULT_MASK, Mask
from ..model.times import micros_of
from ..storage.history import Steps
from .sessions import category_column, text_column

__all__ = ["stays_frame", "transitions_frame"]

Micros = NDArray[np.int64]


def stays_frame(steps: Steps, now: datetime, mask: Mask = DEFAULT_MASK) -> pd.DataFrame:
    """Return one row for each stay of a session at a task; see ``Timeline.stays`` for the columns.

    Args:
        steps: The versions, by id and number.
        now: The end of the stays that have none yet.
        mask: What is hidden of their status.
    """
    count = len(steps)
    ids = np.array(steps.id, object)
    tasks = np.array(steps.current_task_id, object)
    following = np.zeros(count, bool)  # whether the next row is the same session's next version
    before = np.zeros(count, bool)
    if count > 1:
        same = (ids[1:] == ids[:-1]) & ~steps.deleted[:-1]
        following[:-1] = same
        before[1:] = same
    waits = np.zeros(count, bool)
    waits[1:] = before[1:] & (tasks[1:] == tasks[:-1])
    end = np.full(count, micros_of(now), np.int64)
    end[:-1] = np.where(following[:-1], steps.at[1:], end[:-1])
    shown = ~steps.deleted  # a version that deletes is the end of a stay, and not one itself
    # A clock that was set back makes no stay of less than nothing.
    end = np.maximum(end, steps.at)
    frame = pd.DataFrame(
        {
            "id": text_column(ids),
            "graph_id": category_column(steps.graph_id),
            "task": category_column(steps.current_task_id),
            "start": _times(steps.at),
            "end": _times(end),
            "duration": pd.TimedeltaIndex((end - steps.at).view("m8[us]")),
            "waits": waits,
            "open": ~following,
            "version": steps.number,
            "status_message": text_column(mask.hide_each(steps.status_message)),
            "source": category_column(steps.source),
        }
    )
    return frame[shown].reset_index(drop=True)


def transitions_frame(stays: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each way from task to task; see ``Timeline.transitions`` for the columns.

    Args:
        stays: The stays, as ``stays_frame`` returns them.
    """
    columns = ["graph_id", "from", "to", "n", "p50", "p99"]
    # The next number: a version in between that is a delete is no stay.
    follows = (stays["id"] == stays["id"].shift(-1)) & (stays["version"].diff(-1) == -1)
    ended = stays[~stays["open"] & follows]
    target = stays["task"].astype(object).shift(-1).reindex(ended.index)
    found: list[dict[str, Any]] = []
    groups = ended.groupby(
        [ended["graph_id"].astype(object), ended["task"].astype(object), target], sort=True
    )
    for (graph_id, source, to), rows in groups:
        micros = rows["duration"].to_numpy("m8[us]").view(np.int64)
        p50, p99 = np.percentile(micros, [50, 99], method="inverted_cdf")
        found.append(
            {
                "graph_id": graph_id,
                "from": source,
                "to": to,
                "n": len(rows),
                "p50": pd.Timedelta(int(p50), "us"),
                "p99": pd.Timedelta(int(p99), "us"),
            }
        )
    frame = pd.DataFrame(found, columns=columns)
    frame = frame.sort_values(
        ["graph_id", "n", "from", "to"], ascending=[True, False, True, True], ignore_index=True
    )
    texts = dict.fromkeys(("graph_id", "from", "to"), "category")
    times = dict.fromkeys(("p50", "p99"), "timedelta64[us]")
    typed: pd.DataFrame = frame.astype({**texts, "n": "int64", **times})
    return typed


def _times(micros: Micros) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(micros.view("M8[us]")).tz_localize("UTC")
