"""The queries on a file: pages, tables, counts, and the question before a large read."""

from __future__ import annotations

import asyncio
import threading
from array import array
from collections.abc import Callable, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, TypeVar

import numpy as np

from ...errors import StorageError
from ...model import Session
from ...model.times import UNKNOWN_TIME
from ..chats import Chat
from ..limits import QUICK_ROWS
from ..odd import Found
from ..offloop import run_off_loop
from ..overview import OverviewCounts
from ..paths import ContextPath
from ..query import Query
from ..rows import build_table
from ..scans import current_row_note
from ..table import GroupCount, Table, cut_page
from ..texts import Texts
from ..trace import current
from . import sql
from .connection import SqliteConnection
from .odd import (
    Database,
    count_groups,
    find_sessions,
    has_rare_prefix,
    read_chats,
    read_columns,
    read_page,
)
from .overview import read_overview
from .readers import Readers
from .records import (
    read_session,
)
from .scans import ask_first, counts_by_index, is_sorted
from .searching import is_search, search_columns
from .sql import CONTEXT

__all__ = ["Queries"]

T = TypeVar("T")


class Queries:
    """The queries on the sessions of a file.

    Args:
        connection: The connection, or those, on which they are run.
        identity: The identity of the store, which sessions remember.
    """

    def __init__(self, connection: SqliteConnection | Readers, identity: str):
        self._connection = connection
        self._identity = identity

    async def _ask(
        self,
        query: Query,
        work: Callable[[Database], T],
        *,
        counts: bool = False,
        also: str | None = None,
    ) -> T:
        """Return ``work(db)``, once the guard of the caller lets it read so much."""
        return await self._connection.run(ask_first(work, query, counts=counts, also=also))

    async def sessions(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order; ``problems`` of the list names the odd rows."""
        rows, problems = await self._ask(query, lambda db: find_sessions(db, query))
        current().size(sum(len(row[CONTEXT]) for row in rows), len(rows))
        decoded = await run_off_loop(
            len(rows), lambda: [read_session(row, self._identity) for row in rows]
        )
        found = Found(decoded, problems)
        current().lap("decode")
        return found

    async def chats(self, query: Query) -> list[Chat] | None:
        """Return the chats that have messages of the selected sessions; see ``SupportsChats``."""
        chats = await self._ask(query, lambda db: read_chats(db, query), also=sql.HAS_CHAT)
        if chats is not None:
            current().size(sum(len(chat.context) for chat in chats), len(chats))
        return chats

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column.

        Args:
            query: The selection.
            context: The context paths that get a column each.

        Returns:
            The table; ``context_bytes`` is the length of the JSON text.
        """
        wider = query.one_more()
        note = current_row_note()
        ended = threading.Event()

        def tell(looked_at: int, about: int | None) -> None:
            if ended.is_set():  # by an interrupt between two statements
                raise StorageError("the search was stopped", nothing_written=True)
            if note is not None:
                note(looked_at, about)

        def read(db: Database) -> list[list[Any]] | None:
            sorts = has_rare_prefix(db, wider)
            if note is not None and not sorts and is_search(wider):
                return search_columns(db, wider, context, tell)
            return read_columns(db, wider, sql.select_table(wider, context, sorts=sorts), note)

        try:
            columns = await self._ask(wider, read)
        except asyncio.CancelledError:
            ended.set()
            raise
        table = None
        if columns is not None:
            table = await run_off_loop(len(columns[0]), lambda: _build_table(columns))
        if table is None:  # an odd row is on the page
            odd = await self._connection.run(lambda db: read_page(db, wider))
            table = build_table([(row.id, row) for row in odd], query, context)
            shown = odd[: query.limit]
            table.problems |= {row.id: row.problem for row in shown if row.problem}
        else:
            table = cut_page(table, query)
        current().size(int(table.context_bytes.sum()), len(table))
        current().lap("decode")
        return table

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""
        statement = sql.count(query)

        def read(db: Database) -> int:
            return int(db.execute(*statement).fetchone()[0])

        if counts_by_index(query):
            return await self._connection.run(read)
        return await self._ask(query, read, counts=True)

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""
        return await self._ask(query, lambda db: count_groups(db, query), counts=True)

    async def overview(self, now: datetime, *, exact: bool = False) -> OverviewCounts:
        """Return counts by task and age, by the hour and by size; see ``SupportsOverview``.

        Of many sessions those of some thousand places in the table are read, unless ``exact``.
        """
        if exact:
            return await self._ask(Query(), lambda db: read_overview(db, now, exact=True))
        return await self._connection.run(lambda db: read_overview(db, now, exact=False))

    async def split(self, parts: int) -> list[str] | None:
        """Return ids that divide the sessions into ranges; see ``SupportsSplit``."""
        statement = sql.divide(parts)
        found = await self._connection.run(lambda db: db.execute(*statement).fetchall())
        texts = (id.decode(errors="replace") for (id,) in found)
        return [text for text in texts if "\ufffd" not in text]

    async def slow_orders(self) -> dict[str, str]:
        """Return the orders that no index serves, each with what would help.

        It is empty for a small file, where every order is quick.
        """

        def is_slow(db: Database) -> bool:
            some: int = db.execute(sql.COUNT_TO, (QUICK_ROWS + 1,)).fetchone()[0]
            return some > QUICK_ROWS and is_sorted(db, "created_at")

        if not await self._connection.run(is_slow):
            return {}
        return {
            "created_at": "no index serves this order, so all sessions are sorted for each page; "
            "CREATE INDEX sessions_by_creation ON sessions (created_at, id); makes it quick"
        }


def _build_table(columns: list[Any]) -> Table | None:
    """Return the table of columns; None if one of the rows is odd."""
    try:
        # An array refuses what is not an integer, where numpy would convert it.
        found = [c if isinstance(c, array) else array("q", c) for c in columns[4:9]]
        numbers = [np.frombuffer(column, np.int64) for column in found]
    except (TypeError, OverflowError):
        return None
    version, created, updated, size, messages = numbers
    if len(version) and (version.min() < 0 or UNKNOWN_TIME in (created.min(), updated.min())):
        return None
    if not isinstance(columns[0], Texts):  # whose types are known
        for column in columns[:3]:
            if set(map(type, column)) - {str}:
                return None
        if set(map(type, columns[3])) - {str, NoneType}:
            return None
    return Table(
        id=columns[0],
        graph_id=columns[1],
        current_task_id=columns[2],
        status_message=columns[3],
        version=version,
        created=created,
        updated=updated,
        context_bytes=size,
        messages=messages,
        context=[*columns[9:]],
        next=None,
    )
