"""Every SQL statement for SQLite. Times are µs since 1970 UTC.

``holds`` and ``find_value`` are functions of ``functions.py``: the same code answers for the memory
store, so that a path means the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ...model.times import UNKNOWN_TIME, micros_of, micros_or_unknown
from ..paths import ContextPath, Spellings, is_encodable, spellings
from ..query import Query

CREATE = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY NOT NULL,
    graph_id TEXT NOT NULL,
    current_task_id TEXT NOT NULL,
    status_message TEXT,
    context TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_by_update ON sessions (updated_at, id);
"""
ROW = "id, graph_id, current_task_id, status_message, context, version, created_at, updated_at"
COLUMNS = frozenset(ROW.split(", "))
_LAST = 2**63 - 1  # the time by which a session whose time is unknown is ordered
CONTEXT, VERSION, CREATED = 4, 5, 6  # where these are in a row

GET = f"SELECT {ROW} FROM sessions WHERE id = ?"
INSERT = f"INSERT INTO sessions ({ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
IMPORT = f"{INSERT} ON CONFLICT (id) DO NOTHING"
UPDATE = (
    "UPDATE sessions SET graph_id = ?, current_task_id = ?, status_message = ?, context = ?, "
    "version = ?, updated_at = ? WHERE id = ?"
)
DELETE = "DELETE FROM sessions WHERE id = ?"
DELETE_VERSION = "DELETE FROM sessions WHERE id = ? AND version = ?"

# Counting the rows would read all of an index. Rowids are an upper bound.
ROWS_AT_MOST = "SELECT coalesce(max(rowid), 0) FROM sessions"
#: The number of sessions, but no more than the parameter.
COUNT_TO = "SELECT count(*) FROM (SELECT 1 FROM sessions LIMIT ?)"


class Statement(NamedTuple):
    """A statement with the values of its parameters; ``db.execute(*statement)`` runs it."""

    text: str
    values: list[Any]


def select(columns: str, query: Query, first: Sequence[Any] = ()) -> Statement:
    """Return the statement that reads columns of the selected sessions, in order.

    Args:
        columns: The columns as SQL.
        query: The selection.
        first: The values of the parameters in ``columns``.
    """
    where, values = _where(query, page=True)
    way = " DESC" if query.descending else ""
    order = ["id"] if query.order_by == "id" else [query.order_by, "id"]
    text = f"SELECT {columns} FROM sessions{where} ORDER BY " + ", ".join(c + way for c in order)
    if query.limit is not None:
        text += " LIMIT ?"
        values.append(query.limit)
    return Statement(text, [*first, *values])


def select_table(query: Query, context: Sequence[ContextPath]) -> Statement:
    """Return the statement that reads the columns of a ``Table``, context values as JSON text."""
    columns = (
        "id, graph_id, current_task_id, status_message, version, created_at, updated_at, "
        "length(CAST(context AS BLOB)), CASE WHEN json_valid(context) THEN "
        "coalesce(json_array_length(context, '$.chat_history.messages'), 0) ELSE 0 END"
    )
    paths = [_encode_path(spellings(path)) for path in context]
    return select(columns + ", find_value(context, ?)" * len(paths), query, paths)


def count(query: Query) -> Statement:
    """Return the statement that counts the selected sessions."""
    where, values = _where(query, page=False)
    return Statement(f"SELECT count(*) FROM sessions{where}", values)


def count_groups(query: Query) -> Statement:
    """Return the statement that counts the selected sessions at each task of each graph."""
    where, values = _where(query, page=False)
    return Statement(
        "SELECT graph_id, current_task_id, count(*), min(updated_at), max(updated_at) "
        f"FROM sessions{where} GROUP BY 1, 2 ORDER BY 1, 2",
        values,
    )


def _encode_path(path: Spellings) -> str:
    return msgspec.json.encode(path).decode()


def _where(query: Query, *, page: bool) -> tuple[str, list[Any]]:
    """Return the conditions of a query as SQL, with the cursor's if ``page``, and their values."""
    terms: list[str] = []
    values: list[Any] = []

    def put(term: str, *more: Any) -> None:
        terms.append(term)
        values.extend(more)

    if query.graph is not None:
        put("graph_id = ?", query.graph)
    if query.task is not None:
        put("current_task_id = ?", query.task)
    if query.status is not None:
        put("instr(CAST(status_message AS BLOB), ?) > 0", query.status.encode())
    if query.text is not None:
        text = query.text.encode()
        put(
            "(instr(CAST(id AS BLOB), ?) > 0 OR instr(CAST(status_message AS BLOB), ?) > 0)",
            text,
            text,
        )
    if query.ids is not None:
        ids = [id for id in query.ids if is_encodable(id)]
        put(f"id IN ({', '.join('?' * len(ids))})", *ids)
    if query.id_prefix is not None:
        prefix = query.id_prefix.encode()
        put("id >= ? AND substr(CAST(id AS BLOB), 1, ?) = ?", query.id_prefix, len(prefix), prefix)
    for name in ("updated", "created"):
        if (since := getattr(query, f"{name}_since")) is not None:
            put(f"{name}_at >= ?", micros_of(since))
        if (until := getattr(query, f"{name}_until")) is not None:
            put(f"{name}_at < ?", micros_of(until))
    for path, value in query.conditions():
        put("holds(context, ?, ?)", _encode_path(path), value)
    if page and query.after is not None:
        than, cursor = ("<" if query.descending else ">"), query.after
        if query.order_by == "id":
            put(f"id {than} ?", cursor.id)
        else:
            # Each session here has a time; those without one come last.
            time = micros_or_unknown(cursor.time)
            time = _LAST if time == UNKNOWN_TIME else time
            put(f"({query.order_by}, id) {than} (?, ?)", time, cursor.id)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), values
