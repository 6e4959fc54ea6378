"""Figures that show and say themselves. Never through pyplot: it breaks on a second thread."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ...errors import QueryError
from .theme import THEMES, Theme, ThemeName, theme_named

__all__ = ["LatencyAxes", "LatencyFigure", "axes_for", "figure_of", "theme_of"]

DPI = 110


class LatencyFigure(Figure):
    """A figure that shows itself in a notebook without pyplot, and says itself as text.

    Args:
        size: width and height in inches.
        theme: ``light`` or ``dark``; everything drawn on the figure follows it.

    Raises:
        QueryError: there is no such theme.
    """

    def __init__(self, size: tuple[float, float] = (8, 4.8), *, theme: ThemeName = "light"):
        self.theme = theme_named(theme)
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        super().__init__(figsize=size, layout=layout, dpi=DPI, facecolor=self.theme.paper)

    def panels(self, rows: int, columns: int) -> list[Axes]:
        """So many axes to draw on, row by row."""
        return [
            self.add_subplot(rows, columns, i + 1, axes_class=LatencyAxes)
            for i in range(rows * columns)
        ]

    @property
    def said(self) -> str:
        """What the figure shows, in words: for screen readers, plain terminals and tests."""
        return "\n".join(ax.said for ax in self.axes if isinstance(ax, LatencyAxes) and ax.said)

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=DPI, facecolor=self.theme.paper)
        return out.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        picture = b64encode(self._repr_png_()).decode()
        return {"image/png": picture, "text/plain": self.said}, {"image/png": {"alt": self.said}}

    def __repr__(self) -> str:
        return self.said

    __str__ = __repr__


class LatencyAxes(Axes):
    """Axes of a ``LatencyFigure``; as a cell's result they show the figure.

    Attributes:
        said: what they show, in words.
    """

    said = ""

    def _repr_mimebundle_(self, **_: Any) -> Any:
        figure = figure_of(self)
        return figure._repr_mimebundle_() if isinstance(figure, LatencyFigure) else {}

    def __repr__(self) -> str:
        return self.said

    __str__ = __repr__


def figure_of(ax: Axes) -> Figure:
    """The figure that the axes lie on."""
    figure = ax.figure and ax.figure.figure  # of a figure within a figure the outer one
    if figure is None:
        raise QueryError("these axes lie on no figure any more")
    return figure


def axes_for(ax: Axes | None, theme: ThemeName, size: tuple[float, float] = (8, 4.8)) -> Axes:
    """The axes given, or those of a new figure."""
    return LatencyFigure(size, theme=theme).panels(1, 1)[0] if ax is None else ax


def theme_of(ax: Axes) -> Theme:
    """The figure's theme; on a figure that has none the light one."""
    return getattr(figure_of(ax), "theme", THEMES["light"])
