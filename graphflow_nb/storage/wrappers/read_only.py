"""ReadOnlyStorage: a storage that refuses writes."""

from __future__ import annotations

from typing import Any, ClassVar

from ...errors import ReadOnlyError
from .base import WRITES, Wrapper

__all__ = ["ReadOnlyStorage"]


class ReadOnlyStorage(Wrapper):
    """A storage whose reads pass, and whose writes raise ReadOnlyError before anything is sent.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, ReadOnlyStorage, Session
        >>> storage = ReadOnlyStorage(InMemorySessionStorage())
        >>> await storage.save(Session("claim-1", "intake"))
        Traceback (most recent call last):
        graphflow_nb.errors.ReadOnlyError: ...

    Args:
        storage: The storage to read.
    """

    read_only: ClassVar[bool] = True

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        if method in WRITES:
            raise ReadOnlyError(
                f"{self.inner!r} is wrapped for reading only: nothing was written. To write there, "
                "open it with writable=True, or use the storage inside"
            )
        return await super()._call(method, *arguments, **named)
