"""What every wrapper has: the methods of the storage inside, and no others."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import FallbackStorage, Query, ReadOnlyStorage, RetryingStorage, Session
from graphflow_nb.storage.wrappers import READS, WRITES, Wrapper


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


class Own(Wrapper):
    async def count(self, query):
        return 7

    async def watch(self, on_change, on_state):
        on_change("own")


def test_a_method_of_a_subclass_is_not_replaced(run):
    heard = []
    for storage in (Own(g.InMemorySessionStorage()), g.MonitoredStorage(Own(Bare()))):
        assert run(storage.count(Query())) == 7
        run(storage.watch(heard.append, lambda up: None))
    assert heard == ["own", "own"]


class PassingOn:
    """A storage that has its methods only by ``__getattr__``."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.mark.parametrize("wrap", WRAPPERS[:4])
def test_methods_that_are_found_by_getattr_are_passed_on(wrap, run):
    class Closable(Own):
        closed = 0

        async def close(self):
            self.closed += 1

    inside = Closable(g.InMemorySessionStorage())
    heard = []
    storage = wrap(PassingOn(inside))
    assert run(storage.count(Query())) == 7
    run(storage.watch(heard.append, lambda up: None))
    run(storage.close())
    assert (heard, inside.closed) == (["own"], 1)
