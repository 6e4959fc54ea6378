"""The functions that SQL calls: what a context contains at a path, as in the memory store."""

from __future__ import annotations

import sqlite3
from functools import lru_cache

import msgspec

from ..odd import readable_text
from ..paths import Spellings, find_value, holds

__all__ = ["register_functions"]


def register_functions(db: sqlite3.Connection) -> None:
    """Make ``holds(context, path, value)`` and ``find_value(context, path)`` known to a connection.

    A path is the JSON of its spellings, a value is JSON text (NULL for any value).
    """
    db.create_function("holds", 3, _holds, deterministic=True)
    db.create_function("find_value", 2, _find_value, deterministic=True)


@lru_cache(64)
def _decode_path(text: str) -> Spellings:
    return msgspec.json.decode(text, type=list[list[str]])


def _holds(context: bytes | None, path: str, value: bytes | None) -> bool:
    return context is not None and holds(context, _decode_path(path), value)


def _find_value(context: bytes | None, path: str) -> str | None:
    found = None if context is None else find_value(context, _decode_path(path))
    return None if found is None else readable_text(bytes(found))
