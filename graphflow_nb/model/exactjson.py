"""Exact JSON: nothing is coerced when it is written, and no digit is lost when it is read.

msgspec encodes and decodes. What it converts silently (NaN to null, sets to arrays, integer keys to
strings) is refused here. A number that would be written with other digits than it was read with
(``1.10``, ``1e+21``, ``-0``, ``1e400``, 20 decimals) keeps its literal.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import Raw

from ..errors import ContextError

# serde_json refuses to read text nested deeper than 128 levels. A context value sits below
# session, context and data, so this depth is the deepest that graph-flow can read back.
MAX_DEPTH = 124


class Literal(float):
    """A float with the text that was read, so that the same text is written again."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> Literal:
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.literal,)


def _parse_float(literal: str) -> float:
    number = float(literal)
    # Compared with what the encoder writes: Python's repr has 1e+21 where the encoder has 1e21.
    return number if _encoder.encode(number) == literal.encode() else Literal(literal)


def _parse_int(literal: str) -> int | float:
    return Literal(literal) if literal == "-0" else int(literal)


def _strip_subclass(value: object) -> object:
    """Return a value of a subclass that ``_check`` accepts as its base class, for the encoder."""
    if isinstance(value, Literal):
        return Raw(value.literal.encode())
    kinds: tuple[type[Any], ...] = (str, int, float, list, dict)
    for kind in kinds:
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=_strip_subclass)
_sorted_encoder = msgspec.json.Encoder(enc_hook=_strip_subclass, order="sorted")
_decoder = msgspec.json.Decoder(float_hook=_parse_float)


def _parse_decimal(literal: str) -> Decimal | str:
    try:
        return Decimal(literal)
    except InvalidOperation:  # an exponent out of range: equal to the same text alone
        return f"number {literal}"


_decimal_decoder = msgspec.json.Decoder(float_hook=_parse_decimal)
_parts_decoder = msgspec.json.Decoder(dict[str, Raw])
_list_decoder = msgspec.json.Decoder(list[Raw])


class _Object(msgspec.Struct):
    """A JSON object of which nothing is kept."""


_object_decoder = msgspec.json.Decoder(_Object)


def _check(value: object, where: str, depth: int) -> None:
    if value is None or value is True or value is False:
        return
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ContextError(
                f"{where} holds a lone surrogate at position {error.start}, not a character: "
                "remove it, e.g. text.encode('utf-8', 'replace').decode()"
            ) from error
        return
    if isinstance(value, int):
        return
    if isinstance(value, float):
        if not math.isfinite(value) and not isinstance(value, Literal):
            raise ContextError(f"{where} is {value!r}, and JSON has no such number: use None")
        return
    if depth >= MAX_DEPTH and isinstance(value, (list, tuple, dict)):
        raise ContextError(
            f"{where[:60]} … is nested more than {MAX_DEPTH} levels deep (or contains itself), "
            "which graph-flow could not read back"
        )
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]", depth + 1)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ContextError(
                    f"{where} has the key {key!r} of type {type(key).__name__}: "
                    f"JSON keys are strings, so use {str(key)!r}"
                )
            _check(key, f"{where}: the key {key!r}", depth)
            _check(item, f"{where}[{key!r}]", depth + 1)
        return
    raise ContextError(
        f"{where} is of type {type(value).__module__}.{type(value).__qualname__}, which JSON can't "
        "hold: convert it to None, bool, int, float, str, list or dict first"
    )


def encode(value: object, where: str = "the value", depth: int = 1) -> bytes:
    """Return a value as UTF-8 JSON.

    Args:
        value: The value to encode.
        where: The place of the value, for errors.
        depth: The depth of the value below a context's ``data``.

    Raises:
        ContextError: JSON can't hold the value; the error names the place.
    """
    _check(value, where, depth)
    try:
        return _encoder.encode(value)
    except ValueError as error:  # an integer of more digits than Python writes
        raise ContextError(f"{where} can't be written as JSON: {error}") from error


def encode_unchecked(value: object) -> bytes:
    """Return a decoded value as UTF-8 JSON, without a check."""
    return _encoder.encode(value)


def encodes_to(value: object, text: bytes) -> bool:
    """Return whether a decoded value, possibly changed in place, still encodes to a text."""
    try:
        return _encoder.encode(value) == text and (b"null" not in text or _is_finite(value))
    except (TypeError, ValueError, RecursionError):
        return False  # JSON can't hold a part of it: the full check names that part


def _is_finite(value: object) -> bool:
    """Return whether a value has no NaN or infinity, which msgspec writes as null."""
    if isinstance(value, float):
        return math.isfinite(value) or isinstance(value, Literal)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, (list, tuple)) else True


def decode(text: bytes | str | Raw, where: str = "the value") -> Any:
    """Return the Python objects of a JSON text; floats keep their literal where needed.

    Args:
        text: The JSON text.
        where: The place of the text, for errors.

    Raises:
        ContextError: The text is not JSON.
    """
    try:
        value = _decoder.decode(text)
        if isinstance(value, (dict, list, int)):
            whole = text.encode() if isinstance(text, str) else bytes(text)
            if b"-0" in whole and _NEGATIVE_ZERO.search(whole):  # msgspec reads the integer 0
                return json.loads(whole, parse_int=_parse_int, parse_float=_parse_float)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, TypeError) as error:
        raise ContextError(f"{where} can't be read as JSON: {error}") from error
    return value


#: An integer -0, or the same characters in a string.
_NEGATIVE_ZERO = re.compile(rb"-0(?<![^\[:,\s]-0)(?![.0-9eE])")


def keep_spelling(text: Raw, encoded: bytes) -> bytes:
    """Return what was encoded, with the parts that an earlier text has too as they are there.

    So blanks, escapes and keys that are twice stay where nothing was changed. Members of objects
    are compared by key, elements of arrays by their common start and end.

    Args:
        text: The JSON text of the value before it was changed.
        encoded: The value now, as ``encode`` returned it.
    """
    try:
        return bytes(_keep_unchanged(text, Raw(encoded)))
    except (ContextError, RecursionError):
        return encoded  # nested too deep to compare


def _keep_unchanged(old: Raw, new: Raw) -> Raw:
    """Return an encoder's JSON text with the old spelling of each part whose value is the same."""
    if _has_value(old, new):
        return old
    form = kind(old)
    if form == kind(new) == "object":
        members, items = split_object(old, ""), split_object(new, "")
        for key in items.keys() & members.keys():
            items[key] = _keep_unchanged(members[key], items[key])
        return Raw(join(items))
    if form == kind(new) == "array":
        before, after = split_array(old, ""), split_array(new, "")
        shorter = min(len(before), len(after))
        head = 0
        while head < shorter and _has_value(before[head], after[head]):
            after[head] = before[head]
            head += 1
        tail = 0
        while tail < shorter - head and _has_value(before[-1 - tail], after[-1 - tail]):
            tail += 1
            after[-tail] = before[-tail]
        for index in range(head, shorter - tail):
            after[index] = _keep_unchanged(before[index], after[index])
        return Raw(join(after))
    return new


def _has_value(text: Raw, encoded: Raw) -> bool:
    """Return whether a JSON text has the value that an encoder's text has, digit for digit."""
    return text == encoded or _encoder.encode(decode(text)) == bytes(encoded)


def decode_exact(text: bytes | str | Raw) -> Any:
    """Return the Python objects of a JSON text, with a Decimal for each non-integer number."""
    try:
        return _decimal_decoder.decode(text)
    except msgspec.ValidationError:  # an integer of thousands of digits
        whole = text if isinstance(text, (str, bytes)) else bytes(text)
        return json.loads(whole, parse_int=_parse_decimal, parse_float=_parse_decimal)


def is_object(text: bytes | str) -> bool:
    """Return whether a text is a JSON object, in half the time that ``split_object`` takes."""
    try:
        _object_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False
    return True


def split_object(text: bytes | str | Raw, where: str) -> dict[str, Raw]:
    """Return the members of a JSON object, each as its exact text.

    Raises:
        ContextError: The text is not a JSON object.
    """
    try:
        return _parts_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, TypeError) as error:
        raise ContextError(f"{where} can't be read as a JSON object: {error}") from error


def split_array(text: bytes | str | Raw, where: str) -> list[Raw]:
    """Return the elements of a JSON array, each as its exact text.

    Raises:
        ContextError: The text is not a JSON array.
    """
    try:
        return _list_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, TypeError) as error:
        raise ContextError(f"{where} can't be read as a JSON array: {error}") from error


def join(parts: dict[str, Raw] | list[Raw]) -> bytes:
    """Return the JSON text of parts; the inverse of ``split_object`` and ``split_array``."""
    return _encoder.encode(parts)


def equal(left: Any, right: Any) -> bool:
    """Return whether two values are equal as in JSONB: 1 equals 1.0, no number equals a boolean."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def too_wide(text: str) -> str | None:
    """Return the first number that PostgreSQL's numeric can't hold without loss; None if all fit.

    numeric has at most 131072 digits before and 16383 after the point (PostgreSQL, 8.1.2).
    """
    literals: list[str] = []
    try:
        json.loads(text, parse_float=literals.append, parse_int=literals.append)
    except (ValueError, RecursionError):
        return None  # not JSON that can be read here: the server says what is wrong
    for literal in literals:
        number = _parse_decimal(literal)
        if isinstance(number, str):
            return literal
        _, digits, exponent = number.as_tuple()
        if int(exponent) < -16_383 or len(digits) + int(exponent) > 131_072:
            return literal
    return None


def show(value: Any) -> str:
    """Return a decoded value as JSON text for people: each number as it was written."""
    return _encoder.encode(value).decode()


def pointer(path: tuple[str, ...]) -> str:
    """Return a path as a JSON Pointer (RFC 6901)."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def kind(text: bytes | str | Raw) -> str:
    """Return the kind of a JSON text by its first character, e.g. ``object`` or ``true``."""
    first = bytes(text, "utf-8") if isinstance(text, str) else bytes(text)
    return _KINDS.get(first.lstrip()[:1], "number")


_KINDS = {b"{": "object", b"[": "array", b'"': "string", b"t": "true", b"f": "false", b"n": "null"}


def same(left: Raw | None, right: Raw | None) -> bool:
    """Return whether two JSON texts are the same, digit for digit: 1, 1.0 and 1.00 differ.

    The order of keys, blanks and the spelling of escapes do not matter. None is an absent value.
    """
    if left is None or right is None:
        return left is right
    if left == right:
        return True
    form = kind(left)
    if form != kind(right):
        return False
    try:
        if form == "object":
            mine, theirs = split_object(left, ""), split_object(right, "")
            return mine.keys() == theirs.keys() and all(same(mine[k], theirs[k]) for k in mine)
        if form == "array":
            ours, others = split_array(left, ""), split_array(right, "")
            return len(ours) == len(others) and all(map(same, ours, others))
        return form == "string" and bool(decode(left) == decode(right))
    except (ContextError, RecursionError):
        return False  # nested too deep to compare, and not the same text


def canonical(text: Raw) -> bytes:
    """Return a text that two JSON texts have in common exactly where they are the ``same``."""
    try:
        value = json.loads(bytes(text), parse_int=Literal, parse_float=Literal)
        return _sorted_encoder.encode(value)
    except (ValueError, RecursionError):
        return bytes(text)  # nested too deep


def pretty(text: bytes | str | Raw) -> str:
    """Return a JSON text with line breaks; numbers and strings are as they were written."""
    whole = text if isinstance(text, str) else bytes(text).decode(errors="replace")
    try:
        return msgspec.json.format(whole, indent=2)
    except (msgspec.MsgspecError, RecursionError):
        return whole  # not JSON, or nested too deep: shown as it is


def typed(text: str) -> Raw:
    """Return a JSON text that a person wrote, without its blanks.

    Raises:
        ContextError: The text is not JSON (the error names line and column), a key is twice in one
            object, or it is nested deeper than graph-flow reads.
    """
    try:
        compact = msgspec.json.format(text, indent=-1)
        json.loads(compact, object_pairs_hook=_refuse_duplicates, parse_int=str, parse_float=str)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ContextError(_describe_place(text, error)) from error
    except RecursionError as error:
        raise ContextError(
            f"nested more than {MAX_DEPTH} levels deep, which graph-flow could not read back"
        ) from error
    except ValueError as error:
        raise ContextError(f"invalid JSON: {error}") from error
    return Raw(compact.encode())


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ContextError(f"the key {show(twice)} is twice in one object: remove one of them")
    return found


_AT_BYTE = re.compile(r"(?:JSON is malformed: )?(.*) \(byte (\d+)\)")


def _describe_place(text: str, error: Exception) -> str:
    found = _AT_BYTE.fullmatch(str(error))
    if isinstance(error, UnicodeEncodeError):
        reason, before = "a lone surrogate, which is not a character", text[: error.start]
    elif found:
        reason = found[1]
        before = text.encode()[: int(found[2])].decode(errors="ignore")
    else:
        reason, before = "the text ends too early", text
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f"invalid JSON, line {line}, column {column}: {reason}"
