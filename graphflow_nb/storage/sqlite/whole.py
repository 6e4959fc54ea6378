"""All sessions of a file by column, in arrays of Arrow that grow while they are read."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any, Final

from ..gathering import GatheredFew, GatheredTexts, GatheredValues

try:
    import pyarrow
except ImportError:  # an extra
    pyarrow = None

__all__ = ["GATHERS", "NUMBERS", "gather_columns"]

#: Whether columns can be gathered.
GATHERS: Final = pyarrow is not None

#: Where the numbers are in a row of ``select_table``.
NUMBERS: Final = range(4, 9)
_NEVER_NULL: Final = range(3)  # id, graph_id, current_task_id
_FEW: Final = (1, 2)  # texts of which few are distinct
_TEXTS: Final = 4
_PORTION: Final = 10_000  # rows


def gather_columns(parts: Iterable[Sequence[Sequence[Any]]], count: int) -> list[Any] | None:
    """Return columns of which portions of some rows are given; None if a row is odd.

    Args:
        parts: The portions, each with a part of every column.
        count: The number of columns.

    Returns:
        An array of integers for each column of numbers, ``Texts`` for the others.
    """
    columns: list[Any] = [_new_column(place) for place in range(count)]
    rows: list[list[Any]] = [[] for _ in columns]
    try:
        for part in parts:
            for row, values in zip(rows, part, strict=True):
                row += values
            if len(rows[0]) >= _PORTION:
                _add(columns, rows)
        _add(columns, rows)
    except (TypeError, ValueError, OverflowError):  # of another type, or nothing that Arrow holds
        return None
    return [column if place in NUMBERS else column.finish() for place, column in enumerate(columns)]


def _new_column(place: int) -> Any:
    if place in NUMBERS:
        return array("q")
    if not place:
        return GatheredTexts(large=True)
    if place in _FEW:
        return GatheredFew()
    status = place < _TEXTS
    return GatheredValues(large=status, json=not status)


def _add(columns: Sequence[Any], rows: Sequence[list[Any]]) -> None:
    """Add rows to the columns, and empty them.

    Raises:
        TypeError: A value is of another type than its column.
    """
    if not rows[0]:
        return
    for place, (column, values) in enumerate(zip(columns, rows, strict=True)):
        if place in NUMBERS:
            column.extend(values)
        elif set(map(type, values)) - ({str} if place in _NEVER_NULL else {str, NoneType}):
            raise TypeError(f"column {place} has a value that is not a text")
        else:
            column.add(pyarrow.array(values, pyarrow.string()))
        values.clear()
