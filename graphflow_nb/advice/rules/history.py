"""Rules on the history of a store's sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...printable import describe_count
from ...storage.history import HistorySize
from ..lines import Advice, Figure, InOrder, Line, format_bytes
from ..registry import rule
from ..seen import Seen

__all__ = ["find_large_history"]

LARGE: Final = 100_000_000  # bytes


@rule(HistorySize)
def find_large_history(size: HistorySize, seen: Seen) -> Iterator[Line]:
    """Find a history that takes much room."""
    subject = "history"
    about = "" if size.exact else "about "
    evidence: dict[str, Figure] = {
        "versions": f"{about}{size.versions:,}",
        "history": format_bytes(size.bytes),
    }
    if size.sessions is not None:
        evidence["sessions with versions"] = size.sessions
    told = (
        f"{about}{describe_count(size.versions, 'version takes', 'versions take')} "
        f"{format_bytes(size.bytes)}"
    )
    if size.bytes < LARGE:
        yield InOrder(subject, told, evidence)
        return
    yield Advice(
        subject=subject,
        finding=f"The history takes room: {told}.",
        evidence=evidence,
        remedy="wb.prune_history(dry_run=True)",
        cost="It reads the index of the history. wb.prune_history() then removes the versions that "
        "this names, in short steps; nothing brings them back. wb.compact_history() makes smaller "
        "what triggers noted, and loses nothing.",
        severity="choice",
    )
