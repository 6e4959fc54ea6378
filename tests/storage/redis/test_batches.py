"""Several sessions at once."""

from __future__ import annotations

import asyncio

from graphflow_nb import Query, Session


def test_a_large_pipeline_does_not_starve_others(connect, run):
    storage = connect(max_connections=2)

    async def work():
        big = asyncio.ensure_future(
            storage.save_many([Session(f"s{i:05}", "t") for i in range(5000)])
        )
        for _ in range(20):
            assert await storage.get("nobody") is None
        assert not big.done()
        await big

    run(work())
    assert run(storage.count(Query())) == 5000
