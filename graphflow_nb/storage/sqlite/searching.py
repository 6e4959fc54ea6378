"""A search through a file in steps, so that who waits for it is told how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ...model.times import time_of
from ..paths import ContextPath
from ..query import Cursor, Query
from . import sql
from .odd import Database, read_columns
from .scans import counts_by_index

__all__ = ["is_search", "search_columns"]

#: Rows that one statement looks at, in 0.1 to 0.3 s. With fewer, all steps take longer together.
STEP: Final = 100_000


def is_search(query: Query) -> bool:
    """Return whether a page may take a walk along the whole index of its order."""
    is_page = query.limit is not None and query.ids is None
    return is_page and query.order_by != "created_at" and not counts_by_index(query)


def search_columns(
    db: Database,
    query: Query,
    context: Sequence[ContextPath],
    note: Callable[[int, int | None], None],
) -> list[Any] | None:
    """Return the columns of a page as ``read_columns`` does, found in steps along its order.

    Args:
        db: The open file.
        query: The query, one for which ``is_search`` is true.
        context: The context paths that get a column each.
        note: A function to be told how many sessions were looked at, and of about how many.
    """
    about = int(db.execute(sql.ROWS_AT_MOST).fetchone()[0])
    limit = query.limit or 0
    found: list[Any] | None = None
    rest, looked_at = query, 0
    begins = not db.in_transaction  # as that of a snapshot, which goes on behind this
    if begins:
        db.execute("BEGIN")  # all steps look at one state of the file
    try:
        while True:
            last = _find_step(db, rest)
            part = read_columns(db, rest, sql.select_table(rest, context, last=last))
            if part is None:
                return None
            found = part if found is None else [a + b for a, b in zip(found, part, strict=True)]
            left = limit - len(found[0])
            if last is None or left <= 0:
                return found
            looked_at += STEP
            note(min(looked_at, about), about)
            time = None if last.time is None else time_of(last.time)
            rest = query.following(Cursor(query.order, last.id, time), left)
    finally:
        if begins and db.in_transaction:
            db.execute("ROLLBACK")


def _find_step(db: Database, query: Query) -> sql.Key | None:
    """Return the key at which a step ends; None where it is the last one, or the key is odd."""
    row = db.execute(*sql.find_step(query, STEP)).fetchone()
    if row is None or row[2] != "text":
        return None
    try:
        key = sql.Key(row[0], row[1].decode())
    except UnicodeDecodeError:
        return None
    is_plain = key.time is None if query.order_by == "id" else type(key.time) is int
    return key if is_plain and sql.find_odd(key.id) is None else None
