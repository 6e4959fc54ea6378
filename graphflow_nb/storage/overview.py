"""Counts of a store's sessions: at each task by age, by the hour, and by the size of the context.

``count_columns`` makes them from columns; PostgreSQL makes the same ones itself. A store of many
sessions reads a part of them that stands for the whole, and says how large it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.times import FIRST, LAST, micros_of

__all__ = [
    "AGES",
    "DAYS",
    "FUTURE",
    "MAX_PLACES",
    "READ_ROWS",
    "SIZES",
    "STUCK_FACTOR",
    "STUCK_SECONDS",
    "UNKNOWN",
    "USUAL_SESSIONS",
    "Hours",
    "OverviewCounts",
    "PlaceCount",
    "SizeCount",
    "age_bounds",
    "age_of_class",
    "choose_places",
    "count_columns",
    "cut_places",
    "hour_bounds",
    "hour_edges",
]

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
#: Ages in seconds. A class of ages has one as its least; the first class is what is younger.
AGES: Final = (
    *(1, 2, 5, 10, 20, 30),
    *(n * _MINUTE for n in (1, 2, 5, 10, 20, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1_825)),
)
#: The classes of times after now, and of those that are missing or that a datetime can't hold.
FUTURE: Final = -1
UNKNOWN: Final = -2
#: Sizes in bytes. A class of sizes has one as its least; the first class is what is smaller.
SIZES: Final = tuple(2**n for n in range(6, 41))
#: The days whose hours are counted one by one, today included.
DAYS: Final = 60
#: The most tasks with their ages that are told apart, those with most sessions.
MAX_PLACES: Final = 50_000
#: A session is stuck when it was not saved for so many times its task's usual time …
STUCK_FACTOR: Final = 10
#: … and for so many seconds at least.
STUCK_SECONDS: Final = 60
#: Sessions of which it is said what is usual; of fewer it is chance.
USUAL_SESSIONS: Final = 5
#: About the most rows that are read of a store that has more: they take some 50 ms, and tell the
#: share of a task with a twentieth of the sessions to about 3 % of it.
READ_ROWS: Final = 25_000


class PlaceCount(NamedTuple):
    """The number of sessions at one task whose last save has an age of one class.

    Attributes:
        graph_id, current_task_id: The graph and the task.
        age: The number of ``AGES`` that the age has reached; ``FUTURE`` or ``UNKNOWN``.
        sessions: The number of sessions.
    """

    graph_id: str
    current_task_id: str
    age: int
    sessions: int


class SizeCount(NamedTuple):
    """The number of sessions whose contexts have a size of one class.

    Attributes:
        size: The number of ``SIZES`` that the size has reached.
        sessions: The number of sessions.
        context_bytes: What their contexts take together.
    """

    size: int
    sessions: int
    context_bytes: int


@dataclass(frozen=True, eq=False)
class Hours:
    """The number of times in each of the last hours, and outside them.

    Attributes:
        counts: The number in each hour from ``hour_edges(now)[0]`` on, int64; the last one is the
            hour that is not over yet.
        earlier: The number before these hours.
        future: The number after now.
        unknown: The number of times that are missing or that a datetime can't hold.
    """

    counts: NDArray[np.int64]
    earlier: int
    future: int
    unknown: int

    @classmethod
    def from_classes(cls, counts: NDArray[np.int64]) -> Self:
        """Return the numbers of a count of classes, by ``hour_bounds``."""
        unknown, earlier, *hours, future, too_late = counts.tolist()
        return cls(np.array(hours, np.int64), earlier, future, unknown + too_late)


@dataclass(frozen=True, eq=False)
class OverviewCounts:
    """Counts of the sessions of a store, or of a part that stands for the whole.

    Example:
        >>> from datetime import UTC, datetime
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> storage = InMemorySessionStorage.from_sessions([Session("claim-1", "intake")])
        >>> counts = await storage.overview(datetime(2026, 1, 1, tzinfo=UTC))
        >>> counts.read, counts.share, [place.current_task_id for place in counts.places]
        (1, 1.0, ['intake'])

    Attributes:
        now: The time from which ages are counted.
        places: The sessions at each task by age, most first; at most ``MAX_PLACES`` of them.
        created, saved: The times of creation and of the last save by the hour.
        sizes: The sessions by the size of their contexts, smallest first.
        share: The part of the store that was read, 1.0 for all of it. All numbers are of what was
            read.
        note: A remark on this answer, e.g. that sessions are missing; None for none.
    """

    now: datetime
    places: Sequence[PlaceCount]
    created: Hours
    saved: Hours
    sizes: Sequence[SizeCount]
    share: float = 1.0
    note: str | None = None

    @property
    def read(self) -> int:
        """The number of sessions that were read."""
        return sum(size.sessions for size in self.sizes)


def choose_places(total: int, n: int) -> NDArray[np.int64]:
    """Return the places of rows to read, one of each n neighbours.

    Which one of them is by chance, or what repeats itself after n rows would be seen always or
    never. They are always the same ones, so that a second look shows the same numbers.

    Example:
        >>> choose_places(12, 4).tolist()
        [3, 6, 10]

    Args:
        total: The number of rows.
        n: The number of rows of which one is read.
    """
    number = -(-total // n)
    places = n * np.arange(number) + np.random.default_rng(0).integers(n, size=number)
    return places[places < total]


def hour_edges(now: datetime) -> list[datetime]:
    """Return the beginnings of the hours that are counted one by one, the current one last."""
    now = now.astimezone(UTC)
    first = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    return [first + timedelta(hours=n) for n in range(24 * (DAYS - 1) + now.hour + 1)]


def age_bounds(now: int) -> list[int]:
    """Return where classes of times begin for ages, earliest first, in µs since 1970 UTC.

    They are those that are too early, each age from the greatest on, the future, and what is too
    late.
    """
    ages = [now - 1_000_000 * seconds + 1 for seconds in (0, *AGES)]
    return [FIRST, *reversed(ages), LAST + 1]


def hour_bounds(now: datetime) -> list[int]:
    """Return where classes of times begin for hours, earliest first, in µs since 1970 UTC.

    They are those that are too early, what is before the hours, each hour, the future, and what is
    too late.
    """
    hours = [micros_of(hour) for hour in hour_edges(now)]
    return [FIRST, *hours, micros_of(now) + 1, LAST + 1]


def age_of_class(number: int) -> int:
    """Return the class of an age for that of ``age_bounds``."""
    last = len(AGES) + 2  # the class of the future
    if number == last:
        return FUTURE
    return UNKNOWN if number in (0, last + 1) else last - 1 - number


def count_columns(
    graph_id: Sequence[str],
    current_task_id: Sequence[str],
    created: ArrayLike,
    updated: ArrayLike,
    context_bytes: ArrayLike,
    now: datetime,
    *,
    share: float = 1.0,
    note: str | None = None,
) -> OverviewCounts:
    """Return the counts of sessions that are given by column.

    Args:
        graph_id, current_task_id: The graph and the task of each session.
        created, updated: The times in µs since 1970 UTC, as ``Table`` has them.
        context_bytes: The size of each context.
        now: The time from which ages are counted.
        share, note: See ``OverviewCounts``.
    """
    saved = np.asarray(updated, np.int64)
    names = list(zip(graph_id, current_task_id, strict=True))
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    codes = np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))
    ages = np.searchsorted(age_bounds(micros_of(now)), saved, side="right")
    width = len(AGES) + 4
    cells, counts = np.unique(codes * width + ages, return_counts=True)
    of_number = list(numbers)
    places = [
        PlaceCount._make((*of_number[cell // width], age_of_class(cell % width), count))
        for cell, count in zip(cells.tolist(), counts.tolist(), strict=True)
    ]
    sizes = np.asarray(context_bytes, np.int64)
    classes = np.searchsorted(SIZES, sizes, side="right")
    of_size, together = np.bincount(classes), np.bincount(classes, sizes)
    bounds = hour_bounds(now)
    return OverviewCounts(
        now,
        cut_places(places),
        _count_hours(bounds, np.asarray(created, np.int64)),
        _count_hours(bounds, saved),
        [SizeCount(n, int(of_size[n]), int(together[n])) for n in np.flatnonzero(of_size).tolist()],
        share,
        note,
    )


def _count_hours(bounds: list[int], times: NDArray[np.int64]) -> Hours:
    classes = np.searchsorted(bounds, times, side="right")
    return Hours.from_classes(np.bincount(classes, minlength=len(bounds) + 1))


def cut_places(places: list[PlaceCount]) -> list[PlaceCount]:
    """Return the places with most sessions first, at most ``MAX_PLACES`` of them."""
    return sorted(places, key=lambda place: (-place.sessions, place[:3]))[:MAX_PLACES]
