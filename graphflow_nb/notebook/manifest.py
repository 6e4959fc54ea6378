"""The manifest of a folder of Parquet files: a log to which each complete file adds a line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from ..errors import StorageError
from ..files import read_file, write_privately

__all__ = ["MANIFEST", "append_line", "create_manifest", "read_manifest"]

#: Readers of a folder of Parquet files pass over names that begin so.
MANIFEST: Final = "_manifest.jsonl"


def create_manifest(path: Path, header: Mapping[str, Any]) -> None:
    """Write a manifest with its first line, completely or not at all.

    Raises:
        StorageError: The file can't be written.
    """
    write_privately(path, _line(header))


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add a line, which is on the disk when this returns; or nothing.

    Raises:
        StorageError: It can't be written.
    """
    try:
        # Unbuffered, so that a full disk is met here and not when the file is closed.
        with open(path, "r+b", buffering=0) as file:
            end, data = file.seek(0, os.SEEK_END), memoryview(_line(record))
            try:
                while data:
                    data = data[file.write(data) :]
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(end)
                raise
    except OSError as error:
        raise StorageError(
            f"{path} can't be written: {error.strerror}. The file that was to be noted there does "
            "not count; the same call writes it again"
        ) from error


def read_manifest(path: Path) -> Sequence[dict[str, Any]]:
    """Return the records of a manifest, and cut off a last line that was not written completely.

    Raises:
        StorageError: The file can't be read or written.
        ValueError: A line before the last one is damaged, or there is no line.
    """
    content = read_file(path)
    records, good = [], 0
    for line in content.splitlines(keepends=True):
        sum, _, text = line.partition(b" ")
        if not line.endswith(b"\n") or sum != _sum(text):
            break
        records.append(json.loads(text))
        good += len(line)
    # A killed process leaves the beginning of a line, and a power cut anything in its place.
    if not records or b"\n" in content[good:-1]:
        raise ValueError(f"line {len(records) + 1} is damaged")
    if good < len(content):
        try:
            os.truncate(path, good)
        except OSError as error:
            raise StorageError(f"{path} can't be written: {error.strerror}") from error
    return records


def _line(record: Mapping[str, Any]) -> bytes:
    # ASCII: an odd id may hold a lone surrogate.
    text = json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
    return _sum(text) + b" " + text


def _sum(text: bytes) -> bytes:
    return b"%08x" % crc32(text)
