"""Percentiles by nines: what one operation in ten, in a hundred, in a thousand exceeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from ..errors import QueryError
from .axis import Scale, duration_axis
from .checks import choice
from .figure import axes_for, theme_of, width_of
from .groups import (
    Group,
    count_text,
    groups,
    percentile_name,
    percentile_of,
    shown,
    told_text,
)
from .parts import Entry, Look, failed_marks, finish, legend, nothing, thinned
from .theme import ThemeName

__all__ = ["naive_and_corrected", "nines", "plot_percentiles"]

POINTS = 1500  # of a curve: more than it has pixels


def nines(n: int) -> list[int]:
    """The percentiles that so many operations tell: 2 for the median, then 10, 100, 1000 …"""
    return [tail for tail in (2, *(10**k for k in range(1, 19))) if tail <= n]


def plot_percentiles(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    scale: Scale = "log",
    theme: ThemeName = "light",
) -> Axes:
    """The duration below which a share of the operations lies, with each nine as wide as the next.

    A curve ends where its operations do: the 99.9th percentile needs a thousand, and so on for
    each nine; the rise at its end is the slowest one. Marks stand on the nines, crosses where
    failed operations lie, which are counted like all others.

    Args:
        frame: as ``Latency.frame()`` gives it.
        ax: to draw on; None makes a figure.
        by: the column whose values are told apart.
        scale: of the durations, ``log`` or ``linear``.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: the frame lacks a column, or there is no such theme.
    """
    ax = axes_for(ax, theme)
    found = groups(frame, by)
    failed = sum(int(group.failed.sum()) for group in found)
    title = f"Percentiles of duration, {count_text(len(frame), failed)}"
    if not found:
        return nothing(ax, title)
    _curves(ax, found, scale)
    return finish(ax, title, told_text(found, nines(len(frame))))


def naive_and_corrected(
    naive_ns: ArrayLike,
    corrected_ns: ArrayLike,
    *,
    ax: Axes | None = None,
    scale: Scale = "log",
    theme: ThemeName = "light",
) -> Axes:
    """What coordinated omission hides: percentiles as measured, and with the wait before the start.

    Args:
        naive_ns: durations since each operation really began, in ns.
        corrected_ns: durations since each was meant to begin, in ns.
        ax: to draw on; None makes a figure.
        scale: of the durations, ``log`` or ``linear``.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes.

    Raises:
        QueryError: these are no durations, or there is no such theme.
    """
    ax = axes_for(ax, theme)
    found: list[Group] = []
    for name, given in (("since it began", naive_ns), ("since it was due", corrected_ns)):
        nanos = np.asarray(given)
        if nanos.ndim != 1 or (
            len(nanos) and not (nanos.dtype.kind in "iuf" and np.isfinite(nanos).all())
        ):
            raise QueryError("durations to compare are two one-dimensional arrays of nanoseconds")
        if len(nanos):
            nanos = nanos.astype(np.int64)
            rows = np.arange(len(nanos))
            found.append(Group(name, len(found), rows, nanos, np.zeros(len(nanos), bool)))
    sizes = " and ".join(f"{np.size(given):,}" for given in (naive_ns, corrected_ns))
    title = f"Percentiles as measured and corrected, n = {sizes}"
    if not found:
        return nothing(ax, title)
    _curves(ax, found, scale)
    return finish(ax, title, told_text(found, nines(max(map(len, found)))))


def _curves(ax: Axes, found: Sequence[Group], scale: Scale) -> None:
    choice(scale, "log", "linear")
    theme = theme_of(ax)
    entries: list[Entry] = []
    bad: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []
    for group in found:
        n, ordered = len(group), _placed(group.sorted, scale)
        # The i-th of n is exceeded by one in n / (n - i) and fewer, up to the next.
        ranks = np.unique(
            np.append(n - np.ceil(n / np.geomspace(1, n, POINTS)).astype(np.int64), n - 1)
        )
        ranks = np.clip(ranks, 0, n - 1)
        look: Look = {"color": group.colour(theme), "linestyle": group.dashes, "linewidth": 1.8}
        marks = nines(n)
        ax.plot(n / (n - ranks), ordered[ranks], drawstyle="steps-post", **look)
        ax.plot(
            marks,
            [percentile_of(ordered, tail) for tail in marks],
            color=look["color"],
            marker=group.marker,
            markersize=6,
            linestyle="none",
        )
        handle = Line2D([], [], marker=group.marker, markersize=6, **look)
        entries.append((handle, f"{group.name}, n = {n:,}"))
        if group.failed.any():
            slow = np.sort(group.nanos[group.failed])
            after = np.searchsorted(group.sorted, slow, "left")
            x = n / (n - after)
            few = thinned(x, 15)
            bad.append((x[few], _placed(slow[few], scale)))
    if bad:
        count = sum(int(group.failed.sum()) for group in found)
        x, y = (np.concatenate(each) for each in zip(*bad, strict=True))
        entries.append(failed_marks(ax, x, y, count))
    most = max(map(len, found))
    _nines_axis(ax, max(most, 10))
    duration_axis(ax.yaxis, np.concatenate([group.sorted[[0, -1]] for group in found]), scale)
    legend(ax, entries)


def _nines_axis(ax: Axes, most: int) -> None:
    ax.set_xscale("log")
    ax.set_xlim(1, most * 1.3)
    decade = width_of(ax) / np.log10(most * 1.3)  # inches
    ticks = [2]
    for tail in nines(most)[1:]:
        # Half of each of two labels, and a gap.
        if np.log10(tail / ticks[-1]) * decade > 0.075 * len(percentile_name(tail)) + 0.1:
            ticks.append(tail)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda tail, _: percentile_name(round(tail))))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("share of operations that took at most so long")


def _placed(nanos: NDArray[np.int64], scale: Scale) -> NDArray[np.int64]:
    return shown(nanos) if scale == "log" else nanos
