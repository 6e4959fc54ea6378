"""How durations are distributed: cumulated, in bins, in boxes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from .axis import duration_axis, log_axis
from .figure import axes_for, theme_of
from .groups import Group, count_text, groups, shown, told_text
from .parts import Entry, Look, failed_marks, finish, legend, nothing, row_names, thinned
from .text import duration_text, percent
from .theme import ThemeName

__all__ = ["plot_boxes", "plot_ecdf", "plot_histogram"]

POINTS = 2000  # of a curve: more than it has pixels
BINS = 12  # a decade


def plot_ecdf(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    theme: ThemeName = "light",
) -> Axes:
    """The share of the operations that took at most so long, on a log axis.

    Of many operations those are drawn that differ by a pixel, the fastest and slowest always.
    Crosses stand where failed operations lie, which are counted like all others.

    Args:
        frame: as ``Latency.frame()`` gives it.
        ax: to draw on; None makes a figure.
        by: the column whose values are told apart.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: the frame lacks a column, or there is no such theme.
    """
    ax = axes_for(ax, theme)
    look = theme_of(ax)
    found, title = _begin(frame, by, "Cumulative distribution")
    if not found:
        return nothing(ax, title)
    low, high = _ends(found)
    entries: list[Entry] = []
    bad: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    for group in found:
        n, nanos = len(group), shown(group.sorted)
        edges = np.geomspace(low, high, POINTS)
        last = np.searchsorted(nanos, edges, "right") - 1
        kept = np.unique(np.concatenate([last[last >= 0], [0, n - 1]]))
        line: Look = {
            "color": group.colour(look),
            "linestyle": group.dashes,
            "linewidth": 1.8,
            "marker": group.marker if n < 30 else None,
            "markersize": 5,
        }
        x = np.concatenate([nanos[:1], nanos[kept]])
        share = np.concatenate([[0], (kept + 1) / n])
        ax.plot(x, share, drawstyle="steps-post", **line)
        entries.append((Line2D([], [], **line), f"{group.name}, n = {n:,}"))
        if group.failed.any():
            slow = shown(np.sort(group.nanos[group.failed]))
            slow = slow[thinned(slow, 15)]
            bad.append((slow, np.searchsorted(nanos, slow, "right") / n))
    if bad:
        count = sum(int(group.failed.sum()) for group in found)
        x, share = (np.concatenate(each) for each in zip(*bad, strict=True))
        entries.append(failed_marks(ax, x, share, count))
    duration_axis(ax.xaxis, np.concatenate([group.sorted[[0, -1]] for group in found]))
    ax.set(ylim=(-0.02, 1.04), yticks=[0, 0.25, 0.5, 0.75, 0.9, 0.99])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    ax.set_ylabel("took at most so long")
    legend(ax, entries)
    return finish(ax, title, told_text(found))


def plot_histogram(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    theme: ThemeName = "light",
) -> Axes:
    """How many operations took about so long, in bins of equal width on a log axis.

    Crosses stand at the number of failed operations in a bin; the lines count them too.

    Args:
        frame: as ``Latency.frame()`` gives it.
        ax: to draw on; None makes a figure.
        by: the column whose values are told apart.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: the frame lacks a column, or there is no such theme.
    """
    ax = axes_for(ax, theme)
    look = theme_of(ax)
    found, title = _begin(frame, by, "Histogram of duration")
    if not found:
        return nothing(ax, title)
    low, high = _ends(found)
    first = int(np.floor(np.log10(low) * BINS))
    bins = int(np.floor(np.log10(high) * BINS)) - first + 1
    edges = 10 ** ((first + np.arange(bins + 1)) / BINS)

    def counts(nanos: NDArray[np.int64]) -> NDArray[np.intp]:
        cells = np.floor(np.log10(shown(nanos)) * BINS).astype(np.int64) - first
        return np.bincount(cells, minlength=bins)

    entries: list[Entry] = []
    peak = 1
    bad = np.zeros(bins, np.intp)
    for group in found:
        n = counts(group.nanos)
        peak = max(peak, int(n.max()))
        colour = group.colour(look)
        ax.stairs(n, edges, color=colour, linestyle=group.dashes, linewidth=1.8, baseline=0)
        ax.stairs(n, edges, color=colour, alpha=0.15, fill=True, baseline=0)
        handle = Line2D([], [], color=colour, linestyle=group.dashes, linewidth=1.8)
        entries.append((handle, f"{group.name}, n = {len(group):,}"))
        bad += counts(group.nanos[group.failed])
    ax.set_ylabel("operations in a bin")
    if peak > 50:  # a few slow ones beside many fast ones would not be seen
        log_axis(ax.yaxis, 0.8, peak, lambda count: f"{count:,.0f}")
        ax.set_ylabel("operations in a bin (log scale)")
    else:
        ax.set_ylim(0, 1.1 * peak)
        ax.yaxis.set_major_locator(MaxNLocator(7, integer=True))
    if bad.any():
        at = bad > 0
        entries.append(
            failed_marks(ax, np.sqrt(edges[:-1] * edges[1:])[at], bad[at], int(bad.sum()))
        )
    duration_axis(ax.xaxis, np.array([low, high]) if low > 1 else _raw_ends(found))
    ax.set_xlim(edges[0] / 1.05, edges[-1] * 1.05)
    legend(ax, entries)
    total = counts(np.concatenate([group.nanos for group in found]))
    top = int(np.argmax(total))
    span = " to ".join(duration_text(edge / 1000) for edge in edges[top : top + 2])
    return finish(ax, title, f"Most, {total[top]:,}, took {span}.", told_text(found))


def plot_boxes(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "storage",
    theme: ThemeName = "light",
) -> Axes:
    """The middle half of each group's durations as a box, with 1st and 99th percentile.

    Every percentile is a duration that was really measured; dots are the fastest and the slowest,
    crosses failed operations.

    Args:
        frame: as ``Latency.frame()`` gives it.
        ax: to draw on; None makes a figure.
        by: the column whose values are told apart.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: the frame lacks a column, or there is no such theme.
    """
    found, title = _begin(frame, by, f"Durations by {by}")
    ax = axes_for(ax, theme, (9, 2.4 + 0.55 * max(len(found), 3)))
    look = theme_of(ax)
    if not found:
        return nothing(ax, title)
    bad: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    for group in found:
        y, colour = -group.number, group.colour(look)
        nanos = shown(group.sorted)
        p1, p25, p50, p75, p99 = (
            int(np.percentile(nanos, q, method="inverted_cdf")) for q in (1, 25, 50, 75, 99)
        )
        ax.barh(y, p75 - p25, 0.5, left=p25, facecolor=colour, alpha=0.45, edgecolor=colour)
        ax.hlines([y, y], [p1, p75], [p25, p99], color=colour, linewidth=1.6)
        ax.vlines([p1, p99], y - 0.15, y + 0.15, color=colour, linewidth=1.6)
        ax.vlines(p50, y - 0.25, y + 0.25, color=look.ink, linewidth=2.4)
        ax.plot(nanos[[0, -1]], [y, y], "o", color=colour, markersize=4)
        if group.failed.any():
            slow = shown(group.nanos[group.failed])
            slow = slow[thinned(slow, 15)]
            bad.append((slow, np.full(len(slow), y - 0.36)))
    if bad:
        x, at = (np.concatenate(each) for each in zip(*bad, strict=True))
        legend(ax, [failed_marks(ax, x, at, sum(int(group.failed.sum()) for group in found))])
    row_names(ax, [group.name for group in found], [f"n = {len(group):,}" for group in found])
    ax.set_ylim(-len(found) + 0.35, 0.6)
    duration_axis(ax.xaxis, _raw_ends(found))
    few = " (the ends of fewer than 100)" if min(map(len, found)) < 100 else ""
    notes = [f"box p25 to p75, line p50, whiskers p1 and p99{few}", "dots the ends"]
    return finish(ax, title, told_text(found), notes=notes)


def _begin(frame: pd.DataFrame, by: str, title: str) -> tuple[list[Group], str]:
    found = groups(frame, by)
    failed = sum(int(group.failed.sum()) for group in found)
    return found, f"{title}, {count_text(len(frame), failed)}"


def _raw_ends(found: list[Group]) -> NDArray[np.int64]:
    return np.concatenate([group.sorted[[0, -1]] for group in found])


def _ends(found: list[Group]) -> tuple[int, int]:
    ends = shown(_raw_ends(found))
    return int(ends.min()), int(ends.max())
