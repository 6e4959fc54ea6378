"""A read of all keys: bounded, and asked about before it is large."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from math import inf
from typing import Final

from ...errors import QueryError, StorageError
from ...printable import describe_count, inflect
from ..paths import is_encodable
from ..query import Query
from ..rows import filter_rows
from ..scans import ScanKind, current_guard, current_row_note
from .client import RedisClient
from .errors import is_refused
from .index import RedisIndex, key_pattern
from .records import Found, Records
from .scans import Scans

__all__ = ["Keys", "hidden_note"]

_SURELY: Final = 1.25  # times as many keys as are allowed, which is no error of a sample


class Keys:
    """The sessions under one prefix, found by the keys alone.

    Args:
        client: The client that sends the commands.
        records: The stored sessions.
        index: The index of the sessions, for advice.
        limit: The largest number of keys that one query reads.

    Attributes:
        limit: That number.
    """

    def __init__(self, client: RedisClient, records: Records, index: RedisIndex, limit: int):
        self._client = client
        self._records = records
        self._index = index
        self.limit = limit
        self._scans = Scans(client)

    async def scan(
        self,
        query: Query,
        *,
        bounded: bool = True,
        hidden: set[bytes] | None = None,
        counts: bool = False,
    ) -> AsyncIterator[list[Found]]:
        """Yield the sessions that match, portion by portion and in no order.

        Args:
            query: The query, whose order and limit are ignored.
            bounded: Whether more keys than ``scan_limit`` raise an error; False reads them all.
            hidden: Receives the keys that the user may not read; without it they raise an error.
            counts: Whether the sessions are counted.

        Raises:
            QueryError: There are more keys than ``scan_limit``.
            ScanRefused: They are large, and the guard of the caller does not let it read them.
        """
        if query.ids is not None:
            ids = [id for id in dict.fromkeys(query.ids) if is_encodable(id)]
            yield await self.find_matching(ids, query, hidden)
            return
        pattern = self.pattern(query)
        # Before the first value is read.
        portions = await self.list_bounded(query) if bounded else self._client.scan(pattern)
        if bounded:
            await self.ask(query, _kind(query, counts))
        read, about, note = 0, None, current_row_note()
        if note is not None and pattern is None:
            about = await self.count()
        async for keys in portions:
            ids = self._records.ids_of(keys)
            yield await self.find_matching(ids, query, hidden)
            read += len(keys)
            if note is not None:
                note(read, about)

    def pattern(self, query: Query) -> str | None:
        """Return the pattern of the keys that a query's prefix leaves, None for all keys."""
        return key_pattern(self._records.prefix + (query.id_prefix or ""))

    async def count(self) -> int | None:
        """Return the number of keys; None for a user without the right to count."""
        try:
            return await self._client.key_count()
        except StorageError as error:
            if is_refused(error):
                return None
            raise

    async def _may_exceed(self, query: Query) -> bool:
        """Return whether there may be more keys than ``scan_limit``.

        Raises:
            QueryError: There are many more, as a sample says.
        """
        total = await self.count()
        if total is None or total <= self.limit:
            return total is None
        sizes = await self._scans.measure(self.pattern(query), total)
        if sizes.keys > _SURELY * self.limit:
            raise await self.too_many(query)
        return True

    async def ask(self, query: Query, kind: ScanKind, keys: float = inf, tried: int = 0) -> None:
        """Ask the guard of the caller, if there is one, whether so many values may be read."""
        guard = current_guard()
        if guard is None or guard.above_bytes is None:
            return
        total = await self.count()
        if total is not None:
            sizes = await self._scans.measure(self.pattern(query), total)
            helps = await self._advice(query) if kind in ("search", "sort") else ""
            guard.check(sizes.estimate(kind, keys, helps, tried))

    async def list_bounded(self, query: Query) -> AsyncIterator[list[bytes]]:
        """Return all keys that a query's prefix leaves, portion by portion.

        Raises:
            QueryError: There are more keys than ``scan_limit``.
        """
        may_exceed = await self._may_exceed(query)
        portions = self._client.scan(self.pattern(query))
        if not may_exceed:
            return portions
        read, listed = 0, []
        async for keys in portions:
            read += len(keys)
            if read > self.limit:
                raise await self.too_many(query)
            listed.append(keys)
        return _each(listed)

    async def find_matching(
        self, ids: Sequence[str], query: Query, hidden: set[bytes] | None
    ) -> list[Found]:
        """Return those of some sessions that a query selects.

        Args:
            ids: The ids of the sessions.
            query: The query, whose order and limit are ignored.
            hidden: Receives the keys that the user may not read; without it they raise an error.
        """
        found = await self._records.find_many(ids, hidden)
        return filter_rows([entry for entry in found if entry is not None], query)

    async def too_many(self, query: Query) -> QueryError:
        """Return the error of a query that would read more keys than ``scan_limit``."""
        return QueryError(
            f"this query would have to read more than {self.limit:,} keys, and a part of "
            f"them would be an incomplete answer: {await self._advice(query)}, id_prefix= or ids= "
            "narrow the query, and connecting with a higher scan_limit= allows it"
        )

    async def _advice(self, query: Query) -> str:
        """Return what an index does for a query, as a clause."""
        exists = await self._index.refresh()
        paged = query.limit is not None
        if not exists and (self._index.can_page(query) if paged else self._index.can_count(query)):
            return "wb.build_index() makes pages quick"
        which = "the" if exists else "an"
        return f"{which} index has only graph=, task= and updated_…= and the order by updated_at"


def hidden_note(hidden: set[bytes]) -> str | None:
    """Return a remark on the keys that the user may not read, None for none."""
    if not hidden:
        return None
    first = ", ".join(key.decode(errors="replace") for key in sorted(hidden)[:3])
    more = ", …" if len(hidden) > 3 else ""
    left_out = describe_count(len(hidden), "key is left out", "keys are left out")
    return (
        f"{left_out}, because this user may not read {inflect(len(hidden), 'it', 'them')} "
        f"({first}{more}); prefix= or the right to GET these keys"
    )


def _kind(query: Query, counts: bool) -> ScanKind:
    if counts:
        return "count"
    if query.limit is None:
        return "full read"
    return "search" if query.filters else "sort"


async def _each(portions: list[list[bytes]]) -> AsyncIterator[list[bytes]]:
    for keys in portions:
        yield keys
