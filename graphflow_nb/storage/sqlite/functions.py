"""The functions that SQL calls: what a context contains at a path, as in the memory store."""

from __future__ import annotations

import sqlite3
from functools import lru_cache

import msgspec

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


def _decode(context: bytes | None) -> str | None:
    """Return a context as text; None where it is not UTF-8, so that it matches no filter."""
    try:
        return None if context is None else context.decode()
    except UnicodeDecodeError:
        return None


def _holds(context: bytes | None, path: str, value: bytes | None) -> bool:
    text = _decode(context)
    return text is not None and holds(text, _decode_path(path), value)


def _find_value(context: bytes | None, path: str) -> str | None:
    text = _decode(context)
    found = None if text is None else find_value(text, _decode_path(path))
    return None if found is None else bytes(found).decode()
