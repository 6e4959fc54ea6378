"""The columns of a SQLite file that an overview counts: of all rows, or of pieces of the table.

The pieces are runs of neighbouring rowids, one of each n neighbouring runs, so that a large file is
read in some thousand places and not to its end. Which one of them is by chance, or what repeats
itself after as many rows would be seen too often or never.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from ...model.times import UNKNOWN_TIME, clip_micros
from ..odd import readable_text
from ..overview import READ_ROWS, OverviewCounts, choose_places, count_columns
from . import sql
from .odd import Database

__all__ = ["read_overview"]

#: Neighbouring rows that are read together. They were written at one time: in fewer and longer
#: pieces, days of equal growth would differ more.
_RUN: Final = 25

#: Texts come as bytes, since they may not be UTF-8, and times as NULL if they are not numbers.
_COLUMNS: Final = """
SELECT CAST(graph_id AS BLOB), CAST(current_task_id AS BLOB),
    CASE WHEN typeof(created_at) IN ('integer', 'real') THEN created_at END,
    CASE WHEN typeof(updated_at) IN ('integer', 'real') THEN updated_at END,
    coalesce(length(CAST(context AS BLOB)), 0)
FROM """
_PIECES: Final = f"""
{_COLUMNS} json_each(?) AS first
CROSS JOIN sessions ON sessions.rowid BETWEEN first.value AND first.value + {_RUN - 1}
"""


def read_overview(db: Database, now: datetime, *, exact: bool) -> OverviewCounts:
    """Return counts by task and age, by the hour and by size; see ``SupportsOverview``."""
    least, most = db.execute(sql.ROWID_BOUNDS).fetchone()
    span = 0 if least is None else most - least + 1
    runs = span // READ_ROWS
    share = 1.0
    if exact or runs < 2:
        rows = db.execute(f"{_COLUMNS} sessions").fetchall()
    else:
        share = 1 / runs
        firsts = least + _RUN * choose_places(-(-span // _RUN), runs)
        rows = db.execute(_PIECES, (json.dumps(firsts.tolist()),)).fetchall()
    # Unpacking all rows into one call of zip takes three times as long.
    graphs, tasks, created, updated, sizes = ([row[n] for row in rows] for n in range(5))
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
