"""Phases: where operations spent their time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .axis import set_duration_axis, set_share_axis
from .checks import check_columns
from .figure import axes_for, theme_of, width_of
from .frame import failed_of, title_of
from .groups import ROWS, Group, group_operations, rows_note
from .looks import PHASE_COLOURS
from .parts import SMALL, Entry, Style, add_legend, finish_axes, finish_empty, name_rows
from .registry import register
from .text import count_text, nanos_text, share_text
from .theme import HATCHES, ThemeName

__all__ = ["PHASES", "plot_phase_shares", "plot_phases"]

PHASES = ("wait", "encode", "execute", "decode")
_PARTS = tuple(PHASE_COLOURS)
_ON_PHASE = "#101418"  # text on the colours of phases


class _Bar(NamedTuple):
    """The mean of the typical or of the slowest operations of a group.

    Attributes:
        group: The name of the group.
        whole: The first part of that name, e.g. the store.
        which: Which of its operations.
        spent: The nanoseconds in each part.
        n: The number of operations in words.
    """

    group: str
    whole: str
    which: str
    spent: NDArray[np.float64]
    n: str


@register("phases", "The time that typical and slowest operations spent in each phase.", order=60)
def plot_phases(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str | Sequence[str] = "op",
    shares: bool = False,
    highest: str | None = None,
    notes: Iterable[str] = (),
    theme: ThemeName = "both",
) -> Axes:
    """Draw how long typical and slowest operations spent in each phase.

    Typical are those from the 45th to the 55th percentile, slowest those from the 99th on; of fewer
    than a hundred the slowest one. A bar is their mean, which is written beside it: wait for a
    connection, encode, execute (network and database), decode, and other, which no phase covers.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by, or two; each of up to thirty groups has two rows.
        shares: Whether to draw the share of each phase instead of its time.
        highest: The group with the highest p99, a value of the first column: the note is on its
            longest bar. None for the longest of all.
        notes: More remarks, which are written first.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, [f"{phase}_ns" for phase in PHASES])
    groups = group_operations(frame, by, ROWS)
    ax = axes_for(ax, theme, (9, 2.2 + 0.64 * max(len(groups), 2)))
    title = title_of("Phases as shares of the mean duration" if shares else "Phases", frame)
    if not groups:
        return finish_empty(ax, title)
    bars = [bar for group in groups for bar in _measure_group(frame, group)]
    longest = max(float(bar.spent.sum()) for bar in bars) or 1.0
    for row, bar in enumerate(bars):
        _draw_bar(ax, -row, bar, float(bar.spent.sum()) or 1.0 if shares else longest, shares)
    name_rows(ax, [bar.group for bar in bars], [bar.which for bar in bars])
    ax.set_ylim(-len(bars) + 0.4, 0.6)
    if shares:
        set_share_axis(ax.xaxis)
        ax.set(xlim=(0, 1), xlabel="share of the mean duration")
    else:
        set_duration_axis(ax.xaxis, np.array([0, longest]), "linear")
        ax.set(xlim=(0, longest), xlabel="mean duration")
    styles = _make_styles(ax)
    spent = np.sum([bar.spent for bar in bars], axis=0)
    shown = [i for i, total in enumerate(spent) if total > 0] or [len(_PARTS) - 1]
    add_legend(ax, [Entry(Patch(**styles[i]), _PARTS[i]) for i in shown])
    said = [
        *notes,
        _longest_text(bars, highest),
        "typical: mean of p45 to p55",
        "slowest 1 %: mean of p99 and slower",
        *rows_note(groups),
    ]
    return finish_axes(ax, title, "; ".join(map(_bar_text, bars)) + ".", notes=said, rows=True)


@register("phase_shares", "The share of each phase in typical and slowest operations.", order=65)
def plot_phase_shares(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str | Sequence[str] = "op",
    theme: ThemeName = "both",
) -> Axes:
    """Draw the share of each phase in typical and slowest operations.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by, or two.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes, as those of ``plot_phases``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    return plot_phases(frame, ax=ax, by=by, shares=True, theme=theme)


def _make_styles(ax: Axes) -> list[Style]:
    """Return the style of each part of a bar."""
    edge = to_rgba(theme_of(ax).edge, 0.55)  # a hatch, that text is to be read on
    return [
        {"facecolor": colour, "hatch": hatch, "edgecolor": edge}
        for colour, hatch in zip(PHASE_COLOURS.values(), HATCHES, strict=True)
    ]


def _draw_bar(ax: Axes, y: float, bar: _Bar, full: float, shares: bool) -> None:
    """Draw a bar, the name and time of each part that has room for it, and the whole beside it.

    Args:
        ax: The axes.
        y: The place of the bar.
        bar: What is drawn.
        full: The nanoseconds that are as wide as the axes.
        shares: Whether the axis is of shares, not of nanoseconds.
    """
    scale = full if shares else 1.0
    inches = width_of(ax) * 0.7  # of the axes, when names and texts beside them have their room
    left = 0.0
    for name, nanos, style in zip(_PARTS, bar.spent, _make_styles(ax), strict=True):
        ax.barh(y, nanos / scale, 0.66, left=left / scale, linewidth=0.6, **style)
        text = f"{name} {share_text(nanos / full) if shares else nanos_text(nanos)}"
        if nanos / full * inches > 0.085 * len(text):
            middle = (left + nanos / 2) / scale
            box: Style = {"facecolor": style["facecolor"], "edgecolor": "none", "pad": 1}
            ax.text(
                middle, y, text, fontsize=SMALL, color=_ON_PHASE, ha="center", va="center", bbox=box
            )
        left += nanos
    ax.annotate(
        f"{nanos_text(bar.spent.sum())}, {bar.n}",
        (left / scale, y),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=SMALL,
        color=theme_of(ax).ink,
        va="center",
        annotation_clip=False,
    )


def _longest_text(bars: Sequence[_Bar], highest: str | None) -> str:
    """Return which bar is the longest, of all or of a group, and the phase that takes most of it.

    The longest of all may be another's than the highest p99: a mean of a few follows the slowest.
    """
    named = [bar for bar in bars if bar.whole == highest]
    bar = max(named or bars, key=lambda bar: float(bar.spent.sum()))
    part = int(bar.spent.argmax())
    share = bar.spent[part] / max(bar.spent.sum(), 1)
    which = f"longest bar of {highest}, whose p99 is the highest" if named else "longest bar"
    return f"{which}: {bar.group}, {bar.which}, {share_text(share)} {_PARTS[part]}"


def _bar_text(bar: _Bar) -> str:
    total = bar.spent.sum()
    parts = ", ".join(
        f"{name} {nanos_text(nanos)} ({share_text(nanos / total)})"
        for name, nanos in zip(_PARTS, bar.spent, strict=True)
        if total and nanos / total >= 0.005
    )
    return f"{bar.group}, {bar.which}: mean {nanos_text(total)} ({bar.n}), {parts or 'no time'}"


def _measure_group(frame: pd.DataFrame, group: Group) -> Iterator[_Bar]:
    for which, rows in _typical_and_slowest(group):
        n = count_text(len(rows), int(failed_of(frame.iloc[rows]).sum()))
        whole = group.parts[0] if group.parts else group.name
        yield _Bar(group.name, whole, which, _mean_phases(frame, rows), n)


def _typical_and_slowest(group: Group) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Return the rows of the typical operations of a group, and those of the slowest."""
    low, high = (np.percentile(group.nanos, q, method="inverted_cdf") for q in (45, 55))
    yield "typical", group.rows[(group.nanos >= low) & (group.nanos <= high)]
    if len(group) >= 100:
        slow = np.percentile(group.nanos, 99, method="inverted_cdf")
        yield "slowest 1 %", group.rows[group.nanos >= slow]
    else:
        yield "slowest", group.rows[[np.argmax(group.nanos)]]


def _mean_phases(frame: pd.DataFrame, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean nanoseconds in each phase, and in none."""
    phases = [np.nan_to_num(frame[f"{phase}_ns"].to_numpy()[rows]).mean() for phase in PHASES]
    other = frame["duration_ns"].to_numpy()[rows].mean() - sum(phases)
    return np.array([*phases, max(other, 0)], np.float64)
