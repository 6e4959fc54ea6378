"""What a picture says where it is pointed at: invisible boxes over it, without a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from ..figures import locate_bars, locate_moments
from ..figures.stays import Bar, Moment
from ..printable import describe_count, printable

__all__ = ["render_moment_hints", "render_stay_hints"]

MAX_TEXT: Final = 200  # characters of a text in a hint

_BOX: Final = Markup('<rect x="%.5f" y="%.5f" width="%.5f" height="%.5f"><title>%s</title></rect>')


def render_stay_hints(ax: Any, stays: pd.DataFrame) -> Markup:
    """Return a hint over each bar that ``plot_stays`` drew.

    Args:
        ax: The axes that it returned; their figure must have been drawn.
        stays: The stays.
    """
    return _render(
        _BOX % (*_place(bar), _describe_stay(stays.iloc[bar.row])) for bar in locate_bars(ax, stays)
    )


def render_moment_hints(ax: Any, stays: pd.DataFrame) -> Markup:
    """Return hints over the areas that ``plot_tasks`` drew: how many were where at that time.

    Args:
        ax: The axes that it returned; their figure must have been drawn.
        stays: The stays.
    """
    return _render(
        _BOX % (*_place(moment), "\n".join(_describe_moment(moment)))
        for moment in locate_moments(ax, stays)
    )


def _place(box: Bar | Moment) -> tuple[float, float, float, float]:
    return box.left, box.top, box.width, box.height


def _render(boxes: Iterable[Markup]) -> Markup:
    return Markup(
        '<svg style="position:absolute;inset:0;width:100%%;height:100%%" viewBox="0 0 1 1" '
        'preserveAspectRatio="none" fill="transparent">%s</svg>'
    ) % Markup("").join(boxes)


def _describe_stay(stay: Any) -> str:
    until = "until now" if stay["open"] else f"until {stay['end']:%Y-%m-%d %H:%M:%S}"
    lines = [
        printable(f"{stay['id'][:MAX_TEXT]}: {stay['task'][:MAX_TEXT]}"),
        f"{stay['start']:%Y-%m-%d %H:%M:%S} UTC {until}, {str(stay['duration']).split('.')[0]}",
        f"version {stay['version']}{', waits at the same task' if stay['waits'] else ''}",
    ]
    status = stay["status_message"]
    if isinstance(status, str):
        lines.append(printable(status[:MAX_TEXT]))
    return "\n".join(lines)


def _describe_moment(moment: Moment) -> Iterator[str]:
    yield (
        f"{moment.at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{describe_count(sum(n for _, n in moment.counts), 'session')}"
    )
    for task, count in moment.counts:
        if count:
            yield printable(f"{task[:MAX_TEXT]}: {count:,}")
