"""How a page is found where no statistics of the server say how many sessions a query selects.

For a text inside a column, or a value inside a context, the server assumes a share that may be
wrong by any factor. If it then walks along the index of the order, a page of what is rare takes a
walk through the whole table by random access; if it does not, a page of what is common reads and
sorts everything. So the first thousand rows of the order are looked through, which takes
milliseconds, and their hits decide.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

import asyncpg

from ..query import Query
from .connections import Connection
from .plans import plan_of
from .selects import DIRECT, Selects, Way, is_searched

__all__ = ["Pages", "is_served"]

R = TypeVar("R")

PROBED: Final = 1_000  # rows, of which a context each is read
WALKED: Final = 20_000  # rows; a longer walk takes longer than what it could save
KNOWN_SECONDS: Final = 60.0  # for which a plan is believed
SPARE: Final = 1.5  # how much longer a walk is than its hits so far make it


class _Order(NamedTuple):
    """What the server's plan for an order says.

    Attributes:
        walks: Whether an index serves it, in a table of more rows than are walked through.
        at: When that was asked.
    """

    walks: bool
    at: float


class Pages:
    """The ways in which the pages of one table are found."""

    def __init__(self) -> None:
        self._orders: dict[str, _Order] = {}

    async def find(
        self,
        connection: Connection,
        selects: Selects,
        query: Query,
        fetch: Callable[[Way], Awaitable[R]],
        count: Callable[[R], int],
    ) -> R:
        """Return a page of sessions, found in the way that probably takes least.

        Args:
            connection: The connection on which ``fetch`` runs its statements.
            selects: The statements of the table.
            query: The query, whose limit is the number of rows that ``fetch`` asks for.
            fetch: Returns the page, found in a given way.
            count: Returns the number of rows of what ``fetch`` returned.
        """
        wanted = query.limit
        if not wanted or not is_searched(query):
            return await fetch(DIRECT)
        if not await self._walks(connection, selects, query):
            return await fetch(DIRECT)
        page = await fetch(Way(walk=PROBED))
        hits = count(page)
        if 0 < hits < wanted and (walk := round(SPARE * PROBED * wanted / hits)) <= WALKED:
            page = await fetch(Way(walk=walk))
            hits = count(page)
        return page if hits >= wanted else await fetch(Way(apart=True))

    async def _walks(self, connection: Connection, selects: Selects, query: Query) -> bool:
        now = time.monotonic()
        known = self._orders.get(query.order)
        if known is None or now - known.at > KNOWN_SECONDS:
            known = self._orders[query.order] = _Order(
                await is_served(connection, selects.explain_order(query)), now
            )
        return known.walks


async def is_served(connection: Connection, explain: str) -> bool:
    """Return whether an index serves an order, in a table of more rows than are walked through."""
    # Servers that only speak PostgreSQL's protocol may explain in another form.
    with suppress(asyncpg.SyntaxOrAccessError, asyncpg.FeatureNotSupportedError):
        async with connection.transaction():
            plan = plan_of(json.loads(await connection.fetchval(explain)))
            return not plan.sorts and plan.rows > WALKED
    return False
