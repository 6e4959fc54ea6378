"""The figures of a run.

This module imports matplotlib, so ``Run`` imports it only when a figure is wanted.
"""

from __future__ import annotations

import pandas as pd

from ..errors import BenchmarkError
from ..figures import (
    LatencyFigure,
    naive_and_corrected,
    plot_boxes,
    plot_difference,
    plot_heatmap,
    plot_percentiles,
    plot_phases,
)
from ..figures.theme import ThemeName

__all__ = ["draw_difference", "draw_run"]


def draw_run(
    requests: pd.DataFrame, operations: pd.DataFrame, *, open_loop: bool, theme: ThemeName
) -> LatencyFigure:
    """Draw how long requests took and when, and where the storages spent their time.

    The figure has the requests by percentile (of one store in an open loop: as measured and
    corrected), the requests over time or by store, and the phases of the operations if a storage
    reports them.

    Args:
        requests: The requests, as ``Run.requests_as_operations`` returns them.
        operations: The operations, as ``Run.frame`` returns them.
        open_loop: Whether requests were to start at set times.
        theme: ``light`` or ``dark``.
    """
    several = requests["storage"].nunique() > 1
    phases = bool(operations[["wait_ns", "encode_ns", "execute_ns", "decode_ns"]].any(axis=None))
    figure = LatencyFigure((12.5, 9.6 if phases else 4.8), theme=theme)
    panels = figure.panels(2 if phases else 1, 2)
    if several:
        plot_percentiles(requests, ax=panels[0], by="storage")
        plot_boxes(requests, ax=panels[1], by="storage")
    elif open_loop:
        service = requests["duration_ns"] - requests["wait_ns"]
        naive_and_corrected(service, requests["duration_ns"], ax=panels[0])
        plot_heatmap(requests, ax=panels[1])
    else:
        plot_percentiles(requests, ax=panels[0])
        plot_heatmap(requests, ax=panels[1])
    if phases:
        by = ["op", "storage"] if several else "op"
        plot_phases(operations, ax=panels[2], by=by)
        plot_boxes(operations, ax=panels[3], by=by)
    return figure


def draw_difference(
    before: pd.DataFrame, after: pd.DataFrame, *, theme: ThemeName
) -> LatencyFigure:
    """Draw how much slower or quicker a run was than another, for each store and request.

    Args:
        before: The requests of the other run, as ``Run.requests_as_operations`` returns them.
        after: The requests of the run.
        theme: ``light`` or ``dark``.

    Raises:
        BenchmarkError: They have no store and request in common.
    """
    before, after = (frame.assign(operation=_name_operations(frame)) for frame in (before, after))
    if not set(before["operation"]) & set(after["operation"]):
        raise BenchmarkError(
            "the runs have no store and request in common; name the stores alike: "
            "graphflow_nb.compare({'name': wb})"
        )
    figure = LatencyFigure((9, 5.4), theme=theme)
    plot_difference(before, after, ax=figure.panels(1, 1)[0], by="operation")
    return figure


def _name_operations(frame: pd.DataFrame) -> pd.Series[str]:
    """Return names that distinguish the operations of several stores."""
    return frame["op"].astype(str) + " · " + frame["storage"].astype(str)
