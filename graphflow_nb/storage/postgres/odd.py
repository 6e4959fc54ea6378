"""Rows that are not sessions: NULL in a column of a hand-made table, a context that is not an
object, and in a database with the encoding SQL_ASCII text that is not UTF-8.

The storage reads quickly first. Where that meets an odd row, these functions read row by row; texts
come as bytes, since the server would refuse to send some of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import numpy as np

from ...model.times import describe_time, micros_or_unknown
from ..odd import (
    NO_VERSION,
    context_problem,
    describe,
    name_of_bytes,
    readable_text,
)
from ..paths import ContextPath
from ..query import Cursor, Query
from ..rows import build_table
from ..table import GroupCount, Table, add_problem, merge_counts
from .connections import Connection
from .selects import Statement
from .table import OpenTable

__all__ = [
    "UNSENT",
    "OddRow",
    "build_odd_table",
    "count_odd",
    "delete_odd",
    "find_odd",
    "find_sessions",
    "is_count",
    "is_session",
    "read_raw",
    "read_rows",
    "read_rows_on",
]

#: The server can't send a text as UTF-8.
UNSENT = asyncpg.CharacterNotInRepertoireError


@dataclass(frozen=True, slots=True)
class OddRow:
    """A stored row of any kind, with what can be read of it; see ``rows.Row``.

    Attributes:
        id: The id, or its name if it is not UTF-8.
        context: The context's text as bytes.
        size: The size of the context on disk.
        problem: What is wrong with the row; empty if it is a session.
        row: The columns of a session, as ``Statements.get`` returns them; None if it is not one.
        times: The times of creation and of the last save, as the store has them.
    """

    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: bytes
    version: int
    created: int
    updated: int
    size: int
    problem: str
    row: tuple[Any, ...] | None
    times: tuple[datetime | int | None, datetime | int | None]


def is_session(row: Any) -> bool:
    """Return whether a row of ``Statements.get`` is one that graph-flow could write."""
    context, version = row[4], row[5]
    return (
        row[1] is not None
        and row[2] is not None
        and version is not None
        and version >= 0
        and context is not None
        and context[0] == "{"
    )


async def read_rows(table: OpenTable, query: Query) -> list[OddRow]:
    """Return the rows that a query selects, in order, whatever is in them."""
    statement = table.statements.selects.select_odd(query)
    return [_read_row(row) for row in await _fetch(table, statement)]


async def read_rows_on(connection: Connection, table: OpenTable, query: Query) -> list[OddRow]:
    """Return the rows as ``read_rows`` does, by a connection that was lent already."""
    text, arguments = table.statements.selects.select_odd(query)
    return [_read_row(row) for row in await connection.fetch(text, *arguments)]


async def find_odd(table: OpenTable, id: str) -> OddRow | None:
    """Return the row with this id, or whose id has this name; None if there is none."""
    rows = await read_rows(table, Query(ids=[id], order="id"))
    return rows[0] if rows else None


async def find_sessions(
    table: OpenTable, query: Query
) -> tuple[list[tuple[Any, ...]], dict[str, str]]:
    """Return the rows of the selected sessions, in order, and what is wrong with the odd ones.

    Odd rows don't count for the limit.
    """
    found: list[tuple[Any, ...]] = []
    problems: dict[str, str] = {}
    limit = query.limit
    while True:
        rows = await read_rows(table, query)
        for row in rows:
            if row.row is None:
                problems[row.id] = row.problem
            else:
                found.append(row.row)
        if limit is None or len(found) >= limit or len(rows) < (query.limit or 0) or not rows:
            return found, problems
        last = rows[-1]
        time = last.times[query.order_by == "updated_at"] if query.order_by != "id" else None
        after = Cursor(query.order, last.id, time)
        query = query.following(after, limit - len(found))


def build_odd_table(rows: Sequence[OddRow], query: Query, context: Sequence[ContextPath]) -> Table:
    """Return rows by column, one more than the query's limit if there is another page."""
    table = build_table([(row.id, row) for row in rows], query, context)
    shown = rows[: query.limit]
    for row in shown:
        if row.problem:
            add_problem(table.problems, row.id, row.problem)
    table.context_bytes = np.array([row.size for row in shown], np.int64)
    return table


def is_count(row: Any) -> bool:
    """Return whether a row of ``Selects.counts`` is as the answer has it."""
    graph, task, _, *times = row
    dates = all(time is None or (isinstance(time, datetime) and time.tzinfo) for time in times)
    return graph is not None and task is not None and dates


async def count_odd(table: OpenTable, query: Query) -> list[GroupCount]:
    """Return the number of selected sessions at each task of each graph, odd rows included."""
    counts: dict[tuple[str, str], GroupCount] = {}
    for *names, count, oldest, newest in await _fetch(
        table, table.statements.selects.counts(query, odd=True)
    ):
        graph, task = ("" if name is None else readable_text(name) for name in names)
        group = GroupCount(graph, task, count, oldest, newest)
        # An odd name may look like another one.
        counts[graph, task] = merge_counts(counts.get((graph, task)), group)
    return [counts[key] for key in sorted(counts)]


async def read_raw(table: OpenTable, id: str) -> dict[str, Any] | None:
    """Return the columns of a row as they are stored; text that is not UTF-8 as bytes."""
    statements = table.statements
    if table.can_hold(id):
        id = table.normalize_id(id)

        async def read(connection: Any) -> Any:
            try:
                return await connection.fetchrow(statements.raw, id)
            except UNSENT:
                return None

        row = await table.run_adapting(read, writes=False)
        if row is not None:
            times = {name: _show_time(row[name]) for name in ("created_at", "updated_at")}
            return {**row, **times}
    odd = await _fetch(table, statements.selects.select_odd(Query(ids=[id], order="id")))
    if not odd:
        return None
    names = ("id", "graph_id", "current_task_id", "status_message", "context")
    texts = {name: _show_text(odd[0][index]) for index, name in enumerate(names)}
    _, _, _, _, _, version, created, updated, *_ = odd[0]
    times = {"created_at": _show_time(created), "updated_at": _show_time(updated)}
    return {**texts, "version": version, **times}


async def delete_odd(table: OpenTable, ids: Sequence[str]) -> list[str]:
    """Delete the rows whose ids have these names; return the names of those that were deleted."""
    deleted = []
    for id in ids:
        statement = table.statements.delete_odd(id)
        if statement is not None and await _fetch(table, statement):
            deleted.append(id)
    return deleted


async def _fetch(table: OpenTable, statement: Statement) -> Any:
    async def read(connection: Any) -> Any:
        return await connection.fetch(statement.text, *statement.arguments)

    return await table.run_query(read)


def _show_text(data: bytes | None) -> str | bytes | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return data


def _show_time(value: Any) -> Any:
    """Return a time; one that a datetime can't hold as text."""
    if isinstance(value, int) or (isinstance(value, datetime) and value.tzinfo is None):
        return describe_time(micros_or_unknown(value))
    return value


def _read_row(row: Any) -> OddRow:
    id, graph, task, status, context, version, created, updated, *marks, size = row
    problems: list[str] = []
    name = _read_id(id, problems)
    texts = (
        _read_text("graph_id", graph, problems),
        _read_text("current_task_id", task, problems),
        None if status is None else _read_text("status_message", status, problems),
    )
    if context is None:
        problems.append("context is NULL")
    else:
        problem = context_problem(context)
        problems += [problem] if problem else []
    if version is None or version < 0:
        problems.append(f"version is {'NULL' if version is None else version}, not >= 0")
    whole = None
    if not problems:
        whole = (name, *texts, context.decode(), version, created, updated, *marks)
    return OddRow(
        name,
        texts[0] or "",
        texts[1] or "",
        texts[2],
        context or b"",
        NO_VERSION if version is None else version,
        micros_or_unknown(created),
        micros_or_unknown(updated),
        size or 0,
        "; ".join(problems),
        whole,
        (created, updated),
    )


def _read_id(data: bytes, problems: list[str]) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        problems.append("id is text that is not UTF-8")
        return name_of_bytes(data)


def _read_text(name: str, data: bytes | None, problems: list[str]) -> str | None:
    if data is None:
        problems.append(f"{name} is NULL")
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        problems.append(f"{name} is text that is not UTF-8: {describe(data)}")
        return readable_text(data)
