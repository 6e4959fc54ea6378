"""Many deletes in portions: stopped or interrupted anywhere, none is lost and all are undone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.journal import portions
from graphflow_nb.journal.portions import Portions

from ..interrupts import interrupted_when
from ..stores import Store

COUNT = 60


@pytest.fixture
def wb(store: Store, monkeypatch) -> Any:
    monkeypatch.setattr(portions, "_FIRST", 10)
    monkeypatch.setattr(portions, "_MAX", 20)
    workbench = g.open(store.url, writable=True)
    yield workbench
    workbench.close()


@pytest.fixture
def ids(wb: Any, store: Store) -> list[str]:
    """The ids of sessions that are stored."""
    ids = [store.id(f"s{n:02}") for n in range(COUNT)]
    sessions = [Session(id, "t", context={"n": n}) for n, id in enumerate(ids)]
    wb.bridge.run(wb.storage.inner.import_many(sessions))
    return ids


def content(wb: g.Workbench) -> dict[str, Any]:
    found = wb.bridge.run(wb.storage.inner.query(g.Query()))
    return {s.id: (s.current_task_id, s.context, s.created_at) for s in found}


@pytest.mark.parametrize("undo", [True, False])
def test_stopped_it_goes_on_with_the_same_ids(wb, ids, undo):
    start = content(wb)
    seen: list[tuple[int, int]] = []
    gone = wb.delete(
        ids,
        undo=undo,
        progress=lambda done, total: seen.append((done, total)),
        stop=lambda: len(seen) == 2,
    )
    assert len(gone) == seen[-1][0]
    assert seen == [(10, COUNT), (len(gone), COUNT)]
    assert set(content(wb)) == set(ids) - set(gone)
    assert wb.delete(ids, undo=undo) == ids[len(gone) :]
    assert wb.delete(ids, undo=undo) == []
    if undo:
        assert wb.undo_all().left == []
        assert content(wb) == start


def test_sessions_as_they_were_read_are_deleted_in_portions_too(wb, ids):
    sessions = wb.bridge.run(wb.storage.query(g.Query(order="id")))
    for undo in (True, False):
        seen: list[int] = []
        deleted = wb.delete_unchanged(
            sessions,
            undo=undo,
            progress=lambda done, total, seen=seen: seen.append(done),
            stop=lambda seen=seen: bool(seen),
        )
        assert deleted == [s.id for s in sessions[:10]]
        sessions = sessions[10:]
    assert len(content(wb)) == COUNT - 20


def test_an_interrupt_ends_it_and_the_next_call_goes_on(wb, ids):
    start = content(wb)
    begun, interrupted = threading.Event(), threading.Event()

    def wait(done: int, total: int) -> None:
        begun.set()
        # On the main thread the interrupt may have to wait until this returns.
        on_main = threading.current_thread() is threading.main_thread()
        (sent if on_main else interrupted).wait(20)

    with interrupted_when(begun) as sent, pytest.raises(KeyboardInterrupt):
        wb.delete(ids, progress=wait)
    interrupted.set()
    wb.delete(ids)
    assert content(wb) == {}
    assert wb.undo_all().left == []
    assert content(wb) == start


def test_cancelled_at_any_point_nothing_is_lost(wb, ids):
    start = content(wb)

    async def cancel(steps: int) -> None:
        call = asyncio.ensure_future(wb.journaled.delete_many(ids))
        for _ in range(steps):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    if wb.storage.suspends:
        for steps in (1, 3, 6, 10, 20, 50, 200):
            wb.bridge.run(cancel(steps))
    wb.delete(ids)
    assert content(wb) == {}
    assert wb.undo_all().left == []
    assert content(wb) == start
    assert wb.undo_many().undone == 0


class _Suspending:
    suspends = True


def test_a_portion_is_bounded_by_what_the_last_one_took():
    sizes = Portions(_Suspending())
    for seconds, size in ((0.0, 200), (0.0, 800), (0.0, 1000), (0.1, 250), (1.0, 62)):
        sizes.adapt(sizes.size, 100 * sizes.size, seconds)
        assert sizes.size == size
    sizes.adapt(0, 0, 0.0)
    assert sizes.size == 62
    sizes.adapt(1, 10_000_000, 0.0)
    assert sizes.size == 1


def test_a_long_way_to_the_server_does_not_make_portions_of_single_sessions():
    sizes = Portions(_Suspending())
    for _ in range(5):
        sizes.adapt(sizes.size, 100 * sizes.size, 0.2)
    assert sizes.size == 50


@pytest.mark.parametrize(
    ("storage", "rested"), [(_Suspending(), [0.02, 0.1]), (g.InMemorySessionStorage(), [])]
)
def test_others_have_as_much_time_as_a_portion_took(monkeypatch, storage, rested):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    sizes = Portions(storage)
    for seconds in (0.02, 7.0):
        sizes.adapt(50, 5000, seconds)
        asyncio.run(sizes.rest())
    assert slept == rested


class _Refusing(g.InMemorySessionStorage):
    """A storage that refuses a portion: what a trigger or a lost connection does."""

    refuses = True

    async def delete_unchanged(self, sessions):
        if self.refuses and any(session.id == "s45" for session in sessions):
            raise g.StorageError("kept by law", nothing_written=True)
        return await super().delete_unchanged(sessions)


@pytest.mark.parametrize("as_read", [True, False])
@pytest.mark.parametrize("undo", [True, False])
def test_an_error_says_what_was_deleted_before_it(monkeypatch, undo, as_read):
    monkeypatch.setattr(portions, "_FIRST", 10)
    monkeypatch.setattr(portions, "_MAX", 20)
    storage = _Refusing()
    ids = [f"s{n:02}" for n in range(COUNT)]
    with g.wrap(storage) as wb:
        wb.bridge.run(storage.import_many([Session(id, "t") for id in ids]))
        sessions = wb.bridge.run(storage.query(g.Query(order="id")))
        with pytest.raises(g.StorageError, match="kept by law") as caught:
            wb.delete_unchanged(sessions, undo=undo) if as_read else wb.delete(ids, undo=undo)
        assert not caught.value.nothing_written
        assert "30 of 60 sessions were deleted before it" in str(caught.value)
        assert ("which can be undone" in str(caught.value)) is undo
        assert len(content(wb)) == 30
        with pytest.raises(g.StorageError, match="kept by law") as caught:
            wb.delete(["s45"], undo=undo)
        assert caught.value.nothing_written
        storage.refuses = False
        assert len(wb.delete(ids, undo=undo)) == 30
