"""Settings of a PostgreSQL server that decide what a crash loses, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ....storage.facts import PostgresFacts
from ...lines import Advice, Figure, InOrder, Line
from ...registry import rule
from ...seen import Seen, median_ms
from .statements import on_primary

__all__ = ["find_commit_setting", "find_unsafe_settings"]

FEW: Final = 20  # operations, below which their times are not compared
COMMIT_MS: Final = 1.0


@rule(PostgresFacts)
def find_unsafe_settings(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find settings with which a crash of the machine can destroy the database."""
    if facts.settings is None:
        return
    off = [name for name in ("fsync", "full_page_writes") if facts.settings.get(name) == "off"]
    if not off:
        return
    statements = [f"ALTER SYSTEM SET {name} = on;" for name in off]
    yield Advice(
        subject=" and ".join(off),
        finding=f"With {' and '.join(off)} off, the database may be beyond repair after a crash of "
        "the machine.",
        evidence={name: f"off, set by {facts.sources.get(name, 'the server')}" for name in off},
        remedy=on_primary(facts, "\n".join([*statements, "SELECT pg_reload_conf();"])),
        cost="Each save waits for the disk. A setting on the server's command line wins over this "
        "one; local_postgres() without a folder sets it there on purpose.",
        severity="risk",
    )


@rule(PostgresFacts)
def find_commit_setting(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find what a crash of the server loses, and what it costs to lose nothing."""
    if facts.settings is None:
        return
    subject = "synchronous_commit"
    setting = facts.settings.get(subject, "on")
    window = 3 * int(facts.settings.get("wal_writer_delay", 200)) / 1000
    saves, gets = (frame["execute_ns"] for frame in (seen.operations.saves, seen.operations.gets))
    source = facts.sources.get(subject, "default")
    evidence: dict[str, Figure] = {subject: f"{setting}, set by {source}"}
    more = 0.0
    if len(saves) >= FEW and len(gets) >= FEW:
        more = round(median_ms(saves) - median_ms(gets), 3)
        evidence |= {
            "saves recorded": len(saves),
            "p50 of a save in the server, ms": median_ms(saves),
            "p50 of a get, ms": median_ms(gets),
            "a save takes more, ms": more,
        }
    if setting == "off":
        yield Advice(
            subject=subject,
            finding="It is off: a crash of the server may lose the saves of the last "
            f"{window:g} s, although they were acknowledged.",
            evidence=evidence,
            remedy=on_primary(
                facts,
                "ALTER ROLE CURRENT_USER SET synchronous_commit = on;  -- the role of each worker",
            ),
            cost="Each save then waits for the disk.",
            severity="risk",
        )
    elif more < COMMIT_MS:
        text = f"{setting}: an acknowledged save survives a crash of the server"
        if more:
            text += f", for at most {more:g} ms each"
        yield InOrder(subject, text, evidence)
    else:
        yield Advice(
            subject=subject,
            finding=f"It is {setting}: each save waits until it is on disk. A save takes {more:g} "
            "ms more than a get, most of it this wait. It is what makes saves safe: a choice, no "
            "recommendation.",
            evidence=evidence,
            remedy=on_primary(
                facts,
                "ALTER ROLE CURRENT_USER SET synchronous_commit = off;  -- the role of a worker "
                "whose last saves may be lost",
            ),
            cost=f"A crash of the server may lose the saves of the last {window:g} s, although "
            "they were acknowledged: a workflow would run those steps again. The database stays "
            "whole.",
            severity="choice",
        )
