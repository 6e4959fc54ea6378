"""JSON that comes back as it was: nothing coerced on the way in, no digit lost on the way out.

msgspec does the work. What it lets pass silently (NaN as null, sets as arrays, integer keys as
strings) is refused here, and a float whose digits a Python float would not repeat (``1.10``,
``1e400``, 20 decimals) keeps its literal.
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
    """A float that remembers how it was written, so that it is written the same again."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> Literal:
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.literal,)


def _float(literal: str) -> float:
    number = float(literal)
    return number if repr(number) == literal else Literal(literal)


def _plain(value: object) -> object:
    """The subclasses that ``check`` let through, as what they are for JSON."""
    if isinstance(value, Literal):
        return Raw(value.literal.encode())
    kinds: tuple[type[Any], ...] = (str, int, float, list, dict)
    for kind in kinds:
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_decoder = msgspec.json.Decoder(float_hook=_float)


def _decimal(literal: str) -> Decimal | str:
    try:
        return Decimal(literal)
    except InvalidOperation:  # an exponent beyond all measure: equal to its own text alone
        return f"number {literal}"


_decimal_decoder = msgspec.json.Decoder(float_hook=_decimal)
_parts_decoder = msgspec.json.Decoder(dict[str, Raw])
_list_decoder = msgspec.json.Decoder(list[Raw])


def _check(value: object, where: str, depth: int) -> None:
    if value is None or value is True or value is False:
        return
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ContextError(
                f"{where} holds a lone surrogate at position {error.start}, which is no character: "
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
                    f"JSON keys are strings, so say {str(key)!r}"
                )
            _check(key, f"{where}: the key {key!r}", depth)
            _check(item, f"{where}[{key!r}]", depth + 1)
        return
    raise ContextError(
        f"{where} is of type {type(value).__module__}.{type(value).__qualname__}, which JSON can't "
        "hold: convert it to None, bool, int, float, str, list or dict first"
    )


def encode(value: object, where: str = "the value", depth: int = 1) -> bytes:
    """UTF-8 JSON of ``value``; raises ContextError naming ``where`` if JSON can't hold it.

    Args:
        depth: how deep below a context's ``data`` it will stand.
    """
    _check(value, where, depth)
    try:
        return _encoder.encode(value)
    except ValueError as error:  # an integer of more digits than Python writes
        raise ContextError(f"{where} can't be written as JSON: {error}") from error


def encode_unchecked(value: object) -> bytes:
    """UTF-8 JSON of a value that was decoded, which JSON can hold therefore."""
    return _encoder.encode(value)


def encodes_to(value: object, text: bytes) -> bool:
    """Whether a decoded value, possibly changed in place, still encodes to the same text."""
    try:
        return _encoder.encode(value) == text and (b"null" not in text or _finite(value))
    except (TypeError, ValueError, RecursionError):
        return False  # something that JSON can't hold was put in: the full check names it


def _finite(value: object) -> bool:
    """No NaN or infinity has taken the place of a null, which msgspec would write for it."""
    if isinstance(value, float):
        return math.isfinite(value) or isinstance(value, Literal)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, (list, tuple)) else True


def decode(text: bytes | str | Raw, where: str = "the value") -> Any:
    """Python objects of a JSON text; floats keep their literal where a float alone would not."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, TypeError) as error:
        raise ContextError(f"{where} can't be read as JSON: {error}") from error


def decode_exact(text: bytes | str | Raw) -> Any:
    """Python objects with Decimal for every non-integer number: for comparing exactly."""
    try:
        return _decimal_decoder.decode(text)
    except msgspec.ValidationError:  # an integer of thousands of digits
        whole = text if isinstance(text, (str, bytes)) else bytes(text)
        return json.loads(whole, parse_int=_decimal, parse_float=_decimal)


def split_object(text: bytes | str | Raw, where: str) -> dict[str, Raw]:
    """The members of a JSON object, each as its untouched text."""
    try:
        return _parts_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, TypeError) as error:
        raise ContextError(f"{where} can't be read as a JSON object: {error}") from error


def split_array(text: bytes | str | Raw, where: str) -> list[Raw]:
    """The elements of a JSON array, each as its untouched text."""
    try:
        return _list_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, TypeError) as error:
        raise ContextError(f"{where} can't be read as a JSON array: {error}") from error


def join(parts: dict[str, Raw] | list[Raw]) -> bytes:
    """The inverse of the two splits: every part is written as it was read."""
    return _encoder.encode(parts)


def equal(left: Any, right: Any) -> bool:
    """Equality as JSONB has it: numbers by value (1 = 1.0), never a number with a boolean."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def too_wide(text: str) -> str | None:
    """The first number that PostgreSQL's numeric can't hold without loss, if there is one.

    It has at most 131072 digits before and 16383 after the point, as its documentation says.
    """
    literals: list[str] = []
    try:
        json.loads(text, parse_float=literals.append, parse_int=literals.append)
    except (ValueError, RecursionError):
        return None  # no JSON that could be looked into: the server says what is wrong
    for literal in literals:
        number = _decimal(literal)
        if isinstance(number, str):
            return literal
        _, digits, exponent = number.as_tuple()
        if int(exponent) < -16_383 or len(digits) + int(exponent) > 131_072:
            return literal
    return None


def show(value: Any) -> str:
    """A decoded value as JSON text for people: every number as it was written."""
    return _encoder.encode(value).decode()


def kind(text: bytes | str | Raw) -> str:
    """What a JSON text is, by its first character: object, array, string, number, true, …"""
    first = bytes(text, "utf-8") if isinstance(text, str) else bytes(text)
    return _KINDS.get(first.lstrip()[:1], "number")


_KINDS = {b"{": "object", b"[": "array", b'"': "string", b"t": "true", b"f": "false", b"n": "null"}


def same(left: Raw | None, right: Raw | None) -> bool:
    """Whether two JSON texts say the same, digit for digit: 1, 1.0 and 1.00 are three numbers.

    The order of keys, blanks and the spelling of escapes do not matter. None stands for nothing.
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
        return False  # too deep to look into, and not the same text


def pretty(text: bytes | str | Raw) -> str:
    """A JSON text with line breaks, its numbers and strings as they were written."""
    whole = text if isinstance(text, str) else bytes(text).decode(errors="replace")
    try:
        return msgspec.json.format(whole, indent=2)
    except (msgspec.MsgspecError, RecursionError):
        return whole  # no JSON, or nested too deep: shown as it is


def typed(text: str) -> Raw:
    """A JSON text that a person wrote, without its blanks.

    Raises:
        ContextError: it is no JSON, naming line and column; or a key stands twice in an object; or
            it is nested deeper than graph-flow reads.
    """
    try:
        compact = msgspec.json.format(text, indent=-1)
        json.loads(compact, object_pairs_hook=_unique, parse_int=str, parse_float=str)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ContextError(_located(text, error)) from error
    except RecursionError as error:
        raise ContextError(
            f"nested more than {MAX_DEPTH} levels deep, which graph-flow could not read back"
        ) from error
    except ValueError as error:
        raise ContextError(f"this is no JSON: {error}") from error
    return Raw(compact.encode())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ContextError(f"the key {show(twice)} stands twice in one object: only one can stay")
    return found


_AT_BYTE = re.compile(r"(?:JSON is malformed: )?(.*) \(byte (\d+)\)")


def _located(text: str, error: Exception) -> str:
    found = _AT_BYTE.fullmatch(str(error))
    if isinstance(error, UnicodeEncodeError):
        reason, before = "a lone surrogate, which is no character", text[: error.start]
    elif found:
        reason = found[1]
        before = text.encode()[: int(found[2])].decode(errors="ignore")
    else:
        reason, before = "the text ends too early", text
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f"line {line}, column {column}: {reason}"
