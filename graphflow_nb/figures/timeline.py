"""When operations ran and how long they took, one by one or by the number of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from .axis import set_duration_axis, set_log_ticks, set_time_axis
from .checks import check_columns
from .figure import axes_for, host_of, theme_of
from .frame import failed_of, on_log_scale, started_ns, title_of
from .groups import Group, ends_of, group_operations, split_groups
from .looks import look_of
from .objective import draw_objective, with_objective
from .parts import (
    SMALL,
    Entry,
    Style,
    add_legend,
    finish_axes,
    finish_empty,
    label_groups,
    mark_failed,
)
from .registry import register
from .stalling import SHORTEST, stalls
from .text import nanos_text, number_text, short_name
from .theme import ThemeName

__all__ = ["COLUMNS", "plot_heatmap", "plot_timeline"]

LINES_FROM = 1000  # operations of a group; of fewer each is a dot
SLOWEST = 1000  # of a group, drawn at most beside its line; failed ones that are all crossed
INTERVALS = 75  # of the time, for medians
FEWEST = 5  # operations in an interval that are enough for a median
CELLS = (150, 50)  # of a heat map
CROSSES = (40, 16)  # these have room beside and above each other
STORES = 4  # whose stalls are counted in the note
STALLS = 10  # the longest, which are marked: more would hide what is drawn
SEEN = 1 / 300  # of the width: a narrower stall has its mark alone

COLUMNS = ("started_at", "duration_ns", "op", "storage", "outcome")

Nanos = NDArray[np.int64]


@register("timeline", "How long operations took, at the time they began.", order=40)
def plot_timeline(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    objective: float | None = None,
    fewest: int = 1,
    theme: ThemeName = "both",
) -> Axes:
    """Draw how long operations took at the time they began, failed ones crossed, stalls marked.

    Each operation is a dot. Of a group of a thousand or more, the median of each of 75 intervals
    is a line, from it to the 95th percentile is a band, and the slowest 0.5 % are dots, at most a
    thousand; a note below the title says so. Of failed operations all are crossed that do not hide
    each other; of stalls the ten longest have a mark, and a shade as wide as they lasted.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by; each of its values is drawn in its own colour.
        objective: A duration in ns, drawn as a line.
        fewest: Groups of fewer operations are not drawn; a note names them.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook. ``stalls`` says what a
        stall is.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, COLUMNS)
    ax = axes_for(ax, theme)
    failed = failed_of(frame)
    title = title_of("Timeline", frame)
    if not len(frame):
        return finish_empty(ax, title)
    groups, left_out = split_groups(group_operations(frame, by), fewest)
    if not groups:
        return finish_empty(ax, title, f"no operation has {fewest} calls yet")
    started, nanos = started_ns(frame), frame["duration_ns"].to_numpy(np.int64)
    place = set_time_axis(ax.xaxis, int(started.min()), int(started.max()))
    set_duration_axis(ax.yaxis, with_objective(ends_of(groups), objective))
    draw_objective(ax, "y", objective)
    shown = np.zeros(len(frame), bool)
    shown[np.concatenate([group.rows for group in groups])] = True
    crossed = _rows_to_cross(started, nanos, failed & shown)
    drawn = 0
    for group in groups:
        slow = np.arange(len(group))
        if len(group) >= LINES_FROM:
            _draw_band(ax, group, place, started[group.rows])
            count = min(max(len(group) // 200, 1), SLOWEST)
            slow = np.argpartition(group.nanos, -count)[-count:]
        drawn += len(slow)
        ax.plot(
            place(started[group.rows[slow]]),
            on_log_scale(group.nanos[slow]),
            linestyle="none",
            marker=group.marker,
            color=group.colour,
            markersize=4.5,
            markeredgewidth=0,
            alpha=0.85,
        )
    last = float(place(started.max(keepdims=True))[0])
    middles = [(last, float(on_log_scale(group.sorted)[len(group) // 2])) for group in groups]
    label_groups(ax, groups, middles, line=any(len(group) >= LINES_FROM for group in groups))
    notes = []
    if max(map(len, groups)) >= LINES_FROM:
        notes = ["line: median", "band: to p95", f"{number_text(drawn)} dots: the slowest 0.5 %"]
    by_store = by == "storage"
    events, sentence, what = _draw_events(ax, frame, place, started, nanos, crossed, by_store)
    add_legend(ax, events)
    words = _time_text(frame, started, nanos)
    return finish_axes(ax, title, words, sentence, notes=[*notes, *what, *left_out])


def _draw_band(
    ax: Axes, group: Group, place: Callable[[Nanos], NDArray[np.float64]], started: Nanos
) -> None:
    """Draw the median of each interval of time as a line, and a band up to the 95th percentile.

    Intervals with fewer than five operations are left out, and the line is broken there.
    """
    low, high = ax.get_xlim()
    cells = _number_cells(place(started), low, high, INTERVALS)
    order = np.lexsort((group.nanos, cells))
    ordered = on_log_scale(group.nanos[order])
    counts = np.bincount(cells, minlength=INTERVALS)
    first = np.cumsum(counts) - counts
    middle, top = np.full((2, INTERVALS), np.nan)
    enough = counts >= FEWEST
    middle[enough] = ordered[(first + (counts - 1) // 2)[enough]]
    top[enough] = ordered[(first + np.ceil(counts * 0.95).astype(np.int64) - 1)[enough]]
    edges = np.linspace(low, high, INTERVALS + 1)
    x = (edges[:-1] + edges[1:]) / 2
    ax.plot(x, middle, color=group.colour, linestyle=group.dashes, linewidth=1.8, zorder=3)
    ax.fill_between(x, middle, top, color=group.colour, alpha=0.28, linewidth=0)


@register("heatmap", "How many operations began when and took how long.", order=50)
def plot_heatmap(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    objective: float | None = None,
    theme: ThemeName = "both",
) -> Axes:
    """Draw how many operations began when and took how long; failed crossed, stalls marked.

    Args:
        frame: Operations as ``Latency.frame()`` returns them, any number of them. Failed
            operations in one cell are one cross.
        ax: The axes to draw on; None makes a figure.
        objective: A duration in ns, drawn as a line.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

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
    ends = nanos[[nanos.argmin(), nanos.argmax()]]
    set_duration_axis(ax.yaxis, with_objective(ends, objective))
    draw_objective(ax, "y", objective)
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
    events, sentence, what = _draw_events(ax, frame, place, started, nanos, crossed)
    add_legend(ax, events)
    return finish_axes(
        ax,
        title,
        _time_text(frame, started, nanos),
        sentence,
        f"At most {number_text(most)} in one cell.",
        notes=what,
    )


def _time_text(frame: pd.DataFrame, started: Nanos, nanos: Nanos) -> str:
    """Return a text with when the operations began, and which was the slowest."""
    first, last = (pd.Timestamp(int(at)) for at in (started.min(), started.max()))
    slowest = frame.iloc[int(nanos.argmax())]
    return (
        f"They began from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC; the longest, "
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
    by_store: bool = False,
) -> tuple[list[Entry], str, list[str]]:
    """Draw failed operations and stalls, by store in the colours that stores have.

    Returns:
        Their entries in the legend, a sentence about the stalls, and the notes that explain them.
    """
    palette = theme_of(ax)
    entries = []
    if len(crossed):
        x, y = place(started[crossed]), on_log_scale(nanos[crossed])
        entries.append(mark_failed(ax, x, y, int(failed_of(frame).sum())))
    found = stalls(frame)
    if not len(found):
        return entries, "No stall.", []
    notes = [f"stall: nothing finished for {nanos_text(SHORTEST)} or more"]
    begins, lasts = started_ns(found), found["duration_ns"].to_numpy()
    low, high = ax.get_xlim()
    starts, ends = place(begins), np.minimum(place(begins + lasts), high)
    longest = np.argsort(-lasts, kind="stable")[:STALLS]
    wide = longest[(ends - starts)[longest] > (high - low) * SEEN]
    ax.broken_barh(
        list(zip(starts[wide], (ends - starts)[wide], strict=True)),
        (0, 1),
        transform=ax.get_xaxis_transform(),
        zorder=1,
        facecolor=palette.quiet,
        alpha=0.3,
        linewidth=0,
    )
    mark: Style = {"marker": "v", "color": palette.ink, "markersize": 7, "linestyle": "none"}
    stores = found["storage"].map(short_name).astype(str).to_numpy()
    middles = (starts + ends) / 2
    for store in dict.fromkeys(stores[longest]):
        x = middles[longest[stores[longest] == store]]
        style = mark | ({"color": look_of("storage", store).colour} if by_store else {})
        ax.plot(x, np.full(len(x), 0.97), transform=ax.get_xaxis_transform(), zorder=6, **style)
    text = f"{number_text(len(found))}, longest {nanos_text(int(lasts.max()))}"
    if frame["storage"].nunique() > 1:
        text += f" ({stores[longest[0]]})"
        counts = Counter(stores.tolist()).most_common()
        named = [f"{store} {count:,}" for store, count in counts[:STORES]]
        notes.append(f"stalls of {', '.join(named)}{', …' if len(counts) > STORES else ''}")
    marked = f" ({STALLS} marked)" if len(found) > STALLS else ""
    entries.append(Entry(Line2D([], [], **mark), f"stalls: {text}{marked}"))
    return entries, f"Stalls: {text}.", notes


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
