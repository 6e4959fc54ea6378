"""What would help a Redis or Valkey server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from ..storage.facts import RedisFacts
from ..storage.limits import QUICK_ROWS
from .lines import Advice, InOrder, Line, amount
from .records import PAGES, SAVES, median_ms, of

__all__ = ["look"]

SLOW_PAGE_MS: Final = 100.0
FULL: Final = 0.5  # of maxmemory


def look(facts: RedisFacts, operations: pd.DataFrame) -> Iterator[Line]:
    """All that the facts show, with what was recorded as further evidence."""
    yield from index(facts, operations)
    yield from evictions(facts)
    yield from growth(facts)
    yield from persistence(facts, operations)


def index(facts: RedisFacts, operations: pd.DataFrame) -> Iterator[Line]:
    """The index by which pages are found."""
    subject, pages = "index for pages", of(operations, (*PAGES, "count", "counts"))
    evidence: dict[str, Any] = {"keys": facts.keys}
    page = 0.0
    if len(pages):
        page = median_ms(pages["duration_ns"])
        evidence |= {"queries recorded": len(pages), "p50 of a query, ms": page}
    if facts.indexed is not None:
        evidence |= {
            "built": f"{facts.indexed:%Y-%m-%d %H:%M} UTC",
            "sessions that it knows": facts.known,
        }
        yield InOrder(
            subject, "built; workers' new sessions are in it once it is built anew", evidence
        )
    elif facts.keys > QUICK_ROWS or page > SLOW_PAGE_MS:
        yield Advice(
            subject=subject,
            finding=f"There is none: each query looks at all {facts.keys:,} keys.",
            evidence=evidence,
            remedy="graphflow_nb.open(url, writable=True).build_index()"
            if facts.read_only
            else "wb.build_index()",
            cost="Reads all sessions once; a save through this package then writes two entries "
            "more. Workers don't know it: what they create is shown once it is built anew.",
            severity="slow",
        )
    else:
        yield InOrder(subject, f"none needed for {facts.keys:,} keys", evidence)


def evictions(facts: RedisFacts) -> Iterator[Line]:
    """Sessions that the server throws away when its memory is full."""
    if facts.about is None:
        return
    subject, about = "evictions", facts.about
    policy, limit = str(about["maxmemory_policy"]), int(about["maxmemory"])
    evicted = int(about["evicted_keys"])
    evidence: dict[str, Any] = {
        "maxmemory-policy": policy,
        "maxmemory": amount(limit) if limit else "no limit",
        "used": amount(int(about["used_memory"])),
        "evicted keys": evicted,
        "counted for, hours": round(int(about["uptime_in_seconds"]) / 3600, 1),
    }
    # Those named volatile-… spare what does not expire.
    spared = policy == "noeviction" or (policy.startswith("volatile-") and facts.expiring == 0)
    if not evicted and (spared or not limit):
        yield InOrder(subject, f"{policy}, and none so far", evidence)
        return
    finding = f"With {policy} the server deletes sessions when its memory is full"
    finding += f": {evicted:,} keys were evicted." if evicted else "."
    yield Advice(
        subject=subject,
        finding=finding,
        evidence=evidence,
        remedy="CONFIG SET maxmemory-policy noeviction",
        cost="When the memory is full, saves fail instead, and say so: raise maxmemory, or let "
        "sessions expire with ttl=.",
        severity="risk",
    )


def growth(facts: RedisFacts) -> Iterator[Line]:
    """Sessions that stay for ever."""
    if facts.expiring is None or facts.about is None:
        return
    subject, about = "expiry", facts.about
    used, limit = int(about["used_memory"]), int(about["maxmemory"])
    evidence: dict[str, Any] = {
        "keys": facts.keys,
        "expiring": facts.expiring,
        "used": amount(used),
        "maxmemory": amount(limit) if limit else "no limit",
    }
    many = facts.keys > QUICK_ROWS or (limit and used > FULL * limit)
    if facts.ttl or not many or facts.expiring > facts.keys / 2:
        yield InOrder(subject, f"{facts.expiring:,} of {facts.keys:,} keys expire", evidence)
        return
    yield Advice(
        subject=subject,
        finding=f"{facts.keys - facts.expiring:,} of {facts.keys:,} keys never expire, so the "
        "memory in use only grows.",
        evidence=evidence,
        remedy="wb = graphflow_nb.open(url, writable=True, ttl=30 * 86_400)  # seconds",
        cost="A session is gone that long after its last save through this workbench; those of "
        "workers need EX in their SET.",
        severity="choice",
    )


def persistence(facts: RedisFacts, operations: pd.DataFrame) -> Iterator[Line]:
    """What a crash of the server would lose."""
    if facts.about is None:
        return
    subject, saves = "persistence", of(operations, SAVES)
    kept = bool(facts.about["aof_enabled"])
    evidence: dict[str, Any] = {
        "appendonly": "yes" if kept else "no",
        "appendfsync": facts.appendfsync or "not told",
        "save": "not told" if facts.save is None else facts.save or "never",
    }
    if len(saves):
        evidence["p50 of a save in the server, ms"] = median_ms(saves["execute_ns"])
    if kept:
        lost = {
            "always": "nothing that was acknowledged",
            "everysec": "at most about the last second of saves",
            "no": "what the operating system had not written yet, up to some 30 s of saves",
        }.get(facts.appendfsync or "", "an unknown part")
        yield InOrder(subject, f"append-only file; a crash loses {lost}", evidence)
        return
    finding = "There is no append-only file: a crash of the server loses all saves since its last "
    finding += "snapshot." if facts.save != "" else "start, for it writes no snapshots either."
    yield Advice(
        subject=subject,
        finding=finding,
        evidence=evidence,
        remedy="CONFIG SET appendonly yes\nCONFIG SET appendfsync everysec\nCONFIG REWRITE",
        cost="Each save is written to a file, once a second to the disk; with appendfsync always "
        "each save waits for the disk, and none that was acknowledged is lost.",
        severity="risk",
    )
