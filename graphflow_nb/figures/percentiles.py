"""Percentiles by nines: what one operation in ten, in a hundred, in a thousand exceeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from ..errors import QueryError
from .axis import Scale, set_duration_axis, set_ticks_text
from .checks import check_choice
from .figure import axes_for, width_of
from .frame import on_log_scale, title_of
from .groups import (
    Group,
    ends_of,
    group_operations,
    groups_text,
    percentile_of,
    split_groups,
    tails_of,
)
from .looks import look_of
from .objective import draw_objective, objective_notes, with_objective
from .parts import (
    Style,
    add_legend,
    finish_axes,
    finish_empty,
    label_groups,
    mark_failed_groups,
)
from .registry import register
from .text import number_text, percentile_text
from .theme import ThemeName

__all__ = ["naive_and_corrected", "plot_percentiles"]

POINTS = 1500  # of a curve: more than it has pixels


@register(
    "percentiles", "The duration that 50 %, 90 %, 99 % … of the operations do not exceed.", order=10
)
def plot_percentiles(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    scale: Scale = "log",
    objective: float | None = None,
    fewest: int = 1,
    theme: ThemeName = "both",
) -> Axes:
    """Draw the duration below which a share of the operations lies, each nine as wide as the next.

    A curve ends where its operations do: the 99.9th percentile needs a thousand, and so on for
    each nine; the rise at its end is the slowest operation. Marks are on the nines, crosses where
    failed operations lie, which are counted like all others.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by; each of its values is drawn in its own colour.
        scale: The scale of the durations, ``log`` or ``linear``.
        objective: A duration in ns, drawn as a line; a note has the share of longer operations.
        fewest: Groups of fewer operations are not drawn; a note names them.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: The frame lacks a column, or the theme or scale is unknown.
    """
    ax = axes_for(ax, theme)
    groups = group_operations(frame, by)
    title = title_of("Percentiles of duration", frame)
    if not groups:
        return finish_empty(ax, title)
    groups, left_out = split_groups(groups, fewest)
    if not groups:
        return finish_empty(ax, title, f"no operation has {fewest} calls yet")
    _draw_curves(ax, groups, scale, objective)
    words = groups_text(groups, tails_of(len(frame)))
    return finish_axes(ax, title, words, notes=[*objective_notes(groups, objective), *left_out])


def naive_and_corrected(
    naive_ns: ArrayLike,
    corrected_ns: ArrayLike,
    *,
    ax: Axes | None = None,
    scale: Scale = "log",
    theme: ThemeName = "both",
) -> Axes:
    """Draw what coordinated omission hides: percentiles with and without the wait for the start.

    Args:
        naive_ns: Durations since each operation really began, in ns.
        corrected_ns: Durations since each operation was meant to begin, in ns.
        ax: The axes to draw on; None makes a figure.
        scale: The scale of the durations, ``log`` or ``linear``.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes.

    Raises:
        QueryError: These are no durations, or the theme or scale is unknown.
    """
    ax = axes_for(ax, theme)
    groups: list[Group] = []
    for name, given in (("since it began", naive_ns), ("since it was due", corrected_ns)):
        nanos = np.asarray(given)
        if nanos.ndim != 1 or (
            len(nanos) and not (nanos.dtype.kind in "iuf" and np.isfinite(nanos).all())
        ):
            raise QueryError(
                "naive_ns and corrected_ns have to be one-dimensional arrays of nanoseconds"
            )
        if len(nanos):
            nanos = nanos.astype(np.int64)
            rows = np.arange(len(nanos))
            failed = np.zeros(len(nanos), bool)
            look = look_of("measured", name)
            groups.append(Group(name, len(groups), rows, nanos, failed, look))
    sizes = " and ".join(number_text(np.size(given)) for given in (naive_ns, corrected_ns))
    title = f"Percentiles as measured and corrected, n = {sizes}"
    if not groups:
        return finish_empty(ax, title)
    _draw_curves(ax, groups, scale)
    return finish_axes(ax, title, groups_text(groups, tails_of(max(map(len, groups)))))


def _draw_curves(
    ax: Axes, groups: Sequence[Group], scale: Scale, objective: float | None = None
) -> None:
    check_choice(scale, "log", "linear")
    for group in groups:
        n, ordered = len(group), _scale_durations(group.sorted, scale)
        # The i-th of n is exceeded by one in n / (n - i) and fewer, up to the next.
        ranks = np.unique(
            np.append(n - np.ceil(n / np.geomspace(1, n, POINTS)).astype(np.int64), n - 1)
        )
        ranks = np.clip(ranks, 0, n - 1)
        line: Style = {
            "color": group.colour,
            "linestyle": group.dashes,
            "linewidth": 1.8,
        }
        tails = tails_of(n)
        ax.plot(n / (n - ranks), ordered[ranks], drawstyle="steps-post", **line)
        ax.plot(
            tails,
            [percentile_of(ordered, tail) for tail in tails],
            color=line["color"],
            marker=group.marker,
            markersize=6,
            linestyle="none",
        )

    def place(
        group: Group, slow: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        n = len(group)
        return n / (n - np.searchsorted(group.sorted, slow, "left")), _scale_durations(slow, scale)

    entries = mark_failed_groups(ax, groups, place)
    _set_nines_axis(ax, max(*map(len, groups), 10))
    set_duration_axis(ax.yaxis, with_objective(ends_of(groups), objective), scale)
    draw_objective(ax, "y", objective)
    slowest = _scale_durations(np.array([group.sorted[-1] for group in groups]), scale)
    label_groups(ax, groups, list(zip(map(len, groups), map(float, slowest), strict=True)))
    add_legend(ax, entries)


def _set_nines_axis(ax: Axes, most: int) -> None:
    ax.set_xscale("log")
    ax.set_xlim(1, most * 1.3)
    # About two thirds of the width are left beside the names of the curves.
    decade = width_of(ax) * 0.65 / np.log10(most * 1.3)  # inches
    ticks = [2]
    for tail in tails_of(most)[1:]:
        # Half of each of two labels, and a gap.
        if np.log10(tail / ticks[-1]) * decade > 0.075 * len(percentile_text(tail)) + 0.1:
            ticks.append(tail)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    set_ticks_text(ax.xaxis, lambda tail: percentile_text(round(tail)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("share of operations this fast or faster")


def _scale_durations(nanos: NDArray[np.int64], scale: Scale) -> NDArray[np.int64]:
    return on_log_scale(nanos) if scale == "log" else nanos
