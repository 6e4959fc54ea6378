"""Pools of asyncpg in a storage of one's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ..storage.wrappers import Wrapper
from .lines import Advice, Line
from .records import median_ms, of

__all__ = ["look", "resetting"]


def resetting(storage: Any) -> list[str]:
    """Names of a storage's attributes that are pools which reset what is given back to them."""
    while isinstance(storage, Wrapper):
        storage = storage.inner
    driver = sys.modules.get("asyncpg")
    if driver is None:
        return []
    return [
        name
        for name, value in getattr(storage, "__dict__", {}).items()
        if isinstance(value, driver.Pool) and getattr(value, "_reset", None) is None
    ]


def look(pools: Sequence[str], operations: pd.DataFrame) -> Iterator[Line]:
    """The round trip that such a pool adds to each operation."""
    gets = of(operations, ("get",))
    for name in pools:
        evidence: dict[str, Any] = {"attribute": name, "operations recorded": len(operations)}
        if len(gets):
            evidence["p50 of a get, ms"] = median_ms(gets["duration_ns"])
        yield Advice(
            subject=f"pool {name}",
            finding="This asyncpg pool resets each connection that is given back to it: one more "
            "round trip for each operation.",
            evidence=evidence,
            remedy="async def nothing(connection): ...\n"
            "pool = await asyncpg.create_pool(url, reset=nothing)",
            cost="What an operation leaves in its session (settings, LISTEN, advisory locks) meets "
            "the next one: only where the storage leaves nothing.",
            severity="slow",
        )
