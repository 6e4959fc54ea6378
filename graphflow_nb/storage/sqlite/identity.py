"""What a SQLite file is, however its path was spelled."""

from __future__ import annotations

import os
import threading

from .location import url_of

__all__ = ["find_identity"]

_lock = threading.Lock()
_paths: dict[tuple[int, int], str] = {}  # the real path by which each file was opened first


def find_identity(path: str) -> str:
    """Return the identity of a file that exists: its real path as a URL.

    Symbolic links and relative paths are resolved. Within this process a hard link, a mount of the
    same folder elsewhere and another spelling on a file system that ignores case have the identity
    that the file had first, since device and inode are compared. Another process can't know it, so
    for it the file at such a path is another store.

    Args:
        path: The path of the file.
    """
    real = os.path.realpath(path)
    number = _number_of(real)
    if number is not None:
        with _lock:
            first = _paths.get(number)
            # The number of a deleted file is given to a new one.
            if first is not None and _number_of(first) == number:
                real = first
            else:
                _paths[number] = real
    return url_of(real)


def _number_of(path: str) -> tuple[int, int] | None:
    """Return the device and inode of a file, None where there is none."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino
