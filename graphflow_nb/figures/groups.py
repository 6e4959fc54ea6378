"""Operations in groups, and what is told of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..monitoring.operation import FAILED
from .checks import need
from .text import clean, duration_text
from .theme import DASHES, MARKERS, Theme

__all__ = [
    "Group",
    "count_text",
    "failed_of",
    "groups",
    "percentile_name",
    "percentile_of",
    "shown",
    "told_text",
]

Nanos = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)
NAMED = 6  # groups with a colour of their own; one more can be told by its grey


@dataclass(frozen=True)
class Group:
    """Operations that are drawn alike.

    Attributes:
        name: as shown.
        number: its place among the groups.
        rows: positions in the frame.
        nanos: durations of those rows.
        failed: whether each of them failed.
    """

    name: str
    number: int
    rows: NDArray[np.intp]
    nanos: Nanos
    failed: NDArray[np.bool_]

    @cached_property
    def sorted(self) -> Nanos:
        """Durations from the shortest to the longest."""
        return np.sort(self.nanos)

    def __len__(self) -> int:
        return len(self.rows)

    def colour(self, theme: Theme) -> str:
        return theme.colours[self.number] if self.number < NAMED else theme.rest

    @property
    def dashes(self) -> Any:
        return DASHES[self.number]

    @property
    def marker(self) -> str:
        return MARKERS[self.number]


def groups(frame: pd.DataFrame, by: str) -> list[Group]:
    """The operations by the values of a column, in the order of those values.

    Of more than seven groups the six that took the most time in all are told apart; the rest is
    one group, ``others``.

    Raises:
        QueryError: the frame lacks that column or those of an operation.
    """
    need(frame, [by, "duration_ns", "outcome"])
    codes, names = _codes(frame[by])
    nanos = frame["duration_ns"].to_numpy(np.int64)
    failed = failed_of(frame)
    present = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    labels = [clean(names[i]) for i in present]
    place = np.zeros(len(names), np.int16)
    place[present] = np.arange(len(present))
    if len(present) > NAMED + 1:
        spent = np.bincount(codes, weights=nanos, minlength=len(names))[present]
        chosen = np.sort(np.argsort(-spent, kind="stable")[:NAMED])
        place[present] = NAMED
        place[present[chosen]] = np.arange(NAMED)
        labels = [labels[i] for i in chosen] + [f"{len(present) - NAMED:,} others"]
    mine = place[codes]
    order = np.argsort(mine, kind="stable")
    ends = np.cumsum(np.bincount(mine, minlength=len(labels)))[:-1]
    parts = np.split(order, ends) if len(labels) else []
    return [
        Group(label, i, rows, nanos[rows], failed[rows])
        for i, (label, rows) in enumerate(zip(labels, parts, strict=True))
    ]


def _codes(column: pd.Series) -> tuple[NDArray[np.intp], list[object]]:
    codes: NDArray[np.intp]
    names: list[object]
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = np.asarray(column.cat.codes, np.intp)
        names = list(column.cat.categories)
    else:
        found, values = pd.factorize(column, sort=True)
        codes = np.array(found, np.intp)
        names = list(values)
    if (codes < 0).any():  # no value: no error, for one
        codes, names = np.where(codes < 0, len(names), codes), [*names, "none"]
    return codes, names


def failed_of(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each operation ended in a conflict, an error or a cancellation."""
    return frame["outcome"].isin(FAILED).to_numpy(np.bool_)


def shown(nanos: NDArray[Number]) -> NDArray[Number]:
    """Durations for a log axis, which has no zero: what the clock took for 0 ns stands at 1."""
    return np.maximum(nanos, 1)


def percentile_of(ordered: Nanos, tail: int) -> int:
    """The percentile beyond which one of ``tail`` lies: 2 is the median, 100 the 99th.

    Args:
        ordered: durations, the shortest first.
        tail: at most as many as there are durations.

    Returns:
        The smallest measured duration that so many do not exceed.
    """
    return int(ordered[len(ordered) - len(ordered) // tail - 1])


def percentile_name(tail: int) -> str:
    """``50 %`` for 2, ``99.9 %`` for 1000."""
    return f"{100 - 100 / tail:.12g} %"


def count_text(n: int, failed: int) -> str:
    """How many, and how many of them failed."""
    if not failed:
        return f"n = {n:,}"
    return f"n = {n:,}, {'all' if failed == n > 1 else f'{failed:,}'} failed"


def told_text(found: Iterable[Group], tails: Iterable[int] = (2, 100)) -> str:
    """Each group's count, the percentiles that it has enough operations for, and its slowest."""
    parts = []
    for group in found:
        text = f"{group.name}: {count_text(len(group), int(group.failed.sum()))}"
        for tail in tails:
            if len(group) >= tail:
                value = duration_text(percentile_of(group.sorted, tail) / 1000)
                text += f", p{percentile_name(tail).removesuffix(' %')} {value}"
        parts.append(f"{text}, slowest {duration_text(int(group.sorted[-1]) / 1000)}")
    return "; ".join(parts) + "."
