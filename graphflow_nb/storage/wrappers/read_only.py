"""A storage that takes no writes."""

from __future__ import annotations

from typing import Any, ClassVar

from ...errors import ReadOnlyError
from .base import WRITES, Wrapper

__all__ = ["ReadOnlyStorage"]


class ReadOnlyStorage(Wrapper):
    """Reads pass; a write raises ReadOnlyError, and nothing is sent.

    Args:
        storage: any storage.
    """

    read_only: ClassVar[bool] = True

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        if method in WRITES:
            raise ReadOnlyError(f"{self.inner!r} is wrapped for reading only: nothing was written")
        return await super()._call(method, *arguments, **named)
