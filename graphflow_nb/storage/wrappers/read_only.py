"""ReadOnlyStorage: a storage that refuses writes."""

from __future__ import annotations

from typing import Any, ClassVar

from ...errors import ReadOnlyError
from ..history import HISTORY_WRITES, HistoryTable, SupportsHistory
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

    def __init__(self, storage: Any):
        super().__init__(storage)
        if isinstance(storage, SupportsHistory):
            self.__dict__["history_table"] = _ReadOnlyHistory(storage.history_table, self.inner)

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        if method in WRITES:
            raise _refusal(self.inner)
        return await super()._call(method, *arguments, **named)


class _ReadOnlyHistory:
    """A history table whose reads pass; see ``HistoryTable``."""

    def __init__(self, table: HistoryTable, storage: object):
        self._table = table
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        if name in HISTORY_WRITES:
            raise _refusal(self._storage)
        return getattr(self._table, name)


def _refusal(storage: object) -> ReadOnlyError:
    return ReadOnlyError(
        f"{storage!r} is wrapped for reading only: nothing was written. To write there, open it "
        "with writable=True, or use the storage inside"
    )
