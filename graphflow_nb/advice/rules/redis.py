"""Rules on a Redis or Valkey server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...printable import describe_count
from ...storage.facts import RedisFacts
from ...storage.limits import QUICK_ROWS
from ..lines import Advice, Figure, InOrder, Line, format_bytes
from ..registry import rule
from ..seen import Seen, median_ms

__all__ = ["find_evictions", "find_growth", "find_missing_index", "find_volatile_saves"]

SLOW_PAGE_MS: Final = 100.0
FULL: Final = 0.5  # of maxmemory


@rule(RedisFacts)
def find_missing_index(facts: RedisFacts, seen: Seen) -> Iterator[Line]:
    """Find a missing index for pages."""
    subject = "index for pages"
    queries = seen.operations.select("query", "table", "count", "counts")
    evidence: dict[str, Figure] = {"keys": facts.keys}
    page = 0.0
    if len(queries):
        page = median_ms(queries["duration_ns"])
        evidence |= {"queries recorded": len(queries), "p50 of a query, ms": page}
    if facts.indexed is not None:
        evidence |= {
            "built": f"{facts.indexed:%Y-%m-%d %H:%M} UTC",
            "sessions that it contains": facts.known,
        }
        beside = facts.keys - facts.index_keys - facts.known
        if facts.prefix or not beside:
            text = "it exists; what workers created or moved since is not in it until it is built "
            yield InOrder(subject, f"{text}again", evidence)
            return
        open_writable = "graphflow_nb.open(url, writable=True).build_index()"
        yield Advice(
            subject=subject,
            finding=f"The index contains {describe_count(facts.known, 'session')}, "
            "and the database has "
            f"{describe_count(facts.keys - facts.index_keys, 'key')} "
            "beside it: first pages, graph=, summaries and "
            "counts leave out what workers created since, and show what they deleted.",
            evidence=evidence,
            remedy=open_writable if facts.read_only else "wb.build_index()",
            cost="Reads all sessions once. Keys of other programs can't be told from sessions that "
            "are missing: with prefix= only the sessions are counted.",
            severity="choice",
        )
    elif facts.keys > QUICK_ROWS or page > SLOW_PAGE_MS:
        open_writable = "graphflow_nb.open(url, writable=True).build_index()"
        yield Advice(
            subject=subject,
            finding="The index is missing: each query examines "
            f"all {describe_count(facts.keys, 'key')}.",
            evidence=evidence,
            remedy=open_writable if facts.read_only else "wb.build_index()",
            cost="Reads all sessions once; a save through this package then writes two entries "
            "more. Workers don't maintain it: sessions that they create are shown once it is "
            "built again.",
            severity="slow",
        )
    else:
        yield InOrder(subject, f"none needed for {describe_count(facts.keys, 'key')}", evidence)


@rule(RedisFacts)
def find_evictions(facts: RedisFacts, seen: Seen) -> Iterator[Line]:
    """Find a policy by which the server deletes sessions when its memory is full."""
    if facts.about is None:
        return
    subject, about = "evictions", facts.about
    policy, limit = str(about["maxmemory_policy"]), int(about["maxmemory"])
    evicted = int(about["evicted_keys"])
    evidence: dict[str, Figure] = {
        "maxmemory-policy": policy,
        "maxmemory": format_bytes(limit) if limit else "no limit",
        "used": format_bytes(int(about["used_memory"])),
        "evicted keys": evicted,
        "counted for, hours": round(int(about["uptime_in_seconds"]) / 3600, 1),
    }
    # The policies named volatile-… spare keys that do not expire.
    spared = policy == "noeviction" or (policy.startswith("volatile-") and facts.expiring == 0)
    if not evicted and (spared or not limit):
        yield InOrder(subject, f"{policy}, and none so far", evidence)
        return
    lost = describe_count(evicted, "key was evicted", "keys were evicted")
    if spared or not limit:
        finding = f"{lost} to make room, before the settings were those of now."
    else:
        finding = f"With {policy} the server deletes sessions when its memory is full"
        if facts.indexed and policy.startswith("allkeys-"):
            finding += ", and parts of the index, whose pages then lack sessions"
        finding += f": {lost}." if evicted else "."
    yield Advice(
        subject=subject,
        finding=finding,
        evidence=evidence,
        remedy="CONFIG SET maxmemory-policy noeviction",
        cost="When the memory is full, saves fail with an error instead: raise maxmemory, or let "
        "sessions expire with ttl=.",
        severity="risk",
    )


@rule(RedisFacts)
def find_growth(facts: RedisFacts, seen: Seen) -> Iterator[Line]:
    """Find sessions that never expire, where there are many."""
    if facts.expiring is None or facts.about is None:
        return
    subject, about = "expiry", facts.about
    used, limit = int(about["used_memory"]), int(about["maxmemory"])
    evidence: dict[str, Figure] = {
        "keys": facts.keys,
        "expiring": facts.expiring,
        "used": format_bytes(used),
        "maxmemory": format_bytes(limit) if limit else "no limit",
    }
    many = facts.keys > QUICK_ROWS or (limit and used > FULL * limit)
    if facts.ttl or not many or facts.expiring > facts.keys / 2:
        yield InOrder(
            subject, f"{facts.expiring:,} of {describe_count(facts.keys, 'key')} expire", evidence
        )
        return
    yield Advice(
        subject=subject,
        finding=f"{facts.keys - facts.expiring:,} of "
        f"{describe_count(facts.keys, 'key')} never expire, so the "
        "memory in use only grows.",
        evidence=evidence,
        remedy="wb = graphflow_nb.open(url, writable=True, ttl=30 * 86_400)  # seconds",
        cost="A session is deleted that long after its last save through this workbench; workers "
        "have to add EX to their SET.",
        severity="choice",
    )


@rule(RedisFacts)
def find_volatile_saves(facts: RedisFacts, seen: Seen) -> Iterator[Line]:
    """Find what a crash of the server loses."""
    if facts.about is None:
        return
    subject, saves = "persistence", seen.operations.saves
    kept = bool(facts.about["aof_enabled"])
    evidence: dict[str, Figure] = {
        "appendonly": "yes" if kept else "no",
        "appendfsync": facts.appendfsync or "not known",
        "save": "not known" if facts.save is None else facts.save or "never",
    }
    if len(saves):
        evidence["p50 of a save in the server, ms"] = median_ms(saves["execute_ns"])
    if kept:
        lost = {
            "always": "nothing that was acknowledged",
            "everysec": "at most about the last second of saves",
            "no": "what the operating system has not written yet, up to some 30 s of saves",
        }.get(facts.appendfsync or "", "an unknown part")
        yield InOrder(subject, f"append-only file; a crash loses {lost}", evidence)
        return
    finding = "The append-only file is off: a crash of the server loses all saves since its last "
    finding += "snapshot." if facts.save != "" else "start, because it writes no snapshots either."
    yield Advice(
        subject=subject,
        finding=finding,
        evidence=evidence,
        remedy="CONFIG SET appendonly yes\nCONFIG SET appendfsync everysec\nCONFIG REWRITE",
        cost="Each save is written to a file, and once a second to the disk. With appendfsync "
        "always each save waits for the disk, and no acknowledged save is lost.",
        severity="risk",
    )
