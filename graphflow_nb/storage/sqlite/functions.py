"""The functions that SQL calls: what a context contains at a path, as in the memory store."""

from __future__ import annotations

import sqlite3
from functools import lru_cache

import msgspec

from ..conditions import Condition, fold, holds
from ..paths import Spellings, find_value

__all__ = ["register_functions"]


def register_functions(db: sqlite3.Connection) -> None:
    """Make the functions of a context and of upper and lower case known to a connection.

    ``holds(context, path, operator, value)``, ``find_value(context, path)``, ``fold(text)``,
    ``is_utf8(text)``. A path is the JSON of its spellings, a value is JSON text (NULL where the
    operator has none), and texts are BLOBs.
    """
    db.create_function("holds", 4, _holds, deterministic=True)
    db.create_function("fold", 1, _fold, deterministic=True)
    db.create_function("find_value", 2, _find_value, deterministic=True)
    db.create_function("is_utf8", 1, _is_utf8, deterministic=True)


@lru_cache(64)
def _decode_path(text: str) -> Spellings:
    return msgspec.json.decode(text, type=list[list[str]])


def _decode(context: bytes | None) -> str | None:
    """Return a context as text; None where it is not UTF-8, so that it matches no filter."""
    try:
        return None if context is None else context.decode()
    except UnicodeDecodeError:
        return None


def _is_utf8(text: bytes | None) -> bool:
    return text is not None and (text.isascii() or _decode(text) is not None)


def _holds(context: bytes | None, path: str, operator: str, value: bytes | None) -> bool:
    text = _decode(context)
    return text is not None and holds(text, Condition(_decode_path(path), operator, value))


def _fold(text: bytes | None) -> bytes | None:
    if text is None:
        return None
    return fold(text.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _find_value(context: bytes | None, path: str) -> str | None:
    text = _decode(context)
    found = None if text is None else find_value(text, _decode_path(path))
    return None if found is None else bytes(found).decode()
