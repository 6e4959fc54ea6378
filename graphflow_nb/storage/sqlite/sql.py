"""Every SQL statement for SQLite. Times are µs since 1970 UTC.

``holds``, ``fold`` and ``find_value`` are functions of ``functions.py``: the same code answers for
the memory store, so that a condition means the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec

from ...model.times import FIRST, LAST, UNKNOWN_TIME, micros_of, micros_or_unknown
from ..conditions import fold
from ..odd import bytes_of_name
from ..paths import ContextPath, Spellings, is_encodable, spellings
from ..query import Query
from .needles import find_needles

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
TIMES = ("created_at", "updated_at")
CONTEXT, VERSION, CREATED = 4, 5, 6  # where these are in a row
TABLE_CONTEXT = 7  # where the context is in a row of ``select_table``

GET = f"SELECT {ROW} FROM sessions WHERE id = ?"
VERSION_OF = "SELECT version FROM sessions WHERE id = ?"
INSERT = f"INSERT INTO sessions ({ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
IMPORT = f"{INSERT} ON CONFLICT (id) DO NOTHING"
UPDATE = (
    "UPDATE sessions SET graph_id = ?, current_task_id = ?, status_message = ?, context = ?, "
    "version = ?, updated_at = ? WHERE id = ?"
)
RAW = "SELECT * FROM sessions WHERE {}"
DELETE = "DELETE FROM sessions WHERE id = ?"
DELETE_ODD = "DELETE FROM sessions WHERE {}"
DELETE_VERSION = "DELETE FROM sessions WHERE id = ? AND version = ?"

# Counting the rows would read all of an index. Rowids are an upper bound.
ROWS_AT_MOST = "SELECT coalesce(max(rowid), 0) FROM sessions"
#: Each apart, since the two together would be found by reading all rows.
ROWID_BOUNDS = "SELECT (SELECT min(rowid) FROM sessions), (SELECT max(rowid) FROM sessions)"
#: The number of sessions, but no more than the parameter.
COUNT_TO = "SELECT count(*) FROM (SELECT 1 FROM sessions LIMIT ?)"


# As bytes, because a text that is not UTF-8 can't be passed to a function.
_CONTEXT = "CAST(context AS BLOB)"

# No blob is less than an empty one, and every text is.
_IS_OBJECT = "(context < x'' AND json_valid(context) AND json_type(context) = 'object')"
_HISTORY, _MESSAGES = "'$.chat_history'", "'$.chat_history.messages'"
#: True also where nobody knows, so that what is odd is looked at.
HAS_CHAT = (
    f"CASE WHEN {_IS_OBJECT} THEN NOT coalesce("
    f"json_type(context, {_MESSAGES}) = 'array' AND json_array_length(context, {_MESSAGES}) = 0, "
    f"json_type(context, {_HISTORY}) IS NULL) ELSE 1 END"
)


class Statement(NamedTuple):
    """A statement with the values of its parameters; ``db.execute(*statement)`` runs it."""

    text: str
    values: list[Any]


class Key(NamedTuple):
    """The place of a session in an order; the time is None where it is ordered by id."""

    time: int | None
    id: str


def select(
    columns: str,
    query: Query,
    first: Sequence[Any] = (),
    *,
    also: str | None = None,
    sorts: bool = False,
    last: Key | None = None,
) -> Statement:
    """Return the statement that reads columns of the selected sessions, in order.

    Args:
        columns: The columns as SQL.
        query: The selection.
        first: The values of the parameters in ``columns``.
        also: One more condition as SQL, without parameters.
        sorts: Whether a page by time sorts all that have its id_prefix, which are few.
        last: The key beyond which nothing is looked at; None for the end of the order.
    """
    where, values = _where(query, page=True, sorts=sorts)
    if last is not None:
        than = ">=" if query.descending else "<="
        by_id = query.order_by == "id"
        beyond = f"id {than} ?" if by_id else f"({query.order_by}, id) {than} (?, ?)"
        where = f"{where} AND {beyond}" if where else f" WHERE {beyond}"
        values += [last.id] if by_id else [last.time, last.id]
    if also is not None:
        where = f"{where} AND {also}" if where else f" WHERE {also}"
    way = " DESC" if query.descending else ""
    order = ["id"] if query.order_by == "id" else [query.order_by, "id"]
    ordered = " ORDER BY " + ", ".join(column + way for column in order)
    text = f"SELECT {columns} FROM sessions{where}{ordered}"
    if query.limit is None:
        return Statement(text, [*first, *values])
    values.append(query.limit)
    if query.order_by == "created_at":
        # No index serves it: all rows would get their columns before most of them are dropped.
        chosen = f"SELECT id FROM sessions{where}{ordered} LIMIT ?"
        text = f"SELECT {columns} FROM sessions WHERE id IN ({chosen}){ordered}"
        values.append(query.limit)
    return Statement(f"{text} LIMIT ?", [*first, *values])


def select_table(
    query: Query,
    context: Sequence[ContextPath],
    *,
    sorts: bool = False,
    last: Key | None = None,
) -> Statement:
    """Return the statement that reads the columns of a ``Table``, context values as JSON text.

    The context itself is among them, so that the driver meets a text that is not UTF-8. The number
    of messages is NULL where the context is not a JSON object.
    """
    columns = (
        "id, graph_id, current_task_id, status_message, version, created_at, updated_at, context, "
        "CASE WHEN context < x'' AND json_valid(context) THEN "
        "coalesce(json_array_length(context, '$.chat_history.messages'), "
        "CASE json_type(context) WHEN 'object' THEN 0 END) END"
    )
    paths = [_encode_path(spellings(path)) for path in context]
    columns += f", find_value({_CONTEXT}, ?)" * len(paths)
    return select(columns, query, paths, sorts=sorts, last=last)


def find_step(query: Query, rows: int) -> Statement:
    """Return the statement for the key of one of the next rows in a query's order.

    An index alone answers it. The id comes as bytes, and after it what it is.

    Args:
        query: The query, whose conditions are ignored.
        rows: The number of rows up to that one.
    """
    every = Query(order=query.order, after=query.after, limit=1)
    time = "NULL" if query.order_by == "id" else query.order_by
    text, values = select(f"{time}, CAST(id AS BLOB), typeof(id)", every)
    return Statement(f"{text} OFFSET ?", [*values, rows - 1])


def select_chats(query: Query) -> Statement:
    """Return the statement that reads ids and chats of the selected sessions with messages.

    A chat is the context without its other members, and NULL where the context is not an object.
    """
    chat = f"json_object('chat_history', json_extract(context, {_HISTORY}))"
    chat = f"CASE WHEN {_IS_OBJECT} THEN {chat} END"
    return select(f"id, {chat}", query, also=HAS_CHAT)


def select_odd(query: Query, *, nullable: bool, limit: int | None) -> Statement:
    """Return the statement that reads whole rows in order, also where there are odd ones.

    Its order is that of ``select``: times that are not numbers come last, or first if descending.
    No index serves it.

    Args:
        query: The selection.
        nullable: Whether an id may be NULL.
        limit: The most rows to read; None for all.
    """
    key = "coalesce(id, CAST('NULL (rowid ' || rowid || ')' AS BLOB))" if nullable else "id"
    where, values = _where(query, page=False)
    way = " DESC" if query.descending else ""
    order, unknown, time = f"{key}{way}", "", ""
    if query.order_by != "id":
        unknown = f"({query.order_by} IS NULL OR {query.order_by} >= '')"
        time = f"CAST({query.order_by} AS INTEGER)"
        order = f"{unknown}{way}, CASE WHEN {unknown} THEN 0 ELSE {time} END{way}, {order}"
    if query.after is not None:
        than, last = ("<" if query.descending else ">"), find_key(query.after.id)
        beyond = f"{key} {than} {last.text}"
        moment = _cursor_time(query)
        if time and moment is None:
            beyond = f"({unknown} AND {beyond})" + (f" OR NOT {unknown}" if way else "")
            values += last.values
        elif time:
            beyond = f"NOT {unknown} AND ({time} {than} ? OR ({time} = ? AND {beyond}))"
            beyond += "" if way else f" OR {unknown}"
            values += [moment, moment, *last.values]
        else:
            values += last.values
        where = f"{where} AND ({beyond})" if where else f" WHERE {beyond}"
    text = f"SELECT {key}, {ROW} FROM sessions{where} ORDER BY {order}"
    return Statement(text, values) if limit is None else Statement(f"{text} LIMIT {limit}", values)


def select_odd_by_time(query: Query, *, sorts: bool) -> list[Statement]:
    """Return statements that read the rows in the order of ``select_odd``, one after the other.

    The index of times serves them: one reads the rows whose times are numbers, one the others, so
    that who reads a page can stop. No time is NULL or a fraction, and no id is NULL.

    Args:
        query: The selection.
        sorts: As for ``select``.
    """
    time, way = query.order_by, " DESC" if query.descending else ""
    where, values = _where(replace(query, after=None), page=True, sorts=sorts)
    where = f"{where} AND" if where else " WHERE"
    beyond_number, beyond_other = Statement("", []), Statement("", [])
    moment, than = _cursor_time(query), "<" if query.descending else ">"
    if query.after is not None:
        last = find_key(query.after.id)
        if moment is None:
            beyond_other = Statement(f" AND id {than} {last.text}", last.values)
        else:
            text = f" AND ({time}, id) {than} (?, {last.text})"
            beyond_number = Statement(text, [moment, *last.values])
    columns = f"SELECT id, {ROW} FROM sessions{where}"
    numbers = Statement(
        f"{columns} {time} < ''{beyond_number.text} ORDER BY {time}{way}, id{way}",
        [*values, *beyond_number.values],
    )
    others = Statement(  # few, which are sorted: the index of ids would be walked to its end
        f"{columns} {time} >= ''{beyond_other.text} ORDER BY +id{way}",
        [*values, *beyond_other.values],
    )
    if query.descending:
        return [others, numbers] if query.after is None or moment is None else [numbers]
    return [others] if query.after is not None and moment is None else [numbers, others]


#: Whether a time of the last save is a fraction, which ``select_odd`` orders as a whole number.
HAS_FRACTION: Final = "SELECT EXISTS (SELECT 1 FROM sessions WHERE typeof(updated_at) = 'real')"


def divide(parts: int) -> Statement:
    """Return the statement for the last id of each of several ranges but the last, as bytes."""
    return Statement(
        "SELECT CAST(max(id) AS BLOB) FROM (SELECT id, ntile(?) OVER (ORDER BY id) AS part "
        # No blob is less than an empty one, and every text is.
        "FROM sessions WHERE id < x'') GROUP BY part HAVING part < ? ORDER BY part",
        [parts, parts],
    )


def has_null(query: Query) -> Statement:
    """Return the statement that says whether a row has no place in the query's order."""
    columns = dict.fromkeys(("id", query.order_by))
    each = (f"EXISTS (SELECT 1 FROM sessions WHERE {column} IS NULL)" for column in columns)
    return Statement(f"SELECT {' OR '.join(each)}", [])


_NAME = re.compile(
    r"x'((?:[0-9a-f]{2})*)'|NULL \(rowid (-?[0-9]{1,19})\)|CAST\(([^\s)]{1,30}) AS (INTEGER|REAL)\)"
)
_NAME_ENDS = ("'", '"', ")")


def find_key(name: str) -> Statement:
    """Return what an id is in the database, as an expression with its value.

    Args:
        name: The id, or the name of one that is not text; see ``odd.py``.
    """
    if (data := bytes_of_name(name)) is not None:
        return Statement("CAST(? AS TEXT)", [data])
    if (match := _NAME.fullmatch(name)) is None:
        return Statement("?", [name])
    blob, rowid, number, kind = match.groups()
    if blob is not None:
        return Statement("?", [bytes.fromhex(blob)])
    if rowid is not None:
        return Statement("?", [name.encode()])
    try:
        return Statement("?", [int(number) if kind == "INTEGER" else float(number)])
    except ValueError:
        return Statement("?", [name])


def find_odd(name: str) -> Statement | None:
    """Return the condition for the row whose id has this name; None if it is not such a name."""
    if name[-1:] not in _NAME_ENDS:  # nearly every id
        return None
    key = find_key(name)
    if key.values == [name]:
        return None
    if name.startswith("NULL"):
        return Statement("id IS NULL AND rowid = ?", [int(name.strip("NUL (rowid)"))])
    # As it is and without the affinity of the column, which would make a text of a number.
    return Statement(f"+id = {key.text}", key.values)


def count(query: Query) -> Statement:
    """Return the statement that counts the selected sessions."""
    where, values = _where(query, page=False)
    return Statement(f"SELECT count(*) FROM sessions{where}", values)


def probe(query: Query, most: int, *, also: str | None = None) -> Statement:
    """Return the statement that tries a page's filters on the first sessions of its order.

    It returns the number of these sessions, and of those of them that are selected.

    Args:
        query: The query.
        most: The number of sessions, fewer where there are no more in the range of an index.
        also: One more condition as SQL, without parameters.
    """
    ranged = Query(order=query.order, after=query.after, limit=most)
    if query.order_by == "id":
        ranged = replace(ranged, id_prefix=query.id_prefix)
    elif query.order_by == "updated_at":
        since, until = query.updated_since, query.updated_until
        ranged = replace(ranged, updated_since=since, updated_until=until)
    first, given = select("*", ranged)
    where, values = _where(query, page=False)
    condition = " AND ".join(filter(None, (where.removeprefix(" WHERE "), also))) or "1"
    text = f"SELECT count(*), total({condition}) FROM ({first}) AS sessions"
    return Statement(text, [*values, *given])


def is_page_by_time(query: Query) -> bool:
    """Return whether the index of times serves a query's order."""
    return query.limit is not None and query.order_by == "updated_at"


def count_prefix(query: Query, most: int) -> Statement:
    """Return the statement that counts the sessions with a query's id_prefix, but not beyond."""
    where, values = _where(Query(id_prefix=query.id_prefix), page=False)
    return Statement(
        f"SELECT count(*) FROM (SELECT 1 FROM sessions{where} LIMIT ?)", [*values, most]
    )


def count_groups(query: Query, *, odd: bool = False) -> Statement:
    """Return the statement that counts the selected sessions at each task of each graph.

    Args:
        query: The selection.
        odd: Whether times that a datetime can't hold are passed over.
    """
    where, values = _where(query, page=False)
    time = "updated_at"
    if odd:
        known = f"updated_at BETWEEN {FIRST} AND {LAST}"
        time = f"CASE WHEN {known} THEN CAST(updated_at AS INTEGER) END"
    return Statement(
        f"SELECT graph_id, current_task_id, count(*), min({time}), max({time}) "
        f"FROM sessions{where} GROUP BY 1, 2 ORDER BY 1, 2",
        values,
    )


def _cursor_time(query: Query) -> int | None:
    """Return the time of the query's cursor; None where it is unknown."""
    time = micros_or_unknown(None if query.after is None else query.after.time)
    return None if time == UNKNOWN_TIME else time


def _encode_path(path: Spellings) -> str:
    return msgspec.json.encode(path).decode()


def _where(query: Query, *, page: bool, sorts: bool = False) -> tuple[str, list[Any]]:
    """Return the conditions of a query as SQL, with the cursor's if ``page``, and their values."""
    terms: list[str] = []
    values: list[Any] = []

    def put(term: str, *more: Any) -> None:
        terms.append(term)
        values.extend(more)

    def search(columns: Sequence[str], text: str) -> None:
        contains = "instr(CAST({} AS BLOB), ?) > 0"
        if query.ignore_case:
            text = fold(text)
            # No letter beyond ASCII has a lower case in it.
            ours = "CAST(lower({}) AS BLOB)" if text.isascii() else "fold(CAST({} AS BLOB))"
            contains = f"instr({ours}, ?) > 0"
        either = " OR ".join(contains.format(column) for column in columns)
        put(f"({either})", *[text.encode()] * len(columns))

    if query.graph is not None:
        put("graph_id = ?", query.graph)
    if query.task is not None:
        put("current_task_id = ?", query.task)
    if query.status is not None:
        search(["status_message"], query.status)
    if query.text is not None:
        search(["id", "status_message"], query.text)
    if query.ids is not None:
        ids = [id for id in query.ids if is_encodable(id)]
        either = f"id IN ({', '.join('?' * len(ids))})"
        odd = [found for id in ids if (found := find_odd(id)) is not None]
        either = " OR ".join([either, *(found.text for found in odd)])
        put(f"({either})", *ids, *(value for found in odd for value in found.values))
    if query.id_prefix is not None:
        prefix = query.id_prefix.encode()
        # A page by time walks the index of times, which has the ids: all that have a prefix would
        # be sorted otherwise, with their contexts.
        is_walk = page and is_page_by_time(query) and not sorts
        id = "+id" if is_walk else "id"
        put(f"{id} >= ?", query.id_prefix)
        if prefix:
            # A range of the index. No byte of a text in UTF-8 is the last one.
            put(f"{id} < CAST(? AS TEXT)", prefix[:-1] + bytes([prefix[-1] + 1]))
        put("substr(CAST(id AS BLOB), 1, ?) = ?", len(prefix), prefix)
    for name in ("updated", "created"):
        if (since := getattr(query, f"{name}_since")) is not None:
            # What is not a number is greater than all numbers, and is no time.
            put(f"{name}_at >= ? AND {name}_at < ''", micros_of(since))
        if (until := getattr(query, f"{name}_until")) is not None:
            put(f"{name}_at < ?", micros_of(until))
    for condition in query.conditions():
        path, operator, value = condition
        meets, given = f"holds({_CONTEXT}, ?, ?, ?)", [_encode_path(path), operator, value]
        for needle in find_needles(condition):
            patterns = (f"*{needle.text}*", *needle.unless)
            either = " OR ".join(["context GLOB ?"] * len(patterns))
            may_have = f"({either} OR typeof(context) = 'blob')"
            if operator == "missing":
                meets = f"CASE WHEN {may_have} THEN {meets} ELSE is_utf8({_CONTEXT}) END"
                given = [*patterns, *given]
            else:
                put(may_have, *patterns)
        put(meets, *given)
    if page and query.after is not None:
        than, cursor = ("<" if query.descending else ">"), query.after
        if query.order_by == "id":
            put(f"id {than} ?", cursor.id)
        else:
            put(f"({query.order_by}, id) {than} (?, ?)", _cursor_time(query), cursor.id)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), values
