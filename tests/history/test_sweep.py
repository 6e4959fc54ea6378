"""What triggers note is made smaller by another program, and stays what it was to the letter."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphflow_nb import Session
from graphflow_nb.history import history_of
from graphflow_nb.history import sweep as sweeping
from graphflow_nb.history.sweep import Sweep

from ..stores import Store, empty_store

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["sqlite", "documented", "crate-0.5"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, run: Run) -> Iterator[Any]:
    with empty_store(request.param, request, tmp_path) as store:
        storage = run(store.open())
        run(storage.history_table.create_trigger(None))
        storage_of[storage] = store
        yield storage
        del storage_of[storage]
        run(storage.close())


storage_of: dict[Any, Store] = {}


async def _save(storage: Any, name: str, times: int, text: Callable[[], str]) -> str:
    session = Session(storage_of[storage].id(name), "one", context={"pad": "x" * 200})
    for n in range(times):
        session.context["n"], session.context["text"] = n, text()
        await storage.save(session)
    return session.id


async def _contexts(storage: Any, id: str) -> list[str | bytes]:
    found = await history_of(storage).sessions(id, 1, 1000)
    return [session.context_json() for _, session in found]


def test_what_is_due_is_compacted_and_nothing_is_tried_twice(
    run: Run, storage: Any, monkeypatch: pytest.MonkeyPatch
):
    async def work() -> None:
        many = await _save(storage, "many", 40, str)
        few = await _save(storage, "few", 9, str)
        bytes_of = random.Random(1).randbytes
        await _save(storage, "odd", 20, lambda: base64.b85encode(bytes_of(400)).decode())
        before = [await _contexts(storage, id) for id in (many, few)]
        table = storage.history_table
        sweep = Sweep(table)
        assert await sweep.step()
        first = sweep.compacted
        assert 39 <= first <= 39 + 19
        assert (await table.count_whole([many, few])) == {many: 1, few: 9}
        assert await sweep.step()
        assert sweep.compacted == first
        monkeypatch.setattr(sweeping, "_ENDED", 0.0)
        assert await sweep.step()
        assert sweep.compacted == first + 8
        assert before == [await _contexts(storage, id) for id in (many, few)]
        assert await sweep.step()
        assert sweep.compacted == first + 8

    run(work())


def test_sessions_are_looked_at_in_portions(
    run: Run, storage: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sweeping, "_PORTION", 2)

    async def work() -> None:
        for name in "abc":
            await _save(storage, name, 17, str)
        sweep = Sweep(storage.history_table)
        assert not await sweep.step()
        assert sweep.compacted == 32
        assert await sweep.step()
        assert sweep.compacted == 48

    run(work())
