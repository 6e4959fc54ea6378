"""Figures and axes that show themselves in a notebook, and say in words what they show."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from ..errors import QueryError
from .theme import THEMES, Theme, ThemeName, theme_named

__all__ = [
    "LARGE_DPI",
    "NARROW",
    "LatencyAxes",
    "LatencyFigure",
    "Row",
    "axes_for",
    "host_of",
    "theme_of",
    "width_of",
]

DPI = 110
LARGE_DPI = 165
NARROW = 6  # inches, before names and labels are laid out: axes that share a row are narrower


class Row(NamedTuple):
    """A row of a figure.

    Attributes:
        height: Its height in inches.
        panels: The number of axes in it, beside each other.
    """

    height: float
    panels: int = 1


class LatencyFigure(Figure):
    """A matplotlib figure that shows itself in a notebook without pyplot, and as text elsewhere.

    ``savefig`` works on it as on any figure.

    Args:
        size: The width and height in inches.
        theme: ``light`` (a white ground), ``dark`` (a black one) or ``both`` (none: legible on
            either, at 4.3 to 1, near the most that is possible on both; where the 4.5 to 1 of WCAG
            are needed, name the theme); everything drawn on the figure follows it.
        large: Whether it is for a projector: half as large again.

    Raises:
        QueryError: The theme is unknown.

    Example:
        >>> import graphflow_nb as g
        >>> from graphflow_nb.figures import LatencyFigure, plot_boxes, plot_timeline
        >>> frame = g.open("demo").latency.frame()
        >>> figure = LatencyFigure((12, 5), theme="dark")
        >>> left, right = figure.panels(1, 2)
        >>> axes = plot_timeline(frame, ax=left), plot_boxes(frame, ax=right)
        >>> print(figure.said)
        Timeline, n = 0. No operation was recorded yet.
        Durations by store, n = 0. No operation was recorded yet.
    """

    def __init__(
        self,
        size: tuple[float, float] = (9, 5.2),
        *,
        theme: ThemeName = "both",
        large: bool = False,
    ):
        self.theme = theme_named(theme)
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        dpi = LARGE_DPI if large else DPI
        super().__init__(figsize=size, layout=layout, dpi=dpi, facecolor=self.theme.paper)

    @classmethod
    def stacked(
        cls, rows: Sequence[Row], *, theme: ThemeName = "both", large: bool = False
    ) -> tuple[Self, list[Axes]]:
        """Make a figure of rows of different heights.

        Args:
            rows: The rows, from the top.
            theme: The theme of the figure.
            large: Whether it is for a projector: then each picture has a row of its own.

        Returns:
            The figure, and its axes row by row.
        """
        if large:
            rows = [Row(row.height) for row in rows for _ in range(row.panels)]
        # As wide as a notebook shows it, or its letters would become smaller.
        width = 9 if large else 11
        figure = cls((width, sum(row.height for row in rows)), theme=theme, large=large)
        grid = figure.add_gridspec(len(rows), 1, height_ratios=[row.height for row in rows])
        made = [
            figure.add_subplot(inner[i], axes_class=LatencyAxes)
            for number, row in enumerate(rows)
            # Each row is laid out by itself: long labels in one take no room in another.
            for inner in [grid[number].subgridspec(1, row.panels)]
            for i in range(row.panels)
        ]
        return figure, made

    def panels(self, rows: int, columns: int, count: int | None = None) -> list[Axes]:
        """Add axes to draw on, row by row.

        Args:
            rows: The number of rows.
            columns: The number of axes in a row.
            count: The number of axes, if there are fewer than would fit; those of the last row
                share its width.
        """
        count = rows * columns if count is None else count
        grid = self.add_gridspec(rows, 1)
        made: list[Axes] = []
        for row in range(rows):
            # Each row is laid out by itself: long labels in one take no room in another.
            inner = grid[row].subgridspec(1, min(columns, count - len(made)))
            made += [self.add_subplot(inner[i], axes_class=LatencyAxes) for i in range(inner.ncols)]
        return made

    @property
    def said(self) -> str:
        """What the figure shows, in words: for screen readers, plain terminals and tests."""
        return "\n".join(ax.said for ax in self.axes if isinstance(ax, LatencyAxes) and ax.said)

    def _repr_png_(self) -> bytes:
        # Not savefig, which draws twice, the first time for the layout alone.
        canvas: Any = FigureCanvasAgg(self)
        canvas.draw()
        # A quarter of the size, and no colour differs by more than can be seen.
        image = Image.fromarray(np.asarray(canvas.buffer_rgba()))
        few = image.convert("RGBA" if self.theme.paper == "none" else "RGB").quantize(
            256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
        small = io.BytesIO()
        few.save(small, "png", dpi=(self.dpi, self.dpi))
        return small.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        picture = b64encode(self._repr_png_()).decode()
        return {"image/png": picture, "text/plain": self.said}, {"image/png": {"alt": self.said}}

    def __repr__(self) -> str:
        return self.said

    __str__ = __repr__


class LatencyAxes(Axes):
    """The axes of a ``LatencyFigure``; as the result of a cell they show the figure.

    Attributes:
        said: A description of what they show, in words.
    """

    said = ""

    def _repr_mimebundle_(self, **_: Any) -> Any:
        figure = host_of(self)
        return figure._repr_mimebundle_() if isinstance(figure, LatencyFigure) else {}

    def __repr__(self) -> str:
        return self.said

    __str__ = __repr__


def host_of(ax: Axes) -> Figure:
    """Return the figure that the axes are on; the outer one, if it is within another.

    Raises:
        QueryError: The axes were removed from their figure.
    """
    figure = ax.figure and ax.figure.figure
    if not isinstance(figure, Figure):
        raise QueryError(
            "these axes are not on a figure any more: draw on other axes, or leave ax= out"
        )
    return figure


def axes_for(ax: Axes | None, theme: ThemeName, size: tuple[float, float] = (9, 5.2)) -> Axes:
    """Return the axes given, or those of a new figure.

    Args:
        ax: The axes; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.
        size: The width and height of a new figure in inches.
    """
    return LatencyFigure(size, theme=theme).panels(1, 1)[0] if ax is None else ax


def theme_of(ax: Axes) -> Theme:
    """Return the theme of the figure; the light one if the figure is not ours."""
    figure = host_of(ax)
    return figure.theme if isinstance(figure, LatencyFigure) else THEMES["light"]


def width_of(ax: Axes) -> float:
    """Return the width in inches, before the layout has trimmed the axes."""
    return float(ax.get_window_extent().width / host_of(ax).dpi)
