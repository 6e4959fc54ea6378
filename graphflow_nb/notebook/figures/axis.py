"""Axes of durations, of counts and of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axis import Axis, XAxis
from matplotlib.dates import HOURLY, MINUTELY, AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from .text import duration_text

__all__ = ["Scale", "duration_axis", "log_axis", "started_ns", "time_axis"]

Scale = Literal["log", "linear"]
Floats = NDArray[np.float64]


class LogLocator(Locator):
    """Ticks of a log axis that are never fewer than two: decades, 1-2-5, or even steps."""

    def __init__(self, most: int):
        self.most = most

    def __call__(self) -> Sequence[float]:
        return self.tick_values(*self.axis.get_view_interval())  # type: ignore[union-attr]

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        low, high = sorted((max(vmin, 1e-12), max(vmax, 1e-12)))
        decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        for steps in ([1, 2, 5], [1, 3], [1]):
            ticks = np.outer(10**decades, steps).ravel()
            ticks = ticks[(low <= ticks) & (ticks <= high)]
            if len(ticks) < 3 and steps[-1] == 5:
                even = MaxNLocator(self.most, steps=[1, 2, 5, 10]).tick_values(low, high)
                return [tick for tick in even if low <= tick <= high]
            if len(ticks) <= self.most:
                return list(ticks)
        stride = int(np.ceil(len(ticks) / self.most))
        return list(ticks[::stride])


def log_axis(axis: Axis, low: float, high: float, text: Callable[[float], str], most: int) -> None:
    """A log axis a little wider than the values.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        low: the smallest value, above 0.
        high: the largest.
        text: of a tick.
        most: ticks there is room for.
    """
    _scale(axis, "log")
    room = max((high / low) ** 0.04, 1.15)
    _limits(axis, low / room, high * room)
    axis.set_major_locator(LogLocator(most))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))


def duration_axis(axis: Axis, nanos: ArrayLike, scale: Scale = "log") -> None:
    """An axis of durations with units, wide enough for these.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        nanos: at least one; 0 has its place on a log axis at 1 ns, and the label says so.
        scale: ``log`` or ``linear``.
    """
    values = np.asarray(nanos)
    low, high = values.min(), values.max()
    label = "duration"
    if scale == "log":
        text: Callable[[float], str] = lambda value: duration_text(value / 1000)  # noqa: E731
        log_axis(axis, max(low, 1), max(high, 1), text, most=8)
        label += " (log scale; 0 ns at 1 ns)" if low < 1 else " (log scale)"
    else:
        _scale(axis, "linear")
        _limits(axis, 0, 1.05 * max(high, 1))
        axis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: duration_text(value / 1000)))
    axis.set_label_text(label)


def started_ns(frame: pd.DataFrame) -> NDArray[np.int64]:
    """When each operation began, in nanoseconds since 1970 UTC."""
    times = frame["started_at"].dt.tz_convert(None).to_numpy("M8[ns]")
    return np.asarray(times.view(np.int64))


def time_axis(axis: Axis, first: int, last: int) -> Callable[[NDArray[np.int64]], Floats]:
    """An axis of time: of the clock, or within two minutes since the first operation.

    Args:
        axis: ``ax.xaxis``.
        first: nanoseconds since 1970 UTC.
        last: the same.

    Returns:
        What turns nanoseconds since 1970 into places on the axis.
    """
    began = pd.Timestamp(first, tz="UTC")
    if last - first >= 120e9:
        locator = AutoDateLocator(tz=UTC, maxticks=8)  # type: ignore[no-untyped-call]
        locator.intervald |= {
            HOURLY: [1, 2, 3, 6, 12],
            MINUTELY: [1, 2, 5, 10, 15, 30],
        }
        axis.set_major_locator(locator)
        short = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
        axis.set_major_formatter(short)
        axis.set_label_text("began at (UTC)")
        day = 86_400e9
        _limits(axis, first / day, last / day, room=0.02)
        return lambda nanos: nanos / day
    # Dates would have no more than microseconds, and some bursts last no longer.
    axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: duration_text(value / 1000)))
    axis.set_label_text(f"began after {began:%Y-%m-%d %H:%M:%S.%f} UTC")
    _limits(axis, 0, max(last - first, 1), room=0.02)
    return lambda nanos: (nanos - first).astype(np.float64)


def _scale(axis: Axis, scale: Scale) -> None:
    (axis.axes.set_xscale if isinstance(axis, XAxis) else axis.axes.set_yscale)(scale)


def _limits(axis: Axis, low: float, high: float, room: float = 0) -> None:
    more = (high - low) * room
    limit = axis.axes.set_xlim if isinstance(axis, XAxis) else axis.axes.set_ylim
    limit(low - more, high + more)
