"""Values that are nearly sessions: what is wrong with them, and what of them can be read.

Any program may keep its own values in a Redis database. A value is nearly a session if it is, or
begins like, a JSON object with the members of a session and the id of its key. All other values
that are not sessions are left alone and never shown.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from ...errors import ContextError
from ...model import exactjson
from ...model.times import UNKNOWN_TIME
from ..odd import NO_VERSION, bytes_of_name, context_problem, describe
from .form import UNCOUNTED, Stored

__all__ = ["OddStored", "decode_odd", "time_problem"]

_PARTS: Final = ("graph_id", "current_task_id")
_ID: Final = re.compile(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*")')


class OddStored(msgspec.Struct, frozen=True):
    """A value that is nearly a session, as far as it can be read; see ``rows.Row``.

    Attributes:
        id: The id, or its name where the key is not UTF-8.
        text: The stored value.
        problem: What is wrong with it.
    """

    id: str
    graph_id: str
    current_task_id: str
    status_message: str | None
    context: bytes
    text: bytes
    problem: str
    version: int = NO_VERSION
    created: int = UNKNOWN_TIME
    updated: int = UNKNOWN_TIME


def decode_odd(text: bytes | None, id: str) -> OddStored | None:
    """Return a value that is nearly a session; None for any other value.

    Args:
        text: The value of a key, which ``decode_stored`` did not take for a session.
        id: The id that belongs to the key.
    """
    if text is None or text.lstrip()[:1] != b"{":
        return None
    readable, problems = text.decode(errors="replace"), []
    if bytes_of_name(id) is not None:
        problems.append("the key is not UTF-8")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        problems.append(f"the value is not UTF-8, at byte {error.start:,}")
    try:
        parts = exactjson.split_object(readable, "the value")
    except ContextError as error:
        if not _begins_like(text, id):
            return None
        return OddStored(id, "", "", None, b"", text, "; ".join([*problems, str(error)]))
    named = _value(parts, "id")
    if not any(name in parts for name in _PARTS) or (named != id and not problems):
        return None
    for name in _PARTS:
        if not isinstance(_value(parts, name), str):
            problems.append(f"{name} is {_show(parts, name)}, not text")
    status, version = _value(parts, "status_message"), _value(parts, "version")
    if not (status is None or isinstance(status, str)):
        problems.append(f"status_message is {_show(parts, 'status_message')}, not text")
    if not (version is None or (type(version) is int and 0 <= version < UNCOUNTED)):
        problems.append(f"version is {_show(parts, 'version')}, not an integer >= 0")
    context = bytes(parts.get("context", b""))
    if wrong := context_problem(context):
        problems.append(wrong if "context" in parts else "context is missing")
    return OddStored(
        id,
        _text(_value(parts, "graph_id")),
        _text(_value(parts, "current_task_id")),
        None if status is None else _text(status),
        context,
        text,
        "; ".join(problems) or "it can't be read as graph-flow's JSON",
    )


def time_problem(stored: Stored) -> str:
    """Return what is wrong with the times of a session, which is readable all the same."""
    times = {"created_at": stored.created, "updated_at": stored.updated}
    unknown = [name for name, time in times.items() if time == UNKNOWN_TIME]
    # Nearly always they are known, or a worker has dropped the members.
    if not any(name.encode() in stored.text for name in unknown):
        return ""
    parts, wrong = exactjson.split_object(stored.text, "the session"), []
    for name in unknown:
        text = bytes(parts.get(name, b""))
        # A member that is no text belongs to a worker, with another meaning.
        if text.startswith(b'"'):
            wrong.append(f"{name} is {text.decode(errors='replace')[:80]}, not an RFC 3339 time")
    return "; ".join(wrong)


def _begins_like(text: bytes, id: str) -> bool:
    """Return whether a value that is not JSON has the id of its key, and members of a session."""
    match = _ID.search(text)
    if match is None or not any(f'"{name}"'.encode() in text for name in _PARTS):
        return False
    try:
        return bool(msgspec.json.decode(match[1]) == id)
    except (msgspec.MsgspecError, UnicodeError):
        return False


def _value(parts: dict[str, Raw], name: str) -> Any:
    try:
        return exactjson.decode(parts.get(name, Raw(b"null")))
    except ContextError:
        return ...


def _show(parts: dict[str, Raw], name: str) -> str:
    return describe(bytes(parts[name]).decode()) if name in parts else "missing"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
