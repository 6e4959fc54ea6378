"""The driver's exceptions as ours; the only place where that happens for SQLite."""

from __future__ import annotations

import sqlite3
from typing import Final

from ...errors import (
    ReadOnlyError,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTimeout,
)
from ...secret_texts import scrub_error

__all__ = ["DRIVER_ERRORS", "translate_error"]

#: What a call to the driver may raise. A worker thread that has ended refuses with RuntimeError.
DRIVER_ERRORS: Final = (sqlite3.Error, OSError, RuntimeError, OverflowError, TypeError)

_MISSING: Final = ("no such table", "no such column", "table sessions has no column")


def translate_error(error: Exception, path: str, *, writes: bool = True) -> StorageError:
    """Return the StorageError for a driver's exception.

    Args:
        error: The exception, one of ``DRIVER_ERRORS``.
        path: The path of the file.
        writes: Whether it may have been a write; the error of a read says nothing about writes.
    """
    scrub_error(error)
    if isinstance(error, PermissionError):
        return StorageDenied(
            f"{path} may not be read by you: it takes the right to enter its folder and the right "
            "to read the file; writing takes the right to write both. Ask its owner"
        )
    text = str(error)
    if "locked" in text or "busy" in text:
        return StorageTimeout(
            f"{path} is being written by another process, and did not become free in time"
            f"{'; nothing was written' if writes else ''}. Try again, or connect with a longer "
            "timeout=",
            nothing_written=True,
        )
    if getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY_ROLLBACK":
        return StorageError(
            f"{path} can't be read as it is: a program was ended in the middle of a write, which "
            "must be taken back first. Open it with writable=True, which does that",
            nothing_written=True,
        )
    name = getattr(error, "sqlite_errorname", "")
    if writes and (name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR")):
        return StorageFull(
            f"{path} can't be written ({text}): there is no room for it, or the disk fails. Make "
            "room, then repeat the call",
            nothing_written=name == "SQLITE_FULL",
        )
    if "readonly" in text:
        return ReadOnlyError(
            f"{path} takes no writes: {text}; check the rights on the file and its folder"
        )
    if text.startswith(_MISSING):
        return StorageMissing(
            f"{path}: {text}: was it dropped or renamed meanwhile? Nothing was read or written. "
            "Put back what is missing, or open the file that has it"
        )
    if "unable to open" in text:
        return StorageError(
            f"{path} can't be opened: does it exist, and may you read it?",
            nothing_written=True,
        )
    if isinstance(error, RuntimeError):
        return StorageError("the storage is closed: connect again", nothing_written=True)
    # A statement that SQLite refuses changes nothing, and neither does a value that it can't take.
    refused = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, TypeError)
    return StorageError(f"{path}: {text}", nothing_written=isinstance(error, refused))
