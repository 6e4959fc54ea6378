"""One figure by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pandas as pd

from ..errors import QueryError
from .board import latency_board
from .distribution import plot_boxes, plot_ecdf, plot_histogram
from .figure import LatencyFigure
from .percentiles import plot_percentiles
from .phases import plot_phases
from .theme import ThemeName
from .timeline import plot_heatmap, plot_timeline

__all__ = ["figure_of"]

_PLOTS: Final[dict[str, Callable[..., Any]]] = {
    "percentiles": plot_percentiles,
    "ecdf": plot_ecdf,
    "histogram": plot_histogram,
    "timeline": plot_timeline,
    "heatmap": plot_heatmap,
    "phases": plot_phases,
    "boxes": plot_boxes,
}


def figure_of(
    kind: str, frame: pd.DataFrame, *, by: str | None = None, theme: ThemeName = "light"
) -> LatencyFigure:
    """The figure of that name; see ``Latency.plot``."""
    options = {} if by is None else {"by": by}
    if kind in ("board", "heatmap") and options:
        raise QueryError(f"a {kind} shows all operations together: leave by= out")
    if kind == "board":
        return latency_board(frame, theme=theme)
    if kind not in _PLOTS:
        raise QueryError(f"there is no plot {kind!r}; known are board, {', '.join(_PLOTS)}")
    figure = _PLOTS[kind](frame, theme=theme, **options).figure
    assert isinstance(figure, LatencyFigure)
    return figure
