"""Where runs were, and for how long: stays, visits, and those of two runs aligned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd

from ..frames import stays_frame
from ..history import HistoryArchive
from ..model.masks import DEFAULT_MASK, Mask
from ..printable import describe_count
from ..storage.history import OBSERVED
from .words import short_id

__all__ = ["MAX_STEPS", "Visit", "align", "read_stays", "visits_of"]

MAX_NAMED: Final = 5  # ids in a note
MAX_STEPS: Final = 100_000  # versions that are read at once


async def read_stays(
    archive: HistoryArchive,
    ids: Sequence[str] | None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = MAX_STEPS,
    mask: Mask = DEFAULT_MASK,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the stays of sessions, as ``Timeline.stays`` has them, and what is to be said of them.

    Args:
        archive: The history.
        ids: The sessions; None for all.
        since, until: Only versions from this time on, and before that one.
        limit: The most versions.
        mask: What is hidden of their status.
    """
    steps = await archive.steps(ids, since=since, until=until, limit=limit)
    notes = []
    if ids is not None and (unknown := sorted(set(ids).difference(steps.id))) and not steps.more:
        some = ", ".join(short_id(id) for id in unknown[:MAX_NAMED])
        more = f" and {len(unknown) - MAX_NAMED:,} more" if unknown[MAX_NAMED:] else ""
        notes.append(f"no version in the history, or not in this time: {some}{more}")
    if steps.more:
        notes.append(f"the first {describe_count(limit, 'version')} by id; limit= takes more")
    if OBSERVED in steps.source:
        notes.append("some versions were observed: others in between are unknown")
    return stays_frame(steps, datetime.now(UTC), mask), notes


@dataclass(frozen=True)
class Visit:
    """A session's time at one task, from the save that brought it there to the save that left.

    Attributes:
        task: The task.
        number: Which visit of this task it is, from 1.
        start, end: When it began and ended; the end of the last one is the time of the call.
        versions: The first and the last version at the task.
        open: Whether it has no end yet.
    """

    task: str
    number: int
    start: pd.Timestamp
    end: pd.Timestamp
    versions: tuple[int, int]
    open: bool

    @property
    def key(self) -> tuple[str, int]:
        """What aligns it with a visit of another run."""
        return self.task, self.number


def visits_of(stays: pd.DataFrame) -> list[Visit]:
    """Return the visits of one session: stays at the same task, one after the other, are one.

    Args:
        stays: The stays of one session, as ``Timeline.stays`` has them.
    """
    found: list[Visit] = []
    seen: dict[str, int] = {}
    for stay in stays.itertuples(index=False):
        row: Any = stay
        if found and row.waits:
            last = found.pop()
            versions = (last.versions[0], int(row.version))
            found.append(
                Visit(last.task, last.number, last.start, row.end, versions, bool(row.open))
            )
            continue
        seen[row.task] = seen.get(row.task, 0) + 1
        version = int(row.version)
        found.append(
            Visit(row.task, seen[row.task], row.start, row.end, (version, version), bool(row.open))
        )
    return found


def align(one: Sequence[Visit], other: Sequence[Visit]) -> list[tuple[Visit | None, Visit | None]]:
    """Return the visits of two runs side by side, aligned by task and visit, in the order of both.

    Args:
        one, other: The visits of each run.
    """
    place_of = {visit.key: n for n, visit in enumerate(other)}
    ours = {visit.key for visit in one}
    rows: list[tuple[Visit | None, Visit | None]] = []
    done = 0  # visits of the other run that were passed
    for visit in one:
        place = place_of.get(visit.key)
        # What the other run did alone before this step comes first.
        if place is not None and place >= done:
            rows += [(None, each) for each in other[done:place] if each.key not in ours]
            done = place + 1
        rows.append((visit, None if place is None else other[place]))
    return rows + [(None, each) for each in other[done:] if each.key not in ours]
