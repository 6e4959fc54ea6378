"""What an operation's time went into."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from .checks import need
from .figure import axes_for, theme_of
from .groups import Group, count_text, failed_of, groups
from .parts import SMALL, Look, finish, legend, nothing, row_names
from .text import duration_text, percent
from .theme import HATCHES, ThemeName

__all__ = ["PHASES", "plot_phases"]

PHASES = ("wait", "encode", "execute", "decode")
_PARTS = (*PHASES, "other")


def plot_phases(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    theme: ThemeName = "light",
) -> Axes:
    """What the usual and the slow operations spent their time on, in parts of their duration.

    Usual are those from the 45th to the 55th percentile, slow those from the 99th on; of fewer
    than a hundred the slowest one. A bar is their mean, which stands beside it: wait for a
    connection, encode, execute (network and database), decode, and other, which no phase covers.

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
    need(frame, [f"{phase}_ns" for phase in PHASES])
    found = groups(frame, by)
    ax = axes_for(ax, theme, (9, 2 + 0.8 * max(len(found), 2)))
    title = f"Phases, {count_text(len(frame), int(failed_of(frame).sum()))}"
    if not found:
        return nothing(ax, title)
    said = []
    for group in found:
        for y, (end, rows) in zip((0.2, -0.2), _ends(group), strict=True):
            spent = _spent(frame, rows)
            n = count_text(len(rows), int(failed_of(frame.iloc[rows]).sum()))
            mean = duration_text(spent.sum() / 1000)
            shares = _bar(ax, y - group.number, spent, f"{end} {mean}, {n}")
            parts = ", ".join(
                f"{name} {percent(share)}"
                for name, share in zip(_PARTS, shares, strict=True)
                if share >= 0.005
            )
            said.append(f"{group.name}, {end}: mean {mean} ({n}), {parts or 'no time'}")
    row_names(ax, [group.name for group in found])
    ax.set(xlim=(0, 1), ylim=(-len(found) + 0.45, 0.55), xlabel="part of the mean duration")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    legend(ax, [(Patch(**each), name) for name, each in zip(_PARTS, _looks(ax), strict=True)])
    notes = ["usual: mean from p45 to p55", "slow: from p99 on"]
    return finish(ax, title, "; ".join(said) + ".", notes=notes)


def _looks(ax: Axes) -> list[Look]:
    theme = theme_of(ax)
    return [
        {"facecolor": colour, "hatch": hatch, "edgecolor": theme.paper}
        for colour, hatch in zip((*theme.colours[:4], theme.rest), HATCHES, strict=True)
    ]


def _bar(ax: Axes, y: float, spent: NDArray[np.float64], text: str) -> NDArray[np.float64]:
    """Draw a bar with a text beside it; its parts, 1 in all."""
    total = spent.sum()
    shares = spent / total if total else spent
    lefts = np.cumsum(shares) - shares
    for left, share, look in zip(lefts, shares, _looks(ax), strict=True):
        ax.barh(y, share, 0.34, left=left, linewidth=0.6, **look)
    ax.text(1.01, y, text, fontsize=SMALL, color=theme_of(ax).ink, va="center")
    return shares


def _ends(group: Group) -> Iterator[tuple[str, NDArray[np.intp]]]:
    low, high = (np.percentile(group.nanos, q, method="inverted_cdf") for q in (45, 55))
    yield "usual", group.rows[(group.nanos >= low) & (group.nanos <= high)]
    if len(group) >= 100:
        slow = np.percentile(group.nanos, 99, method="inverted_cdf")
        yield "slow", group.rows[group.nanos >= slow]
    else:
        yield "slowest", group.rows[[np.argmax(group.nanos)]]


def _spent(frame: pd.DataFrame, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean nanoseconds in each phase and in none."""
    phases = [frame[f"{phase}_ns"].to_numpy()[rows].mean() for phase in PHASES]
    other = frame["duration_ns"].to_numpy()[rows].mean() - sum(phases)
    return np.array([*phases, max(other, 0)], np.float64)
