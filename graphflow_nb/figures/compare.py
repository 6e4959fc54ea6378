"""The comparison of two runs: how much slower or faster the second was, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .axis import set_log_axis, set_ticks_text, tick_text
from .checks import check_choice, check_columns
from .figure import axes_for, theme_of
from .frame import failed_of, note_of, on_log_scale, started_ns
from .groups import ROWS, failed_count, group_operations, percentile_of, tails_of
from .parts import Entry, Style, add_legend, finish_axes, finish_empty
from .text import (
    change_text,
    count_text,
    nanos_text,
    number_text,
    percentile_name,
    percentile_text,
    ratio_text,
)
from .theme import ThemeName

__all__ = ["difference", "plot_difference"]

How = Literal["ratio", "difference"]

SLICES = 50
TRIALS = 1000
BEYOND = 10  # operations that must lie beyond a percentile that is compared
LARGEST_TAIL = 100_000
CANDIDATES = 2048


class _Row(NamedTuple):
    """A percentile of one group in two runs; the columns of ``difference``."""

    group: str
    tail: int
    before_ns: int
    after_ns: int
    change: float
    low: float
    high: float
    n_before: int
    n_after: int
    failed_before: int
    failed_after: int


_DTYPES = {
    name: "float64" if name in ("change", "low", "high") else "int64" for name in _Row._fields[1:]
}


def difference(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    by: str | Sequence[str] = "op",
    how: How = "ratio",
    seed: int = 0,
) -> pd.DataFrame:
    """Return the percentiles of two runs, their ratio or difference, and its 95 % interval.

    The interval is a percentile bootstrap of a thousand trials. Operations close in time are not
    independent (one slow moment of a server slows many), so it does not resample operations but
    slices of time: each run is cut into fifty slices of as many operations each, in the order in
    which they began (with fewer operations, single ones). It says what differs between such
    slices. What differs between one run and the next on another day is not in two runs, and no
    interval computed from them can contain it.

    Args:
        before: Operations as ``Latency.frame()`` returns them.
        after: The operations of the other run.
        by: The column whose values are compared one by one, where both runs have them; or two.
        how: ``ratio`` (after ÷ before; 0 ns count as 1) or ``difference`` (after − before, ns).
        seed: The seed of the trials; the same seed gives the same interval.

    Returns:
        One row a group and percentile beyond which at least ten operations of each run lie:
        ``group`` (text), ``tail`` (int64; one operation in so many lies beyond: 2, 10, 100 …),
        ``before_ns``, ``after_ns`` (int64), ``change``, ``low``, ``high`` (float64), ``n_before``,
        ``n_after``, ``failed_before``, ``failed_after`` (int64).

    Raises:
        QueryError: A frame lacks a column, or ``how`` is unknown.
    """
    check_choice(how, "ratio", "difference")
    rng = np.random.default_rng(seed)
    check_columns(before, ["started_at"])
    check_columns(after, ["started_at"])
    first = {group.name: group for group in group_operations(before, by, ROWS)}
    second = {group.name: group for group in group_operations(after, by, ROWS)}
    rows: list[_Row] = []
    for name in first:
        if name not in second:
            continue
        a, b = first[name], second[name]
        tails = tails_of(min(len(a) // BEYOND, len(b) // BEYOND, LARGEST_TAIL))
        trials = _compute_change(
            _resample(a.nanos, started_ns(before)[a.rows], tails, rng),
            _resample(b.nanos, started_ns(after)[b.rows], tails, rng),
            how,
        )
        for tail, changes in zip(tails, trials.T, strict=True):
            old, new = percentile_of(a.sorted, tail), percentile_of(b.sorted, tail)
            low, high = np.percentile(changes, [2.5, 97.5])
            rows.append(
                _Row(
                    name,
                    tail,
                    before_ns=old,
                    after_ns=new,
                    change=float(_compute_change(np.array([old]), np.array([new]), how)[0]),
                    low=float(low),
                    high=float(high),
                    n_before=len(a),
                    n_after=len(b),
                    failed_before=failed_count([a]),
                    failed_after=failed_count([b]),
                )
            )
    return pd.DataFrame(rows, columns=list(_Row._fields)).astype(_DTYPES)


def _compute_change(
    old: NDArray[np.int64], new: NDArray[np.int64], how: How
) -> NDArray[np.float64]:
    if how == "ratio":
        return on_log_scale(new) / on_log_scale(old)
    return (new - old).astype(np.float64)


def _resample(
    nanos: NDArray[np.int64],
    started: NDArray[np.int64],
    tails: list[int],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the percentiles of the run with its slices resampled: trials × tails."""
    n = len(nanos)
    slices = min(SLICES, n)
    ordered = np.sort(nanos)
    # Of many measured durations these may be the answer: as near as pixels, nearer in the tail.
    ranks = n - np.unique(np.round(np.geomspace(1, n, CANDIDATES)).astype(np.int64))
    values = np.unique(np.concatenate([ordered[ranks], ordered[:: -(-n // CANDIDATES)]]))
    place = np.searchsorted(values, nanos[np.argsort(started, kind="stable")])
    cell = np.arange(n) * slices // n * len(values) + place
    counts = np.bincount(cell, minlength=slices * len(values)).reshape(slices, -1)
    drawn = rng.multinomial(slices, np.full(slices, 1 / slices), TRIALS)
    # float64: whole numbers are exact in it, and it multiplies faster.
    reached = drawn.astype(np.float64) @ counts.cumsum(axis=1).astype(np.float64)
    total = reached[:, -1]
    found = [(reached < (total - total // tail)[:, None]).sum(axis=1) for tail in tails]
    return values[np.array(found, np.intp).T.reshape(TRIALS, len(tails))]


def plot_difference(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str | Sequence[str] = "op",
    how: How = "ratio",
    seed: int = 0,
    theme: ThemeName = "both",
) -> Axes:
    """Draw how much slower or faster the second run was at each percentile, with 95 % intervals.

    A mark is hollow where the interval contains "no change". ``difference`` says what the interval
    is and what it can't say, and returns the same as a table.

    Args:
        before: Operations as ``Latency.frame()`` returns them.
        after: The operations of the other run.
        ax: The axes to draw on; None makes a figure.
        by: The column whose values are compared one by one; or two.
        how: ``ratio`` (after ÷ before) or ``difference`` (after − before).
        seed: The seed of the bootstrap.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: A frame lacks a column, or ``how`` or the theme is unknown.
    """
    table = difference(before, after, by=by, how=how, seed=seed)
    # A new figure has room for the axes above its legend, which has two names in a line.
    lines = -(-table["group"].nunique() // 2)
    ax = axes_for(ax, theme, (9, 5.2 + 0.25 * max(lines - 4, 0)))
    palette = theme_of(ax)
    sizes = [count_text(len(run), int(failed_of(run).sum())) for run in (before, after)]
    title = f"After against before: {sizes[0]} before; {sizes[1]} after"
    if not len(table):
        return finish_empty(ax, title, "too few operations of one kind in both runs")
    same = 1.0 if how == "ratio" else 0.0
    ax.axhline(same, color=palette.ink, linewidth=1.2, zorder=1)
    tails = sorted(set(table["tail"]))
    groups = {group.name: group for group in group_operations(before, by, ROWS)}
    names = list(dict.fromkeys(table["group"]))
    entries: list[Entry] = []
    sentences = []
    step = min(0.1, 0.8 / len(names))
    for i, name in enumerate(names):
        part, group = table[table["group"] == name], groups[name]
        x = np.array([tails.index(t) for t in part["tail"]]) + (i - (len(names) - 1) / 2) * step
        change, low, high = (part[c].to_numpy() for c in ("change", "low", "high"))
        colour = group.colour
        ax.vlines(x, low, high, color=colour, linewidth=2)
        sure = (low > same) | (high < same)
        mark: Style = {
            "linestyle": "none",
            "marker": group.marker,
            "color": colour,
            "markersize": 8,
        }
        ax.plot(x[sure], change[sure], **mark)
        ax.plot(x[~sure], change[~sure], markerfacecolor=palette.paper, markeredgewidth=1.6, **mark)
        rows = [_Row._make(row) for row in part.itertuples(index=False, name=None)]
        n = f"n = {number_text(rows[0].n_before)} and {number_text(rows[0].n_after)}"
        entries.append(Entry(Line2D([], [], **mark), f"{name}, {n}"))
        sentences.append(f"{name}, {n}: " + ", ".join(_row_text(row, how) for row in rows))
    ax.set_xticks(range(len(tails)), [percentile_text(tail) for tail in tails])
    ax.set_xlim(-0.6, len(tails) - 0.4)
    ax.set_xlabel("percentile")
    lowest = min(table["low"].min(), table["change"].min(), same)
    highest = max(table["high"].max(), table["change"].max(), same)
    if how == "ratio":
        set_log_axis(ax.yaxis, lowest, highest, lambda ratio: ratio_text(ratio, digits=4))
        ax.set_ylabel("after ÷ before (below ×1: faster)")
    else:
        ax.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        set_ticks_text(ax.yaxis, lambda nanos: tick_text(nanos, change_text))
        ax.set_ylabel("after − before (below 0: faster)")
    add_legend(ax, entries)
    every = {group.name for run in (before, after) for group in group_operations(run, by, ROWS)}
    notes = [f"bars: 95 %, bootstrap of {SLICES} slices of time", "hollow: may be no change"]
    if missing := sorted(every - set(names)):
        notes.append(f"too few to compare: {', '.join(missing)}")
    for when, run in (("before", before), ("after", after)):
        if bound := note_of(run):
            notes.append(f"{when}: {bound}")
    return finish_axes(ax, title, "; ".join(sentences) + ".", notes=notes)


def _row_text(row: _Row, how: How) -> str:
    text = change_text if how == "difference" else ratio_text
    return (
        f"{percentile_name(row.tail)} {nanos_text(row.before_ns)} to {nanos_text(row.after_ns)}, "
        f"{text(row.change)} (95 % interval {text(row.low)} to {text(row.high)})"
    )
