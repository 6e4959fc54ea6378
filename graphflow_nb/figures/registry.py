"""The registry of figures: one place that knows the kinds of figure, and draws one by its name.

A plot function says in its own module that it is a kind of figure::

    @register("ecdf", "The share of operations this fast or faster.", order=20)
    def plot_ecdf(frame, *, ax=None, by="op", theme="both"): ...

Nothing else lists it: every module of this package is looked through, so ``Latency.plot`` draws it,
error messages name it, and the tests of the house rules run for it.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import pandas as pd
from matplotlib.axes import Axes

from ..errors import QueryError
from .figure import LARGE_DPI, LatencyFigure
from .theme import ThemeName

__all__ = ["FigureKind", "draw_figure", "figure_kinds", "register"]

Plot = TypeVar("Plot", bound=Callable[..., Axes | LatencyFigure])

LAST = 1000  # the place of a kind that names none

_registered: dict[str, FigureKind] = {}


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure that shows operations.

    Attributes:
        name: The name that ``Latency.plot`` takes.
        help: One line that says what it shows.
        order: Its place among the kinds, lowest first.
        plot: The function that draws it: takes a frame as ``Latency.frame()`` returns it, and
            ``theme=``. Most take ``ax=`` and ``by=`` too.

    Example:
        >>> from graphflow_nb.figures import figure_kinds
        >>> figure_kinds()["heatmap"].takes("by")
        False
    """

    name: str
    help: str
    order: int
    plot: Callable[..., Axes | LatencyFigure]

    def takes(self, option: str) -> bool:
        """Return whether the plot function has an argument of this name."""
        return option in inspect.signature(self.plot).parameters


def register(name: str, help: str, *, order: int = LAST) -> Callable[[Plot], Plot]:
    """Make a plot function a kind of figure; a decorator.

    Args:
        name: The name that ``Latency.plot`` takes.
        help: One line that says what the figure shows.
        order: Its place among the kinds, lowest first.

    Raises:
        ValueError: Another function has this name already.
    """

    def keep(plot: Plot) -> Plot:
        known = _registered.get(name)
        # The same function may come again: its module or its cell ran once more.
        if known is not None and _path_of(known.plot) != _path_of(plot):
            raise ValueError(f"the figure {name!r} is drawn by {_path_of(known.plot)} already")
        _registered[name] = FigureKind(name, help, order, plot)
        return plot

    return keep


def _path_of(plot: Callable[..., Axes | LatencyFigure]) -> str:
    return f"{plot.__module__}.{plot.__qualname__}"


def figure_kinds() -> dict[str, FigureKind]:
    """Return every kind of figure by its name, in order.

    Example:
        >>> from graphflow_nb.figures import figure_kinds
        >>> figure_kinds()["percentiles"].help
        'The duration that 50 %, 90 %, 99 % … of the operations do not exceed.'
    """
    package = import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{__package__}.{module.name}")
    ordered = sorted(_registered.values(), key=lambda kind: (kind.order, kind.name))
    return {kind.name: kind for kind in ordered}


def draw_figure(
    name: str,
    frame: pd.DataFrame,
    *,
    by: str | None = None,
    objective: float | None = None,
    large: bool = False,
    theme: ThemeName = "both",
) -> LatencyFigure:
    """Draw the kind of figure with this name.

    Args:
        name: One of ``figure_kinds()``.
        frame: Operations as ``Latency.frame()`` returns them.
        by: The column to group by; the kind's own choice if left out.
        objective: A duration in ns that operations should not exceed, drawn as a line.
        large: Whether it is for a projector: larger, and one picture below the other.
        theme: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The kind, the column or the theme is unknown, or the kind has no groups or
            draws no objective.
    """
    kinds = figure_kinds()
    if name not in kinds:
        raise QueryError(f"unknown plot {name!r}: use {', '.join(kinds)}")
    kind = kinds[name]
    options: dict[str, Any] = {}
    if by is not None:
        if not kind.takes("by"):
            raise QueryError(f"a {name} shows all operations together: leave by= out")
        options["by"] = by
    if objective is not None:
        if not kind.takes("objective"):
            fit = ", ".join(name for name, kind in kinds.items() if kind.takes("objective"))
            raise QueryError(f"{name} draws no objective: leave objective= out, or use {fit}")
        options["objective"] = objective
    if large and kind.takes("large"):
        options["large"] = True
    drawn = kind.plot(frame, theme=theme, **options)
    figure = drawn if isinstance(drawn, LatencyFigure) else drawn.figure
    assert isinstance(figure, LatencyFigure)
    if large:
        figure.set_dpi(LARGE_DPI)
    return figure
