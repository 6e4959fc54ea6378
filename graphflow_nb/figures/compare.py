"""Two runs compared: how much slower or faster the second was, and how sure that is."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from .axis import log_axis, started_ns
from .checks import choice, need
from .figure import axes_for, theme_of
from .groups import count_text, failed_of, groups, percentile_name, percentile_of, shown
from .parts import Entry, Look, finish, legend, nothing
from .text import duration_text
from .theme import ThemeName

__all__ = ["difference", "plot_difference"]

How = Literal["ratio", "difference"]

SLICES = 50
TRIALS = 1000
BEYOND = 10  # operations that must lie beyond a percentile that is compared
CANDIDATES = 2048


def difference(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    by: str = "op",
    how: How = "ratio",
    seed: int = 0,
) -> pd.DataFrame:
    """Percentiles of two runs, their ratio or difference, and its 95 % interval.

    The interval is a percentile bootstrap of a thousand trials. Operations close in time are not
    independent (one slow moment of a server slows many), so not operations are drawn anew but
    slices of time: each run is cut into fifty slices of as many operations each, in the order in
    which they began (with fewer operations, single ones). It tells what differs between such
    slices. What differs between one run and the next on another day is not in two runs, and no
    interval made from them can hold it.

    Args:
        before: as ``Latency.frame()`` gives it.
        after: the other run.
        by: the column whose values are compared one by one, where both runs have them.
        how: ``ratio`` (after ÷ before; 0 ns count as 1) or ``difference`` (after − before, ns).
        seed: of the trials; the same gives the same interval.

    Returns:
        One row a group and percentile beyond which at least ten operations of each run lie:
        ``group`` (text), ``tail`` (int64; one operation in so many lies beyond: 2, 10, 100 …),
        ``before_ns``, ``after_ns`` (int64), ``change``, ``low``, ``high`` (float64), ``n_before``,
        ``n_after``, ``failed_before``, ``failed_after`` (int64).

    Raises:
        QueryError: a frame lacks a column.
    """
    choice(how, "ratio", "difference")
    rng = np.random.default_rng(seed)
    need(before, ["started_at"])
    need(after, ["started_at"])
    first = {group.name: group for group in groups(before, by)}
    second = {group.name: group for group in groups(after, by)}
    rows = []
    for name in first:
        if name not in second:
            continue
        a, b = first[name], second[name]
        tails = [
            t for t in (2, 10, 100, 1000, 10_000, 100_000) if t * BEYOND <= min(len(a), len(b))
        ]
        trials = _change(
            _trials(a.nanos, started_ns(before)[a.rows], tails, rng),
            _trials(b.nanos, started_ns(after)[b.rows], tails, rng),
            how,
        )
        for tail, found in zip(tails, trials.T, strict=True):
            old, new = percentile_of(a.sorted, tail), percentile_of(b.sorted, tail)
            low, high = np.percentile(found, [2.5, 97.5])
            rows.append(
                {
                    "group": name,
                    "tail": tail,
                    "before_ns": old,
                    "after_ns": new,
                    "change": float(_change(np.array([old]), np.array([new]), how)[0]),
                    "low": low,
                    "high": high,
                    "n_before": len(a),
                    "n_after": len(b),
                    "failed_before": int(a.failed.sum()),
                    "failed_after": int(b.failed.sum()),
                }
            )
    columns = ["group", "tail", "before_ns", "after_ns", "change", "low", "high"]
    columns += ["n_before", "n_after", "failed_before", "failed_after"]
    kinds = dict.fromkeys(columns[1:], "int64") | dict.fromkeys(columns[4:7], "float64")
    return pd.DataFrame(rows, columns=columns).astype(kinds)


def _change(old: NDArray[np.int64], new: NDArray[np.int64], how: How) -> NDArray[np.float64]:
    if how == "ratio":
        return shown(new) / shown(old)
    return (new - old).astype(np.float64)


def _trials(
    nanos: NDArray[np.int64],
    started: NDArray[np.int64],
    tails: list[int],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Percentiles of the run with its slices drawn anew: trials × tails."""
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
    # float64: whole numbers are exact in it, and it multiplies quicker
    reached = drawn.astype(np.float64) @ counts.cumsum(axis=1).astype(np.float64)
    total = reached[:, -1]
    found = [(reached < (total - total // tail)[:, None]).sum(axis=1) for tail in tails]
    return values[np.array(found, np.intp).T.reshape(TRIALS, len(tails))]


def plot_difference(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "op",
    how: How = "ratio",
    seed: int = 0,
    theme: ThemeName = "light",
) -> Axes:
    """How much slower or faster the second run was at each percentile, with 95 % intervals.

    A mark is hollow where the interval holds "no change". What the interval is and what it can't
    tell, ``difference`` says, which gives the same as a table.

    Args:
        before: as ``Latency.frame()`` gives it.
        after: the other run.
        ax: to draw on; None makes a figure.
        by: the column whose values are compared one by one.
        how: ``ratio`` (after ÷ before) or ``difference`` (after − before).
        seed: of the bootstrap.
        theme: of a new figure, ``light`` or ``dark``.

    Returns:
        The axes; those of a new figure show themselves in a notebook.

    Raises:
        QueryError: a frame lacks a column, or there is no such theme.
    """
    found = difference(before, after, by=by, how=how, seed=seed)
    ax = axes_for(ax, theme)
    look = theme_of(ax)
    sizes = [count_text(len(run), int(failed_of(run).sum())) for run in (before, after)]
    title = f"After against before: {sizes[0]} before; {sizes[1]} after"
    if not len(found):
        return nothing(ax, title, "too few operations of one kind in both runs")
    same = 1.0 if how == "ratio" else 0.0
    ax.axhline(same, color=look.ink, linewidth=1.2, zorder=1)
    tails = sorted(set(found["tail"]))
    parts = {group.name: group for group in groups(before, by)}
    names = list(dict.fromkeys(found["group"]))
    entries: list[Entry] = []
    said = []
    for i, name in enumerate(names):
        mine, group = found[found["group"] == name], parts[name]
        x = np.array([tails.index(t) for t in mine["tail"]]) + (i - (len(names) - 1) / 2) * 0.1
        change, low, high = (mine[c].to_numpy() for c in ("change", "low", "high"))
        colour = group.colour(look)
        ax.vlines(x, low, high, color=colour, linewidth=2)
        sure = (low > same) | (high < same)
        mark: Look = {"linestyle": "none", "marker": group.marker, "color": colour, "markersize": 8}
        ax.plot(x[sure], change[sure], **mark)
        ax.plot(x[~sure], change[~sure], markerfacecolor=look.paper, markeredgewidth=1.6, **mark)
        n = f"n = {mine['n_before'].iloc[0]:,} and {mine['n_after'].iloc[0]:,}"
        entries.append((Line2D([], [], **mark), f"{name}, {n}"))
        said.append(f"{name}, {n}: " + ", ".join(_told(row, how) for row in mine.itertuples()))
    ax.set_xticks(range(len(tails)), [percentile_name(tail) for tail in tails])
    ax.set_xlim(-0.6, len(tails) - 0.4)
    ax.set_xlabel("percentile")
    lowest = min(found["low"].min(), found["change"].min(), same)
    highest = max(found["high"].max(), found["change"].max(), same)
    if how == "ratio":
        log_axis(ax.yaxis, lowest, highest, lambda ratio: f"×{ratio:.4g}")
        ax.set_ylabel("after ÷ before (below ×1: faster)")
    else:
        ax.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(value)))
        ax.set_ylabel("after − before (below 0: faster)")
    legend(ax, entries)
    missing = sorted(
        {group.name for run in (before, after) for group in groups(run, by)} - set(names)
    )
    notes = [f"bars: 95 %, bootstrap of {SLICES} slices of time", "hollow: may be no change"]
    if missing:
        notes.append(f"too few to compare: {', '.join(missing)}")
    return finish(ax, title, "; ".join(said) + ".", notes=notes)


def _told(row: object, how: How) -> str:
    change, low, high = (getattr(row, name) for name in ("change", "low", "high"))
    text = _signed if how == "difference" else lambda ratio: f"×{ratio:.3g}"
    return (
        f"p{percentile_name(row.tail).removesuffix(' %')} "  # type: ignore[attr-defined]
        f"{duration_text(row.before_ns / 1000)} to {duration_text(row.after_ns / 1000)}, "  # type: ignore[attr-defined]
        f"{text(change)} (95 % interval {text(low)} to {text(high)})"
    )


def _signed(nanos: float) -> str:
    return ("+" if nanos > 0 else "") + duration_text(nanos / 1000).replace("-", "−")
