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
from .parts import SMALL, finish, legend, nothing
from .text import duration_text, literal, percent
from .theme import HATCHES, ThemeName

__all__ = ["PHASES", "plot_phases"]

PHASES = ("wait", "encode", "execute", "decode")


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
    ax = axes_for(ax, theme, (8, 2 + 0.8 * max(len(found), 2)))
    look = theme_of(ax)
    title = f"Phases, {count_text(len(frame), int(failed_of(frame).sum()))}"
    if not found:
        return nothing(ax, title)
    colours = (*look.colours[:4], look.rest)
    names = (*PHASES, "other")
    places, labels, said = [], [], []
    for group in found:
        for y, (end, rows) in zip((0.2, -0.2), _ends(group), strict=True):
            y -= group.number
            spent = _spent(frame, rows)
            total = spent.sum()
            shares = spent / total if total else spent
            lefts = np.cumsum(shares) - shares
            for colour, hatch, left, share in zip(colours, HATCHES, lefts, shares, strict=True):
                ax.barh(
                    y,
                    share,
                    0.34,
                    left=left,
                    facecolor=colour,
                    hatch=hatch,
                    edgecolor=look.paper,
                    linewidth=0.6,
                )
            failed = int(failed_of(frame.iloc[rows]).sum())
            mean = duration_text(total / 1000)
            ax.text(
                1.01,
                y,
                f"{mean}, {count_text(len(rows), failed)}",
                fontsize=SMALL,
                color=look.ink,
                va="center",
            )
            places.append(y)
            labels.append(f"{group.name}, {end}")
            parts = ", ".join(
                f"{name} {percent(share)}"
                for name, share in zip(names, shares, strict=True)
                if share >= 0.005
            )
            said.append(
                f"{group.name}, {end}: mean {mean} ({count_text(len(rows), failed)}), {parts}"
            )
    ax.set_yticks(places, [literal(label) for label in labels], fontsize=SMALL)
    ax.set(xlim=(0, 1), ylim=(-len(found) + 0.45, 0.55), xlabel="part of the mean duration")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    legend(
        ax,
        [
            (Patch(facecolor=colour, hatch=hatch, edgecolor=look.paper), name)
            for name, colour, hatch in zip(names, colours, HATCHES, strict=True)
        ],
    )
    finish(
        ax, title, "; ".join(said) + ".", notes=["usual: mean from p45 to p55", "slow: from p99 on"]
    )
    ax.grid(False, axis="y")
    return ax


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
