"""The figures of each kind of operation, as a table: how many, how often, how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from .figure import axes_for, theme_of
from .frame import started_ns, title_of
from .groups import (
    ROWS,
    Group,
    failed_count,
    group_operations,
    highest_p99,
    percentile_of,
    rows_note,
)
from .objective import share_beyond
from .parts import SMALL, finish_axes, finish_empty, name_rows
from .registry import register
from .text import (
    column_text,
    fine_share_text,
    nanos_text,
    number_text,
    percentile_name,
    rate_text,
)
from .theme import ThemeName

__all__ = ["plot_figures", "table_height"]

TEXT = 10.5  # points
SAMPLE = 5.0  # characters: the width of the line and mark before the first figure


class _Row(NamedTuple):
    """A row of the table.

    Attributes:
        group: The operations.
        label: Its name at the side.
        whole: Whether it is drawn in other figures, by its line and mark; the others are parts of
            the row above.
    """

    group: Group
    label: str
    whole: bool


class _Column(NamedTuple):
    """A column of the table.

    Attributes:
        head: The name of the figure.
        text: The function that returns the figure of a group.
    """

    head: str
    text: Callable[[Group], str]


@register("figures", "A table: of each operation how many, how often and how long.", order=5)
def plot_figures(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str | Sequence[str] = "op",
    objective: float | None = None,
    theme: ThemeName = "both",
) -> Axes:
    """Draw a table of the figures of each operation: number, failed, rate, percentiles, slowest.

    A percentile is a duration that was really measured; p90 needs ten operations, p99 a hundred.
    The rate is over the time from the first start to the last end of all operations shown; of a
    benchmark, whose stores take turns, over those of the store's own turns.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        ax: The axes to draw on; None makes a figure.
        by: The column to group by, or two; each of up to thirty groups has a row. Of two, each
            value of the first has a row for all its operations, above those of the second.
        objective: A duration in ns; a column has the share of operations that took longer.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    detailed = group_operations(frame, by, ROWS)
    ax = axes_for(ax, theme, (9, table_height(frame, by)))
    title = title_of("Figures", frame)
    if not detailed:
        return finish_empty(ax, title)
    rows = _arrange_rows(frame, by, detailed)
    columns = _make_columns(frame, objective)
    cells = [[column.text(row.group) for column in columns] for row in rows]
    widths = [
        2.5 + max(len(column.head), *(len(row[i]) for row in cells))
        for i, column in enumerate(columns)
    ]
    ends = SAMPLE + np.cumsum(widths)  # numbers end there, below each other
    highest = highest_p99(row.group for row in rows if row.whole)
    for number, (row, texts) in enumerate(zip(rows, cells, strict=True)):
        if row.whole:
            ax.add_line(_make_sample(row.group, -number))
        for column, end, text in zip(columns, ends, texts, strict=True):
            ax.text(
                end,
                -number,
                text,
                ha="right",
                va="center",
                fontsize=TEXT,
                color=theme_of(ax).ink,
                weight="bold" if row.group is highest and column.head == "p99" else "normal",
            )
    name_rows(ax, [row.label for row in rows])
    if any(not row.whole for row in rows):
        for label, row in zip(ax.get_yticklabels(), rows, strict=True):
            label.set_fontweight("bold" if row.whole else "normal")
    _name_first_column(ax, by)
    ax.set(xlim=(0, ends[-1] + 0.5), ylim=(-len(rows) + 0.4, 0.6))
    ax.set_xticks(ends, [column.head for column in columns], ha="right")
    notes = rows_note(detailed)
    if highest is not None:
        named = next(row.label for row in rows if row.group is highest)
        p99 = nanos_text(percentile_of(highest.sorted, 100))
        notes.insert(0, f"highest p99, in bold: {named}, {p99}")
    sentences = (
        f"{row.group.name}: "
        + ", ".join(f"{c.head} {text}" for c, text in zip(columns, texts, strict=True))
        for row, texts in zip(rows, cells, strict=True)
    )
    ax.xaxis.tick_top()
    finish_axes(ax, title, "; ".join(sentences) + ".", notes=notes, rows=True, above=18)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.xaxis.grid(False)
    ax.tick_params(length=0)
    return ax


def table_height(frame: pd.DataFrame, by: str | Sequence[str]) -> float:
    """Return the inches that the table needs; the arguments are those of ``plot_figures``."""
    rows = len(_arrange_rows(frame, by, group_operations(frame, by, ROWS)))
    return 1.3 + 0.3 * max(rows, 2)


def _has_totals(frame: pd.DataFrame, by: str | Sequence[str]) -> bool:
    return not isinstance(by, str) and len(by) > 1 and frame[by[0]].nunique() > 1


def _arrange_rows(
    frame: pd.DataFrame, by: str | Sequence[str], detailed: Sequence[Group]
) -> list[_Row]:
    """Return a row for each group; of two columns, below one for each value of the first.

    A value of the first with one of the second has one row: both would have the same figures.
    """
    if not _has_totals(frame, by):
        return [_Row(group, group.name, True) for group in detailed]
    rows = []
    for total in group_operations(frame, by[0], ROWS):
        parts = [group for group in detailed if group.parts[:1] == total.parts]
        if len(parts) == 1 and len(parts[0]) == len(total):
            name = parts[0].name
            rows.append(_Row(replace(total, name=name), name, True))
            continue
        rows.append(_Row(replace(total, name=f"{total.name}, all"), total.name, True))
        rows += [_Row(group, group.parts[-1], False) for group in parts]
    others = [group for group in detailed if not group.parts]
    return rows + [_Row(group, group.name, False) for group in others]


def _make_sample(group: Group, y: float) -> Line2D:
    """Return the line and mark by which a group is known in other figures."""
    return Line2D(
        [0.2, SAMPLE - 1],
        [y, y],
        color=group.colour,
        linestyle=group.dashes,
        linewidth=1.8,
        marker=group.marker,
        markersize=6,
        markevery=[1],
    )


def _name_first_column(ax: Axes, by: str | Sequence[str]) -> None:
    """Write above the names of the rows what they are names of."""
    columns = [by] if isinstance(by, str) else by
    ax.annotate(
        ", ".join(map(column_text, columns)),
        (0, 1),
        xycoords="axes fraction",
        xytext=(-4, 4),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=SMALL,
        color=theme_of(ax).ink,
        annotation_clip=False,
    )


def _make_columns(frame: pd.DataFrame, objective: float | None) -> list[_Column]:
    turns = _number_turns(frame)
    lasted = _measure_turns(frame, turns)

    def percentile(tail: int) -> _Column:
        def text(group: Group) -> str:
            if len(group) < tail:
                return f"n < {tail}"
            return nanos_text(percentile_of(group.sorted, tail))

        return _Column(percentile_name(tail), text)

    def rate(group: Group) -> str:
        seconds = lasted[np.unique(turns[group.rows])].sum()
        return rate_text(len(group) / seconds) if seconds > 0 and len(frame) > 1 else "—"

    columns = [
        _Column("n", lambda group: number_text(len(group))),
        _Column("failed", lambda group: number_text(failed_count([group]))),
        _Column("per s", rate),
        percentile(2),
        percentile(10),
        percentile(100),
        _Column("max", lambda group: nanos_text(int(group.sorted[-1]))),
    ]
    if objective is not None:
        columns.append(
            _Column(
                f"over {nanos_text(objective)}",
                lambda group: fine_share_text(share_beyond(group, objective)),
            )
        )
    return columns


def _number_turns(frame: pd.DataFrame) -> NDArray[np.intp]:
    """Return the number of the turn of each operation; 0 if the frame is not of a benchmark.

    The stores of a benchmark take turns, and only its own are the time in which one was loaded.
    """
    if "repeat" not in frame:
        return np.zeros(len(frame), np.intp)
    groups = frame.groupby(["storage", "repeat"], observed=True, sort=False)
    return np.asarray(groups.ngroup(), np.intp)


def _measure_turns(frame: pd.DataFrame, turns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the seconds from the first start to the last end of each turn."""
    started = started_ns(frame)
    first = np.full(turns.max() + 1, np.iinfo(np.int64).max)
    last = np.zeros(turns.max() + 1, np.int64)
    np.minimum.at(first, turns, started)
    np.maximum.at(last, turns, started + frame["duration_ns"].to_numpy(np.int64))
    return np.asarray((last - first) / 1e9, np.float64)
