"""Wrapper: the base of storages around other storages."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from ...model import Session
from ..address import Address, address_of
from ..attributes import ATTRIBUTES
from ..capabilities import CAPABILITIES, missing_capability
from ..history import SupportsHistory
from ..protocols import SupportsClose, SupportsWatch

__all__ = [
    "READS",
    "WRITES",
    "Wrapper",
    "close_if_possible",
    "find_innermost",
    "find_method",
]

# A watch goes to the storage inside itself, and every wrapper can be closed.
_OPTIONAL: Final = frozenset(
    name
    for capability in CAPABILITIES
    if capability.protocol not in (SupportsWatch, SupportsClose)
    for name in capability.methods
)
#: The methods that write.
WRITES: Final = frozenset(
    ("save", "delete", *(name for capability in CAPABILITIES for name in capability.writes))
)
#: The methods that read.
READS: Final = frozenset(("get", *(_OPTIONAL - WRITES)))
# The attributes that are passed on as they are.
_ATTRIBUTES: Final = frozenset(ATTRIBUTES) - {"address"}


class Wrapper:
    """A storage around another one, with exactly the methods that the one inside has.

    Every read and write passes ``_call``, which a subclass overrides.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.storage.wrappers import Wrapper
        >>> class Counting(Wrapper):
        ...     calls = 0
        ...     async def _call(self, method, /, *arguments, **named):
        ...         self.calls += 1
        ...         return await super()._call(method, *arguments, **named)
        >>> storage = Counting(InMemorySessionStorage())
        >>> await storage.get("claim-1")
        >>> storage.calls
        1

    Args:
        storage: The storage inside.

    Attributes:
        inner: The storage inside.
    """

    def __init__(self, storage: Any):
        self.inner = storage
        # As attributes and not through __getattr__, which isinstance does not ask for a protocol.
        # What a subclass defines itself is not replaced.
        defined = frozenset(dir(type(self)))
        for name in _OPTIONAL - defined:
            if self._has(name):
                self.__dict__[name] = partial(self._call, name)
        watch = find_method(storage, "watch")
        if "watch" not in defined and watch is not None:
            self.__dict__["watch"] = watch
        if "history_table" not in defined and isinstance(storage, SupportsHistory):
            self.__dict__["history_table"] = storage.history_table

    @property
    def address(self) -> Address:
        """The address of the storage inside."""
        return address_of(self.inner)

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        return await getattr(self.inner, method)(*arguments, **named)

    async def save(self, session: Session) -> None:
        """See ``SessionStorage.save``."""
        await self._call("save", session)

    async def get(self, id: str) -> Session | None:
        """See ``SessionStorage.get``."""
        found: Session | None = await self._call("get", id)
        return found

    async def delete(self, id: str) -> None:
        """See ``SessionStorage.delete``."""
        await self._call("delete", id)

    def __getattr__(self, name: str) -> Any:
        if name in _OPTIONAL:
            raise missing_capability(find_innermost(self), name)
        if name in _ATTRIBUTES:
            return getattr(self.inner, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _has(self, method: str) -> bool:
        return find_method(self.inner, method) is not None

    async def close(self) -> None:
        """Close the storage inside, if it can be closed."""
        await close_if_possible(self.inner)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.inner!r}>"


def find_method(storage: Any, method: str) -> Any:
    """Return a method of a storage; None if it has none."""
    # Not by isinstance: since Python 3.12 that does not ask the __getattr__ of a storage which
    # passes calls on to another one.
    return getattr(storage, method, None)


async def close_if_possible(storage: Any) -> None:
    """Close a storage, if it can be closed."""
    close = find_method(storage, "close")
    if close is not None:
        await close()


def find_innermost(storage: Any) -> Any:
    """Return the storage inside all wrappers; a storage that is not a wrapper itself."""
    while isinstance(storage, Wrapper):
        storage = storage.inner
    return storage
