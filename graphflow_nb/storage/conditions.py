"""Conditions: what a query asks of a context, and text compared without upper and lower case.

The same code answers for memory, Redis, scanned storages and, as functions registered in the
database, SQLite. PostgreSQL's operators have the same meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, Final, NamedTuple

from ..errors import QueryError
from ..model import exactjson
from ..model.masks import mask_in_use
from ..secret_texts import scrub
from .paths import Spellings, find_value, is_path_hidden, path_label, spellings

__all__ = [
    "COMPARISONS",
    "Condition",
    "fold",
    "holds",
    "make_comparison",
    "unfolded",
]

_ORDERS: Final = {">": gt, ">=": ge, "<": lt, "<=": le}
#: The operators of a comparison.
COMPARISONS: Final = (*_ORDERS, "!=")


class Condition(NamedTuple):
    """A condition on the context.

    Attributes:
        path: The keys that the path may mean: the first that are found count.
        operator: ``=``, one of ``COMPARISONS``, ``exists`` or ``missing``.
        value: The JSON text that is compared with; None for ``exists`` and ``missing``.
    """

    path: Spellings
    operator: str
    value: bytes | None = None


def make_comparison(comparison: object) -> Condition:
    """Return the condition of a comparison: ``("amount", ">", 100)``.

    Raises:
        ContextError: The value is not JSON.
        QueryError: The comparison is invalid.
    """
    if not isinstance(comparison, Sequence) or isinstance(comparison, str) or len(comparison) != 3:
        raise QueryError(
            f"a comparison is a path, an operator and a value, not {_show(comparison)}: write "
            "('amount', '>', 100)"
        )
    path, operator, value = comparison
    if operator not in COMPARISONS:
        raise QueryError(
            f"unknown operator {operator!r} in the comparison {_show(comparison)}: use "
            f"{', '.join(COMPARISONS)}; where= finds what is equal"
        )
    keys = spellings(path)
    text = exactjson.encode(value, f"the value for {path_label(path)!r}")
    if operator in _ORDERS:
        _check_ordered(comparison, text)
    return Condition(keys, operator, text)


def _show(comparison: object) -> str:
    """Return a comparison for an error, without the value if it looks secret."""
    if isinstance(comparison, Sequence) and not isinstance(comparison, str) and comparison:
        path = comparison[0]
        if isinstance(path, (str, tuple)) and is_path_hidden(mask_in_use(), path):
            return f"({path!r}, …)"
    return scrub(repr(comparison))


def _check_ordered(comparison: object, text: bytes) -> None:
    """Raise QueryError if nothing is greater or less than a JSON text in every store."""
    if exactjson.kind(text) not in ("string", "number"):
        raise QueryError(
            f"{_show(comparison)}: only a number or a text is greater or less than another; use "
            "'!='"
        )
    if exactjson.too_wide(text.decode()):
        raise QueryError(
            f"{_show(comparison)}: the number has more than 131,072 digits before the point or "
            "16,383 after it, and PostgreSQL compares none like it"
        )


def holds(context: str | bytes, condition: Condition) -> bool:
    """Return whether a context meets a condition.

    Numbers are compared with numbers, by value, and texts with texts, by code points; a value of
    another kind is neither greater nor less. What is missing meets ``missing`` alone.
    """
    path, operator, value = condition
    found = find_value(context, path)
    if value is None:
        return (found is None) == (operator == "missing")
    if found is None:
        return False
    wanted = _decode(value)
    if operator in _ORDERS:
        if exactjson.kind(found) != exactjson.kind(value):
            return False
        stored = exactjson.decode_exact(found)
        # A number that no Decimal holds is a text here, and comes from no store but memory.
        same_kind = isinstance(stored, str) == isinstance(wanted, str)
        return same_kind and bool(_ORDERS[operator](stored, wanted))
    return exactjson.equal(exactjson.decode_exact(found), wanted) == (operator == "=")


@lru_cache(256)
def _decode(value: bytes) -> str | int | Decimal | Any:
    return exactjson.decode_exact(value)


# Upper and lower case. A letter that has one of each, which are of each other, is taken for its
# lower case, whatever the locale of a database is. Only "ß" and its like stay as they are.


def fold(text: str) -> str:
    """Return a text in lower case, letter by letter.

    Example:
        >>> fold("Straße 7, KÖLN")
        'straße 7, köln'
    """
    return text.lower() if text.isascii() else text.translate(_lower_letters())


@lru_cache(1)
def _lower_letters() -> dict[int, str]:
    """Return the lower case of each upper-case letter that has exactly one."""
    letters = ((chr(point), chr(point).lower()) for point in range(0x1_FFFF))
    return {
        ord(upper): lower
        for upper, lower in letters
        if lower != upper and len(lower) == 1 and lower.upper() == upper
    }


def unfolded(folded: str) -> tuple[str, str]:
    """Return the upper-case letters of a folded text, and their lower case, for ``translate``.

    A text in which these are replaced contains the folded text exactly where the whole text in
    lower case does, and a database replaces a few letters sooner than all.
    """
    lower = "".join(sorted({letter for letter in folded if fold(letter.upper()) == letter}))
    lower = "".join(letter for letter in lower if letter.upper() != letter)
    return lower.upper(), lower
