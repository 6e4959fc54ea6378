"""The columns of the list: which there are, how wide they begin, and their cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from ... import cards
from ...frames import context_columns
from ...model import exactjson
from ...storage.paths import ContextPath

__all__ = [
    "COLUMNS",
    "DEFAULT_COLUMNS",
    "MAX_HINT",
    "cell_of_text",
    "cell_of_time",
    "columns_of",
    "rows_of",
    "shorten",
]

#: The columns that every store has, by the name of the column in ``wb.sessions()``. ``grow``: it
#: takes the width that is left. ``middle``: a long text is shortened in its middle.
COLUMNS: Final[dict[str, dict[str, Any]]] = {
    "id": {"label": "id", "sortable": True, "width": 128, "middle": True},
    "current_task_id": {"label": "task", "width": 112},
    "status_message": {"label": "status", "width": 124, "grow": True},
    "updated_at": {"label": "updated", "sortable": True, "width": 134},
    "graph_id": {"label": "graph", "width": 80},
    "messages": {"label": "messages", "number": True, "width": 88},
    "context_bytes": {"label": "context", "number": True, "width": 76},
    "version": {"label": "version", "number": True, "width": 64},
    "created_at": {"label": "created", "sortable": True, "width": 134},
}
DEFAULT_COLUMNS: Final = tuple(COLUMNS)[:-2]
#: Why a store does not order by a column, for people.
NO_ORDER: Final = (
    "stores keep no order by {}: use a filter, or sort the frame of the call under the list"
)
CONTEXT_WIDTH: Final = 110
MAX_CELL: Final = 120  # characters of a text in a cell
MAX_TAIL: Final = 20  # of these, the last ones of a text that is shortened in its middle
MAX_HINT: Final = 1000  # of what a cell says when it is pointed at
_DAY: Final = 86_400


def cell_of_text(text: str | None, *, middle: bool = False) -> str | list[str]:
    """Return what a cell shows of a text, and what it says when it is pointed at.

    Args:
        text: The text; None for an empty cell.
        middle: Whether a long one is shortened in its middle.
    """
    if text is None:
        return ""
    if len(text) <= MAX_CELL and "\n" not in text:
        return text
    if middle and len(text) > MAX_CELL:
        short = f"{text[: MAX_CELL - MAX_TAIL]}…{text[-MAX_TAIL:]}"
    else:
        short = shorten(text)
    return [short.replace("\n", " ⏎ "), shorten(text, MAX_HINT)]


def shorten(text: str, width: int = MAX_CELL) -> str:
    """Return a text on one line, and no longer than a width."""
    line = text.replace("\n", " ⏎ ")
    return line if len(line) <= width else f"{line[:width]}…"


def cell_of_time(time: Any) -> str | list[str]:
    """Return how long ago a time was, with the time; in full when it is pointed at."""
    if time is pd.NaT:
        return "unknown"
    moment = time.to_pydatetime()
    seconds = (datetime.now(UTC) - moment).total_seconds()
    brief = f"{time:%H:%M}" if 0 <= seconds < _DAY / 2 else f"{time:%Y-%m-%d}"
    return [f"{cards.age(moment)}, {brief}", f"{time:%Y-%m-%d %H:%M:%S} UTC"]


def _cell_of_size(count: int) -> str:
    return f"{count:,} B" if count < 10_000 else f"{count / 1000:,.0f} kB"


def _cell_of_value(value: Any) -> str | list[str]:
    """Return what a cell shows of a context value: a text as it is, any other as JSON."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, str):
        return cell_of_text(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    plain = value.item() if isinstance(value, np.generic) else value
    return cell_of_text(exactjson.encode_unchecked(plain).decode())


_CELLS: Final[dict[str, Callable[[Any], str | list[str]]]] = {
    "id": lambda text: cell_of_text(text, middle=True),
    "status_message": lambda text: cell_of_text(text if isinstance(text, str) else None),
    "updated_at": cell_of_time,
    "created_at": cell_of_time,
    "messages": lambda count: f"{count:,}",
    "context_bytes": _cell_of_size,
    "version": str,
}


def columns_of(
    names: Iterable[str], context: Sequence[ContextPath], slow: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Return the columns for a ``RowTable``.

    Args:
        names: The names of columns, of ``COLUMNS``.
        context: The context paths that are columns too.
        slow: The orders that no index serves.
    """
    slow = set(slow)
    columns = []
    for name in names:
        column = {"name": name, **COLUMNS[name]}
        if not column.get("sortable"):
            column["why"] = NO_ORDER.format(column["label"])
        elif name in slow:
            column["why"] = "slow in this store, which has no index for it"
        columns.append(column)
    for label in context_columns(context):
        why = NO_ORDER.format("context values")
        columns.append({"name": label, "label": label, "width": CONTEXT_WIDTH, "why": why})
    return columns


def rows_of(
    frame: pd.DataFrame, names: Iterable[str], context: Sequence[ContextPath] = ()
) -> list[list[str | list[str]]]:
    """Return the cells of a page of ``Workbench.sessions``, row by row.

    Args:
        frame: The page.
        names: The names of the columns that are shown, of ``COLUMNS``.
        context: The context paths that are shown; the page has them.
    """
    shown = [list(map(_CELLS.get(name, cell_of_text), frame[name])) for name in names]
    shown += [list(map(_cell_of_value, frame[name])) for name in context_columns(context)]
    return [list(row) for row in zip(*shown, strict=True)]
