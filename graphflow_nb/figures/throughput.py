"""What more load does to durations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .axis import duration_axis, log_axis
from .checks import need
from .figure import axes_for, theme_of
from .groups import NAMED, shown
from .parts import Entry, Look, failed_marks, finish, legend, nothing
from .text import clean, duration_text
from .theme import DASHES, MARKERS, ThemeName

__all__ = ["plot_throughput"]

BEHIND = 0.95  # of the offered rate


def plot_throughput(
    runs: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "light"
) -> Axes:
    """Throughput against duration: one mark a run, one line a storage and percentile.

    A hollow mark is a run that fell behind: it achieved less than 95 % of what was offered.

    Args:
        runs: one row a run: ``storage``; ``offered`` and ``achieved``, operations a second, NaN as
            ``offered`` where each operation waited for the one before; ``p50_ns``, ``p99_ns``,
            NaN where a run has too few;
            and if known ``failed``, the number of failed operations.
        ax: to draw on; None makes a figure.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: the table lacks a column, or there is no such theme.
    """
    need(runs, ["storage", "offered", "achieved", "p50_ns", "p99_ns"])
    ax = axes_for(ax, theme)
    look = theme_of(ax)
    behind = (runs["achieved"] < BEHIND * runs["offered"]).to_numpy()
    failed = runs["failed"].to_numpy() if "failed" in runs else np.zeros(len(runs), np.int64)
    title = f"Throughput and duration, n = {len(runs):,} runs"
    if failed.any():
        title += f", {failed.sum():,} operations failed"
    if not len(runs):
        return nothing(ax, title, "no run was recorded yet")
    entries: list[Entry] = []
    said = []
    measured = runs[["p50_ns", "p99_ns"]].to_numpy(np.float64)
    durations = measured[np.isfinite(measured)]
    if not len(durations):
        return nothing(ax, title, "no run had enough operations to tell a percentile")
    ends = {"p50": shown(measured[:, 0]), "p99": shown(measured[:, 1])}
    rate = runs["achieved"].to_numpy(np.float64)
    # A run that achieved nothing has its place at the left end.
    rate = np.maximum(rate, rate[rate > 0].min(initial=rate.max() or 1))
    for i, name in enumerate(sorted(set(map(str, runs["storage"])))):
        mine = np.flatnonzero((runs["storage"].astype(str) == name).to_numpy())
        mine = mine[np.argsort(rate[mine], kind="stable")]
        colour = look.colours[i] if i < NAMED else look.rest
        marker = MARKERS[i % len(MARKERS)]
        for p, dashes in (("p50", DASHES[0]), ("p99", DASHES[1])):
            line: Look = {"color": colour, "linestyle": dashes, "linewidth": 1.8, "marker": marker}
            ax.plot(rate[mine], ends[p][mine], markersize=7, **line)
            hollow = mine[behind[mine]]
            ax.plot(
                rate[hollow],
                ends[p][hollow],
                linestyle="none",
                marker=marker,
                markersize=7,
                color=colour,
                markerfacecolor=look.paper,
                markeredgewidth=1.6,
            )
            entries.append((Line2D([], [], markersize=7, **line), f"{clean(name)}, {p}"))
        best = mine[-1]
        said.append(
            f"{clean(name)}: {len(mine):,} runs, at most {rate[best]:,.0f} operations a second "
            f"with p50 {_told(ends['p50'][best])} and p99 "
            f"{_told(ends['p99'][best])}, {behind[mine].sum():,} fell behind"
        )
    if behind.any():
        look_behind = Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=7,
            markerfacecolor=look.paper,
            markeredgecolor=look.ink,
            markeredgewidth=1.6,
        )
        entries.append((look_behind, "achieved < 95 % of offered"))
    if failed.any():
        bad = failed > 0
        y = np.where(np.isnan(ends["p99"]), ends["p50"], ends["p99"])
        entries.append(failed_marks(ax, rate[bad], y[bad], int(failed.sum())))
    log_axis(ax.xaxis, rate.min(), rate.max(), _rate_text)
    ax.set_xlabel("operations a second, achieved (log scale)")
    duration_axis(ax.yaxis, durations)
    legend(ax, entries)
    return finish(ax, title, "; ".join(said) + ".")


def _told(nanos: float) -> str:
    return "unknown" if np.isnan(nanos) else duration_text(nanos / 1000)


def _rate_text(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.3g}"
