"""Rules on a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...printable import describe_count
from ...storage.facts import SqliteFacts
from ...storage.limits import QUICK_ROWS
from ..lines import Advice, Figure, InOrder, Line, format_bytes
from ..registry import rule
from ..seen import Seen, median_ms

__all__ = ["find_free_space", "find_missing_indexes", "find_rollback_journal", "find_sync_mode"]

FREE_SHARE: Final = 0.5
FREE_BYTES: Final = 10_000_000
INDEX_NAMES: Final = {"updated_at": "sessions_by_update", "created_at": "sessions_by_creation"}


@rule(SqliteFacts)
def find_missing_indexes(facts: SqliteFacts, seen: Seen) -> Iterator[Line]:
    """Find orders of pages that no index serves."""
    for order in seen.orders:
        yield _judge_order(facts, seen, order)


def _judge_order(facts: SqliteFacts, seen: Seen, order: str) -> Line:
    subject, pages = f"order by {order}", seen.operations.pages
    evidence: dict[str, Figure] = {
        "sessions, at most": facts.rows,
        "file": format_bytes(facts.bytes),
    }
    if len(pages):
        evidence |= {
            "pages recorded": len(pages),
            "p50 of a page, ms": median_ms(pages["duration_ns"]),
        }
    if order not in facts.sorted:
        return InOrder(subject, "an index serves it", evidence)
    if facts.rows <= QUICK_ROWS:
        return InOrder(
            subject,
            f"{describe_count(facts.rows, 'session is', 'sessions are')} sorted quickly enough",
            evidence,
        )
    return Advice(
        subject=subject,
        finding="No index serves this order: "
        f"{describe_count(facts.rows, 'session is', 'sessions are')} sorted for each page.",
        evidence=evidence,
        remedy=f"CREATE INDEX {INDEX_NAMES[order]} ON sessions ({order}, id);",
        cost="Reads the file once and blocks writes; each save then updates one index more.",
        severity="slow",
    )


@rule(SqliteFacts)
def find_rollback_journal(facts: SqliteFacts, seen: Seen) -> Iterator[Line]:
    """Find a file in a mode where readers and writers wait for each other."""
    subject, evidence = "journal mode", {"journal_mode": facts.journal_mode}
    if facts.journal_mode in ("wal", "memory"):
        yield InOrder(subject, f"{facts.journal_mode}: readers don't wait for a writer", evidence)
        return
    yield Advice(
        subject=subject,
        finding=f"The file is in mode {facts.journal_mode}: a writer waits for all readers, and "
        "they wait for it.",
        evidence=evidence,
        remedy="PRAGMA journal_mode = WAL;",
        cost="Two more files beside it while it is in use. It can't be used over a network drive.",
        severity="slow",
    )


@rule(SqliteFacts)
def find_sync_mode(facts: SqliteFacts, seen: Seen) -> Iterator[Line]:
    """Find what a power cut loses."""
    saves = seen.operations.saves
    evidence: dict[str, Figure] = {"synchronous": facts.synchronous}
    if len(saves):
        evidence["p50 of a save in the file, ms"] = median_ms(saves["execute_ns"])
    text = f"{facts.synchronous} on this connection: a save that returned survives a power cut"
    yield InOrder("synchronous", f"{text}; other programs may use another mode", evidence)


@rule(SqliteFacts)
def find_free_space(facts: SqliteFacts, seen: Seen) -> Iterator[Line]:
    """Find a file most of which holds nothing."""
    subject = "free space in the file"
    evidence = {"file": format_bytes(facts.bytes), "free": format_bytes(facts.free_bytes)}
    if facts.free_bytes < FREE_BYTES or facts.free_bytes < FREE_SHARE * facts.bytes:
        yield InOrder(subject, format_bytes(facts.free_bytes), evidence)
        return
    yield Advice(
        subject=subject,
        finding=f"{100 * facts.free_bytes / facts.bytes:.0f} % of the file is free space.",
        evidence=evidence,
        remedy="VACUUM;",
        cost="Rewrites the file, for which as much space again is needed; writes are blocked "
        "meanwhile. New sessions would fill the free space too.",
        severity="waste",
    )
