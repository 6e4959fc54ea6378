"""The figures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from .run import Run

__all__ = ["difference_figure", "run_figure"]


def run_figure(run: Run, theme: ThemeName) -> LatencyFigure:
    """What was asked for and when, and where the storages spent their time.

    Requests by percentile (in an open loop of one store as measured and corrected), requests over
    time or by store, phases of the operations where a storage tells them.
    """
    requests, operations = run.requests_as_operations(), run.frame()
    several = requests["storage"].nunique() > 1
    phases = bool(operations[["wait_ns", "encode_ns", "execute_ns", "decode_ns"]].any(axis=None))
    figure = LatencyFigure((12.5, 9.6 if phases else 4.8), theme=theme)
    panels = figure.panels(2 if phases else 1, 2)
    if several:
        plot_percentiles(requests, ax=panels[0], by="storage")
        plot_boxes(requests, ax=panels[1], by="storage")
    elif run.settings.rate is not None:
        service = requests["duration_ns"] - requests["wait_ns"]
        naive_and_corrected(service, requests["duration_ns"], ax=panels[0])
        plot_heatmap(requests, ax=panels[1])
    else:
        plot_percentiles(requests, ax=panels[0])
        plot_heatmap(requests, ax=panels[1])
    if phases:
        operations["operation"] = (
            operations["op"].astype(str) + " · " + operations["storage"].astype(str)
            if several
            else operations["op"]
        )
        plot_phases(operations, ax=panels[2], by="operation")
        plot_boxes(operations, ax=panels[3], by="operation")
    return figure


def difference_figure(run: Run, other: Run, theme: ThemeName) -> LatencyFigure:
    """How much slower or quicker a run was than another, store by store and request by request.

    Raises:
        BenchmarkError: they have no store and request in common.
    """
    before, after = (r.requests_as_operations() for r in (other, run))
    for frame in (before, after):
        frame["operation"] = frame["op"].astype(str) + " · " + frame["storage"].astype(str)
    if not set(before["operation"]) & set(after["operation"]):
        raise BenchmarkError(
            "the runs have no store and request in common; name the stores alike: "
            "graphflow_nb.compare({'name': wb})"
        )
    figure = LatencyFigure((9, 5.4), theme=theme)
    plot_difference(before, after, ax=figure.panels(1, 1)[0], by="operation")
    return figure
