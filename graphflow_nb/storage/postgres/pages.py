"""How a page is found: by a walk along an index, by a sort, or by what serves the conditions.

No statistics of the server say how many sessions some queries select.

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
from typing import Final, Literal, NamedTuple, TypeVar

from ..query import Query
from .connections import Connection
from .errors import NOT_SPOKEN
from .plans import plan_of
from .selects import DIRECT, SORTED, Selects, Statement, Way, is_searched, looks_inside

__all__ = ["Pages", "goes_through_all", "judge_order"]

R = TypeVar("R")

PROBED: Final = 1_000  # rows, of which a context each is read
WALKED: Final = 20_000  # rows; a longer walk takes longer than what it could save
#: Rows of an order that is sorted, whose contexts are looked into before all others': a sort of a
#: million rows takes 0.3 s, and to decompress the contexts of all of them 4 s.
SORTED_FIRST: Final = 5_000
KNOWN_SECONDS: Final = 60.0  # for which a plan is believed
SPARE: Final = 1.5  # how much longer a walk is than its hits so far make it


#: What the server does for an order in a table of more rows than are walked through: it walks along
#: an index, or it sorts. ``any`` for a smaller table, and where that is not known.
Effort = Literal["walk", "sort", "any"]


class _Order(NamedTuple):
    """What the server's plan for an order says, and when it was asked."""

    effort: Effort
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
        *,
        searched: bool = False,
    ) -> R:
        """Return a page of sessions, found in the way that probably takes least.

        Args:
            connection: The connection on which ``fetch`` runs its statements.
            selects: The statements of the table.
            query: The query, whose limit is the number of rows that ``fetch`` asks for.
            fetch: Returns the page, found in a given way.
            count: Returns the number of rows of what ``fetch`` returned.
            searched: Whether ``fetch`` has a further condition that no statistics are of.
        """
        wanted = query.limit
        if not wanted or query.ids is not None:
            return await fetch(DIRECT)
        effort = await self._find_effort(connection, selects, query)
        if (
            effort == "sort"
            and looks_inside(query)
            and wanted <= SORTED_FIRST
            and await goes_through_all(connection, selects.explain_conditions(query))
        ):
            page = await fetch(Way(walk=SORTED_FIRST, sorts=True))
            if count(page) >= wanted:
                return page
            return await fetch(SORTED._replace(tried=SORTED_FIRST))
        if effort != "walk" or not (searched or is_searched(query)):
            return await fetch(SORTED if effort == "sort" else DIRECT)
        walked = PROBED
        page = await fetch(Way(walk=walked))
        hits = count(page)
        if 0 < hits < wanted and (longer := round(SPARE * PROBED * wanted / hits)) <= WALKED:
            walked = longer
            page = await fetch(Way(walk=walked))
            hits = count(page)
        return page if hits >= wanted else await fetch(Way(apart=True, tried=walked))

    async def _find_effort(self, connection: Connection, selects: Selects, query: Query) -> Effort:
        now = time.monotonic()
        known = self._orders.get(query.order)
        if known is None or now - known.at > KNOWN_SECONDS:
            known = self._orders[query.order] = _Order(
                await judge_order(connection, selects.explain_order(query)), now
            )
        return known.effort


async def goes_through_all(connection: Connection, explain: Statement) -> bool:
    """Return whether no index serves the conditions of a query.

    Args:
        connection: The connection.
        explain: The statement that asks for the plan.
    """
    async with connection.transaction():
        explained = await connection.fetchval(explain.text, *explain.arguments)
    return any(step.endswith("Seq Scan") for step in plan_of(json.loads(explained)).steps)


async def judge_order(connection: Connection, explain: str) -> Effort:
    """Return what the server does for an order, by its plan for a page.

    Args:
        connection: The connection.
        explain: The statement that asks for the plan.
    """
    # Servers that only speak PostgreSQL's protocol may explain in another form.
    with suppress(*NOT_SPOKEN):
        async with connection.transaction():
            plan = plan_of(json.loads(await connection.fetchval(explain)))
            if plan.rows > WALKED:
                return "sort" if plan.sorts else "walk"
    return "any"
