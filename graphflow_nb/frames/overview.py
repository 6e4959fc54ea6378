"""DataFrames of where the sessions of a store are, which are stuck, and how their number grows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..printable import describe_count
from ..storage.overview import (
    AGES,
    FUTURE,
    SIZES,
    STUCK_FACTOR,
    STUCK_SECONDS,
    UNKNOWN,
    USUAL_SESSIONS,
    OverviewCounts,
    hour_edges,
)
from .sessions import category_column

__all__ = [
    "HOURS",
    "Ages",
    "OverviewFrames",
    "Usual",
    "find_usual",
    "overview_frames",
    "places_of",
    "sample_note",
]

#: The hours that ``hours`` has.
HOURS: Final = 48

_HOUR, _DAY = AGES.index(3_600), AGES.index(86_400)

#: The sessions in each class of ages.
Ages = Mapping[int, int]


class OverviewFrames(NamedTuple):
    """The DataFrames of an overview; ``Overview`` describes their columns."""

    tasks: pd.DataFrame
    ages: pd.DataFrame
    graphs: pd.DataFrame
    days: pd.DataFrame
    hours: pd.DataFrame
    sizes: pd.DataFrame


class Usual(NamedTuple):
    """What is usual at a task, and what is stuck there; in seconds, NaN where unknown.

    Attributes:
        age: The age within which half of the sessions were saved, one of ``AGES``.
        stuck_after: The age from which on a session is stuck, one of ``AGES``.
        stuck: The number of sessions that are.
    """

    age: float
    stuck_after: float
    stuck: int


def overview_frames(counts: OverviewCounts) -> OverviewFrames:
    """Return the counts of a store as DataFrames; those of a part are multiplied up.

    Args:
        counts: The counts.
    """
    places = places_of(counts)
    usual = {place: find_usual(ages) for place, ages in places.items()}
    days, hours = _growth_frames(counts)
    frames = OverviewFrames(
        _tasks_frame(places, usual, counts.share),
        _ages_frame(counts),
        _graphs_frame(places, usual, counts.share),
        days,
        hours,
        _sizes_frame(counts),
    )
    for frame in frames:
        frame.attrs["share"] = counts.share
        if note := sample_note(counts):
            frame.attrs["note"] = note
    return frames


def sample_note(counts: OverviewCounts) -> str:
    """Return what was read where that is not all; empty for everything.

    Args:
        counts: The counts of an overview.
    """
    notes = []
    if counts.share < 1:
        notes.append(
            f"estimated from {describe_count(counts.read, 'session')} "
            f"in {100 * counts.share:.2g} % of the store"
        )
    if counts.note:
        notes.append(counts.note)
    left_out = counts.read - sum(place.sessions for place in counts.places)
    if left_out:
        left = describe_count(
            left_out, "session at a further task is", "sessions at further tasks are"
        )
        notes.append(f"{left} counted in growth and sizes only")
    return "; ".join(notes)


def places_of(counts: OverviewCounts) -> dict[tuple[str, str], dict[int, int]]:
    """Return the sessions in each class of ages by graph and task, as they were counted.

    Args:
        counts: The counts of a store.
    """
    places: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for graph, task, age, sessions in counts.places:
        places[graph, task][age] = sessions
    return places


def find_usual(ages: Ages) -> Usual:
    """Return what is usual at a task, and what is stuck there.

    A session is stuck if it was not saved for ``STUCK_FACTOR`` times the usual age, and for
    ``STUCK_SECONDS`` at least.

    Example:
        >>> from graphflow_nb.storage.overview import AGES
        >>> usual = find_usual({AGES.index(60): 9, AGES.index(86_400) + 1: 1})
        >>> usual.age, usual.stuck_after, usual.stuck
        (60, 600, 1)

    Args:
        ages: The sessions in each class of ages.
    """
    known = sorted((age, sessions) for age, sessions in ages.items() if age >= 0)
    total = sum(sessions for _, sessions in known)
    nothing = Usual(np.nan, np.nan, 0)
    if total < USUAL_SESSIONS:
        return nothing
    rank = (total + 1) // 2
    for age, sessions in known:
        rank -= sessions
        if rank > 0:
            continue
        if age == len(AGES):  # there is no end of the oldest class
            return nothing
        least = max(STUCK_FACTOR * AGES[age], STUCK_SECONDS)
        after = next((number for number, bound in enumerate(AGES) if bound >= least), None)
        if after is None:
            return Usual(AGES[age], np.nan, 0)
        stuck = sum(sessions for age, sessions in known if age > after)
        return Usual(AGES[age], AGES[after], stuck)
    return nothing


def _tasks_frame(
    places: Mapping[tuple[str, str], Ages],
    usual: Mapping[tuple[str, str], Usual],
    share: float,
) -> pd.DataFrame:
    order = sorted(places, key=lambda place: (-sum(places[place].values()), place))
    return pd.DataFrame(
        {
            "graph_id": category_column([graph for graph, _ in order]),
            "current_task_id": category_column([task for _, task in order]),
            "sessions": _whole([sum(places[place].values()) for place in order], share),
            "usual_age": _durations([usual[place].age for place in order]),
            "stuck": _whole([usual[place].stuck for place in order], share),
            "stuck_after": _durations([usual[place].stuck_after for place in order]),
        }
    )


def _ages_frame(counts: OverviewCounts) -> pd.DataFrame:
    places = sorted(counts.places)
    least = [np.nan if age < 0 else (0, *AGES)[age] for _, _, age, _ in places]
    kinds = {FUTURE: "future", UNKNOWN: "unknown"}
    return pd.DataFrame(
        {
            "graph_id": category_column([place.graph_id for place in places]),
            "current_task_id": category_column([place.current_task_id for place in places]),
            "kind": pd.Categorical(
                [kinds.get(place.age, "past") for place in places], ["past", *kinds.values()]
            ),
            "at_least": _durations(least),
            "sessions": _whole([place.sessions for place in places], counts.share),
        }
    )


def _graphs_frame(
    places: Mapping[tuple[str, str], Ages],
    usual: Mapping[tuple[str, str], Usual],
    share: float,
) -> pd.DataFrame:
    sessions, tasks, stuck = Counter[str](), Counter[str](), Counter[str]()
    hour, day = Counter[str](), Counter[str]()
    for (graph, task), ages in places.items():
        tasks[graph] += 1
        stuck[graph] += usual[graph, task].stuck
        for age, number in ages.items():
            sessions[graph] += number
            hour[graph] += number * (0 <= age <= _HOUR)
            day[graph] += number * (0 <= age <= _DAY)
    order = sorted(tasks, key=lambda graph: (-hour[graph], -day[graph], -sessions[graph], graph))
    return pd.DataFrame(
        {
            "graph_id": category_column(order),
            "sessions": _whole([sessions[graph] for graph in order], share),
            "tasks": np.array([tasks[graph] for graph in order], np.int64),
            "saved_last_hour": _whole([hour[graph] for graph in order], share),
            "saved_last_day": _whole([day[graph] for graph in order], share),
            "stuck": _whole([stuck[graph] for graph in order], share),
        }
    )


def _growth_frames(counts: OverviewCounts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how many sessions were created, and saved last, on each day and in each hour."""
    hours = pd.DataFrame(
        {
            "hour": pd.DatetimeIndex(hour_edges(counts.now)).as_unit("us"),
            "created": counts.created.counts,
            "saved": counts.saved.counts,
        }
    )
    days = hours.groupby(hours["hour"].dt.floor("D").rename("day"), as_index=True)
    frames = days[["created", "saved"]].sum().reset_index(), hours[-HOURS:].reset_index(drop=True)
    for frame in frames:
        for name in ("created", "saved"):
            frame[name] = _whole(frame[name], counts.share)
    return frames


def _sizes_frame(counts: OverviewCounts) -> pd.DataFrame:
    sizes = counts.sizes
    above = [SIZES[size.size] if size.size < len(SIZES) else None for size in sizes]
    return pd.DataFrame(
        {
            "at_least": np.array([(0, *SIZES)[size.size] for size in sizes], np.int64),
            "below": pd.array(above, dtype="Int64"),
            "sessions": _whole([size.sessions for size in sizes], counts.share),
            "context_bytes": _whole([size.context_bytes for size in sizes], counts.share),
        }
    )


def _whole(numbers: Any, share: float) -> NDArray[np.int64]:
    """Return the numbers of the whole store, of which a share was counted."""
    counted = np.asarray(numbers, np.int64)
    return counted if share == 1 else np.rint(counted / share).astype(np.int64)


def _durations(seconds: Iterable[float]) -> Any:
    found: Sequence[float] = list(seconds)
    return pd.to_timedelta(np.array(found, np.float64), unit="s").as_unit("us")
