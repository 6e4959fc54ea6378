"""DataFrames of a recording of graphflow-stream: its events, and the runs of its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..history.recordings import Event
from .sessions import category_column, text_column

__all__ = ["events_frame", "task_runs_frame"]


def events_frame(events: Sequence[Event]) -> pd.DataFrame:
    """Return one row for each event; see ``Recording.events`` for the columns."""
    return pd.DataFrame(
        {
            "at": pd.TimedeltaIndex(np.array([event.at for event in events], "m8[ns]")),
            "kind": category_column([event.kind for event in events]),
            "task_id": category_column([event.task for event in events]),
            "text": text_column([event.text for event in events]),
        }
    )


def task_runs_frame(events: Sequence[Event]) -> pd.DataFrame:
    """Return one row for each run of a task; see ``Recording.tasks`` for the columns.

    An end belongs to the last start of its task that has none yet, and a token to the run that is
    under way. What has no start begins with its first event.
    """
    runs: list[dict[str, Any]] = []
    under_way: dict[str, dict[str, Any]] = {}
    for event in events:
        if not event.task:
            continue
        run = under_way.get(event.task)
        if run is None or event.kind == "TaskStarted":
            run = {
                "task_id": event.task,
                "start": event.at,
                "end": None,
                "outcome": "no end",
                "started": event.kind == "TaskStarted",
                "tokens": 0,
                "characters": 0,
                "last": event.at,
                "error": None,
            }
            under_way[event.task] = run
            runs.append(run)
        run["last"] = event.at
        if event.kind == "Token":
            run["tokens"] += 1
            run["characters"] += len(event.text)
        elif event.kind in ("TaskFinished", "TaskFailed"):
            failed = event.kind == "TaskFailed"
            run.update(end=event.at, outcome="failed" if failed else "finished")
            run["error"] = event.text if failed else None
            del under_way[event.task]
    missing = np.iinfo(np.int64).min  # NaT
    start = np.array([run["start"] for run in runs], np.int64)
    end = np.array([missing if run["end"] is None else run["end"] for run in runs], np.int64)
    last = np.array([run["last"] for run in runs], np.int64)
    tokens = np.array([run["tokens"] for run in runs], np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(last > start, tokens / ((last - start) / 1e9), np.nan)
    return pd.DataFrame(
        {
            "task_id": category_column([run["task_id"] for run in runs]),
            "start": pd.TimedeltaIndex(start.view("m8[ns]")),
            "end": pd.TimedeltaIndex(end.view("m8[ns]")),
            "last_event": pd.TimedeltaIndex(last.view("m8[ns]")),
            "outcome": category_column([run["outcome"] for run in runs]),
            "started": np.array([run["started"] for run in runs], bool),
            "tokens": tokens,
            "characters": np.array([run["characters"] for run in runs], np.int64),
            "tokens_per_second": rate.astype(np.float64),
            "error": text_column([run["error"] for run in runs]),
        }
    )
