"""How long sessions wait at each task: longer than given, or than is usual there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..model.times import UNKNOWN_TIME
from ..storage import Query, SessionStorage
from ..storage.overview import STUCK_FACTOR, USUAL_SESSIONS
from ..storage.protocols import SupportsCount, SupportsCounts, SupportsTable, require
from ..storage.table import GroupCount, Table

__all__ = ["SAMPLE", "TaskWait", "describe_left_out", "find_waits", "join_waits"]

SAMPLE: Final = 500  # sessions of a task whose median is taken
#: Sessions of which those at each task are taken: one read for all tasks and not one for each,
#: since a store without an index of tasks reads much of the table for each.
SAMPLE_OF_ALL: Final = 10_000
ENOUGH: Final = 100  # sessions of a task, with which it needs no read of its own
MAX_TASKS: Final = 50  # whose median is taken
MAX_NAMED: Final = 3  # tasks that a text names


@dataclass(frozen=True, slots=True)
class TaskWait:
    """The sessions at one task, and those of them that nobody has saved for long.

    Attributes:
        graph_id, task: The graph and the task.
        sessions: The number of sessions there.
        usual: The median of the time since their last save, of 500 at most; None if it was not
            asked for, or there are fewer than five.
        limit: The time from which on a wait counts; None without a usual one.
        until: The last save before which a session has waited longer; None without a limit.
        waiting: The number of sessions that have waited longer.
        longest: The time since the oldest save; None if no time is known.
    """

    graph_id: str
    task: str
    sessions: int
    usual: timedelta | None
    limit: timedelta | None
    until: datetime | None
    waiting: int
    longest: timedelta | None


async def find_waits(
    storage: SessionStorage,
    longer_than: timedelta | None,
    *,
    graph: str | None = None,
    task: str | None = None,
) -> list[TaskWait]:
    """Return the waits at each task, the most sessions that wait too long first.

    Example:
        >>> from graphflow_nb.storage.demo import demo_storage
        >>> waits = await find_waits(demo_storage(), timedelta(days=1))
        >>> waits[0].task, waits[0].waiting <= waits[0].sessions
        ('payout', True)

    Args:
        storage: The storage.
        longer_than: The time; None for ten times what is usual at each task, of the 50 tasks with
            the most sessions.
        graph, task: The exact graph_id, the exact current_task_id; None for all.

    Raises:
        CapabilityError: The storage can't count sessions, or not list them.
        StorageError: The store failed.
    """
    now = datetime.now(UTC)
    here = Query(graph=graph, task=task)
    groups = await require(storage, SupportsCounts).counts(here)
    if longer_than is None:
        groups = sorted(groups, key=lambda group: -group.sessions)[:MAX_TASKS]
        sample = await require(storage, SupportsTable).table(
            replace(here, order="id", limit=SAMPLE_OF_ALL), ()
        )
        found = [await _compare_with_usual(storage, group, sample, now) for group in groups]
    else:
        until = now - longer_than
        late = await require(storage, SupportsCounts).counts(replace(here, updated_until=until))
        waiting = {(group.graph_id, group.current_task_id): group.sessions for group in late}
        found = [
            TaskWait(
                group.graph_id,
                group.current_task_id,
                group.sessions,
                None,
                longer_than,
                until,
                waiting.get((group.graph_id, group.current_task_id), 0),
                _longest(group, now),
            )
            for group in groups
        ]
    return sorted(found, key=lambda wait: (-wait.waiting, wait.graph_id, wait.task))


async def _compare_with_usual(
    storage: SessionStorage, group: GroupCount, sample: Table, now: datetime
) -> TaskWait:
    graph, task = group.graph_id, group.current_task_id
    known = await _sample_updates(storage, group, sample)
    if len(known) < USUAL_SESSIONS:
        few = (graph, task, group.sessions, None, None, None, 0, _longest(group, now))
        return TaskWait(*few)
    middle = float(np.median(known)) / 1e6
    usual = timedelta(seconds=max(0.0, now.timestamp() - middle))
    until = now - STUCK_FACTOR * usual
    waiting = 0
    if group.oldest is None or group.oldest < until:
        query = Query(graph=graph, task=task, updated_until=until)
        waiting = int(await require(storage, SupportsCount).count(query))
    return TaskWait(
        *(graph, task, group.sessions, usual, STUCK_FACTOR * usual, until, waiting),
        _longest(group, now),
    )


async def _sample_updates(
    storage: SessionStorage, group: GroupCount, sample: Table
) -> NDArray[np.int64]:
    """Return the known times of the last saves of some sessions at a task.

    They are the first ones by id and not by time: the newest would be a choice of short waits.

    Args:
        storage: The storage, which is asked only for a task that the sample has too little of.
        group: The task.
        sample: Sessions of all tasks, by id.
    """
    graph, task = group.graph_id, group.current_task_id
    rows = [
        row
        for row, place in enumerate(zip(sample.graph_id, sample.current_task_id, strict=True))
        if place == (graph, task)
    ]
    updated = sample.updated[rows[:SAMPLE]]
    if sample.next is not None and len(rows) < ENOUGH:
        query = Query(graph=graph, task=task, order="id", limit=SAMPLE)
        updated = (await require(storage, SupportsTable).table(query, ())).updated
    known: NDArray[np.int64] = updated[updated != UNKNOWN_TIME]
    return known


def _longest(group: GroupCount, now: datetime) -> timedelta | None:
    return None if group.oldest is None else now - group.oldest


async def join_waits(
    waits: Sequence[TaskWait],
    read: Callable[[TaskWait], Awaitable[pd.DataFrame]],
    empty: pd.DataFrame,
) -> pd.DataFrame:
    """Return the sessions that have waited longer than is usual at their task, in any order.

    Args:
        waits: The waits at each task, compared with what is usual.
        read: The function that returns the sessions of a task that have waited.
        empty: What it would return of no session.

    Returns:
        What ``read`` returns, with ``usual`` (timedelta64[us]), the median at the task, at the end;
        ``attrs["next"]`` is not None if ``read`` left out some.
    """
    parts, left_out = [], None
    for wait in waits:
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


def describe_left_out(waits: Sequence[TaskWait]) -> str:
    """Return which tasks were not compared with what is usual, and why; empty if all were."""
    few = [f"{wait.graph_id}/{wait.task}" for wait in waits if wait.limit is None]
    parts = []
    if few:
        names = ", ".join(few[:MAX_NAMED]) + (" and others" if len(few) > MAX_NAMED else "")
        parts.append(f"fewer than {USUAL_SESSIONS} sessions with a known time at {names}")
    if len(waits) == MAX_TASKS:
        parts.append(f"only the {MAX_TASKS} tasks with the most sessions were looked at")
    return "; ".join(parts)
