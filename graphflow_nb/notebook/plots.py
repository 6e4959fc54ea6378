"""Figures of latency. Never through pyplot, whose global state breaks on a second thread."""

from __future__ import annotations

import io
from datetime import UTC

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

__all__ = ["LatencyFigure", "latency_board", "plot_ecdf", "plot_timeline"]

# Okabe and Ito's colours, which the colour-blind can tell apart; and shapes, which everyone can.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "*")
FAILED = ("conflict", "error", "cancelled")
MAX_DOTS = 20_000


class LatencyFigure(Figure):
    """A figure that shows itself in a notebook without pyplot, and says itself as text."""

    said = ""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=110, facecolor="white")
        return out.getvalue()

    def __repr__(self) -> str:
        return self.said

    __str__ = __repr__


def latency_board(frame: pd.DataFrame) -> LatencyFigure:
    """Distribution and timeline side by side.

    Args:
        frame: as ``Latency.frame()`` gives it.
    """
    figure = LatencyFigure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_ecdf(frame, ax=left)
    plot_timeline(frame, ax=right)
    figure.said = _said(frame)
    return figure


def plot_ecdf(frame: pd.DataFrame, ax: Axes) -> Axes:
    """For each operation, the share of calls that took at most so long (log axis).

    Args:
        frame: as ``Latency.frame()`` gives it.
        ax: to draw on.
    """
    for i, (op, nanos) in enumerate(_by_op(frame)):
        micros = np.sort(nanos) / 1000
        share = np.arange(1, len(micros) + 1) / len(micros)
        if len(micros) > MAX_DOTS:  # the steps are finer than pixels; keep both ends
            keep = np.unique(np.linspace(0, len(micros) - 1, MAX_DOTS).astype(int))
            micros, share = micros[keep], share[keep]
        ax.step(
            np.concatenate([micros[:1], micros]),
            np.concatenate([[0], share]),
            where="post",
            color=_colour(i),
            label=f"{op} (n = {len(nanos):,})",
            marker=_marker(i) if len(micros) < 30 else None,
            markersize=4,
        )
    _log_time(ax.xaxis)
    ax.set(
        ylim=(-0.02, 1.02),
        xlabel="latency",
        ylabel="share of operations, at most so long",
        title=f"Distribution, n = {len(frame):,}",
    )
    for level, name in ((0.5, "p50"), (0.99, "p99")):
        ax.axhline(level, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
        ax.annotate(
            name,
            (1, level),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color="0.35",
        )
    if len(frame):
        ax.legend(
            frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4
        )
    return _tidy(ax)


def plot_timeline(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Each operation at the time it began; failed ones are ringed in black.

    Args:
        frame: as ``Latency.frame()`` gives it; of more than 20,000 the slowest and failed ones
            and an even sample of the rest are drawn, and the title says so.
        ax: to draw on.
    """
    failed = frame["outcome"].isin(FAILED).to_numpy()
    shown = frame
    if len(frame) > MAX_DOTS:
        slow = frame["duration_ns"].rank(ascending=False, method="first").to_numpy() <= 1000
        even = np.zeros(len(frame), bool)
        even[:: len(frame) // (MAX_DOTS - 1000) + 1] = True
        shown = frame[slow | even | failed]
    dates = shown["started_at"].dt.tz_convert(None).to_numpy()
    micros = shown["duration_ns"].to_numpy() / 1000
    for i, (op, _) in enumerate(_by_op(frame)):
        mine = (shown["op"] == op).to_numpy()
        ax.scatter(
            dates[mine],
            micros[mine],
            s=14,
            color=_colour(i),
            marker=_marker(i),
            alpha=0.7,
            linewidths=0,
            label=op,
        )
    bad = shown["outcome"].isin(FAILED).to_numpy()
    ax.scatter(dates[bad], micros[bad], s=60, facecolors="none", edgecolors="black", linewidths=1.2)
    if len(shown):
        _log_time(ax.yaxis)
        locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        short = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_formatter(short)
    sample = f", {len(shown):,} drawn" if len(shown) < len(frame) else ""
    ax.set(
        xlabel="began at (UTC)",
        ylabel="latency",
        title=f"Timeline, n = {len(frame):,}{sample}, {int(failed.sum()):,} failed",
    )
    if failed.any():
        ring = Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            markersize=8,
            markerfacecolor="none",
            markeredgecolor="black",
            label="failed",
        )
        ax.legend(handles=[ring], frameon=False, fontsize=8, loc="upper right")
    return _tidy(ax)


def _by_op(frame: pd.DataFrame) -> list[tuple[str, np.typing.NDArray[np.int64]]]:
    groups = frame.groupby("op", observed=True)["duration_ns"]
    return [(str(op), values.to_numpy()) for op, values in groups]


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


def _marker(i: int) -> str:
    return MARKERS[i % len(MARKERS)]


def _log_time(axis: object) -> None:
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})  # type: ignore[attr-defined]
    axis.set_major_formatter(FuncFormatter(lambda micros, _: duration_text(micros)))  # type: ignore[attr-defined]
    low, high = axis.get_data_interval()  # type: ignore[attr-defined]
    if not 0 < low < high or high / low > 60:
        axis.set_minor_formatter(NullFormatter())  # type: ignore[attr-defined]
    else:
        axis.set_minor_formatter(  # type: ignore[attr-defined]
            FuncFormatter(lambda m, _: duration_text(m) if f"{m:e}"[0] in "25" else "")
        )


def duration_text(micros: float) -> str:
    """Microseconds for people: 850 ns, 3.2 µs, 1.5 ms, 2 s."""
    for limit, unit, scale in ((1, "ns", 1e3), (1e3, "µs", 1), (1e6, "ms", 1e-3)):
        if micros < limit:
            return f"{micros * scale:.3g} {unit}"
    return f"{micros / 1e6:.3g} s"


def _tidy(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, which="major", color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.title.set_fontsize(11)
    return ax


def _said(frame: pd.DataFrame) -> str:
    if not len(frame):
        return "Latency: no operation was recorded yet."
    parts = [
        f"{op}: n = {len(nanos):,}, median {duration_text(float(np.median(nanos)) / 1000)}, "
        f"slowest {duration_text(nanos.max() / 1000)}"
        for op, nanos in _by_op(frame)
    ]
    failed = int(frame["outcome"].isin(FAILED).sum())
    return f"Latency of {len(frame):,} operations, {failed} failed. " + "; ".join(parts) + "."
