"""How many sessions there are: exactly where that is cheap, else about or more than was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from .attributes import attributes_of
from .protocols import SupportsCount, SupportsCounts, SupportsEstimate, require
from .query import Query
from .scans import unguarded
from .table import GroupCount

__all__ = ["COUNT_SECONDS", "Estimate", "count_groups_briefly", "estimate_count"]

#: Up to so many sessions a store counts in some 10 ms.
CHEAP: Final = 100_000
#: Seconds that counting may take where nobody asked for it.
COUNT_SECONDS: Final = 0.5


class Estimate(NamedTuple):
    """A number of sessions, with how it is known.

    Example:
        >>> from graphflow_nb.storage.estimates import Estimate
        >>> print(Estimate(1_234_567, "about"), Estimate(10_000, "more than"), sep=", ")
        about 1.2 million, more than 10,000

    Attributes:
        sessions: The number.
        known: ``about`` for the store's own estimate, ``more than`` for what was seen.
    """

    sessions: int
    known: Literal["exactly", "about", "more than"] = "exactly"

    def __str__(self) -> str:
        if self.known == "exactly":
            return f"{self.sessions:,}"
        if self.known == "about" and self.sessions >= 1_000_000:
            return f"about {self.sessions / 1e6:,.1f} million"
        digits = self.sessions
        if self.known == "about":
            digits = round(digits, 2 - len(str(digits)))
        return f"{self.known} {digits:,}"


async def estimate_count(storage: Any, query: Query, *, seen: int = 0) -> Estimate:
    """Return how many sessions a query selects, without a long read of the store.

    Args:
        storage: A storage that counts.
        query: The selection; limit and page are ignored.
        seen: How many were seen, where there are more.

    Raises:
        CapabilityError: The storage has no method ``count``.
        StorageError: The store failed.
    """
    counting = require(storage, SupportsCount)
    if not query.filters and isinstance(storage, SupportsEstimate):
        about = await storage.estimate()
        if about is not None and about > CHEAP:
            return Estimate(about, "about")
    if not attributes_of(storage).suspends:
        return Estimate(await counting.count(query))
    try:
        with unguarded():
            async with asyncio.timeout(COUNT_SECONDS):
                return Estimate(await counting.count(query))
    except TimeoutError:
        return Estimate(seen, "more than")


async def count_groups_briefly(storage: Any) -> Sequence[GroupCount] | Estimate:
    """Return the sessions at each task; where that takes long, about how many there are.

    Args:
        storage: A storage that counts by task.

    Raises:
        CapabilityError: The storage has no method ``counts``.
        StorageError: The store failed.
    """
    counting = require(storage, SupportsCounts)
    if not attributes_of(storage).suspends:
        return await counting.counts(Query())
    try:
        with unguarded():
            async with asyncio.timeout(COUNT_SECONDS):
                return await counting.counts(Query())
    except TimeoutError:
        return await estimate_count(storage, Query())
