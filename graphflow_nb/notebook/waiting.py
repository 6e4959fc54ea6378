"""How long sessions wait at each task: longer than given, or than is usual there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from ..errors import QueryError
from ..frames.overview import Ages, find_usual, places_of, sample_note
from ..model.moments import parse_moment
from ..storage import Query, SessionStorage
from ..storage.estimates import answer_briefly, read_counts
from ..storage.overview import AGES, USUAL_SESSIONS, OverviewCounts
from ..storage.protocols import SupportsCounts
from ..storage.table import GroupCount

__all__ = ["TaskWait", "Waits", "describe_left_out", "find_waits", "join_waits"]

#: Of a part of a store, so few that wait are counted in all of it: an index has them in some 50 ms.
FEW: Final = 20_000
MAX_TASKS: Final = 50  # whose waiting sessions are read
MAX_NAMED: Final = 3  # tasks that a text names
_EARLIEST: Final = datetime(10, 1, 1, tzinfo=UTC)  # there are classes of ages before each time
_STEP: Final = timedelta(microseconds=1)  # an age that is as long as the limit counts

Place = tuple[str, str]  # the graph and the task


@dataclass(frozen=True, slots=True)
class TaskWait:
    """The sessions at one task, and those of them that nobody has saved for long.

    Attributes:
        graph_id, task: The graph and the task.
        sessions: The number of sessions there.
        usual: The time since their last save within which half of them are, as ``wb.overview()``
            has it; None if it was not asked for, or is not known.
        limit: The time from which on a wait counts; None where nothing is unusual.
        until: The last save before which a session has waited so long; None without a limit.
        waiting: The number of sessions that have.
        longest: The least time since the oldest save; None if no time is known.
    """

    graph_id: str
    task: str
    sessions: int
    usual: timedelta | None
    limit: timedelta | None
    until: datetime | None
    waiting: int
    longest: timedelta | None


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits at each task of a store.

    Attributes:
        tasks: The waits, the most sessions that wait too long first.
        share: The part of the store that was read, 1.0 for all of it; the numbers are those of the
            whole store, about.
        exact: Whether the numbers of waiting sessions are exact nevertheless.
        note: What was read, where that is not all; else empty.
    """

    tasks: list[TaskWait]
    share: float
    exact: bool
    note: str


async def find_waits(
    storage: SessionStorage,
    longer_than: timedelta | None,
    *,
    graph: str | None = None,
    task: str | None = None,
    exact: bool = False,
) -> Waits:
    """Return the waits at each task.

    They are counted as for ``wb.overview()``: of a large store, in a part that stands for it.

    Example:
        >>> from graphflow_nb.storage.demo import demo_storage
        >>> waits = await find_waits(demo_storage(), timedelta(days=1))
        >>> waits.tasks[0].task, waits.tasks[0].waiting <= waits.tasks[0].sessions
        ('payout', True)

    Args:
        storage: The storage.
        longer_than: The time; None for what is unusual at each task, see ``find_usual``.
        graph, task: The exact graph_id, the exact current_task_id; None for all.
        exact: Whether to read all sessions, however many there are.

    Raises:
        QueryError: The time is longer than any that is stored.
        CapabilityError: The storage can't count sessions, or not list them.
        StorageError: The store failed.
    """
    now = datetime.now(UTC)
    # Where a time is given the counts are those of then: what was saved later is in its future.
    then = now if longer_than is None else _count_back(longer_than, now)
    counts = await read_counts(storage, then, exact=exact)
    tasks = [
        _compare_with_usual(place, ages, counts)
        if longer_than is None
        else _compare_with_given(place, ages, counts, longer_than)
        for place, ages in places_of(counts).items()
        if graph in (None, place[0]) and task in (None, place[1])
    ]
    known = counts.share == 1
    if longer_than is not None and not known and sum(wait.waiting for wait in tasks) <= FEW:
        late = await _count_few(storage, Query(graph=graph, task=task, updated_until=then + _STEP))
        if known := late is not None:
            tasks = _replace_waiting(tasks, late, longer_than, then, now)
    tasks.sort(key=lambda wait: (-wait.waiting, wait.graph_id, wait.task))
    return Waits(tasks, counts.share, known, sample_note(counts))


def _count_back(time: timedelta, now: datetime) -> datetime:
    try:
        return max(parse_moment(time, now), _EARLIEST)
    except ValueError as error:
        raise QueryError(str(error)) from error


def _compare_with_usual(place: Place, ages: Ages, counts: OverviewCounts) -> TaskWait:
    found = find_usual(ages)
    usual, limit = (
        None if np.isnan(seconds) else timedelta(seconds=seconds)
        for seconds in (found.age, found.stuck_after)
    )
    until = None if limit is None else counts.now - limit + _STEP
    sessions, stuck = (round(n / counts.share) for n in (sum(ages.values()), found.stuck))
    return TaskWait(*place, sessions, usual, limit, until, stuck, _longest(ages))


def _compare_with_given(
    place: Place, ages: Ages, counts: OverviewCounts, limit: timedelta
) -> TaskWait:
    late = sum(sessions for age, sessions in ages.items() if age >= 0)
    sessions, waiting = (round(n / counts.share) for n in (sum(ages.values()), late))
    longest = _longest(ages)
    longest = None if longest is None else limit + longest
    return TaskWait(*place, sessions, None, limit, counts.now + _STEP, waiting, longest)


def _longest(ages: Ages) -> timedelta | None:
    """Return the least age of the oldest sessions; None where none has one."""
    oldest = max(ages)
    return None if oldest < 0 else timedelta(seconds=(0, *AGES)[oldest])


async def _count_few(storage: SessionStorage, query: Query) -> Sequence[GroupCount] | None:
    """Return the sessions that a query selects by task; None where that takes long."""
    if not isinstance(storage, SupportsCounts):
        return None
    return await answer_briefly(storage, storage.counts(query))


def _replace_waiting(
    tasks: Sequence[TaskWait],
    late: Sequence[GroupCount],
    limit: timedelta,
    then: datetime,
    now: datetime,
) -> list[TaskWait]:
    """Return the waits at each task with the numbers of waiting sessions that were counted."""
    found = {(wait.graph_id, wait.task): replace(wait, waiting=0) for wait in tasks}
    for group in late:
        place = (group.graph_id, group.current_task_id)
        sessions = max(group.sessions, found[place].sessions if place in found else 0)
        longest = None if group.oldest is None else now - group.oldest
        found[place] = TaskWait(
            *place, sessions, None, limit, then + _STEP, group.sessions, longest
        )
    return [*found.values()]


async def join_waits(
    waits: Waits,
    read: Callable[[TaskWait], Awaitable[pd.DataFrame]],
    empty: pd.DataFrame,
) -> pd.DataFrame:
    """Return the sessions that have waited longer than is usual at their task, in any order.

    Args:
        waits: The waits at each task, compared with what is usual; those at the 50 tasks with most
            of them are read.
        read: The function that returns the sessions of a task that have waited.
        empty: What it would return of no session.

    Returns:
        What ``read`` returns, with ``usual`` (timedelta64[us]), as ``wb.overview()`` has it, at the
        end; ``attrs["next"]`` is not None if ``read`` left out some.
    """
    parts, left_out = [], None
    for wait in waits.tasks[:MAX_TASKS]:
        if wait.waiting:
            part = await read(wait)
            left_out = left_out or part.attrs["next"]
            parts.append(part.assign(usual=pd.Series(wait.usual, part.index, "timedelta64[us]")))
    if not parts:
        return empty.assign(usual=pd.Series([], empty.index, "timedelta64[us]"))
    joined = pd.concat(parts, ignore_index=True)
    names = ["graph_id", "current_task_id"]
    joined[names] = joined[names].astype("category")  # each part has its own
    joined.attrs = {"next": left_out}
    return joined


def describe_left_out(waits: Waits) -> str:
    """Return what may be missing among sessions that wait unusually long; empty for nothing.

    Args:
        waits: The waits at each task, compared with what is usual.
    """
    few = [f"{wait.graph_id}/{wait.task}" for wait in waits.tasks if wait.usual is None]
    parts = [waits.note] if waits.note else []
    if waits.share < 1:
        parts = [f"what is usual is {waits.note}: a task at which few are stuck may be missing"]
    if few:
        names = ", ".join(few[:MAX_NAMED]) + (" and others" if len(few) > MAX_NAMED else "")
        parts.append(
            f"not compared: {names}, with fewer than {USUAL_SESSIONS} sessions of a known time"
        )
    waiting = sum(wait.waiting > 0 for wait in waits.tasks)
    if waiting > MAX_TASKS:
        parts.append(f"only the {MAX_TASKS} tasks at which most are stuck were read")
    return "; ".join(parts)
