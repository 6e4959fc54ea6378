"""How durations are distributed: cumulated, in bins, in boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from .axis import set_count_axis, set_duration_axis, set_share_axis
from .figure import axes_for, theme_of
from .frame import on_log_scale, title_of
from .groups import ROWS, Group, ends_of, group_operations, groups_text, rows_note
from .objective import draw_objective, objective_notes, with_objective
from .parts import (
    Entry,
    Style,
    add_legend,
    finish_axes,
    finish_empty,
    mark_failed,
    mark_failed_groups,
    name_rows,
)
from .registry import register
from .text import column_text, nanos_text, number_text
from .theme import ThemeName

__all__ = ["plot_boxes", "plot_ecdf", "plot_histogram"]

POINTS = 2000  # of a curve: more than it has pixels
BINS = 12  # a decade


@register("ecdf", "The share of operations this fast or faster.", order=20)
def plot_ecdf(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    objective: float | None = None,
    theme: ThemeName = "both",
) -> Axes:
    """Draw the share of operations this fast or faster, on a log axis.

    Of many operations those are drawn that differ by a pixel, the fastest and slowest always.
    Crosses show where failed operations lie, which are counted like all others.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by; each of its values is drawn in its own colour.
        objective: A duration in ns, drawn as a line; a note has the share of longer operations.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    ax = axes_for(ax, theme)
    groups = group_operations(frame, by)
    title = title_of("Cumulative distribution", frame)
    if not groups:
        return finish_empty(ax, title)
    edges = np.geomspace(*_log_ends(groups), POINTS)
    entries: list[Entry] = []
    for group in groups:
        n, nanos = len(group), on_log_scale(group.sorted)
        last = np.searchsorted(nanos, edges, "right") - 1
        kept = np.unique(np.concatenate([last[last >= 0], [0, n - 1]]))
        line: Style = {
            "color": group.colour,
            "linestyle": group.dashes,
            "linewidth": 1.8,
            "marker": group.marker if n < 30 else None,
            "markersize": 5,
        }
        x = np.concatenate([nanos[:1], nanos[kept]])
        share = np.concatenate([[0], (kept + 1) / n])
        ax.plot(x, share, drawstyle="steps-post", **line)
        entries.append(Entry(Line2D([], [], **line), f"{group.name}, n = {n:,}"))

    def place(
        group: Group, slow: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        x = on_log_scale(slow)
        return x, np.searchsorted(on_log_scale(group.sorted), x, "right") / len(group)

    entries += mark_failed_groups(ax, groups, place)
    set_duration_axis(ax.xaxis, with_objective(ends_of(groups), objective))
    draw_objective(ax, "x", objective)
    ax.set(ylim=(-0.02, 1.04), yticks=[0, 0.25, 0.5, 0.75, 0.9, 0.99])
    set_share_axis(ax.yaxis)
    ax.set_ylabel("share of operations this fast or faster")
    add_legend(ax, entries)
    return finish_axes(ax, title, groups_text(groups), notes=objective_notes(groups, objective))


@register("histogram", "The number of operations that took about a given time.", order=30)
def plot_histogram(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    theme: ThemeName = "both",
) -> Axes:
    """Draw how many operations took about a given time, in bins of equal width on a log axis.

    Crosses are at the number of failed operations in a bin; the lines count them too.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by; each of its values is drawn in its own colour.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    ax = axes_for(ax, theme)
    groups = group_operations(frame, by)
    title = title_of("Histogram of duration", frame)
    if not groups:
        return finish_empty(ax, title)
    low, high = _log_ends(groups)
    first = int(np.floor(np.log10(low) * BINS))
    bins = int(np.floor(np.log10(high) * BINS)) - first + 1
    edges = 10 ** ((first + np.arange(bins + 1)) / BINS)

    def count_in_bins(nanos: NDArray[np.int64]) -> NDArray[np.intp]:
        cells = np.floor(np.log10(on_log_scale(nanos)) * BINS).astype(np.int64) - first
        return np.bincount(cells, minlength=bins)

    entries: list[Entry] = []
    peak = 1
    failed = np.zeros(bins, np.intp)
    for group in groups:
        counts = count_in_bins(group.nanos)
        peak = max(peak, int(counts.max()))
        colour = group.colour
        ax.stairs(counts, edges, color=colour, linestyle=group.dashes, linewidth=1.8, baseline=0)
        ax.stairs(counts, edges, color=colour, alpha=0.15, fill=True, baseline=0)
        handle = Line2D([], [], color=colour, linestyle=group.dashes, linewidth=1.8)
        entries.append(Entry(handle, f"{group.name}, n = {len(group):,}"))
        failed += count_in_bins(group.nanos[group.failed])
    set_count_axis(ax.yaxis, peak, "operations in a bin")
    if failed.any():
        at = failed > 0
        middles = np.sqrt(edges[:-1] * edges[1:])
        entries.append(mark_failed(ax, middles[at], failed[at], int(failed.sum())))
    set_duration_axis(ax.xaxis, np.array([low, high]) if low > 1 else ends_of(groups))
    ax.set_xlim(edges[0] / 1.05, edges[-1] * 1.05)
    add_legend(ax, entries)
    total = count_in_bins(np.concatenate([group.nanos for group in groups]))
    top = int(np.argmax(total))
    span = " to ".join(nanos_text(edge) for edge in edges[top : top + 2])
    return finish_axes(
        ax, title, f"Most, {number_text(total[top])}, took {span}.", groups_text(groups)
    )


@register("boxes", "The middle half of the durations as a box, one box a storage.", order=70)
def plot_boxes(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str | Sequence[str] = "storage",
    theme: ThemeName = "both",
) -> Axes:
    """Draw the middle half of each group's durations as a box, with 1st and 99th percentile.

    Every percentile is a duration that was really measured. Dots are the fastest and the slowest,
    crosses failed operations.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by, or two; each of up to thirty groups has a row.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    groups = group_operations(frame, by, ROWS)
    columns = [by] if isinstance(by, str) else by
    title = title_of(f"Durations by {' and '.join(map(column_text, columns))}", frame)
    ax = axes_for(ax, theme, (9, 2.4 + 0.4 * max(len(groups), 3)))
    palette = theme_of(ax)
    if not groups:
        return finish_empty(ax, title)
    for group in groups:
        y, colour = -group.number, group.colour
        nanos = on_log_scale(group.sorted)
        p1, p25, p50, p75, p99 = (
            int(np.percentile(nanos, q, method="inverted_cdf")) for q in (1, 25, 50, 75, 99)
        )
        ax.barh(y, p75 - p25, 0.5, left=p25, facecolor=colour, alpha=0.45, edgecolor=colour)
        ax.hlines([y, y], [p1, p75], [p25, p99], color=colour, linewidth=1.6)
        ax.vlines([p1, p99], y - 0.15, y + 0.15, color=colour, linewidth=1.6)
        ax.vlines(p50, y - 0.25, y + 0.25, color=palette.ink, linewidth=2.4)
        ax.plot(nanos[[0, -1]], [y, y], "o", color=colour, markersize=4)

    def place(
        group: Group, slow: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return on_log_scale(slow), np.full(len(slow), -group.number - 0.36)

    if entries := mark_failed_groups(ax, groups, place):
        add_legend(ax, entries)
    name_rows(ax, [group.name for group in groups], [f"n = {len(group):,}" for group in groups])
    ax.set_ylim(-len(groups) + 0.35, 0.6)
    set_duration_axis(ax.xaxis, ends_of(groups))
    few = " (n < 100: all)" if min(map(len, groups)) < 100 else ""
    notes = [
        *rows_note(groups),
        f"box p25 to p75, line p50, whiskers p1 and p99{few}",
        "dots: fastest and slowest",
    ]
    return finish_axes(ax, title, groups_text(groups), notes=notes, rows=True)


def _log_ends(groups: list[Group]) -> tuple[int, int]:
    ends = on_log_scale(ends_of(groups))
    return int(ends.min()), int(ends.max())
