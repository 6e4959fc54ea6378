"""A good first view of whatever was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .checks import check_columns
from .distribution import plot_boxes
from .figure import LatencyFigure, Row
from .groups import ROWS, count_groups, group_operations, highest_p99
from .percentiles import plot_percentiles
from .phases import PHASES, plot_phases
from .registry import register
from .summary import plot_figures, table_height
from .theme import ThemeName
from .timeline import COLUMNS, plot_timeline

__all__ = ["latency_board"]

FEWEST = 5  # calls of an operation; those of fewer are in the table, not in the axes


@register(
    "board",
    "A good first view: the figures, percentiles, the timeline, and phases if there are any.",
    order=0,
)
def latency_board(
    frame: pd.DataFrame,
    *,
    objective: float | None = None,
    large: bool = False,
    theme: ThemeName = "both",
) -> LatencyFigure:
    """Draw the figures of each operation, then percentiles, then when it was, and where time went.

    The table has all operations; those with fewer than five calls are not drawn in the axes.
    Several stores get a colour and a box each, and a row in the table, with one for each of their
    operations below it.
    Phases are drawn where a storage reported them. Failed operations and stalls are marked.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        objective: A duration in ns that operations should not exceed, drawn as a line.
        large: Whether it is for a projector: one picture below the other, and larger.
        theme: ``both`` (transparent, for a light and a dark ground), ``light`` or ``dark``.

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
        Figures, n = 1. get: n 1, failed 0, ...
        Percentiles of duration, n = 1. No operation has 5 calls yet.
        Timeline, n = 1. No operation has 5 calls yet.
    """
    check_columns(frame, [*COLUMNS, *(f"{phase}_ns" for phase in PHASES)])
    several = frame["storage"].nunique() > 1
    each: str | Sequence[str] = ["storage", "op"] if several else "op"
    together = "storage" if several else "op"
    rows = count_groups(frame, each)
    has_phases = any(frame[f"{phase}_ns"].any() for phase in PHASES)
    drawn = frame[together].value_counts().max() >= FEWEST
    layout = [Row(table_height(frame, each)), Row(4.8 if drawn else 1.4, 2)]
    if has_phases:
        layout.append(Row(2.2 + 0.64 * max(rows, 2)))
    if several:
        layout.append(Row(2.2 + 0.4 * count_groups(frame, "storage")))
    figure, axes = LatencyFigure.stacked(layout, theme=theme, large=large)
    panels = iter(axes)
    plot_figures(frame, ax=next(panels), by=each, objective=objective)
    for plot in (plot_percentiles, plot_timeline):
        plot(frame, ax=next(panels), by=together, objective=objective, fewest=FEWEST)
    if has_phases:
        highest = highest_p99(group_operations(frame, together, ROWS))
        plot_phases(
            frame, ax=next(panels), by=each, highest=None if highest is None else highest.name
        )
    if several:
        plot_boxes(frame, ax=next(panels))
    return figure
