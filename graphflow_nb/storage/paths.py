"""Context paths: names of places in a context, and the values there.

``"customer.tier"`` and ``("customer", "tier")`` are the same path; a tuple is for keys with dots.
A path starts in the context's ``data``. A number indexes an array; -1 is the last element.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Raw

from ..errors import QueryError
from ..model import exactjson

__all__ = [
    "ContextPath",
    "holds",
    "is_encodable",
    "message_count",
    "parse_path",
    "path_label",
    "path_text",
    "value_at",
]

ContextPath: TypeAlias = str | Sequence[str]

_INDEX = re.compile(r"\s*[+-]?[0-9]{1,10}", re.ASCII)  # what PostgreSQL takes for an index


def parse_path(path: ContextPath) -> tuple[str, ...]:
    """Return the keys of a context path: ``("a", "b")`` for ``"a.b"``.

    Raises:
        QueryError: The path is empty, or not a text or texts.
    """
    if isinstance(path, str):
        keys = tuple(path.split("."))
    else:
        keys = tuple(path) if isinstance(path, Sequence) else ()
    if not keys or not all(isinstance(key, str) and is_encodable(key) for key in keys) or not path:
        raise QueryError(f"a context path is 'key', 'key.key' or a tuple of keys, not {path!r}")
    return keys


def path_text(keys: Sequence[str]) -> str:
    """Return keys as a person types them: ``customer.tier``, or ``('a.b', 'c')`` for odd ones."""
    plain = ".".join(keys)
    odd = any(not key or "." in key for key in keys) or plain != plain.strip() or plain[0] == "("
    return repr(tuple(keys)) if odd else plain


def path_label(path: ContextPath) -> str:
    """Return the name of a path's column."""
    return path if isinstance(path, str) else ".".join(path)


def is_encodable(text: str) -> bool:
    """Return whether a text is Unicode, without lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# The same code serves the storage in memory and, as a function registered in the database, SQLite.
# PostgreSQL's operators have the same meaning.


class _Parts(msgspec.Struct):
    data: dict[str, Raw] = {}
    chat_history: Raw = Raw(b"{}")


class _Messages(msgspec.Struct):
    messages: list[Raw] = []


_parts = msgspec.json.Decoder(_Parts)
_messages = msgspec.json.Decoder(_Messages)
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])


def value_at(context: str | bytes, path: Sequence[str]) -> Raw | None:
    """Return the JSON text at a path; None if the path is missing or the context malformed."""
    try:
        found: Raw | None = _parts.decode(context).data.get(path[0])
        for key in path[1:]:
            if found is None:
                return None
            opening = bytes(found).lstrip()[:1]
            if opening == b"{":
                found = _object.decode(found).get(key)
            elif opening == b"[" and _INDEX.fullmatch(key):
                items, index = _array.decode(found), int(key)
                found = items[index] if -len(items) <= index < len(items) else None
            else:
                return None
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return found


def holds(context: str | bytes, path: Sequence[str], value: bytes | None) -> bool:
    """Return whether a context has a path, and the value there equals a given one.

    Args:
        context: The context's JSON text.
        path: The keys.
        value: The JSON text of the value; None for any.
    """
    found = value_at(context, path)
    if found is None or value is None:
        return found is not None
    return exactjson.equal(exactjson.decode_exact(found), exactjson.decode_exact(value))


def message_count(context: str | bytes) -> int:
    """Return the length of the chat history, without reading the messages."""
    try:
        return len(_messages.decode(_parts.decode(context).chat_history).messages)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return 0
