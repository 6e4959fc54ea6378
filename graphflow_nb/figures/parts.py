"""The parts of every figure: background, title, words, legend, marks of failed operations."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike, NDArray

from .figure import NARROW, LatencyAxes, host_of, theme_of, width_of
from .fonts import use_other_fonts
from .groups import Group, failed_count
from .text import escape_formulas, short_name

__all__ = [
    "LONGEST_OF_ROW",
    "SMALL",
    "Entry",
    "Style",
    "add_legend",
    "finish_axes",
    "finish_empty",
    "label_groups",
    "mark_failed",
    "mark_failed_groups",
    "name_rows",
    "spread",
    "thin_out",
]

Style: TypeAlias = dict[str, Any]  # what matplotlib calls an artist's properties

SMALL = 9.5  # points: ticks, legends, notes
LONGEST_OF_ROW = 26  # characters of a name at the side of the axes, which may share a row
LONGEST_OF_WIDE = 30  # of one beside axes that are alone in theirs
LONGEST_OF_NARROW = 18  # of one at the right of axes that share a row
TOP = 0.95  # of the height of the axes: a name above it would reach into the title
CROSSES = 15  # of one group: more would hide each other


class Entry(NamedTuple):
    """An entry of a legend.

    Attributes:
        handle: An artist that looks like what is drawn.
        text: The name of what it represents.
    """

    handle: Artist
    text: str


def finish_axes(
    ax: Axes,
    title: str,
    *sentences: str,
    notes: Iterable[str] = (),
    rows: bool = False,
    above: float = 0,
) -> Axes:
    """Apply the theme of the figure to the axes, and keep a description of them in words.

    Args:
        ax: The axes, which everything is drawn on already.
        title: The title, with the number of operations: see ``title_of``.
        sentences: A description of what was drawn, for people who can't see it.
        notes: Remarks that help to read the figure; written smaller below the title.
        rows: Whether it has named rows, between which no line is drawn.
        above: The points that are needed for something else between the axes and the notes.

    Returns:
        The axes.
    """
    notes = list(notes)
    theme = theme_of(ax)
    # A number stays with its unit, and with what it is a number of.
    words = "; ".join(notes).replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")
    lines = textwrap.wrap(words, int(width_of(ax) * 14))
    ax.set_title(
        escape_formulas(textwrap.fill(title, int(width_of(ax) * 14))),
        fontsize=11.5,
        color=theme.ink,
        pad=above + 6 + 13 * len(lines),
    )
    ax.annotate(
        escape_formulas("\n".join(lines)),
        (0.5, 1),
        xycoords="axes fraction",
        xytext=(0, above + 5),
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
    if rows:
        ax.yaxis.grid(False)
    ax.set_axisbelow(True)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_tick_params(colors=theme.quiet, labelcolor=theme.ink, labelsize=SMALL)
        axis.label.set(color=theme.ink, fontsize=10)
        axis.get_offset_text().set(color=theme.ink, fontsize=SMALL)
    use_other_fonts(ax)
    if isinstance(ax, LatencyAxes):
        ax.said = " ".join([f"{title}.", *sentences, *(f"{note}." for note in notes)])
    return ax


def finish_empty(ax: Axes, title: str, why: str = "no operation was recorded yet") -> Axes:
    """Make axes that say why there is nothing to draw.

    Args:
        ax: The axes.
        title: The title, with the number of operations.
        why: The reason, without a full stop; its lines are kept in the picture.

    Returns:
        The axes.
    """
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
    why = " ".join(why.split())
    return finish_axes(ax, title, f"{why.capitalize()}.")


def add_legend(ax: Axes, entries: Sequence[Entry]) -> None:
    """Add a legend below the axis label, in rows as long as there is room for; none if empty."""
    if not entries:
        return
    figure = host_of(ax)
    columns = _count_columns([entry.text for entry in entries], width_of(ax) + 0.8)
    # matplotlib fills it column by column.
    entries = [entry for column in range(columns) for entry in entries[column::columns]]
    # Below ticks and label, whose size is in points and not in parts of the axes.
    below = ax.transAxes + ScaledTranslation(0, -38 / 72, figure.dpi_scale_trans)
    legend = ax.legend(
        # A label that begins with "_" would be left out, so the texts are set afterwards.
        [entry.handle for entry in entries],
        ["x"] * len(entries),
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=below,
        borderaxespad=0,
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        labelcolor=theme_of(ax).ink,
        handlelength=2.6,
        columnspacing=1.5,
    )
    for shown, entry in zip(legend.get_texts(), entries, strict=True):
        shown.set_text(escape_formulas(entry.text))


def _count_columns(texts: Sequence[str], width: float) -> int:
    """Return how many columns of a legend fit into so many inches; it is read row by row."""
    widths = np.array([0.65 + 0.077 * len(text) for text in texts])
    for columns in range(len(texts), 1, -1):
        if sum(widths[column::columns].max() for column in range(columns)) <= width:
            return columns
    return 1


def name_rows(ax: Axes, names: Sequence[str], more: Sequence[str] | None = None) -> None:
    """Name the rows at 0, -1, -2 …, each on one line, so that a row needs no more than its height.

    Args:
        ax: The axes.
        names: The name of each row.
        more: What is written after each name.
    """
    longest = LONGEST_OF_ROW if width_of(ax) <= NARROW else LONGEST_OF_WIDE
    texts = [short_name(name, longest) for name in names]
    if more is not None:
        texts = [f"{text}, {last}" for text, last in zip(texts, more, strict=True)]
    ax.set_yticks(range(0, -len(names), -1), [*map(escape_formulas, texts)], fontsize=SMALL)


def label_groups(
    ax: Axes, groups: Sequence[Group], ends: Sequence[tuple[float, float]], line: bool = True
) -> None:
    """Name groups at the right of the axes, each beside its end, with its line and mark.

    A thin line leads from the end to the name, which is moved where two names would overlap.

    Args:
        ax: The axes, whose limits are set.
        groups: The groups.
        ends: The place of the end of each.
        line: Whether groups are drawn as lines; otherwise their samples are marks alone.
    """
    to_axes = ax.transScale + ax.transLimits
    places = to_axes.transform(np.array(ends))[:, 1]
    # About four fifths of the height are left beside title and labels.
    height = float(ax.get_window_extent().height / host_of(ax).dpi) * 0.8
    longest = LONGEST_OF_ROW if width_of(ax) > NARROW else LONGEST_OF_NARROW
    spread_out = TOP * spread(places / TOP, 0.19 / height / TOP)
    for group, end, place in zip(groups, ends, spread_out, strict=True):
        ax.annotate(
            "",
            end,
            xytext=(1.01, place),
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-", "color": group.colour, "linewidth": 0.8, "alpha": 0.8},
            annotation_clip=False,
        )
        ax.add_line(
            Line2D(
                [1.01, 1.045],
                [place, place],
                transform=ax.transAxes,
                clip_on=False,
                color=group.colour,
                linestyle=group.dashes if line else "none",
                linewidth=1.8,
                marker=group.marker,
                markersize=6,
                markevery=[1],
            )
        )
        ax.annotate(
            escape_formulas(f"{short_name(group.name, longest)}, n = {len(group):,}"),
            (1.045, place),
            xycoords="axes fraction",
            xytext=(7, 0),
            textcoords="offset points",
            fontsize=SMALL,
            color=theme_of(ax).ink,
            va="center",
            annotation_clip=False,
        )


def spread(places: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Return places near those given, at least a gap apart and within 0 and 1 if they fit.

    Args:
        places: Places between 0 and 1, in any order.
        gap: The distance that is needed between two.
    """
    order = np.argsort(places, kind="stable")
    steps = gap * np.arange(len(places))
    # Each is at least a gap above the one below; then the highest are brought down to 1.
    found = np.maximum.accumulate(np.clip(places[order], 0, 1) - steps) + steps
    found = np.minimum(found, 1 - steps[::-1])
    result: NDArray[np.float64] = np.empty_like(found)
    result[order] = found
    return result


def mark_failed(ax: Axes, x: ArrayLike, y: ArrayLike, count: int) -> Entry:
    """Draw crosses where failed operations lie.

    Args:
        ax: The axes.
        x: The places of the crosses, which may be fewer than the operations.
        y: Their places on the other axis.
        count: The number of failed operations.

    Returns:
        Their entry in the legend.
    """
    theme = theme_of(ax)
    cross: Style = {
        "linestyle": "none",
        "marker": "X",
        "markersize": 7,
        "markerfacecolor": theme.ink,
        "markeredgecolor": theme.edge,
        "markeredgewidth": 0.9,
    }
    ax.plot(x, y, zorder=5, **cross)
    return Entry(Line2D([], [], **cross), f"failed: {count:,}")


def mark_failed_groups(
    ax: Axes,
    groups: Iterable[Group],
    place: Callable[[Group, NDArray[np.int64]], tuple[NDArray[Any], NDArray[Any]]],
) -> list[Entry]:
    """Draw crosses where failed operations of groups lie; of many, those that lie apart.

    Args:
        ax: The axes.
        groups: The groups.
        place: The function that returns the x (above 0, on a log axis) and the y of a group's
            failed operations, given their durations, shortest first.

    Returns:
        Their entry in the legend; none if no operation failed.
    """
    failing = [group for group in groups if group.failed.any()]
    if not failing:
        return []
    across, up = [], []
    for group in failing:
        x, y = place(group, np.sort(group.nanos[group.failed]))
        few = thin_out(x)
        across.append(x[few])
        up.append(y[few])
    return [mark_failed(ax, np.concatenate(across), np.concatenate(up), failed_count(failing))]


def thin_out(values: NDArray[Any], places: int = CROSSES) -> NDArray[np.intp]:
    """Return the positions of a few values that lie apart on a log scale, the largest among them.

    Args:
        values: The values, above 0.
        places: About how many have room between the smallest and the largest.
    """
    logs = np.log(values)
    low, high = logs.min(), logs.max()
    cells = ((logs - low) / max(high - low, 1e-12) * places).astype(np.int32)
    one = np.full(places + 1, -1, np.intp)
    one[cells] = np.arange(len(values))
    return np.union1d(one[one >= 0], [np.argmax(values)])
