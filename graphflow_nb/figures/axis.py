"""Axes of durations, counts, rates, shares and time."""

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

from .figure import NARROW, host_of, width_of
from .text import nanos_text, number_text, rate_text, share_text

__all__ = [
    "Scale",
    "set_count_axis",
    "set_duration_axis",
    "set_log_axis",
    "set_log_ticks",
    "set_rate_axis",
    "set_share_axis",
    "set_ticks_text",
    "set_time_axis",
    "tick_text",
    "time_places",
]

Scale = Literal["log", "linear"]
Floats = NDArray[np.float64]

MOST_LINEAR = 50  # counts above this have a log axis
SHORT = 120e9  # nanoseconds: below it, times are counted from the first
DAY = 86_400e9


class LogLocator(Locator):
    """A locator of as many ticks on a log axis as fit: even steps, 1-2-5, or decades.

    Args:
        axis: The axis that is ticked.
        text: The function that makes the text of a tick.
    """

    def __init__(self, axis: Axis, text: Callable[[float], str]):
        self._on = axis
        self._text = text

    def __call__(self) -> Sequence[float]:
        """Return the ticks for what the axis shows."""
        return self.tick_values(*self._on.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """Return the ticks between two values."""
        low, high = sorted((max(vmin, 1e-12), max(vmax, 1e-12)))
        axes = self._on.axes
        box, across = axes.get_window_extent(), isinstance(self._on, XAxis)
        inches = (box.width if across else box.height) / host_of(axes).dpi
        decade = inches / np.log10(high / low)

        def fits(ticks: Floats) -> bool:
            if len({self._text(tick) for tick in ticks}) < len(ticks):
                return False  # two ticks with one text would be one number at two places
            need = 0.1 + 0.08 * max(len(self._text(tick)) for tick in ticks) if across else 0.28
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


def set_log_axis(axis: Axis, low: float, high: float, text: Callable[[float], str]) -> None:
    """Make a log axis that is a little wider than the values.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        low: The smallest value, above 0.
        high: The largest value.
        text: The function that makes the text of a tick.
    """
    _set_scale(axis, "log")
    room = max((high / low) ** 0.04, 1.15)
    _set_limits(axis, low / room, high * room)
    set_log_ticks(axis, text)


def set_log_ticks(axis: Axis, text: Callable[[float], str]) -> None:
    """Tick a log axis where there is room, with nothing between the ticks.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        text: The function that makes the text of a tick.
    """
    axis.set_major_locator(LogLocator(axis, text))
    axis.set_minor_locator(NullLocator())
    set_ticks_text(axis, text)


def set_ticks_text(axis: Axis, text: Callable[[float], str]) -> None:
    """Set the text of each tick of an axis.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        text: The function that makes the text of a tick.
    """
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))


def set_duration_axis(axis: Axis, nanos: ArrayLike, scale: Scale = "log") -> None:
    """Make an axis of durations with units, wide enough for these.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        nanos: At least one duration; 0 is drawn at 1 ns on a log axis, and the label says so.
        scale: ``log`` or ``linear``.
    """
    values = np.asarray(nanos)
    low, high = values.min(), values.max()
    label = "duration"
    if scale == "log":
        set_log_axis(axis, max(low, 1), max(high, 1), nanos_text)
        label += " (log scale; 0 ns at 1 ns)" if low < 1 else " (log scale)"
    else:
        _set_linear_axis(axis, high, tick_text)
    axis.set_label_text(label)


def set_count_axis(axis: Axis, most: float, label: str, *, stacked: bool = False) -> None:
    """Make an axis of counts, on a log scale where few would not be seen beside many.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        most: The largest count, 1 or more.
        label: The name of what is counted.
        stacked: Whether counts are drawn on top of each other, which a log scale would distort.
    """
    if most > MOST_LINEAR and not stacked:
        set_log_axis(axis, 0.8, most, number_text)
        label += " (log scale)"
    else:
        _set_limits(axis, 0, 1.1 * most)
        axis.set_major_locator(MaxNLocator(7, integer=True))
    axis.set_label_text(label)


def set_rate_axis(axis: Axis, rates: ArrayLike, label: str, scale: Scale = "log") -> None:
    """Make an axis of rates, wide enough for these.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        rates: At least one rate; on a log axis, above 0.
        label: The name of the rate with its unit: ``operations a second``.
        scale: ``log``, or ``linear``, which shows a rate of 0 too.
    """
    values = np.asarray(rates)
    if scale == "log":
        set_log_axis(axis, values.min(), values.max(), rate_text)
        label += " (log scale)"
    else:
        _set_linear_axis(axis, values.max(), rate_text)
    axis.set_label_text(label)


def tick_text(nanos: float, text: Callable[[float], str] = nanos_text) -> str:
    """Return the text of a tick at a duration; at 0 without a unit, which would not be the others'.

    Args:
        nanos: The duration in nanoseconds.
        text: The function that makes the text of others.
    """
    return text(nanos) if nanos else "0"


def _set_linear_axis(axis: Axis, high: float, text: Callable[[float], str]) -> None:
    _set_scale(axis, "linear")
    _set_limits(axis, 0, 1.05 * max(high, 1))
    axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    set_ticks_text(axis, text)


def set_share_axis(axis: Axis) -> None:
    """Write the ticks of an axis of shares, 0 to 1, in per cent.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
    """
    set_ticks_text(axis, share_text)


def set_time_axis(axis: Axis, first: int, last: int) -> Callable[[NDArray[np.int64]], Floats]:
    """Make an axis of time: of the clock, or within two minutes since the first operation.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        first: The start of the first operation, in nanoseconds since 1970 UTC.
        last: The start of the last operation.

    Returns:
        The function that turns nanoseconds since 1970 into places on the axis.
    """
    began = pd.Timestamp(first, tz="UTC")
    if last - first >= SHORT:
        locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        locator.intervald |= {
            HOURLY: [1, 2, 3, 6, 12],
            MINUTELY: [1, 2, 5, 10, 15, 30],
        }
        axis.set_major_locator(locator)
        # The day is in the label: beside a narrow axis there is no room for it at the end.
        short = ConciseDateFormatter(locator, tz=UTC, show_offset=False)  # type: ignore[no-untyped-call]
        axis.set_major_formatter(short)
        axis.set_label_text(f"began at (UTC), from {began:%Y-%m-%d} on")
        _set_limits(axis, first / DAY, last / DAY, room=0.02)
        return time_places(first, last)
    # Dates would have no more than microseconds, and some bursts last no longer.
    most = 6 if width_of(axis.axes) > NARROW else 4
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
    set_ticks_text(axis, tick_text)
    axis.set_label_text(f"began after {began:%Y-%m-%d %H:%M:%S.%f} UTC")
    _set_limits(axis, 0, max(last - first, 1), room=0.02)
    return time_places(first, last)


def time_places(first: int, last: int) -> Callable[[NDArray[np.int64]], Floats]:
    """Return what ``set_time_axis`` returns for these times, without an axis."""
    if last - first >= SHORT:
        return lambda nanos: nanos / DAY
    return lambda nanos: (nanos - first).astype(np.float64)


def _set_scale(axis: Axis, scale: Scale) -> None:
    (axis.axes.set_xscale if isinstance(axis, XAxis) else axis.axes.set_yscale)(scale)


def _set_limits(axis: Axis, low: float, high: float, room: float = 0) -> None:
    more = (high - low) * room
    limit = axis.axes.set_xlim if isinstance(axis, XAxis) else axis.axes.set_ylim
    limit(low - more, high + more)
