"""Each store says where it is."""

from __future__ import annotations

from urllib.parse import urlsplit

import graphflow_nb as g
from graphflow_nb import MonitoredStorage
from graphflow_nb.storage import Address


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
