"""What would help a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pandas as pd

from ..storage.facts import SqliteFacts
from ..storage.limits import QUICK_ROWS
from .lines import Advice, InOrder, Line, amount
from .records import PAGES, SAVES, median_ms, of

__all__ = ["look"]

FREE_SHARE: Final = 0.5
FREE_BYTES: Final = 10_000_000
_NAMES = {"updated_at": "sessions_by_update", "created_at": "sessions_by_creation"}


def look(facts: SqliteFacts, operations: pd.DataFrame, orders: Sequence[str]) -> Iterator[Line]:
    """All that the facts show, with what was recorded as further evidence.

    Args:
        orders: columns by which pages are asked for.
    """
    for order in orders:
        yield from page_order(facts, operations, order)
    yield from journal(facts)
    yield from durability(facts, operations)
    yield from free_space(facts)


def page_order(facts: SqliteFacts, operations: pd.DataFrame, order: str) -> Iterator[Line]:
    """An index for the order in which pages are asked for."""
    subject, pages = f"order by {order}", of(operations, PAGES)
    evidence: dict[str, Any] = {"sessions, at most": facts.rows, "file": amount(facts.bytes)}
    if len(pages):
        evidence |= {
            "pages recorded": len(pages),
            "p50 of a page, ms": median_ms(pages["duration_ns"]),
        }
    if order not in facts.sorted:
        yield InOrder(subject, "served by an index", evidence)
    elif facts.rows <= QUICK_ROWS:
        yield InOrder(subject, f"{facts.rows:,} sessions are sorted quickly enough", evidence)
    else:
        yield Advice(
            subject=subject,
            finding=f"No index serves this order: {facts.rows:,} sessions are sorted for each "
            "page.",
            evidence=evidence,
            remedy=f"CREATE INDEX {_NAMES[order]} ON sessions ({order}, id);",
            cost="Reads the file once, while nobody can write; each save then writes one index "
            "more.",
            severity="slow",
        )


def journal(facts: SqliteFacts) -> Iterator[Line]:
    """How writes are made."""
    subject, evidence = "journal mode", {"journal_mode": facts.journal_mode}
    if facts.journal_mode in ("wal", "memory"):
        yield InOrder(subject, f"{facts.journal_mode}: readers don't wait for a writer", evidence)
        return
    yield Advice(
        subject=subject,
        finding=f"The file is in mode {facts.journal_mode}: a writer waits for all readers, and "
        "they for it.",
        evidence=evidence,
        remedy=f"graphflow_nb.open({f'sqlite:{facts.path}'!r}, writable=True).close()"
        "  # or PRAGMA journal_mode = WAL;",
        cost="Two more files beside it while it is in use, and no use of it over a network drive.",
        severity="slow",
    )


def durability(facts: SqliteFacts, operations: pd.DataFrame) -> Iterator[Line]:
    """What a power cut would lose."""
    saves = of(operations, SAVES)
    evidence: dict[str, Any] = {"synchronous": facts.synchronous}
    if len(saves):
        evidence["p50 of a save in the file, ms"] = median_ms(saves["execute_ns"])
    text = f"{facts.synchronous} on this connection: a save that returned survives a power cut"
    yield InOrder("synchronous", text + "; of other programs it can't be told", evidence)


def free_space(facts: SqliteFacts) -> Iterator[Line]:
    """Pages that hold nothing any more."""
    subject = "free space in the file"
    evidence = {"file": amount(facts.bytes), "free": amount(facts.free_bytes)}
    if facts.free_bytes < FREE_BYTES or facts.free_bytes < FREE_SHARE * facts.bytes:
        yield InOrder(subject, amount(facts.free_bytes), evidence)
        return
    yield Advice(
        subject=subject,
        finding=f"{facts.free_bytes / facts.bytes:.0%} of the file holds nothing.",
        evidence=evidence,
        remedy="VACUUM;",
        cost="Writes the file anew, for which as much space again is needed; nobody can write "
        "meanwhile. New sessions would fill the free space too.",
        severity="waste",
    )
