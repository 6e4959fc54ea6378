"""Files that only their owner can read: written completely or not at all, and by no symlink."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .errors import QueryError, StorageError

__all__ = [
    "TEMPORARY",
    "as_path",
    "can_name_file",
    "create_privately",
    "open_privately",
    "read_file",
    "sync_folder",
    "write_privately",
]

#: How the names of files begin that take the place of another when they are complete.
TEMPORARY = ".graphflow_nb-"


def as_path(path: object, name: str = "path") -> Path:
    """Return a path that a caller gave.

    Args:
        path: The path, as text or as another object that is one.
        name: What the caller calls it.

    Raises:
        QueryError: It is something else, or no file can have that name.
    """
    if isinstance(path, (str, os.PathLike)) and isinstance(named := os.fspath(path), str):
        if not can_name_file(named):
            raise QueryError(f"{name} {named!r} has a character that no file can have in its name")
        return Path(named)
    raise QueryError(f"{name} must be the path of a file or folder, as text or Path, not {path!r}")


def can_name_file(path: str) -> bool:
    """Return whether the system takes a text as the path of a file."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def write_privately(path: str | os.PathLike[str], content: bytes, *, replace: bool = True) -> None:
    """Write a file completely or not at all, which only its owner can read.

    The file that was there before is replaced as a whole, and its mode stays.

    Args:
        path: The file.
        content: The content of the file.
        replace: Whether to replace a file that exists; False raises.

    Raises:
        QueryError: It is not the path of a file.
        StorageError: The file can't be written, is a symbolic link or no file; nothing was changed.
    """
    with open_privately(path, replace=replace) as file:
        file.write(content)


@contextmanager
def open_privately(path: str | os.PathLike[str], *, replace: bool = True) -> Iterator[IO[bytes]]:
    """Open a file to write, which takes its place when the block ends without an error.

    Args:
        path: The file; see ``write_privately``.
        replace: Whether to replace a file that exists; False raises.

    Raises:
        QueryError, StorageError: See ``write_privately``.
    """
    target, temporary, fd = as_path(path), "", -1
    try:
        before = _check_target(target)
        if before is not None and not replace:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        # Exclusive and with mode 600: it is private from its first byte on.
        fd, temporary = tempfile.mkstemp(prefix=TEMPORARY, suffix=".tmp", dir=target.parent)
        with open(fd, "wb") as file:
            yield file
            file.flush()
            if before is not None:
                os.chmod(temporary, stat.S_IMODE(before.st_mode))
            os.fsync(fd)
        os.replace(temporary, target)
    except BaseException as error:
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise _unwritable(target, error.strerror or str(error)) from error
        raise
    sync_folder(target.parent)


def create_privately(path: str | os.PathLike[str]) -> bool:
    """Create an empty file that only its owner can read, unless it exists.

    Args:
        path: The file.

    Returns:
        Whether it was created. One that exists stays as it is, and so does its mode.

    Raises:
        StorageError: The file can't be created, is a symbolic link or no file.
    """
    target = Path(path)
    try:
        # An exclusive creation follows no symbolic link.
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        _check_target(target)
        return False
    except OSError as error:
        raise _unwritable(target, error.strerror) from error
    return True


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file.

    Raises:
        QueryError: It is not the path of a file.
        StorageError: The file can't be read, or is something else, such as a pipe.
    """
    path = as_path(path)
    try:
        # Without waiting for the other end of a pipe.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise StorageError(f"{path} can't be read: it is not a file")
            return file.read()
    except OSError as error:
        raise StorageError(f"{path} can't be read: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Write to the disk which files a folder has, where the system can."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _check_target(target: Path) -> os.stat_result | None:
    """Return what is at a path, which has to be a file; None if nothing is."""
    try:
        found = os.lstat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise _unwritable(target, "it is a symbolic link, which is not followed; name the file")
    if not stat.S_ISREG(found.st_mode):
        raise _unwritable(target, "it is not a file")
    return found


def _unwritable(target: Path, reason: object) -> StorageError:
    return StorageError(
        f"{target} can't be written: {reason}. Nothing was changed", nothing_written=True
    )
