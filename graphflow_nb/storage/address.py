"""Address: which store it is, in the terms of tools that watch databases."""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ["Address", "address_of"]


class Address(msgspec.Struct, frozen=True):
    """The place of a storage's sessions, without secrets: its attribute ``address``.

    Example:
        >>> from graphflow_nb.storage import Address, InMemorySessionStorage, attributes_of
        >>> attributes_of(InMemorySessionStorage()).address
        Address(system='memory', server=None, port=None, namespace=None, collection=None)

    Attributes:
        system: The product in lower case: ``postgresql``, ``sqlite``, ``mongodb``, …
        server: The host, or the path of a Unix socket, as the user named it; several hosts are
            joined by commas. None without a server, or if the user named none.
        port: The port; None for the system's default, and where ``server`` has the ports.
        namespace: The database; where databases have schemas, ``database|schema``.
        collection: The table.
    """

    system: str
    server: str | None = None
    port: int | None = None
    namespace: str | None = None
    collection: str | None = None

    def describe(self) -> str:
        """Return the store as a person would name it.

        Example:
            >>> from graphflow_nb.storage import Address
            >>> Address("postgresql", "localhost", 5432, "claims|public", "sessions").describe()
            'PostgreSQL claims at localhost'
            >>> Address("sqlite", namespace="/data/flows.db", collection="sessions").describe()
            'SQLite flows.db'
        """
        if self.system == "memory":
            return f"{self.namespace.capitalize()}, in memory" if self.namespace else "In memory"
        product, port = _PRODUCTS.get(self.system, (self.system.capitalize(), None))
        database, _, schema = (self.namespace or "").partition("|")
        if self.system == "sqlite":
            database = "in memory" if database == ":memory:" else re.split(r"[/\\]", database)[-1]
        elif self.system in ("redis", "valkey"):
            database = f"database {database}" if database not in ("", "0") else ""
        parts = [product, f"{database}.{schema}" if schema not in ("", "public") else database]
        if self.server is not None:
            # A path is that of a socket.
            place = "on this machine" if self.server.startswith("/") else f"at {self.server}"
            parts.append(place + (f":{self.port}" if self.port not in (None, port) else ""))
        named = " ".join(filter(None, parts))
        return named if self.collection in (None, "sessions") else f"{named}, {self.collection}"


#: The name of each product, and its default port.
_PRODUCTS: Final = {
    "postgresql": ("PostgreSQL", 5432),
    "sqlite": ("SQLite", None),
    "redis": ("Redis", 6379),
    "valkey": ("Valkey", 6379),
}


def address_of(storage: object) -> Address:
    """Return the address of a storage; without one, its class's name is the system."""
    address = getattr(storage, "address", None)
    return address if isinstance(address, Address) else Address(type(storage).__name__.lower())
