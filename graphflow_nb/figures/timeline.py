"""When operations ran and how long they took, one by one or by the number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .axis import set_duration_axis, set_log_ticks, set_time_axis
from .checks import check_columns
from .figure import axes_for, host_of, theme_of
from .frame import failed_of, on_log_scale, started_ns, title_of
from .groups import group_operations
from .parts import SMALL, Entry, Style, add_legend, finish_axes, finish_empty, mark_failed
from .registry import register
from .stalling import stalls
from .text import nanos_text, number_text, short_name
from .theme import ThemeName

__all__ = ["plot_heatmap", "plot_timeline"]

MAX_DOTS = 10_000
SLOWEST = 1000  # these are drawn whatever lies beside them
CELLS = (150, 50)  # of a heat map
CROSSES = (40, 16)  # these have room beside and above each other

COLUMNS = ("started_at", "duration_ns", "op", "storage", "outcome")

Nanos = NDArray[np.int64]


@register("timeline", "Each operation at the time it began.", order=40)
def plot_timeline(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    theme: ThemeName = "light",
) -> Axes:
    """Draw each operation at the time it began, failed ones crossed, stalls shaded.

    Args:
        frame: Operations as ``Latency.frame()`` returns them. Of more than 10,000 operations the
            slowest thousand are drawn, all failed ones that do not hide each other, and an even
            sample of the rest; a note below the title says so.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by; each of its values is drawn in its own colour.
        theme: The theme of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook. ``stalls`` says what a
        stall is.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, COLUMNS)
    ax = axes_for(ax, theme)
    palette = theme_of(ax)
    failed = failed_of(frame)
    title = title_of("Timeline", frame)
    if not len(frame):
        return finish_empty(ax, title)
    started, nanos = started_ns(frame), frame["duration_ns"].to_numpy(np.int64)
    place = set_time_axis(ax.xaxis, int(started.min()), int(started.max()))
    set_duration_axis(ax.yaxis, nanos[[nanos.argmin(), nanos.argmax()]])
    crossed = _rows_to_cross(started, nanos, failed)
    groups = group_operations(frame, by)
    drawn = np.ones(len(frame), bool)
    if len(frame) > MAX_DOTS:
        drawn[:] = False
        for group in groups:  # a rare kind is not lost among many of another
            share = MAX_DOTS // len(groups)
            drawn[group.rows[:: -(-len(group) // share)]] = True
        drawn[np.argpartition(nanos, -SLOWEST)[-SLOWEST:]] = True
        drawn[crossed] = True
    entries: list[Entry] = []
    for group in groups:
        rows = group.rows[drawn[group.rows]]
        dots: Style = {
            "linestyle": "none",
            "marker": group.marker,
            "color": group.colour(palette),
            "markeredgewidth": 0,
        }
        ax.plot(place(started[rows]), on_log_scale(nanos[rows]), markersize=4.5, alpha=0.7, **dots)
        handle = Line2D([], [], markersize=6, **dots)
        entries.append(Entry(handle, f"{group.name}, n = {len(group):,}"))
    notes = [f"{number_text(drawn.sum())} drawn"] if not drawn.all() else []
    events, sentence = _draw_events(ax, frame, place, started, nanos, crossed)
    add_legend(ax, entries + events)
    return finish_axes(ax, title, _time_text(frame, started, nanos), sentence, notes=notes)


@register("heatmap", "How many operations began when and took how long.", order=50)
def plot_heatmap(
    frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "light"
) -> Axes:
    """Draw how many operations began when and took how long; failed crossed, stalls shaded.

    Args:
        frame: Operations as ``Latency.frame()`` returns them, any number of them. Failed
            operations in one cell are one cross.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure, ``light`` or ``dark``.

    Returns:
        The axes, with the scale of the colours beside them; those of a new figure show themselves
        in a notebook. ``stalls`` says what a stall is.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, COLUMNS)
    ax = axes_for(ax, theme)
    palette = theme_of(ax)
    title = title_of("Heat map of durations", frame)
    if not len(frame):
        return finish_empty(ax, title)
    started, nanos = started_ns(frame), frame["duration_ns"].to_numpy(np.int64)
    place = set_time_axis(ax.xaxis, int(started.min()), int(started.max()))
    set_duration_axis(ax.yaxis, nanos[[nanos.argmin(), nanos.argmax()]])
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    columns = _number_cells(place(started), left, right, CELLS[0])
    rows = _number_cells(np.log(on_log_scale(nanos)), np.log(low), np.log(high), CELLS[1])
    counts = np.bincount(rows * CELLS[0] + columns, minlength=CELLS[0] * CELLS[1])
    grid = np.ma.masked_equal(counts.reshape(CELLS[::-1]), 0)
    most = int(counts.max())
    mesh = ax.pcolormesh(
        np.linspace(left, right, CELLS[0] + 1),
        np.geomspace(low, high, CELLS[1] + 1),
        grid,
        cmap=palette.shades,
        norm=LogNorm(1, max(most, 2)),
        zorder=2,
    )
    bar = host_of(ax).colorbar(mesh, cax=ax.inset_axes((1.02, 0, 0.025, 1)))
    set_log_ticks(bar.ax.yaxis, number_text)
    bar.ax.tick_params(colors=palette.quiet, labelcolor=palette.ink, labelsize=SMALL)
    bar.set_label("operations in a cell (log scale)", color=palette.ink, fontsize=SMALL)
    bar.outline.set_visible(False)
    crossed = _rows_to_cross(started, nanos, failed_of(frame))
    events, sentence = _draw_events(ax, frame, place, started, nanos, crossed)
    if events:
        add_legend(ax, events)
    return finish_axes(
        ax,
        title,
        _time_text(frame, started, nanos),
        sentence,
        f"At most {number_text(most)} in one cell.",
    )


def _time_text(frame: pd.DataFrame, started: Nanos, nanos: Nanos) -> str:
    """Return a text with when the operations began, and which was the slowest."""
    first, last = (pd.Timestamp(int(at)) for at in (started.min(), started.max()))
    slowest = frame.iloc[int(nanos.argmax())]
    return (
        f"They began from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC; the slowest, "
        f"{short_name(slowest['op'])}, took {nanos_text(int(nanos.max()))} from "
        f"{slowest['started_at']:%H:%M:%S} on."
    )


def _draw_events(
    ax: Axes,
    frame: pd.DataFrame,
    place: Callable[[Nanos], NDArray[np.float64]],
    started: Nanos,
    nanos: Nanos,
    crossed: NDArray[np.intp],
) -> tuple[list[Entry], str]:
    """Draw failed operations and stalls.

    Returns:
        Their entries in the legend, and a sentence about the stalls.
    """
    palette = theme_of(ax)
    entries = []
    if len(crossed):
        x, y = place(started[crossed]), on_log_scale(nanos[crossed])
        entries.append(mark_failed(ax, x, y, int(failed_of(frame).sum())))
    found = stalls(frame)
    if not len(found):
        return entries, "No stall."
    begins, lasts = started_ns(found), found["duration_ns"].to_numpy()
    low, high = ax.get_xlim()
    starts, ends = place(begins), np.minimum(place(begins + lasts), high)
    # As many as can be distinguished: the first of a cell represents all in it.
    _, kept = np.unique(_number_cells(starts, low, high, CELLS[0]), return_index=True)
    _, marked = np.unique(_number_cells(starts, low, high, CROSSES[0]), return_index=True)
    shade: Style = {"facecolor": palette.quiet, "alpha": 0.3, "linewidth": 0}
    ax.broken_barh(
        list(zip(starts[kept], (ends - starts)[kept], strict=True)),
        (0, 1),
        transform=ax.get_xaxis_transform(),
        zorder=1,
        **shade,
    )
    # A stall that is narrower than a pixel is seen by its mark.
    ax.plot(
        ((starts + ends) / 2)[marked],
        np.full(len(marked), 0.97),
        "v",
        transform=ax.get_xaxis_transform(),
        color=palette.ink,
        markersize=7,
        zorder=6,
    )
    text = f"{number_text(len(found))}, longest {nanos_text(int(lasts.max()))}"
    entries.append(Entry(Patch(**shade), f"stalls: {text}"))
    return entries, f"Stalls: {text}."


def _rows_to_cross(started: Nanos, nanos: Nanos, failed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the positions of the failed operations whose crosses would not hide each other."""
    rows = np.flatnonzero(failed)
    if len(rows) < SLOWEST:
        return rows
    times, logs = (started - started.min())[rows], np.log(on_log_scale(nanos))
    x = _number_cells(times, 0, max(int(times.max()), 1), CROSSES[0])
    y = _number_cells(logs[rows], logs.min(), max(logs.max(), logs.min() + 1), CROSSES[1])
    one = np.full(CROSSES[0] * CROSSES[1], -1, np.intp)
    one[y * CROSSES[0] + x] = rows
    return np.append(one[one >= 0], rows[nanos[rows].argmax()])


def _number_cells(values: NDArray[Any], low: float, high: float, count: int) -> NDArray[np.int64]:
    """Return the number of the equal part in which each value lies."""
    cells: NDArray[np.int64] = ((values - low) * (count / (high - low))).astype(np.int64)
    return cells.clip(0, count - 1)
