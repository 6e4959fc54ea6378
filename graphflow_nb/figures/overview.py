"""A board of where the sessions of a store are, which are stuck, and how their number grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..printable import describe_count
from ..storage.overview import SIZES, STUCK_FACTOR, USUAL_SESSIONS
from .axis import set_count_axis, set_ticks_text, set_time_axis
from .checks import check_columns
from .figure import LatencyFigure, Row, axes_for, theme_of
from .parts import (
    LONGEST_OF_ROW,
    SMALL,
    Entry,
    Style,
    add_legend,
    finish_axes,
    finish_empty,
    name_rows,
)
from .text import about_text, bytes_text, compact_text, long_text, share_text, short_name
from .theme import HATCHES, Theme, ThemeName

__all__ = [
    "growth_text",
    "overview_board",
    "plot_ages",
    "plot_context_sizes",
    "plot_growth",
    "plot_hot_graphs",
    "plot_stuck",
]

ROWS: Final = 12  # bars that a picture has; the others are in a note
WRITTEN: Final = 9  # classes of sizes that have room for their number
SIZE_TICKS: Final = 5  # spaces between ticks of the axis of sizes
WEEK: Final = 7
_HOUR, _DAY = 3_600, 86_400


class _Class(NamedTuple):
    """Ages that are drawn alike.

    Attributes:
        name: How the legend calls them.
        seconds: The ages are less than this.
        shade: Their place among the shades from few to many.
    """

    name: str
    seconds: float
    shade: float


_CLASSES: Final = (
    _Class("less than 1 h", _HOUR, 0.0),
    _Class("1 to 24 h", _DAY, 0.27),
    _Class("1 to 7 days", 7 * _DAY, 0.5),
    _Class("7 to 30 days", 30 * _DAY, 0.75),
    _Class("30 days or more", np.inf, 1.0),
)
_NO_AGE: Final = "in the future or unknown"


def overview_board(
    tasks: pd.DataFrame,
    ages: pd.DataFrame,
    graphs: pd.DataFrame,
    days: pd.DataFrame,
    hours: pd.DataFrame,
    sizes: pd.DataFrame,
    *,
    large: bool = False,
    theme: ThemeName = "both",
) -> LatencyFigure:
    """Draw where sessions are, which are stuck, growth, hot graphs and the sizes of contexts.

    Args:
        tasks, ages, graphs, days, hours, sizes: The frames of an ``Overview``.
        large: Whether it is for a projector: one picture below the other, and larger.
        theme: ``both`` (transparent, for a light and a dark ground), ``light`` or ``dark``.

    Returns:
        A figure that shows itself in a notebook; ``savefig`` works on it, ``said`` is it in words.

    Raises:
        QueryError: A frame lacks a column, or the theme is unknown.
    """
    check_columns(tasks, ("stuck",))
    rows = min(len(tasks), ROWS)
    stuck = min(int((tasks["stuck"] > 0).sum()), ROWS)
    few = max(rows, stuck, min(len(graphs), ROWS), 4)
    figure, axes = LatencyFigure.stacked(
        [Row(2.0 + 0.3 * max(rows, stuck, 3), 2), Row(3.6, 2), Row(1.9 + 0.24 * few, 2)],
        theme=theme,
        large=large,
    )
    places, slow, by_day, by_hour, hot, contexts = axes
    plot_ages(ages, ax=places)
    plot_stuck(tasks, ax=slow)
    plot_growth(days, ax=by_day)
    plot_growth(hours, ax=by_hour)
    plot_hot_graphs(graphs, ax=hot)
    plot_context_sizes(sizes, ax=contexts)
    return figure


def plot_ages(frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both") -> Axes:
    """Draw how many sessions are at each task, by the time since their last save.

    Args:
        frame: The frame ``ages`` of an ``Overview``.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, ("graph_id", "current_task_id", "kind", "at_least", "sessions"))
    ax = axes_for(ax, theme)
    share = _share_of(frame)
    total = int(frame["sessions"].sum())
    title = f"Where sessions are, n = {about_text(total, share)}"
    if not total:
        return finish_empty(ax, title, "there is no session")
    counts = _counts_by_class(frame)
    places = [frame["graph_id"].astype(str), frame["current_task_id"].astype(str)]
    totals = counts.groupby(places).sum()
    totals["all"] = totals.sum(axis=1)
    # A stable order: most first, then by name.
    totals = totals.sort_index().sort_values("all", ascending=False, kind="stable")
    shown = totals[:ROWS]
    names = _place_names(frame, shown.index)
    rows = -np.arange(len(shown))
    left = np.zeros(len(shown))
    entries = []
    for name, style in _class_styles(theme_of(ax)).items():
        width = shown[name].to_numpy(np.float64)
        if width.any():
            ax.barh(rows, width, 0.72, left=left, linewidth=0.4, **style)
            entries.append(Entry(Patch(**style), name))
        left += width
    for row, number in enumerate(left.tolist()):
        _write(ax, compact_text(number), (number, -row), va="center")
    notes = _finish_rows(ax, names, 1.06 * left.max(), totals["all"], "task", share)
    add_legend(ax, entries)
    texts = [
        f"{name}: {about_text(row['all'], share)} ("
        + ", ".join(f"{each} {about_text(row[each], share)}" for each in counts if row[each])
        + ")."
        for name, row in zip(names, shown.to_dict("records"), strict=True)
    ]
    notes = ["by the time since the last save", *notes, *_sample_notes(frame)]
    return finish_axes(ax, title, *texts, notes=notes, rows=True)


def plot_stuck(frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both") -> Axes:
    """Draw how many sessions were not saved for much longer than is usual at their task.

    Args:
        frame: The frame ``tasks`` of an ``Overview``.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    columns = ("graph_id", "current_task_id", "sessions", "usual_age", "stuck", "stuck_after")
    check_columns(frame, columns)
    ax = axes_for(ax, theme)
    share = _share_of(frame)
    total = int(frame["stuck"].sum())
    of_all = about_text(int(frame["sessions"].sum()), share)
    seen = "" if total or share == 1 else " seen"  # others may be in what was not read
    title = f"Stuck, n = {about_text(total, share)}{seen} of {of_all}"
    if not total:
        return finish_empty(ax, title, _why_none_is_stuck(frame))
    found = frame[frame["stuck"] > 0].sort_values("stuck", ascending=False, kind="stable")
    shown = found[:ROWS]
    places = pd.MultiIndex.from_frame(shown[["graph_id", "current_task_id"]].astype(str))
    names = _place_names(frame, places)
    limits = [
        f"{compact_text(stuck)} for {_time_text(after)} or more (usual: {_time_text(usual)})"
        for stuck, after, usual in zip(
            shown["stuck"], shown["stuck_after"], shown["usual_age"], strict=True
        )
    ]
    palette = theme_of(ax)
    style: Style = {"facecolor": palette.colours[1], "edgecolor": palette.edge, "linewidth": 0.4}
    ax.barh(-np.arange(len(shown)), shown["stuck"], 0.36, **style)
    for row, text in enumerate(limits):
        _write(ax, text, (0, -row + 0.24), va="bottom")
    notes = _finish_rows(ax, names, found["stuck"].max(), found["stuck"], "task", share, top=0.9)
    ax.set_xlabel("sessions, those that ended included")
    texts = [f"{name}: {text}." for name, text in zip(names, limits, strict=True)]
    notes = [f"not saved for {STUCK_FACTOR} times what is usual at the task", *notes]
    return finish_axes(ax, title, *texts, notes=notes, rows=True)


def plot_growth(frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both") -> Axes:
    """Draw how many sessions were created over time, and by the hour how many were saved last.

    The last saves by the day would hide the rest: nearly all are of the last days.

    Args:
        frame: The frame ``days`` or ``hours`` of an ``Overview``.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, ("created", "saved"))
    unit = "day" if "day" in frame.columns else "hour"
    check_columns(frame, (unit,))
    ax = axes_for(ax, theme)
    share = _share_of(frame)
    total = int(frame["created"].sum())
    title = f"Growth by {unit}, n = {about_text(total, share)} created in {len(frame):,} {unit}s"
    if not total and (unit == "day" or not frame["saved"].any()):
        return finish_empty(ax, title, f"none was created in {len(frame):,} {unit}s")
    palette = theme_of(ax)
    times = frame[unit].dt.tz_convert(None).to_numpy("M8[ns]").view(np.int64)
    step = (_DAY if unit == "day" else _HOUR) * 10**9
    place = set_time_axis(ax.xaxis, int(times[0]), int(times[-1]) + step)
    ax.set_xlabel(ax.get_xlabel().replace("began at", unit))
    wide = float(place(np.array([step]))[0] - place(np.array([0]))[0])
    middle = place(times) + wide / 2
    bars: Style = {"facecolor": palette.colours[0], "edgecolor": palette.edge, "linewidth": 0.3}
    ax.bar(middle, frame["created"], 0.86 * wide, **bars)
    most = int(frame["created"].max())
    entries = [Entry(Patch(**bars), "created")]
    if unit == "hour":
        line: Style = {"color": palette.colours[1], "linewidth": 1.5, "linestyle": "--"}
        ax.plot(middle, frame["saved"], drawstyle="steps-mid", **line)
        most = max(most, int(frame["saved"].max()))
        entries.append(Entry(Line2D([], [], **line), "saved then, and not since"))
    _set_axis(ax.yaxis, most)
    add_legend(ax, entries)
    texts = []
    if total:
        peak = frame[unit].iloc[int(frame["created"].to_numpy().argmax())]
        texts.append(
            f"Most in one {unit}: {about_text(frame['created'].max(), share)} on "
            f"{peak:{'%Y-%m-%d' if unit == 'day' else '%Y-%m-%d %H:%M'}}."
        )
    notes = [growth_text(frame)] if unit == "day" else [_last_day_text(frame)]
    return finish_axes(ax, title, *texts, notes=notes)


def growth_text(days: pd.DataFrame) -> str:
    """Return how many sessions were created in the last seven whole days, and in those before.

    Args:
        days: The frame ``days`` of an ``Overview``.
    """
    share = _share_of(days)
    created = days["created"].to_numpy()[:-1]
    last, before = int(created[-WEEK:].sum()), int(created[-2 * WEEK : -WEEK].sum())
    change = ""
    if before:
        sign = "+" if last >= before else "−"
        change = f", {sign}{share_text(abs(last / before - 1))}"
    return (
        f"created in the 7 days before today: {about_text(last, share)} "
        f"(7 days before: {about_text(before, share)}{change})"
    )


def plot_hot_graphs(
    frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both"
) -> Axes:
    """Draw how many sessions of each graph were saved in the last hour and in the last day.

    Args:
        frame: The frame ``graphs`` of an ``Overview``.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, ("graph_id", "sessions", "saved_last_hour", "saved_last_day"))
    ax = axes_for(ax, theme)
    share = _share_of(frame)
    total = int(frame["saved_last_day"].sum())
    title = f"Hot graphs, n = {about_text(total, share)} saved in the last 24 hours"
    if not total:
        return finish_empty(ax, title, "none was saved in the last 24 hours")
    found = frame[frame["saved_last_day"] > 0]
    shown = found[:ROWS]
    names = [short_name(name, LONGEST_OF_ROW) for name in shown["graph_id"]]
    hour, day = shown["saved_last_hour"], shown["saved_last_day"]
    palette = theme_of(ax)
    rows = -np.arange(len(shown))
    pale: Style = {"facecolor": palette.shades(0.0), "edgecolor": palette.edge, "linewidth": 0.4}
    full: Style = {"facecolor": palette.shades(0.5), "edgecolor": palette.edge, "linewidth": 0.4}
    ax.barh(rows, day, 0.76, **pale)
    ax.barh(rows, hour, 0.36, **full)
    notes = _finish_rows(ax, names, day.max(), found["saved_last_day"], "graph", share)
    add_legend(
        ax, [Entry(Patch(**full), "saved in the last hour"), Entry(Patch(**pale), "last 24 hours")]
    )
    texts = [
        f"{name}: {about_text(h, share)} in the last hour, {about_text(d, share)} in "
        "the last 24 hours."
        for name, h, d in zip(names, hour, day, strict=True)
    ]
    return finish_axes(ax, title, *texts, notes=notes, rows=True)


def plot_context_sizes(
    frame: pd.DataFrame, *, ax: Axes | None = None, theme: ThemeName = "both"
) -> Axes:
    """Draw how many contexts there are of each size, as the store keeps them.

    Args:
        frame: The frame ``sizes`` of an ``Overview``.
        ax: The axes to draw on; None makes a figure.
        theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

    Raises:
        QueryError: The frame lacks a column, or the theme is unknown.
    """
    check_columns(frame, ("at_least", "below", "sessions", "context_bytes"))
    ax = axes_for(ax, theme)
    share = _share_of(frame)
    total = int(frame["sessions"].sum())
    title = f"Sizes of contexts, n = {about_text(total, share)}"
    if not total:
        return finish_empty(ax, title, "there is no session")
    # Each class is twice the one before: all are drawn as wide as each other, empty ones too.
    places = np.log2(np.maximum(frame["at_least"].to_numpy(np.float64), SIZES[0] / 2))
    palette = theme_of(ax)
    style: Style = {"facecolor": palette.colours[0], "edgecolor": palette.edge, "linewidth": 0.4}
    ax.bar(places, frame["sessions"], 1, align="edge", **style)
    first, last = int(places[0]), int(places[-1]) + 1
    ax.set_xlim(first - 0.15, last + 0.15)
    ax.set_xticks(range(first, last + 1, 1 + (last - first) // SIZE_TICKS))
    set_ticks_text(ax.xaxis, _size_text)
    if last - first <= WRITTEN:
        for place, number in zip(places, frame["sessions"], strict=True):
            _write(ax, compact_text(number), (place + 0.5, number), (0, 2), ha="center")
    ax.set_xlabel("size of the context in the store (log scale)")
    set_count_axis(ax.yaxis, float(frame["sessions"].max()), "sessions")
    together = int(frame["context_bytes"].sum())
    about = "" if share == 1 else "about "
    texts = [
        f"{bytes_text(size)} or more: {about_text(number, share)}."
        for size, number in zip(frame["at_least"], frame["sessions"], strict=True)
    ]
    notes = [
        f"together {about}{bytes_text(together)}",
        f"mean {about}{bytes_text(together / total)}",
        f"largest {_largest_text(frame)}",
    ]
    return finish_axes(ax, title, *texts, notes=notes)


def _largest_text(frame: pd.DataFrame) -> str:
    last = frame.iloc[-1]
    if pd.isna(last["below"]):
        return f"{bytes_text(last['at_least'])} or more"
    return f"below {bytes_text(last['below'])}"


def _last_day_text(hours: pd.DataFrame) -> str:
    share = _share_of(hours)
    created = hours["created"].to_numpy()
    return (
        f"created in the current hour and the 23 before: {about_text(created[-24:].sum(), share)}; "
        f"in the 24 before those: {about_text(created[:-24].sum(), share)}"
    )


def _set_axis(axis: Axis, most: float) -> None:
    set_count_axis(axis, max(float(most), 1.0), "sessions", stacked=True)
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    set_ticks_text(axis, compact_text)


def _share_of(frame: pd.DataFrame) -> float:
    """Return the part of the store that was counted for a frame of an overview."""
    return float(frame.attrs.get("share", 1.0))


def _sample_notes(frame: pd.DataFrame) -> Sequence[str]:
    return [short_name(frame.attrs["note"], 200)] if frame.attrs.get("note") else []


def _why_none_is_stuck(tasks: pd.DataFrame) -> str:
    """Return why no session is stuck at these tasks."""
    if not len(tasks):
        return "there is no session"
    if tasks["stuck_after"].isna().all():
        return f"what is usual is known\nof {USUAL_SESSIONS} sessions at a task or more"
    where = "" if _share_of(tasks) == 1 else " in the part that was read"
    return f"none{where} was left for {STUCK_FACTOR} times\nwhat is usual at its task"


def _place_names(frame: pd.DataFrame, places: pd.Index[Any]) -> list[str]:
    """Return short names of graphs and tasks: both where the frame has several graphs.

    Args:
        frame: What the places are of.
        places: The graph and the task of each.
    """
    several = frame["graph_id"].nunique() > 1
    return [_place_name(task, graph if several else None) for graph, task in places]


def _place_name(task: str, graph: str | None) -> str:
    task = short_name(task, LONGEST_OF_ROW)
    if graph is None:
        return task
    graph = short_name(graph, LONGEST_OF_ROW)
    room = LONGEST_OF_ROW - len(" · ")
    # Of two long names both are seen, and of one that is short nothing is left out.
    graph = short_name(graph, max(room - len(task), room // 2))
    return f"{short_name(task, room - len(graph))} · {graph}"


def _finish_rows(
    ax: Axes,
    names: Sequence[str],
    most: float,
    numbers: pd.Series[Any],
    what: str,
    share: float,
    *,
    top: float = 0.6,
) -> list[str]:
    """Name the rows, set the axes, and return a note on what has no row.

    The rest has no bar, which would often be so long that no other one could be seen.

    Args:
        ax: The axes.
        names: The names of the rows.
        most: The end of the longest bar.
        numbers: The numbers of all rows, those that are left out at the end.
        what: What a row is.
        share: The part of the store that was counted.
        top: The upper end of the axis.
    """
    name_rows(ax, names)
    ax.set_ylim(-len(names) + 0.4, top)
    _set_axis(ax.xaxis, most)
    rest = numbers[len(names) :]
    if not len(rest):
        return []
    others = f"{describe_count(len(rest), f'other {what}')}"
    return [f"not drawn: {about_text(int(rest.sum()), share)} in {others}"]


def _write(
    ax: Axes,
    text: str,
    place: tuple[float, float],
    offset: tuple[int, int] = (4, 0),
    **how: Any,
) -> None:
    """Write beside a bar, so many points from its end."""
    ax.annotate(
        text,
        place,
        xytext=offset,
        textcoords="offset points",
        fontsize=SMALL,
        color=theme_of(ax).ink,
        **how,
    )


def _size_text(place: float) -> str:
    """Return the size at a place of the axis of sizes: the first class begins at nothing."""
    size = round(2**place)
    return bytes_text(size if size >= SIZES[0] else 0)


def _counts_by_class(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the sessions of each row in the column of its class."""
    seconds = frame["at_least"].dt.total_seconds().to_numpy()
    ends = [each.seconds for each in _CLASSES]
    classes: NDArray[np.intp] = np.searchsorted(ends, np.nan_to_num(seconds), side="right")
    classes[np.isnan(seconds)] = len(ends)
    names = [*(each.name for each in _CLASSES), _NO_AGE]
    sessions = frame["sessions"].to_numpy()
    return pd.DataFrame(
        {name: np.where(classes == number, sessions, 0) for number, name in enumerate(names)}
    )


def _class_styles(palette: Theme) -> dict[str, Style]:
    """Return how each class of ages is drawn, lightest first; ages that are none are hatched."""
    styles: dict[str, Style] = {
        each.name: {"facecolor": palette.shades(each.shade), "edgecolor": palette.edge}
        for each in _CLASSES
    }
    styles[_NO_AGE] = {"facecolor": palette.rest, "edgecolor": palette.edge, "hatch": HATCHES[1]}
    return styles


def _time_text(time: pd.Timedelta) -> str:
    return long_text(float(time.value))
