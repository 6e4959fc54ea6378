"""What read-only, retrying and fallback storages do when the one inside fails."""

from __future__ import annotations

import asyncio
import logging

import pytest

import graphflow_nb as g
from graphflow_nb import FallbackStorage, Query, ReadOnlyStorage, RetryingStorage, Session
from graphflow_nb.storage.wrappers import READS, WRITES, Wrapper


class Faulty(g.InMemorySessionStorage):
    """Fails the next ``failures`` calls with ``error``; ``after`` says a write is made first."""

    def __init__(self, name="faulty"):
        super().__init__()
        self.name = name
        self.failures = 0
        self.error: Exception = g.StorageUnavailable("out of reach")
        self.after = False
        self.calls: list[str] = []
        self.pause: asyncio.Event | None = None
        self.closed = False

    async def _fault(self, method):
        self.calls.append(method)
        if self.pause is not None:
            await self.pause.wait()
        if self.failures:
            self.failures -= 1
            raise self.error

    async def save(self, session):
        if self.after and self.failures:
            await super().save(session)
        await self._fault("save")
        await super().save(session)

    async def get(self, id):
        await self._fault("get")
        return await super().get(id)

    async def delete(self, id):
        await self._fault("delete")
        await super().delete(id)

    async def upsert(self, session):
        await self._fault("upsert")
        await super().upsert(session)

    async def count(self, query):
        await self._fault("count")
        return await super().count(query)

    async def close(self):
        self.closed = True

    def __repr__(self):
        return f"<{self.name}>"


class Bare:
    """The three coroutines that every storage has."""

    async def save(self, session): ...
    async def get(self, id): ...
    async def delete(self, id): ...


WRAPPERS = [
    Wrapper,
    ReadOnlyStorage,
    RetryingStorage,
    g.MonitoredStorage,
    lambda s: FallbackStorage(s, g.InMemorySessionStorage()),
    lambda s: FallbackStorage(g.InMemorySessionStorage(), s),
    lambda s: RetryingStorage(g.MonitoredStorage(s)),
]


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_a_wrapper_has_what_is_inside(wrap, run):
    whole, bare = wrap(g.InMemorySessionStorage()), wrap(Bare())
    for method in (READS | WRITES) - {"save", "get", "delete"}:
        assert hasattr(whole, method) == hasattr(g.InMemorySessionStorage, method)
        assert not hasattr(bare, method)
        with pytest.raises(g.CapabilityError, match=method):
            getattr(bare, method)
    with pytest.raises(AttributeError):
        whole.nonsense  # noqa: B018
    run(bare.close())
    run(whole.close())
    assert repr(whole)


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_arguments_can_be_named(wrap, run):
    storage = wrap(g.InMemorySessionStorage())
    assert run(storage.get(id="a")) is None
    assert len(run(storage.table(query=Query(), context=["a"])).context) == 1
    if getattr(storage, "read_only", False):
        with pytest.raises(g.ReadOnlyError):
            run(storage.upsert(session=Session("a", "t")))
        return
    run(storage.upsert(session=Session("a", "t")))
    run(storage.delete(id="b"))
    assert run(storage.delete_many(["a"], versions=[9])) == []
    assert run(storage.delete_many(ids=("a",))) == ["a"]


def test_read_only(run):
    inner = g.InMemorySessionStorage()
    session = Session("a", "t")
    run(inner.save(session))
    storage = ReadOnlyStorage(inner)
    assert storage.read_only
    assert run(storage.get("a")).current_task_id == "t"
    assert run(storage.count(Query())) == 1
    writes = {
        "save": session,
        "upsert": session,
        "restore": session,
        "delete": "a",
        "delete_many": ["a"],
        "save_many": [session],
        "import_many": [session],
    }
    assert set(writes) == {name for name in WRITES if hasattr(inner, name)}
    for method, argument in writes.items():
        with pytest.raises(g.ReadOnlyError, match="nothing was written"):
            run(getattr(storage, method)(argument))
    assert run(storage.get("a")).version == 1
    with g.wrap(storage) as wb, pytest.raises(g.ReadOnlyError):
        wb.delete("a")


# Retrying


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


def test_a_save_is_never_repeated(run):
    inner = Faulty()
    inner.failures, inner.after = 1, True
    storage = retrying(inner)
    session = Session("a", "t")
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(session))
    assert inner.calls == ["save"]
    assert run(storage.get("a")) is not None  # it was made all the same


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
        RetryingStorage(Bare(), **options)


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


# Fallback


@pytest.fixture
def two(run):
    first, second = Faulty("first"), Faulty("second")
    run(first.save(Session("a", "in first")))
    run(second.save(Session("a", "in second")))
    first.calls.clear()
    return first, second


def test_reads_go_over_and_writes_do_not(run, two, caplog):
    first, second = two
    told = []
    storage = FallbackStorage(first, second, on_switch=lambda *words: told.append(words))
    assert run(storage.get("a")).current_task_id == "in first"
    session = run(storage.get("a"))
    assert not storage.read_only
    first.failures = 1
    with caplog.at_level(logging.WARNING, "graphflow_nb"):
        assert run(storage.get("a")).current_task_id == "in second"
    assert storage.active is second
    assert "using <second>" in caplog.text
    assert told == [(first, second, first.error)]
    assert storage.read_only
    assert "→ <second>" in repr(storage)
    for call in (storage.save(session), storage.delete("a"), storage.upsert(session)):
        with pytest.raises(g.ReadOnlyError, match="nothing was written"):
            run(call)
    assert run(second.get("a")).current_task_id == "in second"
    # It stays there, though the first is back.
    assert run(storage.get("a")).current_task_id == "in second"
    run(storage.switch_back())
    assert run(storage.get("a")).current_task_id == "in first"
    assert storage.written_elsewhere == set()


def test_a_write_that_failed_is_not_made_elsewhere(run, two):
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    first.failures, first.after = 1, True
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(Session("b", "t")))
    assert run(second.get("b")) is None
    assert storage.active is second
    run(storage.save(Session("c", "t")))
    run(storage.upsert(Session("d", "t")))
    run(storage.save_many([Session("e", "t"), Session("f", "t")]))
    run(storage.delete("a"))
    assert storage.written_elsewhere == {"a", "c", "d", "e", "f"}
    assert run(first.get("c")) is None
    run(storage.switch_back())
    assert run(storage.get("c")) is None
    assert storage.written_elsewhere == {"a", "c", "d", "e", "f"}


def test_a_session_of_the_first_conflicts_in_the_second(run, two):
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    mine = run(storage.get("a"))
    first.failures = 1
    run(storage.get("a"))
    with pytest.raises(g.SessionConflict):
        run(storage.save(mine))


def test_writes_never_go_to_both_at_once(run, two):
    first, second = two

    async def work():
        storage = FallbackStorage(first, second, writes=True)
        first.pause = asyncio.Event()
        slow = asyncio.ensure_future(storage.save(Session("b", "t")))
        await asyncio.sleep(0)
        await storage._left(0, first.error)
        with pytest.raises(g.StorageUnavailable, match="still under way"):
            await storage.save(Session("b", "t"))
        first.pause.set()
        await slow
        await storage.save(Session("b", "t"))
        second.pause = asyncio.Event()
        slow = asyncio.ensure_future(storage.save(Session("c", "t")))
        await asyncio.sleep(0)
        with pytest.raises(g.StorageUnavailable, match="still under way"):
            await storage.switch_back()
        second.pause.set()
        await slow
        await storage.switch_back()

    run(work())


def test_when_all_are_out_of_reach(run, two):
    first, second = two
    storage = FallbackStorage(first, second)
    first.failures = second.failures = 1
    with pytest.raises(g.StorageUnavailable):
        run(storage.get("a"))
    assert storage.active is second
    first.failures = 1
    with pytest.raises(g.StorageUnavailable):
        run(storage.switch_back())
    assert storage.active is second


def test_an_error_of_ours_does_not_switch(run, two):
    first, second = two
    storage = FallbackStorage(first, second)
    first.failures, first.error = 1, g.QueryError("no")
    with pytest.raises(g.QueryError):
        run(storage.count(Query()))
    assert storage.active is first


def test_a_call_that_takes_too_long_is_no_reason_to_go_over(run, two):
    first, second = two
    storage = FallbackStorage(first, second, writes=True)
    first.error = g.StorageTimeout("slow")
    first.failures = 1
    with pytest.raises(g.StorageTimeout):
        run(storage.count(Query()))
    first.failures = 1
    with pytest.raises(g.StorageTimeout):
        run(storage.save(Session("b", "t")))
    assert storage.active is first
    first.failures = 2  # the next call is not answered either
    assert run(storage.get("a")).current_task_id == "in second"
    assert storage.active is second


def test_on_switch_may_fail(run, two, caplog):
    first, second = two

    def on_switch(*_):
        raise RuntimeError("broken callback")

    storage = FallbackStorage(first, second, writes=True, on_switch=on_switch)
    first.failures = 1
    with pytest.raises(g.StorageUnavailable):
        run(storage.save(Session("b", "t")))
    assert storage.active is second
    assert "broken callback" in caplog.text


def test_what_was_cancelled_elsewhere_is_listed_and_what_was_refused_is_not(run, two):
    first, second = two

    async def work():
        storage = FallbackStorage(first, second, writes=True)
        first.failures = 1
        await storage.get("a")
        with pytest.raises(g.SessionConflict):
            await storage.save(Session("a", "t"))
        with pytest.raises(g.StorageError, match="id"):
            await storage.delete(7)
        assert storage.written_elsewhere == set()
        second.pause = asyncio.Event()
        slow = asyncio.ensure_future(storage.save(Session("b", "t")))
        await asyncio.sleep(0)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        second.pause = None
        await storage.delete_many({"c": 1, "d": 2}.keys())
        assert storage.written_elsewhere == {"b", "c", "d"}

    run(work())


def test_a_failure_from_before_the_switch_changes_nothing(run, two):
    first, second = two

    async def work():
        storage = FallbackStorage(first, second)
        first.pause = asyncio.Event()
        old = asyncio.ensure_future(storage.get("a"))
        await asyncio.sleep(0)
        await storage._left(0, first.error)
        going, first.pause = first.pause, None
        await storage.switch_back()
        first.failures = 1
        going.set()
        assert (await old).current_task_id == "in first"
        assert storage.active is first

    run(work())


def test_all_are_closed(run, two):
    run(FallbackStorage(*two).close())
    assert [storage.closed for storage in two] == [True, True]
    with pytest.raises(g.StorageError):
        FallbackStorage(two[0])


def test_in_a_workbench(two):
    first, second = two
    with g.wrap(FallbackStorage(first, second)) as wb:
        first.failures = 1
        assert wb.get("a").current_task_id == "in second"
        assert wb.latency.frame()["outcome"].tolist() == ["ok"]
        assert "second" in repr(wb)
