"""The columns of a SQLite file that an overview counts: of all rows, or of pieces of the table.

The pieces are runs of neighbouring rowids at equal distances, so that a large file is read in some
thousand places and not to its end.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from ...model.times import UNKNOWN_TIME, clip_micros
from ..odd import readable_text
from ..overview import READ_ROWS, OverviewCounts, count_columns
from . import sql
from .odd import Database

__all__ = ["read_overview"]

#: Neighbouring rows that are read together. They were written at one time: in fewer and longer
#: pieces, days of equal growth would differ more.
_RUN: Final = 50

#: Texts come as bytes, since they may not be UTF-8, and times as NULL if they are not numbers.
_COLUMNS: Final = """
SELECT CAST(graph_id AS BLOB), CAST(current_task_id AS BLOB),
    CASE WHEN typeof(created_at) IN ('integer', 'real') THEN created_at END,
    CASE WHEN typeof(updated_at) IN ('integer', 'real') THEN updated_at END,
    coalesce(length(CAST(context AS BLOB)), 0)
FROM """
_PIECES: Final = f"""
WITH RECURSIVE piece (first) AS (
    SELECT :least UNION ALL SELECT first + :step FROM piece WHERE first + :step <= :most
)
{_COLUMNS} piece CROSS JOIN sessions ON sessions.rowid BETWEEN first AND first + {_RUN - 1}
"""


def read_overview(db: Database, now: datetime, *, exact: bool) -> OverviewCounts:
    """Return counts by task and age, by the hour and by size; see ``SupportsOverview``."""
    least, most = db.execute(sql.ROWID_BOUNDS).fetchone()
    span = 0 if least is None else most - least + 1
    step = _RUN * span // READ_ROWS
    share = 1.0
    if exact or step < 2 * _RUN:
        rows = db.execute(f"{_COLUMNS} sessions").fetchall()
    else:
        share = _RUN / step
        rows = db.execute(_PIECES, {"least": least, "most": most, "step": step}).fetchall()
    graphs, tasks, created, updated, sizes = zip(*rows, strict=True) if rows else ((),) * 5
    names = {name: _read_name(name) for name in {*graphs, *tasks}}
    return count_columns(
        [names[name] for name in graphs],
        [names[name] for name in tasks],
        _read_times(created),
        _read_times(updated),
        sizes,
        now,
        share=share,
    )


def _read_name(name: Any) -> str:
    return "" if name is None else readable_text(name)


def _read_times(times: Sequence[Any]) -> Sequence[int]:
    try:
        # Nearly always they are all integers, which an array takes much faster than a loop.
        read = array("q", times)
        if not read or min(read) != UNKNOWN_TIME:
            return read
    except (TypeError, OverflowError):
        pass
    return [UNKNOWN_TIME if time is None else clip_micros(time) for time in times]
