"""A recording: the runs of its tasks as bars, and how many tokens came in each moment."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from .axis import set_rate_axis, set_time_axis
from .checks import check_columns
from .figure import axes_for, theme_of
from .parts import SMALL, Entry, add_legend, finish_axes, finish_empty
from .text import escape_formulas, long_text, number_text, rate_text, short_name
from .theme import ThemeName

__all__ = ["plot_task_runs", "plot_token_rate"]

MAX_ROWS: Final = 40  # runs that are drawn
BINS: Final = 100


def plot_task_runs(
    frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both"
) -> Axes:
    """Draw each run of a task as a bar; one that failed is hatched, one without an end is pale.

    Args:
        frame: Runs, as ``Recording.tasks`` has them.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, ("task_id", "start", "end", "last_event", "outcome", "tokens"))
    shown = frame.head(MAX_ROWS)
    ax = axes_for(ax, theme, (9, 2.2 + 0.24 * max(3, len(shown))))
    palette = theme_of(ax)
    title = f"Runs of tasks, n = {len(frame):,}"
    if not len(frame):
        return finish_empty(ax, title, "no event of a task was recorded")
    start = shown["start"].to_numpy("m8[ns]").view(np.int64)
    end = shown["end"].fillna(shown["last_event"]).to_numpy("m8[ns]").view(np.int64)
    place = set_time_axis(ax.xaxis, 0, int(max(end.max(), 1)))
    ax.set_xlabel("time since the recording began")
    outcomes = shown["outcome"].astype(object).to_numpy()
    looks = {
        "finished": {"facecolor": palette.colours[0]},
        "failed": {"facecolor": palette.colours[1], "hatch": "////", "edgecolor": palette.edge},
        "no end": {"facecolor": palette.colours[0], "alpha": 0.4},
    }
    entries = []
    for outcome, look in looks.items():
        rows = np.flatnonzero(outcomes == outcome)
        if len(rows):
            width = np.maximum(place(end[rows]) - place(start[rows]), 0)
            ax.barh(-rows, width, 0.8, place(start[rows]), zorder=2, **look)  # type: ignore[arg-type]
            entries.append(Entry(Patch(**look), f"{outcome}, n = {len(rows):,}"))  # type: ignore[arg-type]
    names = [escape_formulas(short_name(task)) for task in shown["task_id"]]
    ax.set_yticks(range(0, -len(shown), -1), names, fontsize=SMALL)
    ax.set_ylim(-len(shown) + 0.5, 0.5)
    ax.tick_params(axis="y", grid_alpha=0)
    add_legend(ax, entries)
    notes = [f"the first {MAX_ROWS} drawn"] if len(frame) > MAX_ROWS else []
    lasted = long_text(float(end.max()))
    tokens = number_text(frame["tokens"].sum())
    return finish_axes(ax, title, f"{tokens} tokens within {lasted}.", notes=notes)


def plot_token_rate(
    frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both"
) -> Axes:
    """Draw how many tokens a second came, of all tasks together.

    Args:
        frame: Events, as ``Recording.events`` has them.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, ("at", "kind"))
    ax = axes_for(ax, theme, (9, 3))
    at = frame.loc[frame["kind"] == "Token", "at"].to_numpy("m8[ns]").view(np.int64)
    title = f"Tokens a second, n = {len(at):,}"
    if not len(at):
        return finish_empty(ax, title, "no token was recorded")
    last = int(max(frame["at"].to_numpy("m8[ns]").view(np.int64).max(), 1))
    place = set_time_axis(ax.xaxis, 0, last)
    ax.set_xlabel("time since the recording began")
    edges = np.linspace(0, last, min(BINS, len(at)) + 1)
    counts, _ = np.histogram(at, edges)
    rates = counts / (np.diff(edges) / 1e9)
    set_rate_axis(ax.yaxis, np.array([0, rates.max()]), "tokens a second", scale="linear")
    ax.stairs(
        rates, place(edges.astype(np.int64)), fill=True, color=theme_of(ax).colours[0], zorder=2
    )
    mean = rate_text(len(at) / (last / 1e9))
    most = f"At most {rate_text(rates.max())} a second, {mean} in the mean."
    return finish_axes(ax, title, most)
