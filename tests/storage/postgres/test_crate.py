"""The statements of graph-flow's releases, as lessons send them."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb.model import Session
from graphflow_nb.storage.postgres.crate import CrateSaves

from ...servers.postgres import kill

ID = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("release", "stale", "began_before", "deleted"),
    [("documented", 1, 1, 1), ("0.5.1", 1, 0, 1), ("0.6.0", 0, 0, 1)],
)
def test_the_rows_that_a_late_save_writes(database, run, release, stale, began_before, deleted):
    async def play() -> list[int]:
        table = f"sessions_{release.replace('.', '_')}"
        first, second = [await CrateSaves.connect(database, release, table=table) for _ in "ab"]
        storage = await g.connect(database, table=table)
        assert await first.save(Session(ID, "t")) == 1
        old, new = await storage.get(ID), await storage.get(ID)
        await second.save(new)
        counts = [await first.save(old)]
        old, new = await storage.get(ID), await storage.get(ID)
        await first.begin()
        await second.save(new)
        counts.append(await first.save(old))
        await storage.delete(ID)
        counts.append(await first.save(old))
        for each in (first, second, storage):
            await each.close()
        return counts

    assert run(play()) == [stale, began_before, deleted]


def test_it_connects_again_and_loses_no_transaction_silently(primary, run):
    async def play() -> None:
        worker = await CrateSaves.connect(primary.url, "0.6.0")
        session = Session("claim-1", "t")
        await worker.begin()
        await asyncio.to_thread(kill, primary)
        with pytest.raises(g.StorageError):
            await worker.save(session)
        await asyncio.to_thread(primary.start)
        assert await worker.save(session) == 1
        # A transaction that ended with its connection is not taken for one that was not begun.
        await worker.begin()
        await asyncio.to_thread(kill, primary)
        await asyncio.to_thread(primary.start)
        with pytest.raises(g.StorageError):
            await worker.save(session)
        assert await worker.save(Session("claim-2", "t")) == 1
        await worker.close()
        await worker.close()
        with pytest.raises(g.StorageError, match="closed"):
            await worker.save(session)

    run(play())


def test_what_is_invalid_is_refused(database, run):
    for wrong in ({"release": "0.4"}, {"release": "0.6.0", "table": "a b"}):
        with pytest.raises(g.StorageError, match="nothing was changed"):
            run(CrateSaves.connect(database, **wrong))
    with pytest.raises(g.StorageUnavailable):
        run(CrateSaves.connect("postgresql:///postgres?host=/nowhere&user=x", "0.6.0"))
