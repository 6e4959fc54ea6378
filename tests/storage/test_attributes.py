"""The attributes by which a storage describes itself, and their defaults."""

from __future__ import annotations

import asyncio

import graphflow_nb as g
from graphflow_nb.storage import Address, StorageAttributes, attributes_of
from graphflow_nb.storage.attributes import ATTRIBUTES


class Bare:
    pass


def test_every_attribute_is_listed_and_documented():
    own = {n: v for n, v in vars(StorageAttributes).items() if isinstance(v, property)}
    assert set(own) - {"names_loop"} == set(ATTRIBUTES)
    assert all(value.__doc__ for value in own.values())


def test_defaults():
    attributes = attributes_of(Bare())
    assert not any(attributes.sets(name) for name in ATTRIBUTES)
    assert attributes.suspends is True
    assert attributes.phases is attributes.read_only is attributes.atomic_batches is False
    assert attributes.loop is attributes.place is None
    assert not attributes.names_loop
    assert attributes.server_version == attributes.no_restore == ""
    assert attributes.address == Address("bare")


def test_they_are_read_as_they_are_now():
    storage = Bare()
    attributes = attributes_of(storage)
    storage.read_only, storage.place, storage.loop = True, "shelf", None
    assert attributes.read_only
    assert attributes.place == "shelf"
    assert attributes.names_loop
    assert attributes.loop is None


def test_through_wrappers_they_are_those_of_the_storage_inside():
    class Shelf(g.InMemorySessionStorage):
        place = "shelf"
        loop = asyncio.new_event_loop()
        server_version = "Shelf 2"

    Shelf.loop.close()
    outside = attributes_of(g.ReadOnlyStorage(g.MonitoredStorage(Shelf())))
    assert (outside.place, outside.server_version) == ("shelf", "Shelf 2")
    assert outside.loop is Shelf.loop
    assert outside.address == Address("memory")
    assert outside.read_only
    assert not outside.suspends
    assert attributes_of(g.RetryingStorage(Shelf())).suspends
