"""Queries: a page by the index where there is one, else a scan of all keys, which is bounded."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.times import UNKNOWN_TIME
from ...printable import describe_count
from ..limits import QUICK_ROWS
from ..offloop import run_off_loop
from ..paths import ContextPath
from ..query import Query
from ..rows import GroupCounter, build_table, filter_rows, take_page
from ..scans import current_row_note
from ..table import GroupCount, NotedCount, NotedList, Table
from ..trace import current
from .client import RedisClient
from .form import Stored, digest
from .index import Entry, RedisIndex, entry_after, is_current, next_cursor
from .keys import Keys, hidden_note
from .odd import OddStored
from .records import Found, Records
from .whole import Gathered, note_problems

__all__ = ["Page", "Queries", "SessionPage"]


_PORTION: Final = 2_000  # values that are read in one step, at most
_PROBED: Final = 10_000  # entries of the index, whose hits say how many more would be read
_LISTED_SECONDS: Final = 60.0  # for which the next pages believe a list of keys


class _Listed(NamedTuple):
    """The ids of all keys of a pattern, in order.

    Attributes:
        pattern: The pattern.
        ids: The ids.
        ends: The last ids of the page that was read last: the next one begins after one of them.
        at: When they were listed.
    """

    pattern: str | None
    ids: list[str]
    ends: tuple[str, ...]
    at: float


class _Portion(NamedTuple):
    """The sessions of some entries that a query selects.

    Attributes:
        found: The sessions, in the order of the entries.
        entries: The entry of each.
        moved: The number of entries whose session is gone, or is not as the entry says.
    """

    found: list[Found]
    entries: list[Entry]
    moved: int


class Page(NamedTuple):
    """The sessions that a query selects.

    Attributes:
        found: The sessions, in order.
        entries: The index's entry of each, by which it was found; empty after a scan.
        note: A remark on the page for a person, None for none.
    """

    found: list[Found]
    entries: list[Entry]
    note: str | None


class SessionPage(NamedTuple):
    """The sessions that a query selects.

    Attributes:
        found: The sessions, in order.
        problems: What is wrong with the values that are nearly sessions, by id.
        note: A remark on the page for a person, None for none.
    """

    found: list[Stored]
    problems: dict[str, str]
    note: str | None


class Queries:
    """The queries on the sessions under one prefix.

    Args:
        client: The client that sends the commands.
        records: The stored sessions.
        index: The index of the sessions.
        keys: The sessions by their keys.
    """

    def __init__(self, client: RedisClient, records: Records, index: RedisIndex, keys: Keys):
        self._client = client
        self._records = records
        self._index = index
        self._keys = keys
        self._listed: _Listed | None = None

    async def select(self, query: Query) -> Page:
        """Return the selected sessions, in order."""
        if self._index.can_page(query) and await self._index.refresh():
            by_index = await self._select_by_index(query)
            if by_index is not None:
                return by_index
        if query.order_by == "id" and query.ids is None and query.limit is not None:
            return await self._select_by_id(query, query.limit)
        kept: list[Found] = []
        hidden: set[bytes] = set()
        async for portion in self._keys.scan(query, hidden=hidden):
            kept += portion
            if query.limit is not None and len(kept) > 4 * query.limit + 1000:
                kept = take_page(kept, query)
        page = await run_off_loop(len(kept), lambda: take_page(kept, query))
        return Page(page, [], hidden_note(hidden))

    async def _select_by_id(self, query: Query, limit: int) -> Page:
        """Return a page in the order of the ids, for which the keys alone say what to read."""
        ids = await self._list_ids(query)
        after = query.after
        if query.descending:
            left = ids[: len(ids) if after is None else bisect_left(ids, after.id)]
            left.reverse()
        else:
            left = ids[0 if after is None else bisect_right(ids, after.id) :]
        found: list[Found] = []
        hidden: set[bytes] = set()
        start, count = 0, min(max(limit, 100), _PORTION)
        note = current_row_note()
        while len(found) < limit and start < len(left):
            found += await self._keys.find_matching(left[start : start + count], query, hidden)
            start += count
            if note is not None:
                note(min(start, len(left)), len(left))
            if start - count < _PROBED <= start and len(found) < limit:
                expected = _expect(limit, start, len(found))
                await self._keys.ask(query, "search", expected, min(start, len(left)))
            # Where few of them match, larger portions take fewer round trips.
            count = min(2 * count, _PORTION)
        found = found[:limit]
        if self._listed is not None:
            # The last two, since a page may be asked for with one session more than it shows.
            ends = tuple(id for id, _ in found[-2:]) if len(found) == limit else ()
            self._listed = self._listed._replace(ends=ends) if ends else None
        return Page(found, [], hidden_note(hidden))

    async def _list_ids(self, query: Query) -> list[str]:
        """Return the ids of all keys that a query's prefix leaves, in order.

        The pages behind a first one follow its list: listing a million keys takes seconds.
        """
        pattern, known, now = self._keys.pattern(query), self._listed, time.monotonic()
        self._listed = None
        if (
            known is not None
            and query.after is not None
            and query.after.id in known.ends
            and pattern == known.pattern
            and now - known.at < _LISTED_SECONDS
        ):
            self._listed = known
            return known.ids
        portions = await self._keys.list_bounded(query)
        ids = [id async for keys in portions for id in self._records.ids_of(keys)]
        await run_off_loop(len(ids), ids.sort)
        self._listed = _Listed(pattern, ids, (), now)
        return ids

    async def _select_by_index(self, query: Query) -> Page | None:
        """Return a page by the index; None where reading all keys is quicker."""
        limit = query.limit or 0
        after = entry_after(query)
        found: list[Found] = []
        entries: list[Entry] = []
        walked, read, moved = 0, 0, 0
        hidden: set[bytes] = set()
        # Where other conditions leave out sessions, more are read than a page has.
        count = limit if self._index.can_count(query) else max(limit, 100)
        listed: list[Entry] | None = None
        note = current_row_note()
        while len(found) < limit:
            # Where few of them match, larger portions take fewer round trips.
            count = min(2 * count, _PORTION) if walked else count
            if listed is None:
                portion = await self._index.page(query, after, count)
            else:
                portion, listed = listed[:count], listed[count:]
            if not portion:
                break
            after = portion[-1]
            walked += len(portion)
            if query.id_prefix is not None:  # the entries alone say which values to read
                portion = [entry for entry in portion if entry.id.startswith(query.id_prefix)]
                if listed is None and walked >= _PORTION:  # the prefix is rare
                    listed = await self._index.page_of_prefix(query, after)
            read += len(portion)
            if read > self._keys.limit:
                raise await self._keys.too_many(query)
            answer = await self._read_portion(portion, query, hidden)
            moved += answer.moved
            found += answer.found
            entries += answer.entries
            if note is not None:
                note(read, None)
            if (
                read - len(portion) < _PROBED <= read
                and len(found) < limit
                and await self._expects_all(query, read, len(found))
            ):
                return None
        remarks = [hidden_note(hidden), await self._index_note(moved)]
        remark = "; ".join(filter(None, remarks)) or None
        return Page(found[:limit], entries[:limit], remark)

    async def _read_portion(
        self, portion: Sequence[Entry], query: Query, hidden: set[bytes]
    ) -> _Portion:
        """Return the sessions of some entries that a query selects."""
        sessions = await self._records.find_many([entry.id for entry in portion], hidden)

        def select() -> _Portion:
            known = {entry.id: (entry, s) for entry, s in zip(portion, sessions, strict=True) if s}
            left_out = sum(self._records.key(e.id) in hidden for e in portion) if hidden else 0
            # What the index says of a session is checked against the session itself.
            placed = filter_rows([s for _, s in known.values()], self._index.covered(query))
            chosen = filter_rows(placed, query)
            entries = [known[id][0] for id, _ in chosen]
            old = sum(
                not is_current(entry, stored.updated)
                for entry, (_, stored) in zip(entries, chosen, strict=True)
            )
            return _Portion(chosen, entries, len(portion) - left_out - len(placed) + old)

        return await run_off_loop(len(portion), select)

    async def _expects_all(self, query: Query, read: int, hits: int) -> bool:
        """Return whether so many values are left to read that reading all keys is quicker.

        Args:
            query: The query.
            read: The number of sessions that were read.
            hits: How many of them it selects.

        Raises:
            QueryError: More than ``scan_limit`` would be read.
        """
        total = sum(group.sessions for group in await self._index.groups(query))
        expected = min(total, _expect(query.limit or 0, read, hits))
        if expected > self._keys.limit:
            raise await self._keys.too_many(query)
        await self._keys.ask(query, "search", expected, read)
        # Without its entries, a value takes half of the time.
        keys = await self._keys.count()
        return keys is not None and keys <= min(self._keys.limit, 2 * expected)

    async def _index_note(self, moved: int = 0) -> str | None:
        # With a prefix, other keys may belong to others.
        return await self._index.note(alone=not self._records.prefix, moved=moved)

    async def sessions(self, query: Query) -> SessionPage:
        """Return the selected sessions, in order; what is nearly one does not count."""
        wanted = query
        while True:
            page = await self.select(wanted)
            found = [stored for _, stored in page.found if isinstance(stored, Stored)]
            problems = {id: odd.problem for id, odd in page.found if isinstance(odd, OddStored)}
            lacking = 0 if query.limit is None else query.limit - len(found)
            if wanted.limit is None or not lacking or len(page.found) < wanted.limit:
                return SessionPage(found, problems, page.note)
            # Odd values took places on the page: it is read again, larger by as many.
            wanted = wanted.following(wanted.after, wanted.limit + lacking)

    async def table(self, query: Query, context: Sequence[ContextPath]) -> Table:
        """Return the selected sessions by column, with the time at which each expires."""
        if query.limit is None:
            return await self._table_of_all(query, context)
        page = await self.select(query.one_more())
        shown = page.found[: query.limit]
        left = await self._records.expiries([id for id, _ in shown])
        now = time.time_ns() // 1000
        trace = current()
        trace.lap("execute")

        def build() -> Table:
            table = build_table(page.found, query, context)
            note_problems(table, shown)
            table.expires = _expiry_times(left, now)
            # Workers keep no times, by which a state could be told.
            table.marks = [digest(stored.text) for _, stored in shown]
            return table

        table = await run_off_loop(len(shown), build)
        table.note = page.note
        if page.entries and table.next is not None:
            # The next page goes on from the entry, also if its session was saved since.
            table.next = (
                next_cursor(query, page.entries[len(table) - 1]) if len(table) else query.after
            )
        trace.size(int(table.context_bytes.sum()), len(table))
        trace.lap("decode")
        return table

    async def _table_of_all(self, query: Query, context: Sequence[ContextPath]) -> Table:
        gathered = Gathered(query, context)
        hidden: set[bytes] = set()
        async for portion in self._keys.scan(query, hidden=hidden):
            await run_off_loop(len(portion), partial(gathered.add, portion))
        table = await run_off_loop(gathered.rows, gathered.finish)
        table.expires = _expiry_times(
            await self._records.expiries(table.id), time.time_ns() // 1000
        )
        table.note = hidden_note(hidden)
        current().size(int(table.context_bytes.sum()), len(table))
        current().lap("execute")
        return table

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""
        if await self._index.refresh() and self._index.can_count(query):
            total = sum(group.sessions for group in await self._index.groups(query))
            return NotedCount(total, await self._index_note())
        total = 0
        hidden: set[bytes] = set()
        async for portion in self._keys.scan(query, hidden=hidden, counts=True):
            total += len(portion)
        return NotedCount(total, hidden_note(hidden)) if hidden else total

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""
        if await self._index.refresh() and self._index.can_count(query):
            return NotedList(await self._index.groups(query), await self._index_note())
        groups = GroupCounter()
        hidden: set[bytes] = set()
        async for portion in self._keys.scan(query, hidden=hidden, counts=True):
            groups.add(portion)
        return NotedList(groups.counts(), hidden_note(hidden)) if hidden else groups.counts()

    async def slow_orders(self) -> dict[str, str]:
        """Return the orders that no index serves, each with what would help."""
        keys = await self._client.key_count()
        if keys <= QUICK_ROWS:
            return {}
        why = f"each page reads all {describe_count(keys, 'key')}"
        slow = dict.fromkeys(("created_at", "id"), f"{why}; only updated_at can have an index")
        if not await self._index.refresh():
            slow["updated_at"] = f"{why}; wb.build_index() makes it quick"
        return slow


def _expiry_times(left: Sequence[int | None], now: int) -> NDArray[np.int64]:
    """Return when sessions expire that have so many milliseconds left."""
    return np.array([now + ms * 1000 if ms else UNKNOWN_TIME for ms in left], np.int64)


def _expect(wanted: int, read: int, hits: int) -> float:
    """Return how many values fill a page, if hits among the others are as rare as those so far."""
    return wanted * read / hits if hits else inf
