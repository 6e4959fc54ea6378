"""Conditions as a person types them: ``amount > 100``, ``tier = gold``, ``iban missing``."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from ...errors import QueryError
from ...model import exactjson
from ...model.masks import DEFAULT_MASK, Mask
from ...secret_keys import MASK
from ...storage.paths import ContextPath, parse_path, path_text
from .paths import PathSource
from .typed import is_secret, parse_typed_path, parse_typed_value, type_value

__all__ = ["Chip", "chips_of", "parse_condition", "suggest_conditions"]

MAX_SUGGESTIONS: Final = 1_000
MAX_TEXT: Final = 60  # characters of a chip
_FORMS: Final = "amount > 100, customer.tier = gold, iban missing or iban exists"
_PLAIN: Final = re.compile(r"(.+?)\s*(>=|<=|!=|==|=|>|<)\s*(.*)", re.DOTALL)
_REST: Final = re.compile(r"\s*(>=|<=|!=|==|=|>|<)\s*(.*)", re.DOTALL)
_WORD: Final = re.compile(r"(.*?)\s+(?:is\s+)?(missing|exists)", re.DOTALL)


class Chip(NamedTuple):
    """A condition that is set.

    Attributes:
        text: The condition, as a person types it.
        removal: The changes of filters, for ``Listing.filter``, that remove it.
    """

    text: str
    removal: dict[str, Any]


def parse_condition(text: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of filters that add a condition as a person types it.

    Example:
        >>> parse_condition("amount > 100", {})
        {'compare': [('amount', '>', 100)]}
        >>> parse_condition("customer.tier = gold", {"where": {"amount": 7}})
        {'where': {'amount': 7, 'customer.tier': 'gold'}}
        >>> parse_condition("iban missing", {})
        {'lacks': ['iban']}

    Args:
        text: The condition. A path alone has to exist. A value is JSON, or else a text.
        filters: The filters that are set, which stay.

    Raises:
        QueryError: The text is not a condition.
    """
    path, operator, written = _split(text.strip())
    if operator in ("missing", "exists"):
        name = "lacks" if operator == "missing" else "has"
        return {name: [*(p for p in filters.get(name, ()) if p != path), path]}
    if not written:
        raise QueryError(f"{text.strip()!r} has no value after {operator}: write {_FORMS}")
    value = parse_typed_value(written)
    if operator in ("=", "=="):
        return {"where": {**filters.get("where", {}), path: value}}
    comparison = (path, operator, value)
    return {"compare": [*(c for c in filters.get("compare", ()) if c != comparison), comparison]}


def _split(text: str) -> tuple[ContextPath, str, str]:
    """Return the path, the operator and the value that a condition is written with."""
    if text.startswith("("):  # keys with dots, or with an operator in them
        for end in (i + 1 for i, letter in enumerate(text) if letter == ")"):
            try:
                keys = ast.literal_eval(text[:end])
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if not isinstance(keys, tuple):
                continue
            path, rest = parse_typed_path(text[:end]), text[end:]
            if (found := _REST.fullmatch(rest)) is not None:
                return path, found[1], found[2]
            word = rest.strip().removeprefix("is ").strip()
            if word in ("missing", "exists", ""):
                return path, word or "exists", ""
    elif (found := _PLAIN.fullmatch(text)) is not None:
        return parse_typed_path(found[1]), found[2], found[3].strip()
    elif (found := _WORD.fullmatch(text)) is not None:
        return parse_typed_path(found[1]), found[2], ""
    elif text and not re.search(r"\s", text):
        return parse_typed_path(text), "exists", ""
    raise QueryError(f"{text!r} is not a condition: write {_FORMS}")


#: What other filters say, which a call can set and no control shows.
_WORDS: Final = {
    "status": "status contains {}",
    "id_prefix": "id starts with {}",
    "updated_since": "updated since {}",
    "updated_until": "updated before {}",
    "created_since": "created since {}",
    "created_until": "created before {}",
}


def chips_of(filters: Mapping[str, Any], mask: Mask = DEFAULT_MASK) -> list[Chip]:
    """Return a chip for each condition that no other control shows.

    Args:
        filters: The filters.
        mask: What is hidden of the values that are looked for.
    """
    chips = [
        Chip(_shorten(form.format(filters[name])), {name: None})
        for name, form in _WORDS.items()
        if name in filters
    ]
    if "ids" in filters:
        chips.append(Chip(f"{len(filters['ids']):,} given ids", {"ids": None}))
    where: Mapping[ContextPath, Any] = filters.get("where", {})
    for path, value in where.items():
        rest = {p: v for p, v in where.items() if p is not path}
        chips.append(Chip(_write(path, "=", value, mask), {"where": rest or None}))
    for name, word in (("has", "exists"), ("lacks", "missing")):
        paths: Sequence[ContextPath] = filters.get(name, ())
        for path in paths:
            chips.append(
                Chip(
                    _shorten(f"{_write_path(path)} {word}"),
                    {name: [p for p in paths if p is not path] or None},
                )
            )
    comparisons: Sequence[tuple[ContextPath, str, Any]] = filters.get("compare", ())
    for comparison in comparisons:
        rest_of = [c for c in comparisons if c is not comparison]
        chips.append(Chip(_write(*comparison, mask), {"compare": rest_of or None}))
    return chips


def _write_path(path: ContextPath) -> str:
    return path if isinstance(path, str) else path_text(parse_path(path))


def _write(path: ContextPath, operator: str, value: Any, mask: Mask) -> str:
    hidden = is_secret(path, mask)
    written = MASK if hidden else type_value(exactjson.encode(value).decode())
    return _shorten(f"{_write_path(path)} {operator} {written}")


def _shorten(text: str) -> str:
    line = text.replace("\n", " ⏎ ")
    return line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}…"


def suggest_conditions(source: PathSource) -> tuple[str, ...]:
    """Return conditions that may be wanted: each path with its values, and whether it is there."""
    found: list[str] = []
    for path in source.paths:
        found += (f"{path} = {value}" for value in source.values.get(path, ()))
        found += (f"{path} exists", f"{path} missing")
    return cast(tuple[str, ...], tuple(found[:MAX_SUGGESTIONS]))
