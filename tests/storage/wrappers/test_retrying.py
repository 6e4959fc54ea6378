"""What a retrying storage repeats, and what it never repeats."""

from __future__ import annotations

import asyncio
import logging

import pytest

import graphflow_nb as g
from graphflow_nb import Query, RetryingStorage, Session

from .kit import Faulty


def retrying(inner, **options):
    return RetryingStorage(inner, first_delay=0.001, max_delay=0.002, **options)


def test_pauses_double_up_to_their_bound(run, monkeypatch):
    inner, bounds = Faulty(), []
    inner.failures = 1999
    monkeypatch.setattr("random.uniform", lambda low, high: bounds.append((low, high)) or 0)
    run(RetryingStorage(inner, attempts=2000, first_delay=0.1, max_delay=0.5).get("a"))
    assert bounds == [(0, 0.1), (0, 0.2), (0, 0.4), *[(0, 0.5)] * 1996]


@pytest.mark.parametrize("error", [g.StorageUnavailable("gone"), g.StorageTimeout("slow")])
def test_reads_and_repeatable_writes_are_tried_again(run, caplog, error):
    inner = Faulty()
    storage = retrying(inner)
    inner.error = error
    for method, argument in (
        ("get", "a"),
        ("delete", "a"),
        ("count", Query()),
        ("upsert", Session("a", "t")),
    ):
        inner.failures, inner.calls, before = 3, [], storage.retries
        with caplog.at_level(logging.WARNING, "graphflow_nb"):
            run(getattr(storage, method)(argument))
        assert inner.calls == [method] * 4
        assert storage.retries == before + 3
    assert "attempt 4 of 4" in caplog.text
    inner.failures, inner.calls = 9, []
    with pytest.raises(type(error)):
        run(storage.get("a"))
    assert len(inner.calls) == 4


class LostThenRefused(g.InMemorySessionStorage):
    """Writes, and loses the answer; then it is full."""

    calls = 0

    async def upsert(self, session):
        self.calls += 1
        if self.calls == 1:
            await super().upsert(session)
            raise g.StorageUnavailable("gone")
        raise g.StorageError("full", nothing_written=True)


class Bare:
    """Three methods; a delete is made and loses its answer, then the store is full."""

    def __init__(self):
        self.inner, self.calls = g.InMemorySessionStorage(), 0
        self.save, self.get = self.inner.save, self.inner.get

    async def delete(self, id):
        self.calls += 1
        if self.calls == 1:
            await self.inner.delete(id)
            raise g.StorageUnavailable("gone")
        raise g.StorageError("full", nothing_written=True)


def test_a_refusal_after_a_lost_attempt_does_not_say_that_nothing_was_written(run):
    with pytest.raises(g.StorageError, match="full") as caught:
        run(retrying(LostThenRefused()).upsert(Session("a", "t")))
    assert not caught.value.nothing_written
    wb = g.wrap(retrying(Bare()))
    wb.create("a", "t", undo=False)
    with pytest.raises(g.StorageError, match="full"):
        wb.delete("a")
    assert wb.journal["state"].tolist() == ["unknown"]
    assert wb.undo().id == "a"


def test_a_save_is_never_repeated(run):
    inner = Faulty()
    inner.failures, inner.after = 1, True
    storage = retrying(inner)
    session = Session("a", "t")
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(session))
    assert inner.calls == ["save"]
    assert run(storage.get("a")) is not None  # it was made all the same


def test_a_delete_of_what_was_read_is_never_repeated(run):
    """Its second answer would be that nothing was deleted."""
    inner = Faulty()
    storage = retrying(inner)
    session = Session("a", "t")
    run(storage.save(session))
    inner.failures, inner.after, inner.calls = 1, True, []
    with pytest.raises(g.StorageUnavailable):
        run(storage.delete_unchanged([session]))
    assert inner.calls == ["delete_unchanged"]
    assert run(storage.get("a")) is None  # it was made all the same


@pytest.mark.parametrize(
    "error", [g.StorageError("no"), g.ReadOnlyError("no"), g.QueryError("no"), KeyError("no")]
)
def test_what_stays_wrong_is_not_repeated(run, error):
    inner = Faulty()
    inner.failures, inner.error = 1, error
    with pytest.raises(type(error)):
        run(retrying(inner).get("a"))
    assert inner.calls == ["get"]


@pytest.mark.parametrize(
    "options", [{"attempts": 0}, {"attempts": 1.5}, {"first_delay": -1}, {"first_delay": 9}]
)
def test_wrong_options(options):
    with pytest.raises(g.StorageError):
        RetryingStorage(g.InMemorySessionStorage(), **options)


def test_a_pause_can_be_cancelled(run):
    inner = Faulty()
    inner.failures = 9
    storage = RetryingStorage(inner, first_delay=1000, max_delay=1000)

    async def work():
        call = asyncio.ensure_future(storage.get("a"))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()

    run(work())
