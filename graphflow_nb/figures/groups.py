"""Operations in groups, and the numbers and words for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..printable import describe_count
from .checks import check_columns
from .frame import failed_of
from .looks import Look, look_of, name_of, rest_look
from .text import count_text, nanos_text, percentile_name, short_name

__all__ = [
    "NAMED",
    "ROWS",
    "Group",
    "count_groups",
    "ends_of",
    "failed_count",
    "group_operations",
    "highest_p99",
    "groups_text",
    "percentile_of",
    "rows_note",
    "split_groups",
    "tails_of",
]

Nanos = NDArray[np.int64]
NAMED = 6  # groups that are drawn over each other; one more is grey
ROWS = 30  # groups that have a row each, in a figure of rows


@dataclass(frozen=True)
class Group:
    """Operations that are drawn alike.

    Attributes:
        name: The name as it is shown.
        number: Its place among the groups.
        rows: The positions in the frame.
        nanos: The durations of those rows.
        failed: Whether each of them failed.
        look: How it is drawn, wherever it is drawn.
        parts: The name of each column's value.
    """

    name: str
    number: int
    rows: NDArray[np.intp]
    nanos: Nanos
    failed: NDArray[np.bool_]
    look: Look
    parts: tuple[str, ...] = ()

    @cached_property
    def sorted(self) -> Nanos:
        """The durations from the shortest to the longest."""
        return np.sort(self.nanos)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def colour(self) -> str:
        """Its colour."""
        return self.look.colour

    @property
    def dashes(self) -> Any:
        """The dashes of its lines."""
        return self.look.dashes

    @property
    def marker(self) -> str:
        """The shape of its marks."""
        return self.look.marker


def group_operations(
    frame: pd.DataFrame, by: str | Sequence[str], most: int = NAMED
) -> list[Group]:
    """Return the operations by the values of a column, in the order of those values.

    If there are two groups more than ``most``, those are kept that took the most time in all, and
    the rest is one group, ``others``.

    Args:
        frame: Operations as ``Latency.frame()`` returns them.
        by: The column; or two, whose values are named together: then the first gives the colour
            and the second the shape.
        most: The number of groups that have a name.

    Raises:
        QueryError: The frame lacks that column, or those of an operation.
    """
    columns = [by] if isinstance(by, str) else list(by)
    check_columns(frame, [*columns, "duration_ns", "outcome"])
    codes, names = _number_values(frame[columns[0]])
    parts: list[tuple[object, ...]] = [(name,) for name in names]
    for column in columns[1:]:
        inner, more = _number_values(frame[column])
        codes = codes * len(more) + inner
        parts = [(*one, other) for one in parts for other in more]
    nanos = frame["duration_ns"].to_numpy(np.int64)
    failed = failed_of(frame)
    present = np.flatnonzero(np.bincount(codes, minlength=len(parts)))
    place = np.zeros(len(parts), np.int64)
    place[present] = np.arange(len(present))
    chosen = present
    if len(present) > most + 1:
        spent = np.bincount(codes, weights=nanos, minlength=len(parts))[present]
        chosen = present[np.sort(np.argsort(-spent, kind="stable")[:most])]
        place[present] = most
        place[chosen] = np.arange(most)
    shown = [tuple(map(_name_value, columns, parts[code])) for code in chosen]
    labels = [(" · ".join(each), _find_look(columns, each), each) for each in shown]
    if len(chosen) < len(present):
        labels.append((describe_count(len(present) - most, "other"), rest_look(), ()))
    numbers = place[codes]
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=len(labels)))[:-1]
    split = np.split(order, ends) if labels else []
    return [
        Group(label, i, rows, nanos[rows], failed[rows], look, each)
        for i, ((label, look, each), rows) in enumerate(zip(labels, split, strict=True))
    ]


def _name_value(column: str, value: object) -> str:
    return short_name(name_of(column, value))


def _find_look(columns: Sequence[str], names: Sequence[str]) -> Look:
    first, last = (look_of(columns[i], names[i]) for i in (0, -1))
    return last._replace(colour=first.colour)


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


def rows_note(groups: Sequence[Group]) -> list[str]:
    """Return how to see groups that have no row of their own; empty if all have one."""
    if len(groups) <= ROWS:
        return []
    return [f"the {ROWS} that took the most time; filter the frame to see the others"]


def count_groups(frame: pd.DataFrame, by: str | Sequence[str]) -> int:
    """Return how many groups ``group_operations`` returns for these arguments."""
    columns = [by] if isinstance(by, str) else list(by)
    check_columns(frame, columns)
    return min(len(frame[columns].drop_duplicates()), ROWS + 1)


def split_groups(groups: Sequence[Group], fewest: int) -> tuple[list[Group], list[str]]:
    """Return the groups that have enough operations, and a note that names the others.

    Args:
        groups: The groups.
        fewest: The number of operations that is enough.
    """
    few = [group for group in groups if len(group) < fewest]
    kept = [group for group in groups if len(group) >= fewest]
    if not few:
        return kept, []
    names = ", ".join(f"{group.name} (n = {len(group)})" for group in few)
    return kept, [f"fewer than {fewest} calls, not drawn: {names}"]


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


def highest_p99(groups: Iterable[Group]) -> Group | None:
    """Return the group with the highest p99; None if fewer than two have a hundred operations."""
    enough = [group for group in groups if len(group) >= 100]
    if len(enough) < 2:
        return None
    return max(enough, key=lambda group: percentile_of(group.sorted, 100))


def groups_text(groups: Iterable[Group], tails: Iterable[int] = (2, 100)) -> str:
    """Return each group's count, the percentiles it has enough operations for, and its maximum."""
    parts = []
    for group in groups:
        text = f"{group.name}: {count_text(len(group), failed_count([group]))}"
        for tail in tails:
            if len(group) >= tail:
                value = nanos_text(percentile_of(group.sorted, tail))
                text += f", {percentile_name(tail)} {value}"
        parts.append(f"{text}, max {nanos_text(int(group.sorted[-1]))}")
    return "; ".join(parts) + "."
