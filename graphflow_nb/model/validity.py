"""What graph-flow could not read in the JSON text of a context.

The rules are those of the crate's ``context.rs`` (the derived ``Deserialize`` of ``ContextData``,
``ChatHistory``, ``SerializableMessage`` and ``MessageRole``, the same in 0.5 to 0.8), of serde_json
without its feature ``arbitrary_precision``, and of chrono's ``DateTime<Utc>``. Timestamps must be
RFC 3339 here, with ``:60`` for a leap second; chrono also reads some other spellings.

A store may hold what breaks these rules. ``find_new_problems`` ignores what was there before, so
that a session with an odd part can still be changed in the others.
"""

from __future__ import annotations

import json
import math
import re
from calendar import isleap
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

from ..secret_keys import MASK
from . import exactjson
from .masks import mask_in_use
from .message import MessageRole

__all__ = ["MAX_USIZE", "Problem", "describe", "find_new_problems", "find_problems"]

#: The largest ``usize`` of a 64-bit machine, which is also the largest ``u64``.
MAX_USIZE: Final = 2**64 - 1
_MIN_I64: Final = -(2**63)
# Session and context are two levels above the data.
_MAX_DEPTH: Final = exactjson.MAX_DEPTH + 2

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A place of a context that graph-flow can't read, or would write with other digits.

    Example:
        >>> from graphflow_nb.model.validity import find_problems
        >>> for problem in find_problems('{"data": {}, "chat_history": {}}'):
        ...     print(problem)
        /context/chat_history/messages is missing

    Attributes:
        path: The keys and indexes from the session down.
        reason: What is wrong there.
        text: The JSON text that is wrong; empty where something is missing.
        respelled: Whether graph-flow reads it, but would write another number.
    """

    path: Path
    reason: str
    text: bytes = field(default=b"", repr=False)
    respelled: bool = False

    def __str__(self) -> str:
        return f"{exactjson.pointer(self.path)} {self.reason}"


def describe(problems: Iterable[Problem]) -> str:
    """Return problems as one line: the first three, and how many more there are."""
    found = list(problems)
    more = f"; and {len(found) - 3:,} more" if len(found) > 3 else ""
    return "; ".join(map(str, found[:3])) + more


def find_new_problems(before: str | bytes | Raw | None, after: str | bytes | Raw) -> list[Problem]:
    """Return the problems of a context that were not there before a change, by place.

    A part that only moved is not new: what counts is its text and what is wrong with it.

    Args:
        before: The JSON text before the change; None for a new context.
        after: The JSON text after the change.
    """
    if before == after:
        return []
    found = find_problems(after)
    if not found or before is None:
        return found
    known = find_problems(before)
    places = {(problem.path, problem.text) for problem in known}
    counts: dict[tuple[str, bytes], int] = {}
    for problem in known:
        key = problem.reason, problem.text
        counts[key] = counts.get(key, 0) + 1
    new = []
    # What is still at its place comes first, so that of two equal parts the new one is named.
    for problem in sorted(found, key=lambda p: (p.path, p.text) not in places):
        key = problem.reason, problem.text
        if counts.get(key, 0):
            counts[key] -= 1
        else:
            new.append(problem)
    return new


def find_problems(context: str | bytes | Raw) -> list[Problem]:
    """Return what graph-flow could not read in a context, or would write with other digits.

    Args:
        context: The JSON text of a context.
    """
    path = ("context",)
    try:
        whole = context if isinstance(context, str) else bytes(context).decode()
        text = msgspec.json.format(whole, indent=-1).encode()
    except RecursionError:
        return [Problem(path, _TOO_DEEP)]
    except (msgspec.MsgspecError, UnicodeError) as error:
        return [Problem(path, f"is not JSON: {error}")]
    found = list(_check_context(Raw(text), path))
    if _is_too_deep(text):
        found.append(Problem(path, _TOO_DEEP))
    else:
        found.extend(_check_numbers(text, path))
    return found


_TOO_DEEP: Final = (
    f"has values nested more than {exactjson.MAX_DEPTH} levels deep, which graph-flow could not "
    "read back"
)

# The members, as serde derives them


def _check_context(text: Raw, path: Path) -> Iterator[Problem]:
    parts = yield from _split(text, path, ("data", "chat_history"))
    if parts is None:
        return
    if "data" in parts and exactjson.kind(parts["data"]) != "object":
        yield _wrong((*path, "data"), "data must be an object", parts["data"])
    if "chat_history" in parts:
        yield from _check_history(parts["chat_history"], (*path, "chat_history"))


def _check_history(text: Raw, path: Path) -> Iterator[Problem]:
    parts = yield from _split(text, path, ("messages",), ("max_messages",))
    if parts is None:
        return
    limit = bytes(parts.get("max_messages", b"null"))
    if limit != b"null" and not (_INTEGER.fullmatch(limit) and int(limit) <= MAX_USIZE):
        wanted = f"max_messages must be an integer from 0 to {MAX_USIZE}, or null"
        yield _wrong((*path, "max_messages"), wanted, limit)
    if "messages" not in parts:
        return
    place = (*path, "messages")
    if exactjson.kind(parts["messages"]) != "array":
        yield _wrong(place, "messages must be an array", parts["messages"])
        return
    if _are_plain(parts["messages"]):
        return
    for index, message in enumerate(exactjson.split_array(parts["messages"], "messages")):
        yield from check_message(message, (*place, str(index)))


class _Message(msgspec.Struct, gc=False):
    role: Literal["User", "Assistant", "System"]
    content: str
    timestamp: str


_messages_decoder = msgspec.json.Decoder(list[_Message])


def _are_plain(text: Raw) -> bool:
    """Return whether all messages are as graph-flow writes them; a quick check of many."""
    try:
        messages = _messages_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return False
    count, whole = len(messages), bytes(text)
    # A name that is there more often may be twice in one message.
    once = all(whole.count(name) == count for name in (b'"role":', b'"content":', b'"timestamp":'))
    return once and all(_is_timestamp(message.timestamp) for message in messages)


_INTEGER = re.compile(rb"[0-9]{1,20}")


def check_message(text: Raw, path: Path = ("message",)) -> Iterator[Problem]:
    """Yield what graph-flow could not read in one message of a chat history.

    Args:
        text: The JSON text of the message.
        path: Its place.
    """
    parts = yield from _split(text, path, ("role", "content", "timestamp"))
    for name, part in (parts or {}).items():
        wanted = _WANTED.get(name)
        if wanted is None:
            continue
        value = exactjson.decode(part) if exactjson.kind(part) == "string" else None
        if value is None or (
            (name == "role" and value not in _ROLES)
            or (name == "timestamp" and not _is_timestamp(value))
        ):
            yield _wrong((*path, name), wanted, part)


_ROLES = frozenset(role.value for role in MessageRole)
_WANTED = {
    "role": f"the role must be one of {', '.join(MessageRole)}",
    "content": "the content must be text",
    "timestamp": "the timestamp must be RFC 3339 as 2026-01-31T12:00:00Z",
}


def _split(
    text: Raw, path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Generator[Problem, None, dict[str, Raw] | None]:
    """Yield what is wrong with an object's members, and return them; None if it is no object."""
    name = path[-1] if not path[-1].isdigit() else "a message"
    if exactjson.kind(text) != "object":
        yield _wrong(path, f"{name} must be an object", text)
        return None
    parts = exactjson.split_object(text, name)
    for member in required:
        if member not in parts:
            yield Problem((*path, member), "is missing")
    if len(exactjson.join(parts)) != len(bytes(text)):  # a key twice, or one with escapes
        keys = [key for key, _ in json.loads(bytes(text), object_pairs_hook=list)]
        for member in (*required, *optional):
            if keys.count(member) > 1:
                yield Problem((*path, member), "is twice in one object", bytes(parts[member]))
    return parts


def _wrong(path: Path, wanted: str, text: Raw | bytes) -> Problem:
    whole = bytes(text)
    shown = whole.decode(errors="replace")
    shown = shown if len(shown) <= 60 else f"{shown[:60]} …"
    return Problem(path, f"is {shown}, but {wanted}", whole)


# Times, as RFC 3339 has them

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))",
    re.ASCII,
)
_COMMON = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?Z",
    re.ASCII,
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _is_timestamp(text: str) -> bool:
    if _COMMON.fullmatch(text):
        return True
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return False
    year, month, day, hour, minute, second, *offset = (int(part or 0) for part in match.groups())
    if not 1 <= month <= 12 or max(hour, offset[0]) > 23 or max(minute, offset[1]) > 59:
        return False
    leap_day = month == 2 and isleap(year)
    return 1 <= day <= _DAYS[month - 1] + leap_day and second <= 60


# Numbers and depth, as serde_json reads them

# Numbers beyond 64 bits have 19 digits or more, or an exponent: a quick look for both, which also
# finds such characters in strings.
_DIGITS: Final = bytes.maketrans(b"123456789E", b"000000000e")


def _may_have_large_numbers(text: bytes) -> bool:
    digits = text.translate(_DIGITS)
    return b"0" * 19 in digits or b"0e" in digits


class _Number(str):
    """The digits of a number, which no string of the same characters equals in kind."""

    __slots__ = ()


def _check_numbers(text: bytes, path: Path) -> Iterator[Problem]:
    if not _may_have_large_numbers(text):
        return
    for place, literal in _find_numbers(
        json.loads(text, parse_int=_Number, parse_float=_Number), path
    ):
        shown = literal if len(literal) <= 60 else f"{literal[:60]} … ({len(literal):,} characters)"
        if mask_in_use().covers(place):
            shown = MASK
        if math.isinf(float(literal)):
            reason = f"is {shown}, a number beyond f64, which graph-flow could not read back"
            yield Problem(place, reason, literal.encode())
        elif literal.lstrip("-").isdigit() and not _MIN_I64 <= int(literal) <= MAX_USIZE:
            reason = (
                f"is {shown}, an integer beyond 64 bits: graph-flow reads it as a float, and would "
                f"write {float(literal) if shown != MASK else shown} at its next save"
            )
            yield Problem(place, reason, literal.encode(), respelled=True)


def _find_numbers(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, _Number):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _find_numbers(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find_numbers(item, (*path, str(index)))


_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")


def _is_too_deep(text: bytes) -> bool:
    if text.count(b"[") + text.count(b"{") <= _MAX_DEPTH:
        return False  # as many levels can't be there
    brackets = _STRING.sub(b"", text).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(_MAX_DEPTH):  # each time the innermost level goes
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
