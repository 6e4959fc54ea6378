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
_VALUES: Final = 20_000
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
    rows = []
    for start in range(0, len(chosen), _PORTION):
        ids = records.ids_of(chosen[start : start + _PORTION])
        for each in await records.find_many(ids, hidden):
            if each is not None:
                row = each[1]
                names = row.graph_id, row.current_task_id
                rows.append((*names, row.created, row.updated, size_of(row.context)))
    if note := hidden_note(hidden):
        notes.append(note)
    graphs, tasks, created, updated, sizes = zip(*rows, strict=True) if rows else ((),) * 5
    return count_columns(
        *(graphs, tasks, created, updated, sizes, now),
        share=share,
        note="; ".join(notes) or None,
    )
