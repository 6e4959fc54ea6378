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

_REPEATS = 3  # of a read, while the storage answers other calls

log = logging.getLogger("graphflow_nb")


class FallbackStorage(Wrapper):
    """A storage that switches to the next one when the one in use is out of reach.

    graph-flow's documentation uses memory where the database can't be reached. Here that never
    happens silently, and writes never go to two stores at once: after the switch reads come from
    the next storage, and writes are refused, or follow with ``writes=True``. A write that failed is
    never repeated elsewhere, because it may have taken place: until ``switch_back``, which uses the
    primary again, a session whose last write got no answer is not written elsewhere at all.

    A storage that answers another call right after a failure is not replaced. Then a read that
    failed is repeated, because its connection may have been cut while it was idle.

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
        in_doubt: The ids of the sessions whose last write to a storage got no answer, with that
            storage. Another storage takes no write of them; remove an id to allow it.
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
        self.in_doubt: dict[str, Any] = {}

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
        repeats = _REPEATS
        while True:
            switches = self._switches
            try:
                return await getattr(self.active, method)(*arguments, **named)
            except (StorageUnavailable, StorageTimeout) as error:
                if switches == self._switches and await self._answers():
                    # A connection was cut; a call that was slow would be as slow again.
                    if not repeats or isinstance(error, StorageTimeout):
                        raise
                    repeats -= 1
                elif not self._switch(switches, error):
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
        ids = _find_ids((*arguments, *named.values()))
        self._check_in_doubt(ids, self.active)
        self._writing[at] += 1
        known = False  # whether it is known what the write did
        try:
            result = await getattr(self.active, method)(*arguments, **named)
            known = True
            return result
        except (StorageUnavailable, StorageTimeout) as error:
            known = error.nothing_written
            if switches == self._switches and not await self._answers():
                self._switch(switches, error)
            raise
        except GraphflowError as error:
            known = error.nothing_written
            ids = set() if known else ids
            raise
        finally:
            self._writing[at] -= 1
            # Also a write that was cancelled or got no answer: it may have taken place.
            if at > 0:
                self.written_elsewhere |= ids
            for id in ids:
                if known:
                    self.in_doubt.pop(id, None)
                else:
                    self.in_doubt[id] = self._storages[at]

    def _check_in_doubt(self, ids: Iterable[str], storage: Any) -> None:
        """Raise StorageUnavailable if another storage may have the last write of one of the ids."""
        for id in ids:
            other = self.in_doubt.get(id, storage)
            if other is not storage:
                raise StorageUnavailable(
                    f"the last write of session {id!r} to {other!r} got no answer and may have "
                    f"taken place, so it is not written to {storage!r} too: nothing was written. "
                    "switch_back() goes back to the first; in_doubt.pop(id) allows it here",
                    nothing_written=True,
                )

    def _switch(self, switches: int, error: Exception) -> bool:
        """Switch from a storage that does not answer to the next one.

        Args:
            switches: The number of switches when the failed call began; if it is higher now,
                another call switched already.
            error: The error of the failed call.

        Returns:
            Whether another storage is in use now; False if none is left.
        """
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
            self.in_doubt.clear()  # from here on the primary compares what it has
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
