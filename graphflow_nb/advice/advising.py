"""Advice on a store: the registered rules, applied to its facts and operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from ..storage.facts import StoreFacts
from . import rules as rules  # importing them registers them
from .findings import Findings
from .lines import InOrder, Line, Unseen
from .registry import RULES
from .seen import Operations, ResettingPool, Seen

__all__ = ["advise"]


def advise(
    facts: StoreFacts | None,
    operations: pd.DataFrame,
    *,
    orders: Sequence[str] = ("updated_at",),
    filters: Sequence[str] = (),
    pools: Sequence[str] = (),
    reason: str = "the storage has no method facts",
) -> Findings:
    """Return what would help a store.

    Args:
        facts: The facts of the store, None if the storage reports none.
        operations: The recorded operations, as ``wb.latency.frame()`` returns them.
        orders: The columns by which pages are requested.
        filters: The names of the filters by which sessions are asked for.
        pools: The names of the storage's attributes that are pools which reset the connections
            returned to them.
        reason: The reason why ``facts`` is None, if it is.

    Returns:
        The lines of every rule that has a subject here.
    """
    seen = Seen(facts=facts, operations=Operations(operations), orders=orders, filters=filters)
    place = "" if facts is None else facts.place
    return Findings(
        [*_find_lines(seen, pools, reason)],
        place,
        len(operations),
        operations.attrs.get("note", ""),
    )


def _find_lines(seen: Seen, pools: Sequence[str], reason: str) -> Iterator[Line]:
    facts = seen.facts
    if facts is not None:
        if not any(isinstance(facts, rule.subject) for rule in RULES):
            yield InOrder("store", f"{facts.place}: there is nothing to set")
        yield from _apply_rules(facts, seen)
        if facts.history is not None:
            yield from _apply_rules(facts.history, seen)
    for name in pools:
        yield from _apply_rules(ResettingPool(name), seen)
    if len(seen.operations):
        yield from _apply_rules(seen.operations, seen)
    else:
        yield Unseen(
            "operations", "none is recorded yet: use the store, then call wb.advise() again"
        )
    if facts is None:
        yield Unseen("store", reason)
    else:
        for subject, why in facts.unseen.items():
            yield Unseen(subject, why)


def _apply_rules(subject: object, seen: Seen) -> Iterator[Line]:
    for rule in RULES:
        if isinstance(subject, rule.subject):
            yield from rule.find(subject, seen)
