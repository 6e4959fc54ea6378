"""The values of Redis that an overview counts: all of them, or those of some keys."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ..overview import OverviewCounts, count_columns
from ..query import Query
from ..rows import size_of
from .client import RedisClient
from .keys import Keys, hidden_note
from .records import Records

__all__ = ["read_overview"]

# The keys that are listed, and the values that are read, at most.
_LISTED: Final = 1_500_000
_VALUES: Final = 10_000
_PORTION: Final = 2_000  # values that are read in one step, at most


async def read_overview(
    client: RedisClient, records: Records, keys: Keys, now: datetime, *, exact: bool
) -> OverviewCounts:
    """Return counts by task and age, by the hour and by size; see ``SupportsOverview``.

    Of many keys those are read that the server lists first: it lists them by a hash, so that
    they stand for all. A cluster lists all, and every so many are read.
    """
    if exact:
        await keys.ask(Query(), "full read")
    pattern, notes = keys.pattern(Query()), []
    total = None if exact or client.cluster else await keys.count()
    if total is not None and total > _VALUES:
        sample = await client.sample(pattern, wanted=_VALUES, most=_LISTED)
        chosen, share = list(dict.fromkeys(sample.keys)), min(1.0, sample.looked_at / total)
    else:
        listed: list[bytes] = []
        async for portion in client.scan(pattern):
            listed += portion
            if not exact and len(listed) >= _LISTED:
                notes.append(f"of the {len(listed):,} keys alone that the server lists first")
                break
        chosen = listed if exact else listed[:: max(1, round(len(listed) / _VALUES))]
        share = len(chosen) / len(listed) if listed else 1.0
    hidden: set[bytes] = set()
    graphs: list[str] = []
    tasks: list[str] = []
    created: list[int] = []
    updated: list[int] = []
    sizes: list[int] = []
    for start in range(0, len(chosen), _PORTION):
        ids = records.ids_of(chosen[start : start + _PORTION])
        rows = [each[1] for each in await records.find_many(ids, hidden) if each is not None]
        graphs += [row.graph_id for row in rows]
        tasks += [row.current_task_id for row in rows]
        created += [row.created for row in rows]
        updated += [row.updated for row in rows]
        sizes += [size_of(row.context) for row in rows]
    if note := hidden_note(hidden):
        notes.append(note)
    return count_columns(
        *(graphs, tasks, created, updated, sizes, now),
        share=share,
        note="; ".join(notes) or None,
    )
