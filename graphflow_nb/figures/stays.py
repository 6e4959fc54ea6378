"""Sessions over time: each as a row of stays at its tasks, or the number of them at each task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..printable import describe_count
from .axis import set_count_axis, set_time_axis, time_places
from .checks import check_columns
from .figure import axes_for, host_of, theme_of
from .parts import SMALL, Entry, add_legend, finish_axes, finish_empty
from .text import escape_formulas, long_text, number_text, short_name
from .theme import Theme, ThemeName

__all__ = [
    "Bar",
    "MAX_ROWS",
    "Moment",
    "locate_bars",
    "locate_moments",
    "plot_stays",
    "plot_tasks",
]

MAX_ROWS: Final = 150  # sessions that have a row each; of more, their number at each task is drawn
NAMED: Final = 40  # rows that have room for a name
COLOURED: Final = 6  # tasks with a colour of their own; the rest are "others"
BINS: Final = 240
HINTS: Final = 80  # times at which the numbers are told
COLUMNS: Final = ("id", "task", "start", "end", "waits", "open")


Nanos = NDArray[np.int64]


class Bar(NamedTuple):
    """Where a stay is drawn, in parts of the picture's width and height from its top left.

    Attributes:
        row: The row of the stays' frame.
        left, top, width, height: The place.
    """

    row: int
    left: float
    top: float
    width: float
    height: float


class Moment(NamedTuple):
    """How many sessions were at each task at one time, and where that is drawn.

    Attributes:
        at: The time.
        counts: The tasks with a colour of their own, in their order, and the others, each with the
            number of sessions at it.
        left, top, width, height: The place, as that of a ``Bar``.
    """

    at: pd.Timestamp
    counts: list[tuple[str, int]]
    left: float
    top: float
    width: float
    height: float


def plot_stays(frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both") -> Axes:
    """Draw each session as a row of bars, one for each stay at a task.

    A stay that began with the session staying where it was (it waits, for input or to be tried
    again) is fainter; one that has no end yet has an open end.

    Args:
        frame: Stays, as ``Timeline.stays`` has them, of at most 150 sessions.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, COLUMNS)
    ids = sort_sessions(frame)
    ax = axes_for(ax, theme, (9, min(9.0, 2.4 + 0.2 * min(len(ids), NAMED) + 0.03 * len(ids))))
    palette = theme_of(ax)
    title = f"Sessions over time, n = {len(ids):,}"
    if not len(frame):
        return finish_empty(ax, title, "no version is in the history yet")
    start, end = _nanos(frame["start"]), _nanos(frame["end"])
    place = _set_time_axis(ax, start, end)
    row_of = {id: n for n, id in enumerate(ids)}
    rows = np.array([row_of[id] for id in frame["id"]])
    names = _coloured_tasks(frame)
    tasks = frame["task"].astype(object).to_numpy()
    waits = frame["waits"].to_numpy(bool)
    for name, colour in zip(
        [*names, None], [*palette.colours[:COLOURED], palette.rest], strict=False
    ):
        of_task = tasks == name if name is not None else ~np.isin(tasks, names)
        for pale in (False, True):
            chosen = np.flatnonzero(of_task & (waits == pale))
            ax.add_collection(
                PolyCollection(
                    list(_boxes(place(start[chosen]), place(end[chosen]), rows[chosen])),
                    facecolors=colour,
                    alpha=0.4 if pale else 1.0,
                    edgecolors=palette.edge,
                    linewidths=0.4 if len(ids) <= NAMED else 0,
                    zorder=2,
                )
            )
    opened = frame["open"].to_numpy(bool) & (len(ids) <= NAMED)
    ax.plot(
        place(end[opened]),
        -rows[opened],
        linestyle="none",
        marker=">",
        markersize=3.5,
        color=palette.ink,
        zorder=3,
        clip_on=False,
    )
    ax.set_ylim(-len(ids) + 0.5, 0.5)
    if len(ids) <= NAMED:
        shown = [escape_formulas(short_name(id)) for id in ids]
        ax.set_yticks(range(0, -len(ids), -1), shown, fontsize=SMALL)
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{describe_count(len(ids), 'session')}, the oldest above")
    ax.tick_params(axis="y", grid_alpha=0)
    add_legend(ax, _legend(frame, names, palette, bool(waits.any()), bool(opened.any())))
    return finish_axes(ax, title, _time_text(frame), *_task_texts(frame, names))


def plot_tasks(frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both") -> Axes:
    """Draw how many sessions were at each task over time, however many there are.

    Args:
        frame: Stays, as ``Timeline.stays`` has them.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, COLUMNS)
    ax = axes_for(ax, theme)
    palette = theme_of(ax)
    title = f"Sessions at each task, n = {frame['id'].nunique():,}"
    if not len(frame):
        return finish_empty(ax, title, "no version is in the history yet")
    start, end = _nanos(frame["start"]), _nanos(frame["end"])
    place = _set_time_axis(ax, start, end)
    edges = np.linspace(*_bounds(start, end), BINS + 1).astype(np.int64)
    names = _coloured_tasks(frame)
    heights = [counts for _, counts in _count_tasks(frame, names, edges)]
    colours = [*palette.colours[: len(names)], palette.rest][: len(heights)]
    ax.stackplot(
        place(edges),
        heights,
        colors=colours,
        step="post",
        linewidth=0.5,
        edgecolor=palette.edge,
        zorder=2,
    )
    most = int(np.sum(heights, axis=0).max())
    set_count_axis(ax.yaxis, max(most, 1), "sessions", stacked=True)
    add_legend(ax, _legend(frame, names, palette, False, False))
    at_most = f"At most {number_text(most)} at one time."
    return finish_axes(ax, title, _time_text(frame), at_most, *_task_texts(frame, names))


def sort_sessions(frame: pd.DataFrame) -> list[str]:
    """Return the ids of a frame of stays: that which began first comes first."""
    return list(frame.groupby("id", sort=False)["start"].min().sort_values(kind="stable").index)


def locate_bars(ax: Axes, frame: pd.DataFrame) -> list[Bar]:
    """Return where ``plot_stays`` drew each stay; the figure must have been drawn or saved before.

    Args:
        ax: The axes that it returned.
        frame: The stays.
    """
    figure = host_of(ax)
    width, height = figure.bbox.width, figure.bbox.height
    row_of = {id: n for n, id in enumerate(sort_sessions(frame))}
    low, high = ax.get_xlim()
    begin, end = _nanos(frame["start"]), _nanos(frame["end"])
    place = time_places(*_bounds(begin, end))
    left, right = np.clip(place(begin), low, high), np.clip(place(end), low, high)
    rows = np.array([row_of[id] for id in frame["id"]])
    upper = ax.transData.transform(np.column_stack([left, -rows + 0.4]))
    lower = ax.transData.transform(np.column_stack([right, -rows - 0.4]))
    return [
        Bar(n, x / width, 1 - y / height, max(0.002, (u - x) / width), (y - v) / height)
        for n, ((x, y), (u, v)) in enumerate(zip(upper, lower, strict=True))
    ]


def locate_moments(ax: Axes, frame: pd.DataFrame, count: int = HINTS) -> list[Moment]:
    """Return how many sessions were where, and the place of each time in what ``plot_tasks`` drew.

    Args:
        ax: The axes that it returned; the figure must have been drawn or saved before.
        frame: The stays.
        count: The number of times, at the same distance.
    """
    figure = host_of(ax)
    width, height = figure.bbox.width, figure.bbox.height
    bounds = _bounds(_nanos(frame["start"]), _nanos(frame["end"]))
    edges = np.linspace(*bounds, count + 1).astype(np.int64)
    middles = (edges[:-1] + edges[1:]) // 2
    counted = _count_tasks(frame, _coloured_tasks(frame), middles)
    place, box = time_places(*bounds), ax.get_window_extent()
    x = np.clip(place(edges), *ax.get_xlim())
    left = ax.transData.transform(np.column_stack([x, np.zeros_like(x)]))[:, 0] / width
    return [
        Moment(
            pd.Timestamp(int(middles[n]), unit="ns", tz="UTC"),
            [(name, int(counts[n])) for name, counts in counted],
            float(left[n]),
            1 - box.y1 / height,
            float(left[n + 1] - left[n]),
            box.height / height,
        )
        for n in range(count)
    ]


def _count_tasks(
    frame: pd.DataFrame, names: Sequence[str], times: Nanos
) -> list[tuple[str, NDArray[np.int64]]]:
    """Return how many sessions were at each of these tasks, and at all others, at each time."""
    start, end = _nanos(frame["start"]), _nanos(frame["end"])
    tasks = frame["task"].astype(object).to_numpy()
    found = [(name, _count_at(times, start[tasks == name], end[tasks == name])) for name in names]
    others = ~np.isin(tasks, names)
    if others.any():
        found.append(("other tasks", _count_at(times, start[others], end[others])))
    return found


def _bounds(start: Nanos, end: Nanos) -> tuple[int, int]:
    """Return the first and the last moment."""
    return int(start.min()), int(max(end.max(), start.min() + 1))


def _set_time_axis(ax: Axes, start: Nanos, end: Nanos) -> Callable[[Nanos], NDArray[np.float64]]:
    place = set_time_axis(ax.xaxis, *_bounds(start, end))
    ax.set_xlabel(ax.get_xlabel().replace("began at", "time").replace("began ", ""))
    return place


def _nanos(times: pd.Series[pd.Timestamp]) -> Nanos:
    return np.asarray(times.dt.tz_convert(None).to_numpy("M8[ns]").view(np.int64))


def _coloured_tasks(frame: pd.DataFrame) -> list[str]:
    """Return the tasks with most stays, in the order in which sessions came to them."""
    counts = frame["task"].astype(object).value_counts(sort=False)
    most = counts if len(counts) <= COLOURED else counts.nlargest(COLOURED)
    return [name for name in counts.index if name in most.index]


def _boxes(
    left: NDArray[np.float64], right: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the corners of a bar for each stay."""
    upper, lower = 0.4 - rows, -0.4 - rows
    corners = [(left, lower), (left, upper), (right, upper), (right, lower)]
    return np.stack([np.column_stack(corner) for corner in corners], axis=1)


def _count_at(
    edges: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many stays include each moment."""
    begun = np.searchsorted(np.sort(start), edges, side="right")
    return np.asarray(begun - np.searchsorted(np.sort(end), edges, side="right"))


def _legend(
    frame: pd.DataFrame, names: Sequence[str], palette: Theme, waits: bool, opened: bool
) -> list[Entry]:
    counts = frame["task"].astype(object).value_counts()
    entries = [
        Entry(Patch(color=colour), f"{short_name(name)}, n = {counts[name]:,}")
        for name, colour in zip(names, palette.colours, strict=False)
    ]
    others = len(frame) - sum(int(counts[name]) for name in names)
    if others:
        entries.append(Entry(Patch(color=palette.rest), f"others, n = {others:,}"))
    if waits:
        pale = Patch(color=palette.ink, alpha=0.4)
        entries.append(Entry(pale, "faint: waits at the same task"))
    if opened:
        entries.append(Entry(Patch(alpha=0), "▸ until now"))
    return entries


def _time_text(frame: pd.DataFrame) -> str:
    first, last = frame["start"].min(), frame["end"].max()
    return f"From {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC."


def _task_texts(frame: pd.DataFrame, names: Sequence[str]) -> list[str]:
    found = []
    for name in names:
        lasted = frame.loc[frame["task"] == name, "duration"].to_numpy("m8[ns]").view(np.int64)
        middle = long_text(float(np.median(lasted)))
        stays = describe_count(len(lasted), "stay")
        lasting = f"of {middle}" if len(lasted) == 1 else f"half of them up to {middle}"
        found.append(f"{short_name(name)}: {stays}, {lasting}.")
    return found
