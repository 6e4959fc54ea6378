"""Connections to a PostgreSQL server: pools that reset them, poolers that share them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ....storage.facts import PostgresFacts
from ...lines import Advice, Figure, InOrder, Line, Unseen
from ...registry import rule
from ...seen import ResettingPool, Seen, median_ms

__all__ = ["find_pooler", "find_reset_connections", "find_resetting_pool"]

#: Code that makes a pool which sends no reset.
_NO_RESET: Final = (
    "async def nothing(connection): ...\npool = await asyncpg.create_pool(url, reset=nothing)"
)
_NO_RESET_COST: Final = (
    "What an operation leaves in its session (settings, LISTEN, advisory locks) affects the next "
    "one: only for a pool whose users leave nothing."
)


@rule(PostgresFacts)
def find_reset_connections(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find connections of others whose pool resets each returned connection."""
    subject, backends = "resets of connections", facts.backends
    if backends is None:
        return
    if backends.hidden:
        yield Unseen(
            f"{subject} of others",
            f"this user may not see what {backends.hidden} of {backends.connected} connections do; "
            "a member of pg_read_all_stats may",
        )
    evidence: dict[str, Figure] = {"a round trip, µs": round(facts.round_trip_us, 1)}
    if not backends.resetting:
        text = "this storage keeps its connections and sends none; no other was seen sending one"
        yield InOrder(subject, text, evidence)
        return
    evidence |= {f"connections of {name or 'no name'}": n for name, n in backends.resetting.items()}
    yield Advice(
        subject=subject,
        finding=f"The last statement of {sum(backends.resetting.values())} idle connections was "
        "the reset that a pool sends when one is returned: one more round trip for each "
        "operation.",
        evidence=evidence,
        remedy=_NO_RESET,
        cost=_NO_RESET_COST,
        severity="slow",
    )


@rule(ResettingPool)
def find_resetting_pool(pool: ResettingPool, seen: Seen) -> Iterator[Line]:
    """Find the round trip that a pool of a custom storage adds to each operation."""
    gets = seen.operations.gets
    evidence: dict[str, Figure] = {
        "attribute": pool.name,
        "operations recorded": len(seen.operations),
    }
    if len(gets):
        evidence["p50 of a get, ms"] = median_ms(gets["duration_ns"])
    yield Advice(
        subject=f"pool {pool.name}",
        finding="This asyncpg pool resets each connection that is returned to it: one more "
        "round trip for each operation.",
        evidence=evidence,
        remedy=_NO_RESET,
        cost=_NO_RESET_COST,
        severity="slow",
    )


@rule(PostgresFacts)
def find_pooler(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find a pooler between the storage and its server."""
    subject = "pooler"
    if not facts.pooled:
        yield InOrder(subject, "none: statements are prepared once and kept")
        return
    evidence: dict[str, Figure] = {"a round trip, µs": round(facts.round_trip_us, 1)}
    gets = seen.operations.gets
    if len(gets):
        evidence["p50 of a get in the server, ms"] = median_ms(gets["execute_ns"])
    yield Advice(
        subject=subject,
        finding="A pooler shares its connections, so no statement stays prepared: each one is "
        "sent, parsed and planned again"
        + (", and each read is a transaction of its own." if facts.read_only else "."),
        evidence=evidence,
        remedy="wb = graphflow_nb.open(url)  # with the address of the server itself",
        cost="Connections of your own count against the server's max_connections. A pooler in "
        "session mode looks like any other: there statement_cache_size=100 keeps statements.",
        severity="choice",
    )
