"""Capabilities: all are listed, and a missing one says how to get it."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import storage as public
from graphflow_nb.storage import SessionStorage, SupportsQuery, SupportsTable, require
from graphflow_nb.storage.capabilities import CAPABILITIES, missing_capability


class Bare:
    async def save(self, session): ...
    async def get(self, id): ...
    async def delete(self, id): ...


def test_every_protocol_is_listed():
    protocols = {getattr(public, name) for name in dir(public) if name.startswith("Supports")}
    assert protocols == {capability.protocol for capability in CAPABILITIES}


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda c: c.protocol.__name__)
def test_a_missing_capability_says_how_to_get_it(capability):
    assert capability.methods
    assert set(capability.writes) <= set(capability.methods)
    assert not isinstance(Bare(), capability.protocol)
    with pytest.raises(g.CapabilityError) as caught:
        require(Bare(), capability.protocol)
    assert caught.value.storage == "Bare"
    assert caught.value.method == capability.methods[0]
    assert str(caught.value) == (
        f"Bare has no method '{capability.methods[0]}', which this needs; {capability.remedy}"
    )


def test_a_storage_with_three_methods_is_told_of_by_scanning():
    error = missing_capability(Bare(), "table")
    assert "ByScanning gives it to a storage with one method that lists ids" in str(error)


def test_what_is_no_storage_is_told_the_three_methods():
    assert isinstance(Bare(), SessionStorage)
    with pytest.raises(g.CapabilityError, match="coroutines save, get and delete"):
        require(object(), SessionStorage)


def test_what_is_there_is_returned():
    storage = g.InMemorySessionStorage()
    assert require(storage, SupportsTable) is storage


def test_a_wrapper_names_the_storage_inside():
    for storage in (g.ReadOnlyStorage(Bare()), g.MonitoredStorage(g.RetryingStorage(Bare()))):
        assert not isinstance(storage, SupportsQuery)
        with pytest.raises(g.CapabilityError, match="Bare has no method 'query'"):
            require(storage, SupportsQuery)


def test_methods_that_isinstance_does_not_see_are_there_too(monkeypatch):
    class PassingOn:
        def __getattr__(self, name):
            return getattr(g.InMemorySessionStorage(), name)

    # As since Python 3.12, where isinstance does not ask __getattr__.
    monkeypatch.setattr(
        "graphflow_nb.storage.capabilities.isinstance", lambda *_: False, raising=False
    )
    storage = PassingOn()
    assert require(storage, SupportsQuery) is storage
    with pytest.raises(g.CapabilityError, match="facts"):
        require(Bare(), public.SupportsFacts)
