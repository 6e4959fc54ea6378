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

from .axis import duration_axis, log_ticks, started_ns, time_axis
from .checks import need
from .figure import axes_for, host, theme_of
from .groups import count_text, failed_of, groups, shown
from .parts import SMALL, Entry, Look, failed_marks, finish, legend, nothing
from .stalling import stalls
from .text import clean, duration_text
from .theme import ThemeName

__all__ = ["plot_heatmap", "plot_timeline"]

MAX_DOTS = 10_000
SLOWEST = 1000  # that are drawn whatever lies beside them
CELLS = (150, 50)  # of a heat map
CROSSES = (40, 16)  # that have room beside and above each other

Nanos = NDArray[np.int64]


def plot_timeline(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    theme: ThemeName = "light",
) -> Axes:
    """Each operation at the time it began, failed ones crossed, stalls shaded.

    Args:
        frame: as ``Latency.frame()`` gives it. Of more than 10,000 operations are drawn the
            slowest thousand, all failed ones that do not hide each other, and of the rest an even
            sample; the title says so.
        ax: to draw on; None makes a figure.
        by: the column whose values are told apart.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook. What a stall is,
        ``stalls`` says.

    Raises:
        QueryError: the frame lacks a column, or there is no such theme.
    """
    need(frame, ["started_at", "duration_ns", "op", "storage", "outcome"])
    ax = axes_for(ax, theme)
    look = theme_of(ax)
    failed = failed_of(frame)
    title = f"Timeline, {count_text(len(frame), int(failed.sum()))}"
    if not len(frame):
        return nothing(ax, title)
    started, nanos = started_ns(frame), frame["duration_ns"].to_numpy(np.int64)
    place = time_axis(ax.xaxis, int(started.min()), int(started.max()))
    duration_axis(ax.yaxis, nanos[[nanos.argmin(), nanos.argmax()]])
    crossed = _apart(started, nanos, failed)
    found = groups(frame, by)
    drawn = np.ones(len(frame), bool)
    if len(frame) > MAX_DOTS:
        drawn[:] = False
        for group in found:  # a rare kind is not lost among many of another
            share = MAX_DOTS // len(found)
            drawn[group.rows[:: -(-len(group) // share)]] = True
        drawn[np.argpartition(nanos, -SLOWEST)[-SLOWEST:]] = True
        drawn[crossed] = True
    entries: list[Entry] = []
    for group in found:
        rows = group.rows[drawn[group.rows]]
        dots: Look = {
            "linestyle": "none",
            "marker": group.marker,
            "color": group.colour(look),
            "markeredgewidth": 0,
        }
        ax.plot(place(started[rows]), shown(nanos[rows]), markersize=4.5, alpha=0.7, **dots)
        entries.append((Line2D([], [], markersize=6, **dots), f"{group.name}, n = {len(group):,}"))
    notes = [f"{drawn.sum():,} drawn"] if not drawn.all() else []
    said = _events(ax, frame, place, started, nanos, crossed, entries)
    legend(ax, entries)
    return finish(ax, title, _when(frame, started, nanos), said, notes=notes)


def plot_heatmap(
    frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "light"
) -> Axes:
    """How many operations began when and took how long; failed ones crossed, stalls shaded.

    Args:
        frame: as ``Latency.frame()`` gives it, of any length. Failed operations in one cell are
            one cross.
        ax: to draw on; None makes a figure.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes, with the colours' scale beside them; those of a new figure show themselves in a
        notebook. What a stall is, ``stalls`` says.

    Raises:
        QueryError: the frame lacks a column, or there is no such theme.
    """
    need(frame, ["started_at", "duration_ns", "op", "storage", "outcome"])
    ax = axes_for(ax, theme)
    look = theme_of(ax)
    failed = failed_of(frame)
    title = f"Heat map of durations, {count_text(len(frame), int(failed.sum()))}"
    if not len(frame):
        return nothing(ax, title)
    started, nanos = started_ns(frame), frame["duration_ns"].to_numpy(np.int64)
    place = time_axis(ax.xaxis, int(started.min()), int(started.max()))
    duration_axis(ax.yaxis, nanos[[nanos.argmin(), nanos.argmax()]])
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    columns = _cells(place(started), left, right, CELLS[0])
    rows = _cells(np.log(shown(nanos)), np.log(low), np.log(high), CELLS[1])
    counts = np.bincount(rows * CELLS[0] + columns, minlength=CELLS[0] * CELLS[1])
    grid = np.ma.masked_equal(counts.reshape(CELLS[::-1]), 0)
    most = int(counts.max())
    mesh = ax.pcolormesh(
        np.linspace(left, right, CELLS[0] + 1),
        np.geomspace(low, high, CELLS[1] + 1),
        grid,
        cmap=look.shades,
        norm=LogNorm(1, max(most, 2)),
        zorder=2,
    )
    bar = host(ax).colorbar(mesh, cax=ax.inset_axes((1.02, 0, 0.025, 1)))
    log_ticks(bar.ax.yaxis, lambda count: f"{count:,.0f}")
    bar.ax.tick_params(colors=look.quiet, labelcolor=look.ink, labelsize=SMALL)
    bar.set_label("operations in a cell (log scale)", color=look.ink, fontsize=SMALL)
    bar.outline.set_visible(False)
    entries: list[Entry] = []
    said = _events(ax, frame, place, started, nanos, _apart(started, nanos, failed), entries)
    if entries:
        legend(ax, entries)
    return finish(ax, title, _when(frame, started, nanos), said, f"At most {most:,} in one cell.")


def _when(frame: pd.DataFrame, started: Nanos, nanos: Nanos) -> str:
    first, last = (pd.Timestamp(int(at)) for at in (started.min(), started.max()))
    slowest = frame.iloc[int(nanos.argmax())]
    return (
        f"They began from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC; the slowest, "
        f"{clean(slowest['op'])}, took {duration_text(int(nanos.max()) / 1000)} from "
        f"{slowest['started_at']:%H:%M:%S} on."
    )


def _events(
    ax: Axes,
    frame: pd.DataFrame,
    place: Callable[[Nanos], NDArray[np.float64]],
    started: Nanos,
    nanos: Nanos,
    crossed: NDArray[np.intp],
    entries: list[Entry],
) -> str:
    """Draw failed operations and stalls; what there is of them in words."""
    look = theme_of(ax)
    if len(crossed):
        count = int(failed_of(frame).sum())
        entries.append(failed_marks(ax, place(started[crossed]), shown(nanos[crossed]), count))
    found = stalls(frame)
    if not len(found):
        return "No stall."
    begins, lasts = started_ns(found), found["duration_ns"].to_numpy()
    low, high = ax.get_xlim()
    starts, ends = place(begins), np.minimum(place(begins + lasts), high)
    # As many as can be told apart; the first of a cell stands for all in it.
    _, kept = np.unique(_cells(starts, low, high, CELLS[0]), return_index=True)
    _, marked = np.unique(_cells(starts, low, high, CROSSES[0]), return_index=True)
    shade: Look = {"facecolor": look.quiet, "alpha": 0.3, "linewidth": 0}
    ax.broken_barh(
        list(zip(starts[kept], (ends - starts)[kept], strict=True)),
        (0, 1),
        transform=ax.get_xaxis_transform(),
        zorder=1,
        **shade,
    )
    # What is narrower than a pixel is seen by its mark.
    ax.plot(
        ((starts + ends) / 2)[marked],
        np.full(len(marked), 0.97),
        "v",
        transform=ax.get_xaxis_transform(),
        color=look.ink,
        markersize=7,
        zorder=6,
    )
    longest = duration_text(int(lasts.max()) / 1000)
    entries.append((Patch(**shade), f"stalls: {len(found):,}, longest {longest}"))
    return f"Stalls: {len(found):,}, longest {longest}."


def _apart(started: Nanos, nanos: Nanos, failed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions of the failed ones whose crosses would not hide each other."""
    rows = np.flatnonzero(failed)
    if len(rows) < SLOWEST:
        return rows
    times, logs = (started - started.min())[rows], np.log(shown(nanos))
    x = _cells(times, 0, max(int(times.max()), 1), CROSSES[0])
    y = _cells(logs[rows], logs.min(), max(logs.max(), logs.min() + 1), CROSSES[1])
    one = np.full(CROSSES[0] * CROSSES[1], -1, np.intp)
    one[y * CROSSES[0] + x] = rows
    return np.append(one[one >= 0], rows[nanos[rows].argmax()])


def _cells(values: NDArray[Any], low: float, high: float, count: int) -> NDArray[np.int64]:
    """In which of so many equal parts each value lies."""
    cells: NDArray[np.int64] = ((values - low) * (count / (high - low))).astype(np.int64)
    return cells.clip(0, count - 1)
