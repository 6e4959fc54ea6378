"""Context paths: how a place in a context is named, and what a context holds there.

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
    """``"a.b"`` and ``("a", "b")`` as keys; raises QueryError for an empty or odd one."""
    if isinstance(path, str):
        keys = tuple(path.split("."))
    else:
        keys = tuple(path) if isinstance(path, Sequence) else ()
    if not keys or not all(isinstance(key, str) and is_encodable(key) for key in keys) or not path:
        raise QueryError(f"a context path is 'key', 'key.key' or a tuple of keys, not {path!r}")
    return keys


def path_text(keys: Sequence[str]) -> str:
    """Keys as a person types them: ``customer.tier``, or ``('a.b', 'c')`` for odd ones."""
    plain = ".".join(keys)
    odd = any(not key or "." in key for key in keys) or plain != plain.strip() or plain[0] == "("
    return repr(tuple(keys)) if odd else plain


def path_label(path: ContextPath) -> str:
    """The name of a path's column."""
    return path if isinstance(path, str) else ".".join(path)


def is_encodable(text: str) -> bool:
    """Whether a text is Unicode, without lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# What a context holds at a path: the same code serves the memory store and, as a function
# registered in the database, SQLite. PostgreSQL's operators have the same meaning.


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
    """The JSON text at a path, None where there is nothing (or the context is malformed)."""
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
    """Whether a context has a path, and there the value of that JSON text if one is given."""
    found = value_at(context, path)
    if found is None or value is None:
        return found is not None
    return exactjson.equal(exactjson.decode_exact(found), exactjson.decode_exact(value))


def message_count(context: str | bytes) -> int:
    """The length of the chat history, without reading the messages."""
    try:
        return len(_messages.decode(_parts.decode(context).chat_history).messages)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return 0
