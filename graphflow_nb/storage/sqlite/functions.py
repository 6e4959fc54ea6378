"""The functions that SQL calls: what a context contains at a path, as in the memory store."""

from __future__ import annotations

import sqlite3
from functools import lru_cache

import msgspec

from ..paths import holds, value_at

__all__ = ["register_functions"]


def register_functions(db: sqlite3.Connection) -> None:
    """Make ``holds(context, path, value)`` and ``value_at(context, path)`` known to a connection.

    A path is a JSON array of keys, a value is JSON text (NULL for any value).
    """
    db.create_function("holds", 3, _holds, deterministic=True)
    db.create_function("value_at", 2, _value_at, deterministic=True)


@lru_cache(64)
def _decode_path(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])


def _holds(context: str, path: str, value: bytes | None) -> bool:
    return holds(context, _decode_path(path), value)


def _value_at(context: str, path: str) -> str | None:
    found = value_at(context, _decode_path(path))
    return None if found is None else bytes(found).decode()
