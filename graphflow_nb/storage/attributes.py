"""The attributes by which a storage describes itself.

All are optional. A storage sets those whose default is wrong for it, as class attributes,
properties or plain attributes.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Mapping
from typing import Final

from .address import Address, address_of

__all__ = ["ATTRIBUTES", "StorageAttributes", "attributes_of"]

#: Each attribute, with what holds for a storage that does not set it.
ATTRIBUTES: Final[Mapping[str, str]] = {
    "suspends": "left out, its coroutines run on an event loop",
    "phases": "left out, an operation has one duration, which is not split into phases",
    "loop": "left out, wb.wrap() takes the event loop that is running",
    "place": "left out, the class's name replaces it, and a copy onto itself is not noticed",
    "identity": "left out, place replaces it, and another spelling of the URL is another store",
    "read_only": "left out, the storage takes writes",
    "atomic_batches": "left out, a failure may leave a part of a batch stored",
    "no_restore": "left out, a session that was deleted can be put back as it was",
    "server_version": "only a server has one",
    "limits": "only a server has them",
    "address": "left out, the class's name replaces it in other tools",
}


class StorageAttributes:
    """The attributes of a storage as they are now, with the default of each that it leaves out.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, ReadOnlyStorage
        >>> from graphflow_nb.storage import attributes_of
        >>> attributes_of(ReadOnlyStorage(InMemorySessionStorage())).read_only
        True
    """

    __slots__ = ("_storage",)

    def __init__(self, storage: object):
        self._storage = storage

    def sets(self, name: str) -> bool:
        """Return whether the storage sets an attribute, one of ``ATTRIBUTES``."""
        return getattr(self._storage, name, _UNSET) is not _UNSET

    @property
    def suspends(self) -> bool:
        """Whether its coroutines ever wait. False: they run in place, without an event loop."""
        return bool(getattr(self._storage, "suspends", True))

    @property
    def phases(self) -> bool:
        """Whether it reports phases (wait, encode, execute, decode) to ``storage.trace``."""
        return bool(getattr(self._storage, "phases", False))

    @property
    def loop(self) -> AbstractEventLoop | None:
        """The event loop that its connections belong to; None for any."""
        return getattr(self._storage, "loop", None)

    @property
    def names_loop(self) -> bool:
        """Whether it sets ``loop``: with ``loop = None`` any loop will do."""
        return self.sets("loop")

    @property
    def place(self) -> str | None:
        """Which store it is, without secrets: equal for two storages on the same data."""
        place = getattr(self._storage, "place", None)
        return None if place is None else str(place)

    @property
    def identity(self) -> str:
        """What the store is, however its URL was spelled: equal for two storages on the same data.

        The journal finds a store's writes by it, and a session remembers the store it came from.
        """
        identity = getattr(self._storage, "identity", None)
        return str(identity or self.place or type(self._storage).__name__)

    @property
    def read_only(self) -> bool:
        """Whether it refuses every write, with ReadOnlyError."""
        return bool(getattr(self._storage, "read_only", False))

    @property
    def atomic_batches(self) -> bool:
        """Whether ``save_many`` stores all or nothing when it fails in the middle of a batch.

        A conflict is not a failure: it concerns one session, and the others are stored.
        """
        return bool(getattr(self._storage, "atomic_batches", False))

    @property
    def no_restore(self) -> str:
        """Why what this user deletes could not be put back as it was; empty where it can be."""
        return str(getattr(self._storage, "no_restore", ""))

    @property
    def server_version(self) -> str:
        """The server's product and version, e.g. ``Redis 7.2.4``; empty without a server."""
        return str(getattr(self._storage, "server_version", ""))

    @property
    def limits(self) -> str:
        """After which times the server ends what was left running; empty if it does not."""
        return str(getattr(self._storage, "limits", ""))

    @property
    def address(self) -> Address:
        """Which database it is, for tools that watch databases."""
        return address_of(self._storage)


_UNSET: Final = object()


def attributes_of(storage: object) -> StorageAttributes:
    """Return the attributes of a storage, with defaults for those that it does not set.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.storage import attributes_of
        >>> attributes_of(InMemorySessionStorage()).suspends
        False
    """
    return StorageAttributes(storage)
