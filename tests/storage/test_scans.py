"""Who waits for a read is told how many sessions were read."""

from __future__ import annotations

import pytest

from graphflow_nb import Query, Session
from graphflow_nb.storage.scans import noting_rows

from ..stores import empty_store


@pytest.mark.parametrize(("kind", "about"), [("sqlite", None), ("redis", 30)])
def test_a_read_of_all_tells_how_many_sessions_were_read(kind, about, request, tmp_path, run):
    async def read(storage) -> list[tuple[int, int | None]]:
        told: list[tuple[int, int | None]] = []
        await storage.save_many([Session(f"s{n}", "t") for n in range(30)])
        with noting_rows(lambda done, about: told.append((done, about))):
            assert len(await storage.table(Query(limit=None))) == 30
        return told

    with empty_store(kind, request, tmp_path) as store:
        storage = run(store.open())
        assert run(read(storage))[-1] == (30, about)
        run(storage.close())
