"""FallbackStorage: a storage that another one replaces while it is out of reach."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from ...errors import (
    GraphflowError,
    ReadOnlyError,
    StorageError,
    StorageTimeout,
    StorageUnavailable,
)
from ...model import Session
from ..address import Address, address_of
from ..attributes import attributes_of
from .base import WRITES, Wrapper, close_if_possible, find_method

__all__ = ["FallbackStorage"]

log = logging.getLogger("graphflow_nb")


class FallbackStorage(Wrapper):
    """A storage that switches to the next one when the one in use is out of reach.

    graph-flow's documentation uses memory where the database can't be reached. Here that never
    happens silently, and writes never go to two stores at once: after the switch reads come from
    the next storage, and writes are refused, or follow with ``writes=True``. A write that failed is
    never repeated elsewhere, because it may have taken place. ``switch_back`` uses the primary
    again.

    A call that took too long does not cause a switch if the storage answers another call.

    Example:
        >>> from graphflow_nb import FallbackStorage, InMemorySessionStorage
        >>> primary, other = InMemorySessionStorage(), InMemorySessionStorage()
        >>> storage = FallbackStorage(primary, other)
        >>> storage.active is primary
        True

    Args:
        primary: The storage to use while it answers.
        others: The storages to use instead, in this order; on the event loop of the primary, where
            they belong to one.
        writes: Whether writes go to another storage too.
        on_switch: Called with the previous storage, the one in use now, and the error; what it
            raises is logged.

    Attributes:
        written_elsewhere: The ids of the sessions that were, or may have been, written to another
            storage than the primary, so that they can be merged.
    """

    def __init__(
        self,
        primary: Any,
        *others: Any,
        writes: bool = False,
        on_switch: Callable[[Any, Any, Exception], None] | None = None,
    ):
        if not others:
            raise StorageError("a fallback needs at least one other storage")
        self._storages = (primary, *others)
        super().__init__(primary)
        self._at = 0
        self._switches = 0
        self._writes = writes
        self._writing = [0] * len(self._storages)
        self._on_switch = on_switch
        self.written_elsewhere: set[str] = set()

    @property
    def active(self) -> Any:
        """The storage in use."""
        return self._storages[self._at]

    @property
    def address(self) -> Address:
        """The address of the storage in use."""
        return address_of(self.active)

    @property
    def suspends(self) -> bool:
        """Whether any of them needs an event loop."""
        return any(attributes_of(storage).suspends for storage in self._storages)

    @property
    def loop(self) -> Any:
        """The event loop of the first that belongs to one."""
        loops = (attributes_of(storage).loop for storage in self._storages)
        return next((loop for loop in loops if loop is not None), None)

    @property
    def atomic_batches(self) -> bool:
        """Whether each of them stores a batch as a whole."""
        return all(attributes_of(storage).atomic_batches for storage in self._storages)

    @property
    def read_only(self) -> bool:
        """Whether a write would be refused now."""
        elsewhere = self._at > 0 and not self._writes
        return elsewhere or attributes_of(self.active).read_only

    def _has(self, method: str) -> bool:
        return all(find_method(storage, method) is not None for storage in self._storages)

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        if method in WRITES:
            return await self._write(method, arguments, named)
        while True:
            switches, storage = self._switches, self.active
            try:
                return await getattr(storage, method)(*arguments, **named)
            except (StorageUnavailable, StorageTimeout) as error:
                if not await self._switch(switches, error):
                    raise

    async def _write(self, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        switches, at = self._switches, self._at
        if at > 0 and not self._writes:
            raise ReadOnlyError(
                f"{self.inner!r} is out of reach and {self.active!r} is read instead, so nothing "
                "was written; switch_back() goes back to the first"
            )
        if any(self._writing[:at]) or any(self._writing[at + 1 :]):
            raise StorageUnavailable(
                "a write to another of the storages is still under way, so nothing was written: "
                "try again"
            )
        self._writing[at] += 1
        refused = False
        try:
            return await getattr(self.active, method)(*arguments, **named)
        except (StorageUnavailable, StorageTimeout) as error:
            await self._switch(switches, error)
            raise
        except GraphflowError:
            refused = True
            raise
        finally:
            self._writing[at] -= 1
            # Also a write that was cancelled or got no answer: it may have taken place.
            if at > 0 and not refused:
                self.written_elsewhere |= _find_ids((*arguments, *named.values()))

    async def _switch(self, switches: int, error: Exception) -> bool:
        """Switch from a storage that is out of reach to the next one.

        Args:
            switches: The number of switches when the failed call began; if it is higher now,
                another call switched already.
            error: The error of the failed call.

        Returns:
            Whether to repeat a read: False if no storage is left, or if the one in use does answer
            and only this call took too long.
        """
        slow = isinstance(error, StorageTimeout)
        if slow and switches == self._switches and await self._answers():
            return False
        if switches != self._switches:
            return True
        if self._at + 1 == len(self._storages):
            return False
        previous = self.active
        self._use(self._at + 1)
        log.warning("%r is out of reach (%s): using %r", previous, error, self.active)
        if self._on_switch is not None:
            try:
                self._on_switch(previous, self.active, error)
            except Exception:  # the caller needs the result of the call
                log.exception("on_switch failed")
        return True

    async def _answers(self) -> bool:
        try:
            await self.active.get(str(uuid4()))  # a UUID, for tables that take no other ids
        except (StorageUnavailable, StorageTimeout):
            return False
        return True

    def _use(self, at: int) -> None:
        self._at = at
        self._switches += 1

    async def switch_back(self) -> None:
        """Use the primary again; what was written elsewhere is not copied.

        Raises:
            StorageError: It is still out of reach, or a write to another storage is under way.
        """
        await self.inner.get(str(uuid4()))
        if any(self._writing[1:]):
            raise StorageUnavailable("a write to another storage is still under way: try again")
        if self._at > 0:
            previous = self.active
            self._use(0)
            log.warning("%r is in use again, and no longer %r", self.inner, previous)

    async def close(self) -> None:
        """Close all storages."""
        for storage in self._storages:
            await close_if_possible(storage)

    def __repr__(self) -> str:
        names = ", ".join(
            f"{'→ ' if storage is self.active else ''}{storage!r}" for storage in self._storages
        )
        return f"<FallbackStorage {names}>"


def _find_ids(arguments: Iterable[Any]) -> set[str]:
    """Return the ids that the arguments of a write name."""
    found = set()
    for argument in arguments:
        one = isinstance(argument, (str, Session)) or not isinstance(argument, Iterable)
        for item in [argument] if one else argument:
            if isinstance(item, (str, Session)):
                found.add(item if isinstance(item, str) else item.id)
    return found
