"""Address: which store it is, in the terms of tools that watch databases."""

from __future__ import annotations

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


def address_of(storage: object) -> Address:
    """Return the address of a storage; without one, its class's name is the system."""
    address = getattr(storage, "address", None)
    return address if isinstance(address, Address) else Address(type(storage).__name__.lower())
