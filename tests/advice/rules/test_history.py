"""Advice on a history, where the condition is really made."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb.advice.rules import history
from graphflow_nb.advice.rules.history import find_large_history
from graphflow_nb.history import HistoryStorage, history_of
from graphflow_nb.storage.history import HistorySize

from ..kit import Case, find_advice

CASES = {find_large_history: Case(HistorySize(None, 5_000_000, 10**10, False, None))}


def test_a_large_history_is_named_and_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect() -> HistoryStorage:
        storage = await g.SqliteSessionStorage.connect(tmp_path / "a.db")
        assert (await storage.facts()).history is None
        await history_of(storage).create()
        return HistoryStorage(storage, retention=None)

    with g.wrap(asyncio.run(connect())) as wb:
        session = wb.create("a", "t", context={"pad": "x" * 3000})
        for n in range(20):
            session.context["n"] = n
            wb.save(session)
        assert find_advice(wb.advise(), "history") is None
        monkeypatch.setattr(history, "LARGE", 10_000)
        found = find_advice(wb.advise(), "history")
        assert found is not None
        assert found.evidence["versions"] == "21"
        wb.prune_history(versions=1)
        assert find_advice(wb.advise(), "history") is None


def test_a_history_in_memory_has_its_size_told() -> None:
    with g.open("memory:") as wb:
        assert "history" not in repr(wb.advise())
        wb.install_history()
        wb.create("a", "t")
        assert "history: 1 version takes" in repr(wb.advise())
