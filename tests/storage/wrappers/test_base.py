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
