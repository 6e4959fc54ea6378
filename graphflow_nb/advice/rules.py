"""All rules, on what is known of a store and what was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from ..storage.facts import PostgresFacts, RedisFacts, SqliteFacts, StoreFacts
from . import pools as own
from . import postgres, records, redis, sqlite
from .findings import Findings
from .lines import InOrder, Line, Unseen

__all__ = ["advise"]


def advise(
    facts: StoreFacts | None,
    operations: pd.DataFrame,
    *,
    orders: Sequence[str] = ("updated_at",),
    pools: Sequence[str] = (),
    untold: str = "the storage has no method facts",
) -> Findings:
    """What would help.

    Args:
        facts: of the store; None where the storage tells none.
        operations: as of ``wb.latency.frame()``.
        orders: columns by which pages are asked for.
        pools: names of attributes of the storage that are pools which reset what is given back.
        untold: why there are no facts, where there are none.
    """
    lines = [
        *_store(facts, operations, orders),
        *own.look(pools, operations),
        *records.look(facts, operations),
    ]
    if facts is None:
        lines.append(Unseen("store", untold))
    else:
        lines += [Unseen(subject, why) for subject, why in facts.unseen.items()]
    return Findings(lines, "" if facts is None else facts.place, len(operations))


def _store(
    facts: StoreFacts | None, operations: pd.DataFrame, orders: Sequence[str]
) -> Iterator[Line]:
    if isinstance(facts, PostgresFacts):
        yield from postgres.look(facts, operations, orders)
    elif isinstance(facts, RedisFacts):
        yield from redis.look(facts, operations)
    elif isinstance(facts, SqliteFacts):
        yield from sqlite.look(facts, operations, orders)
    elif facts is not None:
        yield InOrder("store", f"{facts.place}: there is nothing to set")
