"""DataFrames of the versions of sessions over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..changes.patch import parse_pointer
from ..history import Version
from ..model.exactjson import pointer
from ..model.masks import DEFAULT_MASK, Mask
from .sessions import category_column, text_column

__all__ = ["versions_frame"]

MAX_PATHS = 5  # of one version's changes that are named


def _describe_change(
    version: Version, paths: Sequence[str] | None, before: Version | None, mask: Mask
) -> str:
    """Return what a version changed, in one line; empty where that is not known."""
    if version.deleted:
        return "deleted"
    if before is not None and before.deleted:
        return "created"
    if version.number == 1:  # it may be older than its history
        return "created" if version.version in (0, 1) else "first kept"
    if paths is None:
        return ""
    # Most changes are in data, where a person looks for the key.
    named = (pointer(mask.hide_path(parse_pointer(path))) for path in paths[:MAX_PATHS])
    shown = ", ".join(path.removeprefix("/context/data/") for path in named) or "nothing"
    more = len(paths) - MAX_PATHS
    return f"{shown} and {more:,} more" if more > 0 else shown


def versions_frame(
    versions: Sequence[tuple[Version, Sequence[str] | None]],
    limit: int,
    mask: Mask = DEFAULT_MASK,
) -> pd.DataFrame:
    """Return one row for each version; see ``Workbench.history`` for the columns.

    Args:
        versions: The versions, newest first, each with the paths that it changed.
        limit: The most rows. One version more tells what the last of them changed.
        mask: What is hidden of their status, and of the keys that are named.
    """
    older = [*(version for version, _ in versions[1:]), None]
    changes = [
        _describe_change(version, paths, before, mask)
        for (version, paths), before in zip(versions, older, strict=True)
    ]
    shown = [version for version, _ in versions]
    at = pd.DatetimeIndex([version.at for version in shown], dtype="datetime64[us, UTC]")
    frame = pd.DataFrame(
        {
            "at": at,
            "graph_id": category_column([v.graph_id for v in shown]),
            "current_task_id": category_column([v.current_task_id for v in shown]),
            "status_message": text_column(mask.hide_each([v.status_message for v in shown])),
            "changes": text_column(changes),
            "since_previous": _differences(at),
            "context_bytes": np.array([v.bytes for v in shown], np.int64),
            "deleted": np.array([v.deleted for v in shown], bool),
            "stored_version": pd.array([v.version for v in shown], dtype="Int64"),
            "source": category_column([v.source for v in shown]),
            "writer": text_column([v.writer for v in shown]),
        },
        index=pd.Index([v.number for v in shown], dtype="int64", name="version"),
    )
    return frame.iloc[:limit]


def _differences(at: pd.DatetimeIndex) -> pd.TimedeltaIndex:
    """Return how much later each time is than the next one; NaT for the last."""
    micros = at.as_unit("us").asi8
    lasted = np.full(len(micros), np.iinfo(np.int64).min)  # NaT
    lasted[:-1] = micros[:-1] - micros[1:]
    return pd.TimedeltaIndex(lasted.view("m8[us]"))
