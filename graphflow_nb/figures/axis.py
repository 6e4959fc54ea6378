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

from .figure import host
from .text import duration_text

__all__ = ["Scale", "duration_axis", "log_axis", "log_ticks", "started_ns", "time_axis"]

Scale = Literal["log", "linear"]
Floats = NDArray[np.float64]


class LogLocator(Locator):
    """As many ticks on a log axis as there is room for: even steps, 1-2-5, or decades.

    Args:
        text: of a tick.
    """

    def __init__(self, text: Callable[[float], str]):
        self.text = text

    def __call__(self) -> Sequence[float]:
        return self.tick_values(*self.axis.get_view_interval())  # type: ignore[union-attr]

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        low, high = sorted((max(vmin, 1e-12), max(vmax, 1e-12)))
        axes = self.axis.axes  # type: ignore[union-attr]
        box, across = axes.get_window_extent(), isinstance(self.axis, XAxis)
        inches = (box.width if across else box.height) / host(axes).dpi
        decade = inches / np.log10(high / low)

        def fits(ticks: Floats) -> bool:
            need = 0.1 + 0.08 * max(len(self.text(tick)) for tick in ticks) if across else 0.28
            return bool((np.diff(np.log10(ticks)) * decade >= need).all())

        def within(ticks: Floats) -> Floats:
            return ticks[(low <= ticks) & (ticks <= high)]

        decades = 10 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        some = [within(np.outer(decades, steps).ravel()) for steps in ([1, 2, 5], [1, 3], [1])]
        if len(some[0]) < 3:
            some = [
                within(np.array(MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high)))
                for most in (10, 6, 4, 3, 2, 1)
            ]
        every = some[-1]
        some += [every[::stride] for stride in range(2, len(every))]
        return list(next((ticks for ticks in some if len(ticks) and fits(ticks)), every[:1]))


def log_axis(axis: Axis, low: float, high: float, text: Callable[[float], str]) -> None:
    """A log axis a little wider than the values.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        low: the smallest value, above 0.
        high: the largest.
        text: of a tick.
    """
    _scale(axis, "log")
    room = max((high / low) ** 0.04, 1.15)
    _limits(axis, low / room, high * room)
    log_ticks(axis, text)


def log_ticks(axis: Axis, text: Callable[[float], str]) -> None:
    """Ticks of a log axis, and none between them."""
    axis.set_major_locator(LogLocator(text))
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
        log_axis(axis, max(low, 1), max(high, 1), _duration)
        label += " (log scale; 0 ns at 1 ns)" if low < 1 else " (log scale)"
    else:
        _scale(axis, "linear")
        _limits(axis, 0, 1.05 * max(high, 1))
        axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: _duration(value)))
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
        locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
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
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _duration(value)))
    axis.set_label_text(f"began after {began:%Y-%m-%d %H:%M:%S.%f} UTC")
    _limits(axis, 0, max(last - first, 1), room=0.02)
    return lambda nanos: (nanos - first).astype(np.float64)


def _duration(nanos: float) -> str:
    return duration_text(nanos / 1000)


def _scale(axis: Axis, scale: Scale) -> None:
    (axis.axes.set_xscale if isinstance(axis, XAxis) else axis.axes.set_yscale)(scale)


def _limits(axis: Axis, low: float, high: float, room: float = 0) -> None:
    more = (high - low) * room
    limit = axis.axes.set_xlim if isinstance(axis, XAxis) else axis.axes.set_ylim
    limit(low - more, high + more)
