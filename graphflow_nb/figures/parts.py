"""What every figure has: ground, title, legend, marks of failed operations."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike, NDArray

from .figure import LatencyAxes, host, theme_of, width_of
from .text import literal

__all__ = [
    "SMALL",
    "Entry",
    "Look",
    "failed_marks",
    "finish",
    "legend",
    "nothing",
    "row_names",
    "thinned",
]

Look = dict[str, Any]  # how an artist looks, as matplotlib calls it
Entry = tuple[Artist, str]  # of a legend

SMALL = 9.5  # points: ticks, legends, notes


def finish(ax: Axes, title: str, *said: str, notes: Iterable[str] = ()) -> Axes:
    """Dress the axes in the figure's theme, and say what they show.

    Args:
        ax: drawn on already.
        title: with n.
        said: sentences that say what was drawn.
        notes: what must be known to read the figure, smaller below the title.
    """
    theme = theme_of(ax)
    lines = textwrap.wrap(", ".join(notes), int(width_of(ax) * 14))
    above = 6 + 13 * len(lines)  # points
    ax.set_title(
        literal(textwrap.fill(title, int(width_of(ax) * 14))),
        fontsize=11.5,
        color=theme.ink,
        pad=above,
    )
    ax.annotate(
        literal("\n".join(lines)),
        (0.5, 1),
        xycoords="axes fraction",
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=SMALL,
        color=theme.quiet,
    )
    ax.set_facecolor(theme.paper)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(theme.quiet)
    ax.grid(True, which="major", color=theme.grid, linewidth=0.7, linestyle="-")
    ax.set_axisbelow(True)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_tick_params(colors=theme.quiet, labelcolor=theme.ink, labelsize=SMALL)
        axis.label.set(color=theme.ink, fontsize=10)
        axis.get_offset_text().set(color=theme.ink, fontsize=SMALL)
    if isinstance(ax, LatencyAxes):
        ax.said = " ".join([f"{title}.", *said, *(f"{note}." for note in notes)])
    return ax


def nothing(ax: Axes, title: str, why: str = "no operation was recorded yet") -> Axes:
    """Axes that say that there is nothing to draw."""
    ax.set_axis_off()
    ax.text(
        0.5,
        0.5,
        why,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=11,
        color=theme_of(ax).quiet,
    )
    return finish(ax, title, f"{why.capitalize()}.")


def legend(ax: Axes, entries: Sequence[Entry]) -> None:
    """A legend below the axis label, in as many columns as there is room for."""
    figure = host(ax)
    # Below ticks and label, whose size is in points and not in parts of the axes.
    below = ax.transAxes + ScaledTranslation(0, -38 / 72, figure.dpi_scale_trans)
    made = ax.legend(
        # A label that begins with "_" would be left out: the texts come afterwards.
        [handle for handle, _ in entries],
        ["x"] * len(entries),
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=below,
        borderaxespad=0,
        ncols=_columns([text for _, text in entries], width_of(ax) + 0.8),
        frameon=False,
        fontsize=SMALL,
        labelcolor=theme_of(ax).ink,
        handlelength=2.6,
        columnspacing=1.5,
    )
    for shown, (_, text) in zip(made.get_texts(), entries, strict=True):
        shown.set_text(literal(text))


def _columns(texts: Sequence[str], width: float) -> int:
    """Columns of a legend that fit into so many inches; it is filled column by column."""
    widths = np.array([0.65 + 0.077 * len(text) for text in texts])
    for columns in range(len(texts), 1, -1):
        if sum(column.max() for column in np.array_split(widths, columns)) <= width:
            return columns
    return 1


def row_names(ax: Axes, names: Sequence[str], more: Sequence[str] | None = None) -> None:
    """Names of rows at 0, -1, -2 …, over several lines rather than at the cost of the drawing."""
    lines = [textwrap.wrap(name, 22) for name in names]
    if more is not None:
        lines = [[*each, last] for each, last in zip(lines, more, strict=True)]
    texts = [literal("\n".join(each)) for each in lines]
    ax.set_yticks(range(0, -len(names), -1), texts, fontsize=SMALL)
    ax.tick_params(axis="y", grid_alpha=0)


def failed_marks(ax: Axes, x: ArrayLike, y: ArrayLike, count: int) -> Entry:
    """Crosses where failed operations lie, and their entry in the legend."""
    theme = theme_of(ax)
    look: Look = {
        "linestyle": "none",
        "marker": "X",
        "markersize": 7,
        "markerfacecolor": theme.ink,
        "markeredgecolor": theme.paper,
        "markeredgewidth": 0.9,
    }
    ax.plot(x, y, zorder=5, **look)
    return Line2D([], [], **look), f"failed: {count:,}"


def thinned(values: NDArray[Any], places: int) -> NDArray[np.intp]:
    """Positions of a few of them that lie apart on a log scale, the largest among them.

    Args:
        values: above 0.
        places: about so many have room between the smallest and the largest.
    """
    logs = np.log(values)
    low, high = logs.min(), logs.max()
    cells = ((logs - low) / max(high - low, 1e-12) * places).astype(np.int32)
    one = np.full(places + 1, -1, np.intp)
    one[cells] = np.arange(len(values))
    return np.union1d(one[one >= 0], [np.argmax(values)])
