"""The queries on a table: pages, tables, counts, and the question before a large read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any

import asyncpg

from ...model import Session
from ...model.times import FINITE
from ..chats import Chat
from ..odd import Found
from ..offloop import run_off_loop
from ..overview import OverviewCounts
from ..paths import ContextPath
from ..query import Query
from ..scans import current_guard
from ..table import GroupCount, Table, cut_page
from ..trace import current
from .columns import columns_of_rows, holds_odd, unpack_columns
from .connections import Connection
from .odd import UNSENT, build_odd_table, count_odd, find_sessions, is_count, is_session, read_rows
from .overview import read_overview
from .reads import get
from .selects import Statement, Way
from .streaming import Unstreamed, stream_table
from .table import OpenTable, Work

__all__ = ["Queries"]

#: What servers raise that can't send rows in the forms of ``COPY`` and of chats, or not these rows.
_UNCOPIED = (UNSENT, asyncpg.UndefinedFunctionError, asyncpg.FeatureNotSupportedError)


class Queries:
    """The queries on a table of sessions.

    Args:
        table: The open table.
    """

    def __init__(self, table: OpenTable):
        self._table = table

    async def sessions(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order; ``problems`` of the list names the odd rows.

        Ids are ordered by the column's collation, because only then the primary key serves a page.
        """
        table = self._table

        async def read(connection: Connection) -> Any:
            try:
                return await self._find(connection, query, table.statements.selects.select)
            except UNSENT:
                return None

        rows = await self._fetch(read)
        problems: dict[str, str] = {}
        if rows is None or not all(map(is_session, rows)):
            rows, problems = await find_sessions(table, query)
        found = await run_off_loop(len(rows), lambda: [table.states.read(row) for row in rows])
        sessions = Found(found, problems)
        current().size(sum(len(row[4]) for row in rows), len(rows))
        current().lap("decode")
        return sessions

    async def chats(self, query: Query) -> list[Chat] | None:
        """Return the chats that have messages of the selected sessions; see ``SupportsChats``."""
        table = self._table

        async def read(connection: Connection) -> Any:
            chats = table.statements.selects.chats
            try:
                return await self._find(connection, query, chats, searched=True)
            except _UNCOPIED:
                return None

        rows = await self._fetch(read)
        if rows is None or any(row[1] is None for row in rows):
            return None
        chats = await run_off_loop(len(rows), lambda: [Chat(*row) for row in rows])
        current().size(sum(len(chat.context) for chat in chats), len(chats))
        current().lap("decode")
        return chats

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column.

        ``context_bytes`` is the size of a context on disk.
        """
        opened = self._table
        if query.limit is None and (whole := await self._stream(query, context)) is not None:
            return whole
        wider = query.one_more()

        async def read_packed(connection: Connection) -> Any:
            selects = opened.statements.selects

            async def fetch(way: Way) -> Any:
                statement = selects.columns(wider, context, way)
                await self._check_way(connection, statement, wider, way)
                # Not fetchrow: a server that is asked for one row runs no plan in parallel.
                [row] = await connection.fetch(statement.text, *statement.arguments)
                return row

            try:
                row = await opened.pages.find(connection, selects, wider, fetch, itemgetter(0))
            except (asyncpg.UndefinedFunctionError, asyncpg.FeatureNotSupportedError):
                opened.packs = False
                return None
            except UNSENT:
                return None
            return row

        async def read_unpacked(connection: Connection) -> Any:
            statement = opened.statements.selects.columns(wider, context, packed=False)
            await self._check_scan(connection, statement, wider)
            try:
                return await connection.fetch(statement.text, *statement.arguments)
            except UNSENT:
                return None

        paths = len(context)
        table: Table | None = None
        row = await self._fetch(read_packed) if opened.packs else None
        if row is not None:
            table = await run_off_loop(row[0], lambda: unpack_columns(row, paths))
        if table is None and (rows := await self._fetch(read_unpacked)) is not None:
            table = await run_off_loop(len(rows), lambda: columns_of_rows(rows, paths))
        if table is None or holds_odd(table):
            odd = await read_rows(opened, wider)
            table = await run_off_loop(len(odd), lambda: build_odd_table(odd, query, context))
        else:
            table = cut_page(table, query)
        if table.next is not None and table.next.time == FINITE:
            # The last years of PostgreSQL are not told apart in a column of int64.
            last = await get(opened, table.next.id)
            if last is not None:
                time = last.raw_updated if query.order_by == "updated_at" else last.raw_created
                table.next = replace(table.next, time=time)
        current().size(int(table.context_bytes.sum()), len(table))
        current().lap("decode")
        return table

    async def _stream(self, query: Query, context: Sequence[ContextPath]) -> Table | None:
        """Return all selected sessions by column; None where the server can't stream them."""
        opened = self._table
        if not opened.packs:
            return None

        async def check(connection: Connection) -> None:
            # As the rows that are streamed, since COPY itself can't be explained.
            rows = opened.statements.selects.columns(query, context, packed=False)
            await self._check_scan(connection, rows, query)

        async def read(connection: Connection) -> Table | None:
            try:
                return await stream_table(connection, opened, query, context)
            except (Unstreamed, *_UNCOPIED):
                return None

        if current_guard() is not None:
            await opened.run_query(check)  # by itself: nothing comes before the snapshot is set
        table: Table | None = await self._fetch(read)
        if table is not None:
            size = await run_off_loop(len(table), partial(_finish, table, query))
            current().size(size, len(table))
            current().lap("decode")
        return table

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""
        table = self._table

        async def read(connection: Connection) -> Any:
            statement = table.statements.selects.count(query)
            await self._check_scan(connection, statement, query, counts=True)
            # Not fetchval: a server that is asked for one row runs no plan in parallel.
            [row] = await connection.fetch(statement.text, *statement.arguments)
            return row[0]

        return int(await self._fetch(read))

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""
        table = self._table

        async def read(connection: Connection) -> Any:
            statement = table.statements.selects.counts(query)
            await self._check_scan(connection, statement, query, counts=True)
            try:
                return await connection.fetch(statement.text, *statement.arguments)
            except UNSENT:
                return None

        rows = await self._fetch(read)
        if rows is None or not all(map(is_count, rows)):
            return await count_odd(table, query)
        return [GroupCount(*row) for row in sorted(rows, key=tuple)]

    async def overview(self, now: datetime, *, exact: bool = False) -> OverviewCounts:
        """Return counts by task and age, by the hour and by size; see ``SupportsOverview``.

        Of a table of more than 16 MB a part of the pages is read, unless ``exact``. The size of a
        context is that on disk.
        """

        async def check(connection: Connection) -> None:
            every = Query()
            counted = self._table.statements.selects.counts(every)
            await self._check_scan(connection, counted, every, counts=True)

        if exact and current_guard() is not None:
            await self._table.run_query(check)
        return await read_overview(self._table, now, exact=exact)

    async def _check_way(
        self, connection: Connection, statement: Statement, query: Query, way: Way
    ) -> None:
        """Ask before a page is looked for in a large table, unless by a walk along an index."""
        if way.walk and not way.sorts:
            return
        if way.walk:  # the contexts of few rows are looked into
            query = replace(query, context={}, has=(), lacks=(), compare=())
        await self._check_scan(connection, statement, query, tried=way.tried)

    async def _find(
        self,
        connection: Connection,
        query: Query,
        select: Callable[[Query, Way], Statement],
        *,
        searched: bool = False,
    ) -> Any:
        """Return the rows of a page, found in the way that probably takes least."""

        async def fetch(way: Way) -> Any:
            statement = select(query, way)
            await self._check_way(connection, statement, query, way)
            return await connection.fetch(statement.text, *statement.arguments)

        selects = self._table.statements.selects
        return await self._table.pages.find(
            connection, selects, query, fetch, len, searched=searched
        )

    async def _check_scan(
        self,
        connection: Connection,
        statement: Statement,
        query: Query,
        *,
        counts: bool = False,
        tried: int = 0,
    ) -> None:
        """Ask before a large read, where a person is to be asked."""
        if (guard := current_guard()) is not None:
            scans = self._table.scans
            await scans.check(guard, connection, statement, query, counts=counts, tried=tried)

    async def _fetch(self, read: Work[Any]) -> Any:
        result = await self._table.run_query(read)
        current().lap("execute")
        return result


def _finish(table: Table, query: Query) -> int:
    """Name the odd times of a table of all sessions; return the bytes of all contexts."""
    cut_page(table, query)
    return int(table.context_bytes.sum())
