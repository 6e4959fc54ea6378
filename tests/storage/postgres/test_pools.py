"""Pools of a custom storage are found that reset their connections."""

from __future__ import annotations

from typing import Any

import asyncpg

import graphflow_nb as g
from graphflow_nb.storage.postgres.pools import find_resetting_pools


class Pooled(g.InMemorySessionStorage):
    """A storage with pools of its own, of which none is connected."""

    def __init__(self) -> None:
        async def nothing(connection: Any) -> None: ...

        super().__init__()
        self.kept = asyncpg.create_pool("postgresql://h/d", reset=nothing)
        self.pool = asyncpg.create_pool("postgresql://h/d")


def test_pools_that_reset_are_found_in_wrappers_too(run):
    async def find() -> list[list[str]]:
        storage = Pooled()
        wrapped = g.MonitoredStorage(g.RetryingStorage(storage))
        return [find_resetting_pools(which) for which in (storage, wrapped)]

    assert run(find()) == [["pool"], ["pool"]]
    assert find_resetting_pools(g.InMemorySessionStorage()) == []
