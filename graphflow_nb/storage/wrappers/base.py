"""A storage around another one."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from ...errors import CapabilityError
from ...model import Session
from ..address import Address, address_of

__all__ = ["READS", "WRITES", "Wrapper"]

READS: Final = frozenset(
    (
        *("get", "query", "table", "count", "counts", "slow_orders", "facts"),
        *("plan_migration", "plan_trigger"),
    )
)
_OF_SESSIONS = ("save", "upsert", "delete", "delete_many", "restore", "save_many", "import_many")
_OF_THE_STORE = ("migrate", "install_trigger", "remove_trigger", "build_index", "drop_index")
WRITES: Final = frozenset((*_OF_SESSIONS, *_OF_THE_STORE))
# What a storage tells of itself, and what is passed on as it is.
_TOLD: Final = frozenset(
    (
        "suspends",
        "phases",
        "loop",
        "place",
        "read_only",
        "atomic_batches",
        "server_version",
        "watch",
    )
)


class Wrapper:
    """Passes every call on to the storage inside; has just the methods that this one has.

    Attributes:
        inner: the storage inside.
    """

    def __init__(self, storage: Any):
        self.inner = storage

    @property
    def address(self) -> Address:
        """That of the storage inside."""
        return address_of(self.inner)

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        """Every read and write comes through here."""
        return await getattr(self.inner, method)(*arguments, **named)

    async def save(self, session: Session) -> None:
        await self._call("save", session)

    async def get(self, id: str) -> Session | None:
        return await self._call("get", id)  # type: ignore[no-any-return]

    async def delete(self, id: str) -> None:
        await self._call("delete", id)

    def __getattr__(self, name: str) -> Any:
        if name in READS or name in WRITES:
            if not self._has(name):
                raise CapabilityError(_innermost(self), name)
            return partial(self._call, name)
        if name in _TOLD:
            return getattr(self.inner, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _has(self, method: str) -> bool:
        return getattr(self.inner, method, None) is not None

    async def close(self) -> None:
        """Close the storage inside, if it can be closed."""
        if hasattr(self.inner, "close"):
            await self.inner.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.inner!r}>"


def _innermost(storage: Any) -> Any:
    while isinstance(storage, Wrapper):
        storage = storage.inner
    return storage
