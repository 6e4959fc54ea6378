"""Columns of a ``Table`` from what PostgreSQL returns: packed into one row, or as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...model.times import FINITE, UNKNOWN_TIME, micros_or_unknown
from ..table import Table
from .sql import SEPARATOR
from .times import EPOCH_2000, INFINITY

__all__ = ["columns_of_rows", "holds_odd", "unpack_columns", "unpack_times"]

_NULL: Final = np.iinfo(np.int64).min + 1  # what the statement sends for a time that is null

_TEXTS: Final = 4  # id, graph_id, current_task_id, status_message


def _holds_separator(row: Any, paths: int) -> bool:
    """Return whether a text of a packed row has the separator in it, so can't be split.

    Args:
        row: The answer to ``Selects.columns``.
        paths: The number of paths into the context that were asked for.
    """
    count, texts = row[0], row[1 : 1 + _TEXTS + paths]
    return bool(count) and any(text.count(SEPARATOR) != count - 1 for text in texts)


def _holds_null(row: Any, paths: int) -> bool:
    """Return whether a column of a packed row lacks a value, because one is NULL that must not be.

    Args:
        row: The answer to ``Selects.columns``.
        paths: The number of paths into the context that were asked for.
    """
    numbers = zip((8, 8, 8, 4, 4), row[1 + _TEXTS + paths :], strict=True)
    return bool(row[0]) and (
        None in row[1 : 1 + _TEXTS + paths]
        or any(len(data or b"") != size * row[0] for size, data in numbers)
    )


def holds_odd(table: Table) -> bool:
    """Return whether a row of a table is not a session's."""
    return bool(len(table)) and bool(table.messages.min() < 0 or table.version.min() < 0)


def unpack_columns(row: Any, paths: int) -> Table | None:
    """Return the table of one packed row; None where it can't be split into rows.

    Args:
        row: The answer to ``Selects.columns``.
        paths: The number of paths into the context that were asked for.
    """
    if _holds_null(row, paths) or _holds_separator(row, paths):
        return None
    if row[0]:
        texts = [text.split(SEPARATOR) for text in row[1 : 1 + _TEXTS + paths]]
    else:
        texts = [[] for _ in range(_TEXTS + paths)]
    ids, graphs, tasks, statuses, *contexts = texts
    version, created, updated, size, messages = row[1 + _TEXTS + paths :]
    return Table(
        id=ids,
        graph_id=graphs,
        current_task_id=tasks,
        # The mark in front of a status is cut off; see Selects.columns.
        status_message=[value[1:] if value else None for value in statuses],
        version=_unpack_integers(version, ">i8"),
        created=unpack_times(_unpack_integers(created, ">i8")),
        updated=unpack_times(_unpack_integers(updated, ">i8")),
        context_bytes=_unpack_integers(size, ">i4"),
        messages=_unpack_integers(messages, ">i4"),
        context=[[value or None for value in column] for column in contexts],
        next=None,
    )


def columns_of_rows(rows: Sequence[Any], paths: int) -> Table | None:
    """Return the table of rows; None where a column holds NULL that must not.

    Args:
        rows: The answer to ``Selects.columns`` with ``packed=False``.
        paths: The number of paths into the context that were asked for.
    """
    columns: list[Any] = [[row[i] for row in rows] for i in range(_TEXTS + 5 + paths)]
    ids, graphs, tasks, statuses, version, created, updated, size, messages, *contexts = columns
    if any(None in column for column in (graphs, tasks, version, size)):
        return None
    return Table(
        id=ids,
        graph_id=graphs,
        current_task_id=tasks,
        status_message=statuses,
        version=np.array(version, np.int64),
        created=np.array([micros_or_unknown(time) for time in created], np.int64),
        updated=np.array([micros_or_unknown(time) for time in updated], np.int64),
        context_bytes=np.array(size, np.int64),
        messages=np.array(messages, np.int64),
        context=contexts,
        next=None,
    )


def _unpack_integers(data: bytes | None, form: str) -> NDArray[np.int64]:
    return np.frombuffer(data or b"", form).astype(np.int64)


def unpack_times(sent: NDArray[Any]) -> NDArray[np.int64]:
    """Return times as a ``Table`` has them.

    Args:
        sent: The times as the server sends them, µs since 2000.
    """
    times = sent.astype(np.int64)
    if not len(times) or (times.max() <= FINITE - EPOCH_2000 and times.min() > _NULL):
        times += EPOCH_2000
        return times
    # PostgreSQL's last thirty years are beyond int64 from 1970 on.
    shifted = np.where(times > FINITE - EPOCH_2000, FINITE, times + EPOCH_2000)
    shifted[times == INFINITY] = FINITE + 1
    shifted[times == _NULL] = UNKNOWN_TIME
    shifted[times == -INFINITY - 1] = -FINITE - 1
    return shifted
