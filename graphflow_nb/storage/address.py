"""What a store is, in the terms in which tools that watch databases name them."""

from __future__ import annotations

import msgspec

__all__ = ["Address", "address_of"]


class Address(msgspec.Struct, frozen=True):
    """Where a storage's sessions are, without anything secret.

    A storage tells it as its attribute ``address``.

    Attributes:
        system: the product in lower case: ``postgresql``, ``sqlite``, ``mongodb``, …
        server: host, or path of a Unix socket, as the user named it; of several hosts all, with
            commas. None where there is no server or none was named.
        port: None for the system's own, and where ``server`` has the ports.
        namespace: the database; where databases have schemas, ``database|schema``.
        collection: the table.
    """

    system: str
    server: str | None = None
    port: int | None = None
    namespace: str | None = None
    collection: str | None = None


def address_of(storage: object) -> Address:
    """The address that a storage tells; one that tells none has its class's name for a system."""
    told = getattr(storage, "address", None)
    return told if isinstance(told, Address) else Address(type(storage).__name__.lower())
