"""What other programs make of a JSON text: a Rust worker, a browser, Python's ``json``.

Each function returns the text that such a program writes after it has read one. The rules are those
of graph-flow 0.8.1 (serde_json with its default features), of Node.js and of Python. They were
compared with the first two on thousands of texts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from ..errors import ContextError

__all__ = ["READERS", "through_browser", "through_python", "through_rust"]


class _Number(str):
    """The digits of a number, as they were written."""

    __slots__ = ()


def through_rust(text: str) -> str:
    """Return what a worker on graph-flow writes of a JSON value that it read, by serde_json.

    Keys are sorted, an integer beyond 64 bits becomes a float, and a number beyond a float is
    refused. The last digit of a float may change: it is read by one multiplication or division,
    which is quick and not always exact.

    Example:
        >>> from graphflow_nb.lessons.readers import through_rust
        >>> through_rust('{"b": 1.10, "a": 18446744073709551616}')
        '{"a":1.8446744073709552e+19,"b":1.1}'

    Args:
        text: The JSON text of a value.

    Raises:
        ContextError: serde_json can't read the text.
    """
    value = _parse(text, "serde_json", _check_rust_number)
    if _SURROGATE.search(_write(value, str, sorted)):
        raise ContextError("serde_json can't read it: half a surrogate pair is not a character")
    return _write(value, _rust_number, sorted)


def through_browser(text: str) -> str:
    """Return what ``JSON.stringify(JSON.parse(text))`` returns in a browser.

    Each number becomes a float, and keys that are array indexes come first.

    Example:
        >>> from graphflow_nb.lessons.readers import through_browser
        >>> through_browser('{"b": 1.10, "2": 9007199254740993}')
        '{"2":9007199254740992,"b":1.1}'

    Args:
        text: The JSON text of a value.

    Raises:
        ContextError: ``JSON.parse`` can't read the text.
    """
    value = _parse(text, "JSON.parse")
    written = _write(value, _browser_number, _put_indexes_first)
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):x}", written)


def through_python(text: str) -> str:
    """Return what ``json.dumps(json.loads(text))`` returns, which may be no JSON.

    Example:
        >>> from graphflow_nb.lessons.readers import through_python
        >>> through_python('{"b": 1.10, "a": 1e400}')
        '{"b":1.1,"a":Infinity}'

    Args:
        text: The JSON text of a value.

    Raises:
        ContextError: ``json.loads`` can't read the text.
    """
    try:
        return json.dumps(json.loads(text), separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise ContextError(f"json.loads can't read it: {error}") from error


#: The functions by the name of the program.
READERS: Final[Mapping[str, Callable[[str], str]]] = {
    "Rust worker": through_rust,
    "Python's json": through_python,
    "browser": through_browser,
}

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INTEGER: Final = re.compile(r"-?\d+")
_NUMBER: Final = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?")
_MAX_POWER: Final = 308  # the largest power of ten that is a float
_MAX_INDEX: Final = 2**32 - 2


def _parse(text: str, program: str, check: Callable[[str], None] = lambda literal: None) -> Any:
    """Return the value of a text, each number as it was written; ``check`` may refuse one."""

    def keep(literal: str) -> _Number:
        check(literal)
        return _Number(literal)

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(text, parse_int=keep, parse_float=keep, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ContextError(f"{program} can't read it: {error}") from error


def _write(
    value: Any,
    number: Callable[[_Number], str],
    order: Callable[[Iterable[str]], list[str]],
) -> str:
    if isinstance(value, _Number):
        return number(value)
    if isinstance(value, dict):
        members = (f"{_quote(key)}:{_write(value[key], number, order)}" for key in order(value))
        return "{%s}" % ",".join(members)
    if isinstance(value, list):
        return "[%s]" % ",".join(_write(item, number, order) for item in value)
    return _quote(value)


def _quote(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_rust_integer(literal: str) -> bool:
    return (
        _INTEGER.fullmatch(literal) is not None
        and literal != "-0"
        and -(2**63) <= int(literal) < 2**64
    )


def _check_rust_number(literal: str) -> None:
    if not _is_rust_integer(literal):
        _read_rust_float(literal)


def _rust_number(literal: _Number) -> str:
    if _is_rust_integer(literal):
        return str(literal)
    written = repr(_read_rust_float(literal))
    # Python writes 1e-05 where Rust writes 0.00001, and 1e-07 where Rust writes 1e-7.
    if written.endswith("e-05"):
        return format(Decimal(written), "f")
    return _shorten_exponent(written)


def _read_rust_float(literal: str) -> float:
    """Return the float that serde_json reads: the digits as an integer, times a power of ten."""
    match = _NUMBER.fullmatch(literal)
    assert match is not None  # json.loads has read it
    sign, whole, fraction, exponent = match.groups(default="")
    digits, power = 0, int(exponent or 0)
    for place, part in enumerate((whole, fraction)):
        for index, digit in enumerate(part):
            if digits * 10 + int(digit) >= 2**64:  # what follows is dropped
                power += 0 if place else len(part) - index
                break
            digits = digits * 10 + int(digit)
            power -= place
    number = float(digits)
    while power < -_MAX_POWER and number:
        number, power = number / _power_of_ten(_MAX_POWER), power + _MAX_POWER
    if number:
        if power > _MAX_POWER:
            number = math.inf
        else:
            scale = _power_of_ten(abs(power))
            number = number * scale if power >= 0 else number / scale
    if math.isinf(number):
        raise ContextError("serde_json can't read it: number out of range")
    return -number if sign else number


def _power_of_ten(power: int) -> float:
    return float(f"1e{power}")  # 10.0**power is not exact


def _browser_number(literal: _Number) -> str:
    number = float(literal)
    if math.isinf(number):
        return "null"  # JSON.parse reads Infinity, which JSON.stringify has no text for
    if number == 0:
        return "0"
    written = repr(number)
    if 1e-6 <= abs(number) < 1e21:
        return format(Decimal(written), "f").removesuffix(".0")
    return _shorten_exponent(written)


def _shorten_exponent(written: str) -> str:
    return re.sub(r"e([+-])0", r"e\1", written)


def _put_indexes_first(keys: Iterable[str]) -> list[str]:
    names = list(keys)
    indexes = [key for key in names if _is_index(key)]
    return sorted(indexes, key=int) + [key for key in names if not _is_index(key)]


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdigit() and str(int(key)) == key and int(key) <= _MAX_INDEX
