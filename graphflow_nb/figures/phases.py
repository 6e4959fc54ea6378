"""Phases: where operations spent their time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .axis import set_share_axis
from .checks import check_columns
from .figure import axes_for, theme_of
from .frame import failed_of, title_of
from .groups import Group, group_operations
from .parts import SMALL, Entry, Style, add_legend, finish_axes, finish_empty, name_rows
from .registry import register
from .text import count_text, nanos_text, share_text
from .theme import HATCHES, ThemeName

__all__ = ["PHASES", "plot_phases"]

PHASES = ("wait", "encode", "execute", "decode")
_PARTS = (*PHASES, "other")


@register("phases", "What the usual and the slow operations spent their time on.", order=60)
def plot_phases(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    theme: ThemeName = "light",
) -> Axes:
    """Draw what the usual and the slow operations spent their time on, in parts of their duration.

    Usual are those from the 45th to the 55th percentile, slow those from the 99th on; of fewer
    than a hundred the slowest one. A bar is their mean, which is written beside it: wait for a
    connection, encode, execute (network and database), decode, and other, which no phase covers.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by; each of its values is drawn in its own colour.
        theme: The theme of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, [f"{phase}_ns" for phase in PHASES])
    groups = group_operations(frame, by)
    ax = axes_for(ax, theme, (9, 2 + 0.8 * max(len(groups), 2)))
    title = title_of("Phases", frame)
    if not groups:
        return finish_empty(ax, title)
    sentences = []
    for group in groups:
        for y, (end, rows) in zip((0.2, -0.2), _usual_and_slow(group), strict=True):
            spent = _mean_phases(frame, rows)
            n = count_text(len(rows), int(failed_of(frame.iloc[rows]).sum()))
            mean = nanos_text(spent.sum())
            shares = _draw_bar(ax, y - group.number, spent, f"{end} {mean}, {n}")
            parts = ", ".join(
                f"{name} {share_text(share)}"
                for name, share in zip(_PARTS, shares, strict=True)
                if share >= 0.005
            )
            sentences.append(f"{group.name}, {end}: mean {mean} ({n}), {parts or 'no time'}")
    name_rows(ax, [group.name for group in groups])
    ax.set(xlim=(0, 1), ylim=(-len(groups) + 0.45, 0.55), xlabel="part of the mean duration")
    set_share_axis(ax.xaxis)
    styles = zip(_PARTS, _make_styles(ax), strict=True)
    add_legend(ax, [Entry(Patch(**style), name) for name, style in styles])
    notes = ["usual: mean from p45 to p55", "slow: from p99 on"]
    return finish_axes(ax, title, "; ".join(sentences) + ".", notes=notes)


def _make_styles(ax: Axes) -> list[Style]:
    """Return the style of each part of a bar."""
    theme = theme_of(ax)
    return [
        {"facecolor": colour, "hatch": hatch, "edgecolor": theme.paper}
        for colour, hatch in zip((*theme.colours[:4], theme.rest), HATCHES, strict=True)
    ]


def _draw_bar(ax: Axes, y: float, spent: NDArray[np.float64], text: str) -> NDArray[np.float64]:
    """Draw a bar with a text beside it, and return its parts, 1 in all."""
    total = spent.sum()
    shares = spent / total if total else spent
    lefts = np.cumsum(shares) - shares
    for left, share, style in zip(lefts, shares, _make_styles(ax), strict=True):
        ax.barh(y, share, 0.34, left=left, linewidth=0.6, **style)
    ax.text(1.01, y, text, fontsize=SMALL, color=theme_of(ax).ink, va="center")
    return shares


def _usual_and_slow(group: Group) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Return the rows of the usual operations of a group, and those of the slow ones."""
    low, high = (np.percentile(group.nanos, q, method="inverted_cdf") for q in (45, 55))
    yield "usual", group.rows[(group.nanos >= low) & (group.nanos <= high)]
    if len(group) >= 100:
        slow = np.percentile(group.nanos, 99, method="inverted_cdf")
        yield "slow", group.rows[group.nanos >= slow]
    else:
        yield "slowest", group.rows[[np.argmax(group.nanos)]]


def _mean_phases(frame: pd.DataFrame, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean nanoseconds in each phase, and in none."""
    phases = [np.nan_to_num(frame[f"{phase}_ns"].to_numpy()[rows]).mean() for phase in PHASES]
    other = frame["duration_ns"].to_numpy()[rows].mean() - sum(phases)
    return np.array([*phases, max(other, 0)], np.float64)
