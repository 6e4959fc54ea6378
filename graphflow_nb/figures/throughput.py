"""Throughput: how durations grow with the load."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .axis import set_duration_axis, set_rate_axis
from .checks import check_columns
from .figure import axes_for, theme_of
from .frame import on_log_scale
from .looks import look_of
from .parts import Entry, Style, add_legend, finish_axes, finish_empty, mark_failed
from .text import nanos_text, number_text, rate_text, short_name
from .theme import DASHES, ThemeName

__all__ = ["plot_throughput"]

BEHIND = 0.95  # of the offered rate


def plot_throughput(
    runs: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both"
) -> Axes:
    """Draw throughput against duration: one mark a run, one line a storage and percentile.

    A hollow mark is a run that fell behind: it achieved less than 95 % of what was offered.

    Args:
        runs: One row a run: ``storage``; ``offered`` and ``achieved``, operations a second, NaN as
            ``offered`` where each operation waited for the one before; ``p50_ns`` and ``p99_ns``,
            NaN where a run has too few operations; and, if known, ``failed``, the number of failed
            operations.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: The table lacks a column, or the theme is unknown.
    """
    check_columns(runs, ["storage", "offered", "achieved", "p50_ns", "p99_ns"])
    ax = axes_for(ax, theme)
    palette = theme_of(ax)
    behind = (runs["achieved"] < BEHIND * runs["offered"]).to_numpy()
    failed = runs["failed"].to_numpy() if "failed" in runs else np.zeros(len(runs), np.int64)
    title = f"Throughput and duration, n = {number_text(len(runs))} runs"
    if failed.any():
        title += f", {number_text(failed.sum())} operations failed"
    if not len(runs):
        return finish_empty(ax, title, "no run was recorded yet")
    measured = runs[["p50_ns", "p99_ns"]].to_numpy(np.float64)
    durations = measured[np.isfinite(measured)]
    if not len(durations):
        return finish_empty(ax, title, "no run had enough operations for a percentile")
    ends = {"p50": on_log_scale(measured[:, 0]), "p99": on_log_scale(measured[:, 1])}
    rate = runs["achieved"].to_numpy(np.float64)
    # A run that achieved nothing has its place at the left end.
    rate = np.maximum(rate, rate[rate > 0].min(initial=rate.max() or 1))
    hollow: Style = {"markerfacecolor": palette.paper, "markeredgewidth": 1.6, "markersize": 7}
    entries: list[Entry] = []
    sentences = []
    for name in sorted(set(map(str, runs["storage"]))):
        rows = np.flatnonzero((runs["storage"].astype(str) == name).to_numpy())
        rows = rows[np.argsort(rate[rows], kind="stable")]
        late = rows[behind[rows]]
        look = look_of("storage", short_name(name))
        for p, dashes in (("p50", DASHES[0]), ("p99", DASHES[1])):
            line: Style = {
                "color": look.colour,
                "linestyle": dashes,
                "linewidth": 1.8,
                "marker": look.marker,
            }
            ax.plot(rate[rows], ends[p][rows], markersize=7, **line)
            ax.plot(rate[late], ends[p][late], **line | hollow | {"linestyle": "none"})
            handle = Line2D([], [], markersize=7, **line)
            entries.append(Entry(handle, f"{short_name(name)}, {p}"))
        best = rows[-1]
        sentences.append(
            f"{short_name(name)}: {number_text(len(rows))} runs, at most {rate_text(rate[best])} "
            f"operations a second with p50 {nanos_text(ends['p50'][best])} and p99 "
            f"{nanos_text(ends['p99'][best])}, {number_text(len(late))} fell behind"
        )
    if behind.any():
        mark: Style = {"linestyle": "none", "marker": "o", "markeredgecolor": palette.ink}
        entries.append(Entry(Line2D([], [], **mark | hollow), "achieved < 95 % of offered"))
    if failed.any():
        bad = failed > 0
        y = np.where(np.isnan(ends["p99"]), ends["p50"], ends["p99"])
        entries.append(mark_failed(ax, rate[bad], y[bad], int(failed.sum())))
    set_rate_axis(ax.xaxis, rate, "operations a second, achieved")
    set_duration_axis(ax.yaxis, durations)
    add_legend(ax, entries)
    return finish_axes(ax, title, "; ".join(sentences) + ".")
