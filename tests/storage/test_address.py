"""Each store says where it is."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

import graphflow_nb as g
from graphflow_nb import MonitoredStorage
from graphflow_nb.storage import Address
from graphflow_nb.storage.demo import demo_storage


def test_each_store_tells_its_address(store, run):
    async def main():
        storage = await store.open()
        try:
            return g.ReadOnlyStorage(MonitoredStorage(storage)).address
        finally:
            await storage.close()

    address = run(main())
    parts = urlsplit(store.url)
    if parts.scheme == "redis":
        # Of a cluster, either will do.
        system = "valkey" if "valkey" in store.kind else address.system
        assert system in ("redis", "valkey")
        assert address == Address(system, parts.hostname, parts.port, "0")
    elif parts.scheme == "memory":
        assert address == Address("memory")
    elif parts.scheme in ("sqlite", "postgresql"):
        assert (address.system, address.collection) == (parts.scheme, "sessions")
        file_or_schema = parts.path if parts.scheme == "sqlite" else f"{parts.path[1:]}|public"
        assert address.namespace == file_or_schema
    else:
        assert address.system == parts.scheme


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (Address("memory"), "In memory"),
        (demo_storage().address, "Demo, in memory"),
        (Address("sqlite", namespace="/data/flows.db", collection="sessions"), "SQLite flows.db"),
        (Address("sqlite", namespace="C:\\data\\flows.db"), "SQLite flows.db"),
        (Address("sqlite", namespace=":memory:"), "SQLite in memory"),
        (Address("postgresql", "db", 5433, "a|b", "s2"), "PostgreSQL a.b at db:5433, s2"),
        (Address("postgresql", "/tmp/s", None, "a|public"), "PostgreSQL a on this machine"),
        (Address("postgresql", None, None, "a|public"), "PostgreSQL a"),
        (Address("redis", "localhost", 6379, "0"), "Redis at localhost"),
        (Address("valkey", "h", 7000, "3"), "Valkey database 3 at h:7000"),
        (Address("shelf"), "Shelf"),
    ],
)
def test_a_store_is_named_as_a_person_would(address: Address, name: str) -> None:
    assert address.describe() == name
