"""Rows that are not sessions: SQLite keeps any type in any column, and text that is not UTF-8.

The storage reads quickly first. Where that meets an odd row, these functions read row by row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from ...model.times import UNKNOWN_TIME, clip_micros, datetime_of, is_datetime
from ..chats import Chat
from ..odd import (
    NO_VERSION,
    context_problem,
    describe,
    format_error,
    name_of_bytes,
    readable_text,
)
from ..query import Query
from ..table import GroupCount, merge_counts
from . import sql
from .whole import GATHERS, gather_columns

__all__ = [
    "Database",
    "OddRow",
    "count_groups",
    "delete_odd",
    "fetch_session",
    "find_sessions",
    "has_rare_prefix",
    "is_session",
    "read_chats",
    "read_columns",
    "read_page",
    "read_raw",
]


_PORTION: Final = 100
#: Sessions with an id_prefix up to which sorting them is quicker than a walk through all.
_RARE: Final = 2_000


class Database(sqlite3.Connection):
    """A connection that knows about its table.

    Attributes:
        loose: Whether an id or a time may be NULL.
        others: The columns of the table that graph-flow does not define.
        journal_mode: The mode of the file's journal, where the connection itself can't tell.
    """

    loose = False
    others: Sequence[str] = ()
    journal_mode: str | None = None


class _Text(bytes):
    """The bytes of a text, which may not be UTF-8."""


@dataclass(frozen=True, slots=True)
class OddRow:
    """A stored row of any kind, with what can be read of it; see ``rows.Row``.

    Attributes:
        id: The id, or its name if it is not text.
        context: The context's text as bytes.
        problem: What is wrong with the row; empty if it is as graph-flow writes it.
        row: The columns ``sql.ROW`` of a session; None if the row can't be one.
    """

    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: bytes
    version: int
    created: int
    updated: int
    problem: str
    row: tuple[Any, ...] | None


def is_session(row: tuple[Any, ...]) -> bool:
    """Return whether a row, in the order of ``sql.ROW``, is one that graph-flow could write."""
    id, graph, task, status, context, version, created, updated = row
    return (
        type(id) is str
        and type(graph) is str
        and type(task) is str
        and type(context) is str
        and (status is None or type(status) is str)
        and type(version) is int
        and type(created) is int
        and type(updated) is int
        and version >= 0
        and not context_problem(context)
    )


@contextmanager
def _raw_texts(db: Database) -> Iterator[None]:
    db.text_factory = _Text
    try:
        yield
    finally:
        db.text_factory = str


def _is_undecodable(error: sqlite3.Error) -> bool:
    return "decode to UTF-8" in str(error)


def _quick(read: Callable[[], Any]) -> Any:
    """Return what ``read`` returns; None if it meets a text that is not UTF-8."""
    try:
        return read()
    except sqlite3.OperationalError as error:
        if not _is_undecodable(error):
            raise
        return None


def fetch_session(db: Database, id: str) -> tuple[Any, ...] | None:
    """Return the row of the session with this id; None if there is none.

    Raises:
        SessionFormatError: The row is not a session.
    """
    row: tuple[Any, ...] | None
    try:
        row = db.execute(sql.GET, (id,)).fetchone()
    except sqlite3.OperationalError as error:
        if not _is_undecodable(error):
            raise
    else:
        if row is not None and is_session(row):
            return row
        if row is None and sql.find_odd(id) is None:
            return None
    rows = read_page(db, Query(ids=[id], order="id"))
    if rows:
        raise format_error(rows[0].id, rows[0].problem)
    return None


def find_sessions(db: Database, query: Query) -> tuple[list[tuple[Any, ...]], dict[str, str]]:
    """Return the rows of the selected sessions, in order, and what is wrong with the odd ones."""
    if _can_be_quick(db, query):
        statement = sql.select(sql.ROW, query, sorts=has_rare_prefix(db, query))
        rows = _quick(lambda: db.execute(*statement).fetchall())
        if rows is not None and all(map(is_session, rows)):
            return rows, {}
    found: list[tuple[Any, ...]] = []
    problems: dict[str, str] = {}
    with closing(_read_rows(db, query)) as odd_rows:
        for odd in odd_rows:
            if query.limit is not None and len(found) >= query.limit:
                break
            if odd.row is None:
                problems[odd.id] = odd.problem
            else:
                found.append(odd.row)
    return found, problems


def has_rare_prefix(db: Database, query: Query) -> bool:
    """Return whether a page by time is best found among the few sessions with its id_prefix."""
    if query.id_prefix is None or not sql.is_page_by_time(query):
        return False
    return bool(db.execute(*sql.count_prefix(query, _RARE + 1)).fetchone()[0] <= _RARE)


def _can_be_quick(db: Database, query: Query) -> bool:
    """Return whether the quick statement gives the query's page as ``read_page`` does.

    The order of both is the same until an odd row is met, unless that is NULL.
    """
    after = query.after
    if query.limit is None and after is None:
        return True
    if after is not None and (
        sql.find_odd(after.id) is not None or (query.order_by != "id" and after.time is None)
    ):
        return False
    return not (db.loose and db.execute(*sql.has_null(query)).fetchone()[0])


def read_columns(
    db: Database,
    query: Query,
    statement: sql.Statement,
    note: Callable[[int, int | None], None] | None = None,
) -> list[Any] | None:
    """Return the columns of a table's statement; None if they must be read by ``read_page``.

    In the place of the contexts are their sizes in bytes, None near one that is not text.

    Args:
        db: The open file.
        query: The query.
        statement: The statement that answers it.
        note: A function to be told how many sessions were read.
    """
    if not _can_be_quick(db, query):
        return None

    def read() -> list[Any] | None:
        # Closed also where an odd row ends it: an open cursor holds a lock.
        with closing(db.execute(*statement)) as cursor:
            parts, count = _fetch_parts(cursor, note), len(cursor.description)
            if query.limit is None and GATHERS:
                return gather_columns(parts, count)
            columns: list[Any] = [[] for _ in range(count)]
            for part in parts:
                for column, values in zip(columns, part, strict=True):
                    column += values
            return columns

    columns: list[Any] | None = _quick(read)
    return columns


def read_chats(db: Database, query: Query) -> list[Chat] | None:
    """Return the selected chats; None if they must be read with their sessions."""
    if not _can_be_quick(db, query):
        return None
    statement = sql.select_chats(query)
    rows = _quick(lambda: db.execute(*statement).fetchall())
    if rows is None or not all(type(id) is str and chat is not None for id, chat in rows):
        return None
    return [Chat(*row) for row in rows]


def _fetch_parts(
    cursor: sqlite3.Cursor, note: Callable[[int, int | None], None] | None
) -> Iterator[list[Sequence[Any]]]:
    """Yield the columns of some rows at a time, so that few contexts are held."""
    read = 0
    while rows := cursor.fetchmany(_PORTION):
        part: list[Any] = list(zip(*rows, strict=True))
        part[sql.TABLE_CONTEXT] = _measure(part[sql.TABLE_CONTEXT])
        yield part
        read += len(rows)
        if note is not None:
            note(read, None)


def _measure(contexts: Sequence[Any]) -> list[int | None]:
    """Return the size of each context in bytes; None for one that is not text."""
    if set(map(type, contexts)) == {str}:
        return [len(text) if text.isascii() else len(text.encode()) for text in contexts]
    return [None] * len(contexts)


def read_page(db: Database, query: Query) -> list[OddRow]:
    """Return the rows of the query's page, in order, whatever is in them."""
    with closing(_read_rows(db, query, limit=query.limit)) as rows:
        return list(islice(rows, query.limit))


# To be closed at once: until then the connection returns all texts as bytes.
def _read_rows(
    db: Database, query: Query, limit: int | None = None
) -> Generator[OddRow, None, None]:
    if _is_in_order(db, query):
        statements = sql.select_odd_by_time(query, sorts=has_rare_prefix(db, query))
    else:
        statements = [sql.select_odd(query, nullable=db.loose, limit=limit)]
    with _raw_texts(db):
        for statement in statements:
            # Closed also where the reader stops: an open cursor holds a lock.
            with closing(db.execute(*statement)) as cursor:
                for row in cursor:
                    yield _read_row(row[0], row[1:])


def _is_in_order(db: Database, query: Query) -> bool:
    """Return whether the index of times has the rows in the order in which odd ones are shown.

    To find that out takes a read of the index, some 50 ms for 10^6 rows; to sort them all, seconds.
    """
    if not sql.is_page_by_time(query):
        return False
    if db.loose and db.execute(*sql.has_null(query)).fetchone()[0]:
        return False
    return not db.execute(sql.HAS_FRACTION).fetchone()[0]


def count_groups(db: Database, query: Query) -> list[GroupCount]:
    """Return the number of selected sessions at each task of each graph, odd rows included."""
    statement = sql.count_groups(query)
    rows = _quick(lambda: db.execute(*statement).fetchall())
    if rows is None or not all(map(_is_count, rows)):
        with _raw_texts(db):
            rows = db.execute(*sql.count_groups(query, odd=True)).fetchall()
    counts: dict[tuple[str, str], GroupCount] = {}
    for *names, count, oldest, newest in rows:
        graph, task = (
            name if type(name) is str else _read_text("", name, []) or "" for name in names
        )
        group = GroupCount(graph, task, count, datetime_of(oldest), datetime_of(newest))
        # An odd name may look like another one.
        counts[graph, task] = merge_counts(counts.get((graph, task)), group)
    return list(counts.values())


def _is_count(row: tuple[Any, ...]) -> bool:
    graph, task, _, *times = row
    return type(graph) is type(task) is str and all(
        type(time) is int and is_datetime(time) for time in times
    )


def read_raw(db: Database, id: str) -> dict[str, Any] | None:
    """Return the columns of a row as they are stored; text that is not UTF-8 as bytes."""
    for condition in filter(None, (sql.Statement("id = ?", [id]), sql.find_odd(id))):
        with _raw_texts(db):
            cursor = db.execute(sql.RAW.format(condition.text), condition.values)
            row = cursor.fetchone()
        if row is not None:
            names = (column[0] for column in cursor.description)
            return dict(zip(names, map(_show_raw, row), strict=True))
    return None


def delete_odd(db: Database, id: str) -> int:
    """Delete the row whose id has this name; return the number of rows deleted."""
    odd = sql.find_odd(id)
    if odd is None:
        return 0
    return db.execute(sql.DELETE_ODD.format(odd.text), odd.values).rowcount


def _show_raw(value: Any) -> Any:
    if not isinstance(value, _Text):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return bytes(value)


def _read_row(key: Any, row: tuple[Any, ...]) -> OddRow:
    problems: list[str] = []
    id, graph, task, status, context, version, created, updated = row
    name = _read_id(key, id, problems)
    cells = (
        _read_text("graph_id", graph, problems) or "",
        _read_text("current_task_id", task, problems) or "",
        None if status is None else _read_text("status_message", status, problems),
        _read_context(context, problems),
        _read_version(version, problems),
    )
    times = (
        _read_time("created_at", created, problems),
        _read_time("updated_at", updated, problems),
    )
    whole = None
    if not problems:
        whole = (name, *cells[:3], cells[3].decode(), cells[4], created, updated)
    return OddRow(name, *cells, *times, "; ".join(problems), whole)


def _read_id(key: Any, id: Any, problems: list[str]) -> str:
    if isinstance(id, _Text):
        try:
            return id.decode()
        except UnicodeDecodeError:
            problems.append("id is text that is not UTF-8")
            return name_of_bytes(bytes(id))
    problems.append(f"id is {_describe(id)}, not text")
    if isinstance(id, bytes):
        return f"x'{id.hex()}'"
    if id is None:
        return readable_text(key)
    return f"CAST({id} AS {'INTEGER' if isinstance(id, int) else 'REAL'})"


def _read_text(name: str, value: Any, problems: list[str]) -> str | None:
    if isinstance(value, _Text):
        try:
            return value.decode()
        except UnicodeDecodeError:
            problems.append(f"{name} is text that is not UTF-8: {describe(bytes(value))}")
            return readable_text(value)
    problems.append(f"{name} is {_describe(value)}, not text")
    if value is None:
        return None
    return readable_text(value) if isinstance(value, bytes) else str(value)


def _read_context(value: Any, problems: list[str]) -> bytes:
    if isinstance(value, _Text):
        if problem := context_problem(bytes(value)):
            problems.append(problem)
        return bytes(value)
    problems.append(f"context is {_describe(value)}, not the text of a JSON object")
    return value if isinstance(value, bytes) else b"" if value is None else str(value).encode()


def _read_version(value: Any, problems: list[str]) -> int:
    if isinstance(value, int) and value >= 0:
        return value
    problems.append(f"version is {_describe(value)}, not an integer >= 0")
    return value if isinstance(value, int) else NO_VERSION


def _read_time(name: str, value: Any, problems: list[str]) -> int:
    if isinstance(value, int):
        return clip_micros(value)
    problems.append(f"{name} is {_describe(value)}, not an integer (µs since 1970 UTC)")
    return clip_micros(value) if isinstance(value, float) else UNKNOWN_TIME


def _describe(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, _Text):
        return f"the text {describe(_show_raw(value))}"
    if isinstance(value, bytes):
        return f"the blob {describe(value)}"
    return f"the number {value}"
