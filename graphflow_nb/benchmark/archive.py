"""The archive that the file of a run is, which may be damaged, another's, or made to do harm."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from typing import Final

from ..files import read_file

__all__ = ["UNREADABLE", "open_archive"]

#: What the libraries raise for an archive, or a content of it, that is not as it was written.
UNREADABLE: Final = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, OSError),
    *(LookupError, TypeError, ValueError, AttributeError, OverflowError),
    *(NotImplementedError, RuntimeError, MemoryError),
)


def open_archive(path: str | os.PathLike[str]) -> zipfile.ZipFile:
    """Return the ZIP archive in a file, which takes no more memory than the file.

    Args:
        path: The file.

    Raises:
        StorageError: The file can't be read.
        ValueError: Its members are compressed, or larger together than the file.
        Exception: One of ``UNREADABLE``: it is no archive.
    """
    content = read_file(path)
    archive = zipfile.ZipFile(io.BytesIO(content))
    members = archive.infolist()
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ValueError(f"{member.filename!r} in it is compressed or encrypted")
    if sum(member.file_size for member in members) > len(content):
        raise ValueError("what is in it would be larger than the file")
    return archive
