"""Context paths: names of places in a context, and the values there.

A path starts in the context's ``data``. A number indexes an array; -1 is the last element.

A text is split at its dots: ``"customer.tier"`` is the key ``tier`` inside ``customer``. Keys may
have dots in them too: a FanOut writes ``fanout.a.response`` as one key. So where a context has
nothing at the nested path, a key of the path may consist of several parts of the text, the longest
such key first (``spellings``). A tuple is exact: ``("fanout.a.response",)`` is this key alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw

from ..errors import QueryError
from ..model.masks import Mask
from ..secret_neighbours import TELLING_KEYS

__all__ = [
    "DATA",
    "MESSAGES",
    "POINTER",
    "TOP_NAMES",
    "ContextPath",
    "chat_of",
    "check_columns",
    "data_path",
    "Spellings",
    "find_value",
    "is_encodable",
    "is_path_hidden",
    "message_count",
    "parse_path",
    "path_label",
    "path_text",
    "place_text",
    "resolve_path",
    "spellings",
]

ContextPath: TypeAlias = str | Sequence[str]
#: The keys that a path may mean, in the order in which they are tried.
Spellings: TypeAlias = Sequence[Sequence[str]]

#: In place of a path: an object of what is under ``TELLING_KEYS`` at the top of the data. Beside a
#: value there, each may say that it is a secret. No key that a person types begins so.
TOP_NAMES: Final = ("\0names",)
#: The columns of context values: a database has a bound, and each path may mean 16 places.
_MAX_COLUMNS: Final = 500
#: The parts of a text up to which each key with dots in it is tried: 16 spellings.
_MAX_PARTS: Final = 6
#: The places of the context's data, and of its chat, from the session down.
DATA: Final = ("context", "data")
MESSAGES: Final = ("context", "chat_history", "messages")
#: What a JSON Pointer to a context value begins with, as patches and messages show it.
POINTER: Final = "/context/data/"
# What PostgreSQL takes for an index: no array has as many elements as more digits say.
_INDEX = re.compile(r"\s*([+-]?)0*([0-9]{1,10})", re.ASCII)


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


def check_columns(context: object) -> list[ContextPath]:
    """Return the context paths that are to be columns.

    Example:
        >>> check_columns("customer.tier"), check_columns([["a.b", "c"]])
        (['customer.tier'], [('a.b', 'c')])

    Args:
        context: A list of paths, or the text of one.

    Raises:
        QueryError: They are not a list of paths, or too many.
    """
    paths = [context] if isinstance(context, str) else context
    if not isinstance(paths, Sequence):
        typed = "; types are given to to_parquet and dask" if isinstance(context, Mapping) else ""
        raise QueryError(f"context= must be a list of context paths, not {context!r}{typed}")
    if len(paths) > _MAX_COLUMNS:
        raise QueryError(f"context= takes at most {_MAX_COLUMNS} paths, not {len(paths):,}")
    for path in paths:
        parse_path(path)
    return [path if isinstance(path, str) else tuple(path) for path in paths]


def spellings(path: ContextPath) -> Spellings:
    """Return the keys that a context path may mean, in the order in which they are tried.

    Example:
        >>> spellings("a.b.c")
        (('a', 'b', 'c'), ('a.b.c',), ('a.b', 'c'), ('a', 'b.c'))
        >>> spellings(("a.b", "c"))
        (('a.b', 'c'),)

    Args:
        path: The path. Of a text of more than six parts, only the nested path and the text as one
            key are tried.

    Raises:
        QueryError: The path is empty, or not a text or texts.
    """
    keys = parse_path(path)
    return (keys,) if len(keys) == 1 or not isinstance(path, str) else _join_keys(keys)


@lru_cache(256)
def _join_keys(keys: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    count = len(keys)
    shortest = 2 if count <= _MAX_PARTS else count
    joined = [
        (*keys[:start], ".".join(keys[start : start + length]), *keys[start + length :])
        for length in range(count, shortest - 1, -1)
        for start in range(count - length + 1)
    ]
    return (keys, *joined)


def path_text(keys: Sequence[str]) -> str:
    """Return keys as a person types them: ``customer.tier``, or ``('a.b', 'c')`` for odd ones."""
    plain = ".".join(keys)
    odd = any(not key or "." in key for key in keys) or plain != plain.strip()
    taken = plain.startswith(("(", POINTER))  # it would be read as another notation
    return repr(tuple(keys)) if odd or taken else plain


def place_text(path: Sequence[str]) -> str:
    """Return a place in a session as a person reads it: of a context value its context path.

    Example:
        >>> place_text(("context", "data", "customer", "tier"))
        'customer.tier'
        >>> place_text(("status_message",)), place_text((*MESSAGES, "3", "content"))
        ('the field status_message', 'chat message 3')

    Args:
        path: The keys and indexes from the session down.
    """
    path = tuple(path)
    if path[:2] == DATA and path[2:]:
        return path_text(path[2:])
    if path[:3] == MESSAGES and path[3:]:
        part = path[4:] if path[4:] != ("content",) else ()
        return ", ".join((f"chat message {path[3]}", *part))
    if path[:1] == ("context",):
        return path_text(path)
    return f"the field {path_text(path)}" if path else "the session"


def path_label(path: ContextPath) -> str:
    """Return the name of a path's column."""
    return path if isinstance(path, str) else ".".join(path)


def data_path(path: ContextPath) -> tuple[str, ...]:
    """Return the keys of a context path from the session down, a text split at its dots.

    Example:
        >>> data_path("customer.tier")
        ('context', 'data', 'customer', 'tier')
    """
    return (*DATA, *(path.split(".") if isinstance(path, str) else map(str, path)))


def is_path_hidden(mask: Mask, path: ContextPath) -> bool:
    """Return whether a mask hides what is at a path, under one of the keys that the path may mean.

    Example:
        >>> from graphflow_nb.model.masks import DEFAULT_MASK
        >>> [is_path_hidden(DEFAULT_MASK, path) for path in ("login.password", "x.api.key", "a.b")]
        [True, True, False]

    Args:
        mask: The mask.
        path: The path.
    """
    return any(mask.covers((*DATA, *keys)) for keys in spellings(path))


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


def find_value(context: str | bytes, spellings: Spellings) -> Raw | None:
    """Return the JSON text at a path; None if the path is missing or the context malformed.

    Args:
        context: The context's JSON text.
        spellings: The keys that the path may mean: the first that are found count.
    """
    try:
        data = _parts.decode(context).data
        for keys in spellings:
            if keys[0] == TOP_NAMES[0]:
                return _list_names(data)
            found = data.get(keys[0])
            for key in keys[1:]:
                if found is None:
                    break
                found = _step(found, key)
            if found is not None:
                return found
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        pass
    return None


def _list_names(data: dict[str, Raw]) -> Raw | None:
    names = {key: value for key, value in data.items() if key in TELLING_KEYS}
    return Raw(msgspec.json.encode(names)) if names else None


def resolve_path(context: str | bytes, path: ContextPath) -> tuple[str, ...]:
    """Return the keys of the value that a path finds; the nested path where it finds none.

    Example:
        >>> resolve_path('{"data":{"fanout.a.response":1}}', "fanout.a.response")
        ('fanout.a.response',)

    Args:
        context: The context's JSON text.
        path: The path.

    Raises:
        QueryError: The path is empty, or not a text or texts.
    """
    tried = spellings(path)
    found = (keys for keys in tried if find_value(context, [keys]) is not None)
    return tuple(next(found, tried[0]))


def _step(inside: Raw, key: str) -> Raw | None:
    opening = bytes(inside).lstrip()[:1]
    if opening == b"{":
        return _object.decode(inside).get(key)
    if opening == b"[" and (match := _INDEX.fullmatch(key)):
        items, index = _array.decode(inside), int(match[1] + match[2])
        return items[index] if -len(items) <= index < len(items) else None
    return None


def chat_of(context: str | bytes) -> str | None:
    """Return a context's JSON with the chat alone; None where it has no messages.

    Raises:
        ValueError: The context, or its chat, is odd.
    """
    history = _parts.decode(context).chat_history
    if not _messages.decode(history).messages:
        return None
    return '{"chat_history":%s}' % bytes(history).decode()


def message_count(context: str | bytes) -> int:
    """Return the length of the chat history, without reading the messages."""
    try:
        return len(_messages.decode(_parts.decode(context).chat_history).messages)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return 0
