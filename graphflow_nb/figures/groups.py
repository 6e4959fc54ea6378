"""Operations in groups, and the numbers and words for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .checks import check_columns
from .frame import failed_of
from .text import count_text, nanos_text, percentile_name, short_name
from .theme import DASHES, MARKERS, Theme

__all__ = [
    "NAMED",
    "Group",
    "ends_of",
    "failed_count",
    "group_operations",
    "groups_text",
    "percentile_of",
    "tails_of",
]

Nanos = NDArray[np.int64]
NAMED = 6  # groups with a colour of their own; one more is grey


@dataclass(frozen=True)
class Group:
    """Operations that are drawn alike.

    Attributes:
        name: The name as it is shown.
        number: Its place among the groups.
        rows: The positions in the frame.
        nanos: The durations of those rows.
        failed: Whether each of them failed.
    """

    name: str
    number: int
    rows: NDArray[np.intp]
    nanos: Nanos
    failed: NDArray[np.bool_]

    @cached_property
    def sorted(self) -> Nanos:
        """The durations from the shortest to the longest."""
        return np.sort(self.nanos)

    def __len__(self) -> int:
        return len(self.rows)

    def colour(self, theme: Theme) -> str:
        """Return the colour that this group has in a theme."""
        return theme.colours[self.number] if self.number < NAMED else theme.rest

    @property
    def dashes(self) -> Any:
        """The dashes of its lines."""
        return DASHES[self.number]

    @property
    def marker(self) -> str:
        """The shape of its marks."""
        return MARKERS[self.number]


def group_operations(frame: pd.DataFrame, by: str) -> list[Group]:
    """Return the operations by the values of a column, in the order of those values.

    Of more than seven groups the six that took the most time in all are kept. The rest is
    one group, ``others``.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        by: The column.

    Raises:
        QueryError: The frame lacks that column, or those of an operation.
    """
    check_columns(frame, [by, "duration_ns", "outcome"])
    codes, names = _number_values(frame[by])
    nanos = frame["duration_ns"].to_numpy(np.int64)
    failed = failed_of(frame)
    present = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    labels = [short_name(names[i]) for i in present]
    place = np.zeros(len(names), np.int16)
    place[present] = np.arange(len(present))
    if len(present) > NAMED + 1:
        spent = np.bincount(codes, weights=nanos, minlength=len(names))[present]
        chosen = np.sort(np.argsort(-spent, kind="stable")[:NAMED])
        place[present] = NAMED
        place[present[chosen]] = np.arange(NAMED)
        labels = [labels[i] for i in chosen] + [f"{len(present) - NAMED:,} others"]
    numbers = place[codes]
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=len(labels)))[:-1]
    parts = np.split(order, ends) if len(labels) else []
    return [
        Group(label, i, rows, nanos[rows], failed[rows])
        for i, (label, rows) in enumerate(zip(labels, parts, strict=True))
    ]


def _number_values(column: pd.Series) -> tuple[NDArray[np.intp], list[object]]:
    codes: NDArray[np.intp]
    names: list[object]
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = np.asarray(column.cat.codes, np.intp)
        names = list(column.cat.categories)
    else:
        found, values = pd.factorize(column, sort=True)
        codes = np.array(found, np.intp)
        names = list(values)
    if (codes < 0).any():  # rows without a value, such as the error of what succeeded
        codes, names = np.where(codes < 0, len(names), codes), [*names, "none"]
    return codes, names


def failed_count(groups: Iterable[Group]) -> int:
    """Return how many operations of these groups failed."""
    return sum(int(group.failed.sum()) for group in groups)


def ends_of(groups: Iterable[Group]) -> Nanos:
    """Return the shortest and the longest duration of each group."""
    return np.concatenate([group.sorted[[0, -1]] for group in groups])


def tails_of(n: int) -> list[int]:
    """Return the percentiles that so many operations are enough for.

    A percentile is named by its tail: one operation in 2 lies beyond the median, one in 10, in
    100, in 1000 … beyond the next.
    """
    return [tail for tail in (2, *(10**k for k in range(1, 19))) if tail <= n]


def percentile_of(ordered: Nanos, tail: int) -> int:
    """Return the percentile beyond which one operation in ``tail`` lies.

    Args:
        ordered: The durations, shortest first.
        tail: 2 for the median, 100 for the 99th percentile; at most the number of durations.

    Returns:
        The smallest measured duration that so many do not exceed.
    """
    return int(ordered[len(ordered) - len(ordered) // tail - 1])


def groups_text(groups: Iterable[Group], tails: Iterable[int] = (2, 100)) -> str:
    """Return each group's count, the percentiles it has enough operations for, and its slowest."""
    parts = []
    for group in groups:
        text = f"{group.name}: {count_text(len(group), failed_count([group]))}"
        for tail in tails:
            if len(group) >= tail:
                value = nanos_text(percentile_of(group.sorted, tail))
                text += f", {percentile_name(tail)} {value}"
        parts.append(f"{text}, slowest {nanos_text(int(group.sorted[-1]))}")
    return "; ".join(parts) + "."
