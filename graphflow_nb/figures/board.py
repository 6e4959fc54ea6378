"""A good first view of whatever was recorded."""

from __future__ import annotations

import pandas as pd

from .distribution import plot_boxes, plot_ecdf
from .figure import LatencyFigure
from .percentiles import plot_percentiles
from .phases import PHASES, plot_phases
from .registry import register
from .theme import ThemeName
from .timeline import MAX_DOTS, plot_heatmap, plot_timeline

__all__ = ["latency_board"]


@register(
    "board",
    "A good first view: the distribution, the timeline, and more where there is more.",
    order=0,
)
def latency_board(frame: pd.DataFrame, *, theme: ThemeName = "light") -> LatencyFigure:
    """Draw how durations are distributed, when they were, and more where there is more to see.

    The distribution is drawn by nines from a thousand operations on, cumulated below; the
    timeline as dots, or of more than 10,000 operations as a heat map. Several storages get one
    box each, and phases are drawn where a storage reported them. Failed operations and stalls are
    marked.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        theme: ``light`` or ``dark``.

    Returns:
        A figure that shows itself in a notebook; ``savefig`` works on it, ``said`` is it in words.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.

    Example:
        >>> import graphflow_nb as g
        >>> from graphflow_nb.figures import latency_board
        >>> wb = g.open("demo")
        >>> session = wb.get("claim-0014")
        >>> latency_board(wb.latency.frame(), theme="dark")
        Cumulative distribution, n = 1. get: n = 1, slowest ...
        Timeline, n = 1. ...
    """
    draw = [
        plot_percentiles if len(frame) >= 1000 else plot_ecdf,
        plot_heatmap if len(frame) > MAX_DOTS else plot_timeline,
    ]
    if frame["storage"].nunique() > 1:
        draw.append(plot_boxes)
    if any(frame[f"{phase}_ns"].any() for phase in PHASES):
        draw.append(plot_phases)
    rows = -(-len(draw) // 2)
    figure = LatencyFigure((12.5, 4.8 * rows), theme=theme)
    for plot, ax in zip(draw, figure.panels(rows, 2, len(draw)), strict=True):
        plot(frame, ax=ax)
    return figure
