"""Figures that show and say themselves. Never through pyplot: it breaks on a second thread."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from ..errors import QueryError
from .theme import THEMES, Theme, ThemeName, theme_named

__all__ = ["LatencyAxes", "LatencyFigure", "axes_for", "host", "theme_of", "width_of"]

DPI = 110


class LatencyFigure(Figure):
    """A figure that shows itself in a notebook without pyplot, and says itself as text.

    Args:
        size: width and height in inches.
        theme: ``light`` or ``dark``; everything drawn on the figure follows it.

    Raises:
        QueryError: there is no such theme.
    """

    def __init__(self, size: tuple[float, float] = (9, 5.2), *, theme: ThemeName = "light"):
        self.theme = theme_named(theme)
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        super().__init__(figsize=size, layout=layout, dpi=DPI, facecolor=self.theme.paper)

    def panels(self, rows: int, columns: int, count: int | None = None) -> list[Axes]:
        """Axes to draw on, row by row.

        Args:
            rows: of axes.
            columns: of axes.
            count: if there are fewer than would fit; those of the last row share its width.
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
        full, small = io.BytesIO(), io.BytesIO()
        look: dict[str, Any] = {
            "dpi": DPI,
            "facecolor": self.theme.paper,
            "pil_kwargs": {"compress_level": 1},
        }
        self.savefig(full, format="png", **look)
        # A quarter of the size, and no colour moves by more than can be seen.
        with Image.open(full) as image:
            few = image.convert("RGB").quantize(
                256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
            )
        few.save(small, "png", dpi=(DPI, DPI))
        return small.getvalue()

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
        figure = host(self)
        return figure._repr_mimebundle_() if isinstance(figure, LatencyFigure) else {}

    def __repr__(self) -> str:
        return self.said

    __str__ = __repr__


def host(ax: Axes) -> Figure:
    """The figure that the axes lie on."""
    figure = ax.figure and ax.figure.figure  # of one within another the outer one
    if not isinstance(figure, Figure):
        raise QueryError("these axes lie on no figure any more: draw on others, or on none")
    return figure


def axes_for(ax: Axes | None, theme: ThemeName, size: tuple[float, float] = (9, 5.2)) -> Axes:
    """The axes given, or those of a new figure."""
    return LatencyFigure(size, theme=theme).panels(1, 1)[0] if ax is None else ax


def theme_of(ax: Axes) -> Theme:
    """The figure's theme; on a figure that has none the light one."""
    return getattr(host(ax), "theme", THEMES["light"])


def width_of(ax: Axes) -> float:
    """Inches, before the layout has trimmed the axes."""
    return float(ax.get_window_extent().width / host(ax).dpi)
