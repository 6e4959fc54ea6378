"""How long sessions wait at each task: longer than given, or than is usual there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from ..model.times import UNKNOWN_TIME
from ..storage import Query, SessionStorage
from ..storage.protocols import SupportsCount, SupportsCounts, SupportsTable, require
from ..storage.table import GroupCount

__all__ = ["FACTOR", "SAMPLE", "TaskWait", "find_waits"]

#: A wait is unusual if it is longer than so many times the median of its task.
FACTOR: Final = 2
SAMPLE: Final = 500  # sessions of a task whose median is taken
MIN_SAMPLE: Final = 5
MAX_TASKS: Final = 50  # whose median is taken


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


async def find_waits(storage: SessionStorage, longer_than: timedelta | None) -> list[TaskWait]:
    """Return the waits at each task, the most sessions that wait too long first.

    Example:
        >>> from graphflow_nb.storage.demo import demo_storage
        >>> waits = await find_waits(demo_storage(), timedelta(days=1))
        >>> waits[0].task, waits[0].waiting <= waits[0].sessions
        ('payout', True)

    Args:
        storage: The storage.
        longer_than: The time; None for twice what is usual at each task, of the 50 tasks with the
            most sessions.

    Raises:
        CapabilityError: The storage can't count sessions, or not list them.
        StorageError: The store failed.
    """
    now = datetime.now(UTC)
    groups = await require(storage, SupportsCounts).counts(Query())
    if longer_than is None:
        groups = sorted(groups, key=lambda group: -group.sessions)[:MAX_TASKS]
        found = [await _compare_with_usual(storage, group, now) for group in groups]
    else:
        until = now - longer_than
        late = await require(storage, SupportsCounts).counts(Query(updated_until=until))
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
    storage: SessionStorage, group: GroupCount, now: datetime
) -> TaskWait:
    # By id and not by time: the newest would be a choice of short waits.
    graph, task = group.graph_id, group.current_task_id
    sample = Query(graph=graph, task=task, order="id", limit=SAMPLE)
    table = await require(storage, SupportsTable).table(sample, ())
    known = table.updated[table.updated != UNKNOWN_TIME]
    if len(known) < MIN_SAMPLE:
        few = (graph, task, group.sessions, None, None, None, 0, _longest(group, now))
        return TaskWait(*few)
    middle = float(np.median(known)) / 1e6
    usual = timedelta(seconds=max(0.0, now.timestamp() - middle))
    until = now - FACTOR * usual
    query = Query(graph=graph, task=task, updated_until=until)
    waiting = int(await require(storage, SupportsCount).count(query))
    return TaskWait(
        *(graph, task, group.sessions, usual, FACTOR * usual, until, waiting),
        _longest(group, now),
    )


def _longest(group: GroupCount, now: datetime) -> timedelta | None:
    return None if group.oldest is None else now - group.oldest
