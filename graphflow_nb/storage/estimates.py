"""How many sessions there are: exactly where that is cheap, else about or more than was seen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeVar

from ..errors import ScanRefused
from .attributes import attributes_of
from .capabilities import require
from .deadline import ending_within
from .overview import READ_ROWS, OverviewCounts, count_columns
from .protocols import (
    SupportsCount,
    SupportsCounts,
    SupportsEstimate,
    SupportsOverview,
    SupportsTable,
)
from .query import Query
from .scans import ScanGuard, unguarded
from .table import GroupCount, NotedCount, note_of

__all__ = [
    "COUNT_SECONDS",
    "Counted",
    "Estimate",
    "answer_briefly",
    "count_by_task",
    "count_groups_briefly",
    "estimate_count",
    "read_counts",
    "sample_groups",
]

T = TypeVar("T")

#: Up to so many sessions a store counts in some 10 ms.
CHEAP: Final = 100_000
#: Up to so many sessions a store counts by task in some 100 ms.
CHEAP_BY_TASK: Final = 300_000
#: So many bytes of a file are counted by task in some 150 ms.
CHEAP_BYTES: Final = 250_000_000
#: Seconds that counting may take where nobody asked for it.
COUNT_SECONDS: Final = 0.2
#: Sessions of a part of a store by which those of the whole are estimated; fewer are chance.
FEWEST: Final = 100
SAMPLE: Final = 1_000  # sessions whose tasks are named where counting them takes long


class Estimate(NamedTuple):
    """A number of sessions, with how it is known.

    Example:
        >>> from graphflow_nb.storage.estimates import Estimate
        >>> print(Estimate(1_234_567, "about"), Estimate(10_000, "more than"), sep=", ")
        about 1.2 million, more than 10,000

    Attributes:
        sessions: The number.
        known: ``exactly`` for what was counted, ``about`` for the store's own estimate, ``more
            than`` for what was seen.
    """

    sessions: int
    known: Literal["exactly", "about", "more than"] = "exactly"

    def __str__(self) -> str:
        if self.known == "exactly":
            return f"{self.sessions:,}"
        if (
            self.known == "more than" and not self.sessions
        ):  # nothing was seen, and there may be none
            return "an unknown number of"
        if self.known == "about" and self.sessions >= 1_000_000:
            return f"about {self.sessions / 1e6:,.1f} million"
        digits = self.sessions
        if self.known == "about":
            digits = round(digits, 2 - len(str(digits)))
        return f"{self.known} {digits:,}"


async def estimate_count(
    storage: Any, query: Query, *, seen: int = 0, asked: bool = False
) -> Estimate:
    """Return how many sessions a query selects, without a long read of the store.

    Args:
        storage: A storage that counts.
        query: The selection; limit and page are ignored.
        seen: How many were seen, where there are more.
        asked: Whether the guard of the caller is asked, so that nothing is tried which it knows to
            take long.

    Raises:
        CapabilityError: The storage has no method ``count``.
        StorageError: The store failed.
    """
    counting = require(storage, SupportsCount)
    # Memory, which does not suspend, knows it exactly without a filter.
    is_told = isinstance(storage, SupportsEstimate) and attributes_of(storage).suspends
    if not query.filters and is_told:
        about = await storage.estimate()
        if about is not None and about > CHEAP:
            return Estimate(about, "about")
    try:
        async with _at_most(storage, COUNT_SECONDS) if asked else _briefly(storage):
            return Estimate(await counting.count(query))
    except (TimeoutError, ScanRefused):
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
    if isinstance(storage, SupportsEstimate):
        about = await storage.estimate()
        if about is not None and about > CHEAP_BY_TASK:
            return Estimate(about, "about")
    # What a file would take is known before it is read; a server's estimate was asked above.
    small = ScanGuard(CHEAP_BYTES, set(), allow=False, call=str)
    told = isinstance(storage, SupportsEstimate)
    try:
        async with _briefly(storage):
            with unguarded() if told else small.watch():
                return await counting.counts(Query())
    except (TimeoutError, ScanRefused):
        return await estimate_count(storage, Query())


class Counted(NamedTuple):
    """The numbers beside a page.

    Attributes:
        groups: The sessions at each task that all conditions but those on graph and task select;
            None where counting them took too long, or the storage does not count by task.
        total: The sessions that the query selects.
        about: Whether the sessions at each task are an estimate.
    """

    groups: Sequence[GroupCount] | None
    total: int | Estimate
    about: bool = False


async def count_by_task(
    storage: Any, query: Query, *, seconds: float | None, seen: int = 0
) -> Counted:
    """Count the selected sessions, and those at each task, by one read of the store.

    Of a large store a part is read that stands for the whole, unless any time may be taken.

    Args:
        storage: A storage that counts.
        query: The selection; limit and page are ignored.
        seconds: The time that it may take; None for any.
        seen: How many were seen, where there are more.

    Raises:
        CapabilityError: The storage has neither ``counts`` nor ``count``.
        ScanRefused: It would go through a large table, and was not allowed.
        StorageError: The store failed.
    """
    if not isinstance(storage, SupportsCounts):
        if seconds is not None:
            return Counted(None, _plain(await estimate_count(storage, query, seen=seen)))
        return Counted(None, await require(storage, SupportsCount).count(query))
    try:
        async with _at_most(storage, seconds):
            if seconds is not None and (found := await _sample_by_task(storage, query, seen)):
                return found
            groups = await storage.counts(replace(query, graph=None, task=None))
    except TimeoutError:
        if seconds is None:
            raise
        if not isinstance(storage, SupportsCount):
            return Counted(None, Estimate(seen, "more than"))
        return Counted(None, _plain(await estimate_count(storage, query, seen=seen)))
    total, note = _sum_selected(query, groups), note_of(groups)
    return Counted(groups, total if note is None else NotedCount(total, note))


async def _sample_by_task(storage: Any, query: Query, seen: int) -> Counted | None:
    """Return estimates of a large store; None where others than graph and task select sessions."""
    if replace(query, graph=None, task=None).filters:
        return None
    if not (isinstance(storage, SupportsEstimate) and isinstance(storage, SupportsOverview)):
        return None
    about = await storage.estimate()
    if about is None or about <= CHEAP_BY_TASK:
        return None
    counts = await storage.overview(datetime.now(UTC))
    read = Counter[tuple[str, str]]()
    for graph, task, _, sessions in counts.places:
        read[graph, task] += sessions
    groups = [
        GroupCount(graph, task, round(sessions / counts.share), None, None)
        for (graph, task), sessions in sorted(read.items())
    ]
    selected = _sum_selected(query, groups)
    if counts.share == 1:
        return Counted(groups, selected)
    total: int | Estimate = Estimate(about, "about")
    if query.filters:
        total = Estimate(selected, "about")
        if selected * counts.share < FEWEST:
            total = _plain(await estimate_count(storage, query, seen=seen))
    return Counted(groups, total, about=True)


def _sum_selected(query: Query, groups: Sequence[GroupCount]) -> int:
    return sum(
        group.sessions
        for group in groups
        if query.graph in (None, group.graph_id) and query.task in (None, group.current_task_id)
    )


def _plain(estimate: Estimate) -> int | Estimate:
    return estimate.sessions if estimate.known == "exactly" else estimate


async def sample_groups(storage: Any) -> list[GroupCount]:
    """Return tasks of a large store without their numbers: those of its first sessions by id."""
    with unguarded():
        table = await require(storage, SupportsTable).table(Query(order="id", limit=SAMPLE))
    places = sorted(set(zip(table.graph_id, table.current_task_id, strict=True)))
    return [GroupCount(graph, task, 0, None, None) for graph, task in places]


async def read_counts(storage: Any, now: datetime, *, exact: bool = False) -> OverviewCounts:
    """Return the counts of a store; by reading its newest sessions where it can't count them.

    Args:
        storage: The storage.
        now: The time from which ages are counted.
        exact: Whether to read all sessions, however many there are.

    Raises:
        CapabilityError: The storage has neither ``overview`` nor ``table``.
        StorageError: The store failed.
    """
    if isinstance(storage, SupportsOverview):
        return await storage.overview(now, exact=exact)
    query = Query(limit=None if exact else READ_ROWS)
    table = await require(storage, SupportsTable).table(query)
    notes = [table.note] if table.note else []
    if table.next is not None:
        of = ""
        if isinstance(storage, SupportsCount):
            of = f" of {await estimate_count(storage, Query(), seen=len(table))}"
        notes.append(f"the newest {len(table):,}{of} sessions; older ones are not counted")
    return count_columns(
        table.graph_id,
        table.current_task_id,
        table.created,
        table.updated,
        table.context_bytes,
        now,
        note="; ".join(notes) or None,
    )


async def answer_briefly(
    storage: Any, answer: Awaitable[T], seconds: float = COUNT_SECONDS
) -> T | None:
    """Return an answer of a storage; None where it takes longer than so many seconds."""
    try:
        async with _briefly(storage, seconds):
            return await answer
    except TimeoutError:
        return None


@asynccontextmanager
async def _briefly(storage: Any, seconds: float = COUNT_SECONDS) -> AsyncIterator[None]:
    """Raise TimeoutError after so many seconds; nothing is asked, since this is the bound."""
    with unguarded():
        async with _at_most(storage, seconds):
            yield


@asynccontextmanager
async def _at_most(storage: Any, seconds: float | None) -> AsyncIterator[None]:
    """Raise TimeoutError after so many seconds."""
    if seconds is None:
        yield
    elif not attributes_of(storage).suspends:
        with ending_within(seconds):
            yield
    else:
        async with asyncio.timeout(seconds):
            yield
