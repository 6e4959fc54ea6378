"""What the connections of one process to one file share: its locks, and the index of its WAL.

SQLite opens the index (``-shm``) once for each file and process, as the first connection needs it.
Beside a reading, which may not write to it, no connection of the same process can write. So the
readings of a file let it go while a connection that writes is opened, and open it again at their
next operation.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from weakref import WeakSet

from ...errors import StorageTimeout

__all__ = ["FileNumber", "Holder", "alone_with", "operation", "read_header"]

#: The device and inode of a file.
FileNumber = tuple[int, int]

_INTERVAL: Final = 0.05  # seconds after which a reading that is still busy is interrupted again

# Reentrant, since a connection may be collected while its thread holds it.
_changed = threading.Condition(threading.RLock())
_alone: Counter[FileNumber] = Counter()  # connections that are being opened or closed to write


class Holder(ABC):
    """What may hold a file open, and lets it go when asked if it only reads.

    Attributes:
        number: The file that it opened, or is opening.
        has_locks: Whether it may have locks on that file.
        is_busy: Whether it is in an operation.
        is_asked: Whether its operation was interrupted so that it lets the file go.
    """

    number: FileNumber | None = None
    has_locks = False
    is_busy = False
    is_asked = False

    def __init__(self) -> None:
        with _changed:
            _holders.add(self)

    @abstractmethod
    def interrupt_statement(self) -> None:
        """End the statement that is running."""

    @abstractmethod
    def let_go(self) -> None:
        """Close the file if it only reads, and has locks on it."""


_holders: WeakSet[Holder] = WeakSet()


def _begin_anew() -> None:
    """Forget what other threads of the parent had and did when this process was forked."""
    global _changed
    _changed = threading.Condition(threading.RLock())
    _alone.clear()
    _holders.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_begin_anew)


def read_header(path: str, size: int) -> bytes | None:
    """Return the first bytes of a file; None if a connection of this process has locks on it.

    A process that closes a file gives up all its locks on that file.

    Raises:
        OSError: The file can't be read.
    """
    with _changed:  # no connection takes locks meanwhile
        number = _find_number(path)
        if any(holder.number == number and holder.has_locks for holder in _holders):
            return None
        with open(path, "rb") as file:
            return file.read(size)


@contextmanager
def operation(holder: Holder, path: str, timeout: float) -> Iterator[None]:
    """Be in an operation during a ``with`` block, when no connection is being opened to write.

    Raises:
        StorageTimeout: One is being opened all the time.
        OSError: The file does not exist, or may not be looked at.
    """
    number = holder.number if holder.has_locks else _find_number(path)
    assert number is not None
    with _changed:
        if not _changed.wait_for(lambda: number not in _alone, timeout):
            raise StorageTimeout(
                f"{path} is being opened for writing in this process, and did not become free in "
                "time: try again",
                nothing_written=True,
            )
        holder.number, holder.is_busy, holder.is_asked = number, True, False
    try:
        yield
    finally:
        with _changed:
            holder.is_busy = False
            _changed.notify_all()


@contextmanager
def alone_with(path: str, timeout: float, *, interrupts: bool = True) -> Iterator[FileNumber]:
    """Have all readings of a file let it go during a ``with`` block.

    Args:
        path: The path of the file, which exists.
        timeout: The seconds to wait for readings that are busy.
        interrupts: Whether those are interrupted, and begin again afterwards; if not, they keep the
            file.

    Raises:
        StorageTimeout: A reading was busy all the time.
        OSError: The file does not exist, or may not be looked at.
    """
    number = _find_number(path)
    with _changed:
        _alone[number] += 1
    try:
        with _changed:
            if interrupts:
                _interrupt_all(number, path, timeout)
            for holder in _find_holders(number):
                if not holder.is_busy:
                    holder.let_go()
        yield number
    finally:
        with _changed:
            _alone[number] -= 1
            if not _alone[number]:
                del _alone[number]
            _changed.notify_all()


def _find_number(path: str) -> FileNumber:
    about = os.stat(path)
    return about.st_dev, about.st_ino


def _interrupt_all(number: FileNumber, path: str, timeout: float) -> None:
    """Wait until no reading of a file is busy."""
    deadline = time.monotonic() + timeout
    while busy := [holder for holder in _find_holders(number) if holder.is_busy]:
        if time.monotonic() > deadline:
            raise StorageTimeout(
                f"{path} is being read in this process, and did not become free in time: nothing "
                "was opened. Try again, or close the workbench that reads it",
                nothing_written=True,
            )
        for holder in busy:
            holder.is_asked = True
            holder.interrupt_statement()
        _changed.wait(_INTERVAL)  # a statement that had not begun is met the next time


def _find_holders(number: FileNumber) -> list[Holder]:
    return [holder for holder in _holders if holder.number == number]
