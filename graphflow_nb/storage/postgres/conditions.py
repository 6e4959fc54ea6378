"""Conditions of a query as SQL of PostgreSQL: texts, times, ids, and values in a context."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import msgspec

from ...model import exactjson
from ...secret_neighbours import TELLING_KEYS
from ..conditions import Condition, fold, unfolded
from ..paths import TOP_NAMES, Spellings, is_encodable
from ..query import Query
from .errors import is_jsonb

__all__ = [
    "Put",
    "bound_times",
    "contains",
    "hold",
    "is_telling",
    "key_prefix",
    "like_pattern",
    "putting",
    "value_at",
    "write_literal",
]

#: The most documents of which one must be in the context where a path has a value.
_MAX_DOCUMENTS: Final = 16
#: What PostgreSQL may take for the index of an array.
_INDEX: Final = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)

#: Adds a value to the arguments of a statement and returns the name of its parameter.
Put = Callable[[Any], str]


def putting(arguments: list[Any]) -> Put:
    """Return the function that adds values to the arguments of a statement."""

    def put(value: Any) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    return put


def write_literal(value: Any) -> str:
    """Return a value as SQL writes it, whatever the server's settings are.

    For a statement that takes no parameters.

    Raises:
        ValueError: The value can't be written.
    """
    if isinstance(value, list):
        quoted = (re.sub(r'(["\\])', r"\\\1", _check_text(text)) for text in value)
        value = "{" + ",".join(f'"{text}"' for text in quoted) + "}"
    elif isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).isoformat()
    text = _check_text(value).replace("\\", "\\\\").replace("'", "''")
    return f"E'{text}'"


def _check_text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or not is_encodable(value):
        raise ValueError(f"{value!r} can't be written into a statement")
    return value


def bound_times(query: Query, put: Put, *, of_order: bool) -> Iterator[str]:
    """Yield the conditions on times: those on the column of the order, or the others."""
    for name in ("updated", "created"):
        if (f"{name}_at" == query.order_by) is of_order:
            if (since := getattr(query, f"{name}_since")) is not None:
                yield f"{name}_at >= {put(since)}"
            if (until := getattr(query, f"{name}_until")) is not None:
                yield f"{name}_at < {put(until)}"


def contains(column: str, text: str, put: Put, *, ignore_case: bool) -> str:
    """Return the condition that a column contains a text."""
    if not ignore_case:
        # LIKE, because an index on trigrams can serve it.
        return f"{column} LIKE {put(like_pattern(text, inside=True))}"
    # Not ILIKE, whose meaning depends on the database's locale.
    folded = fold(text)
    upper, lower = map(put, unfolded(folded))
    return f"translate({column}, {upper}, {lower}) LIKE {put(like_pattern(folded, inside=True))}"


def hold(condition: Condition, put: Put) -> Iterator[str]:
    """Yield the terms of a condition on the context."""
    path, operator, value = condition
    if value is None:
        yield f"{value_at(path, put)} IS {'NULL' if operator == 'missing' else 'NOT NULL'}"
    elif operator not in ("=", "!="):
        yield from _compare(condition, value, put)
    elif not is_jsonb(wanted := value.decode()):
        # No session here has it.
        yield "FALSE" if operator == "=" else f"{value_at(path, put)} IS NOT NULL"
    elif operator == "!=":
        yield f"{value_at(path, put)} <> {put(wanted)}"
    else:
        # An index can serve @>, which is true wherever the value is there, and elsewhere too.
        if documents := _documents(path, wanted):
            yield f"({' OR '.join(f'context @> {put(text)}::jsonb' for text in documents)})"
        yield f"{value_at(path, put)} = {put(wanted)}"


def _compare(condition: Condition, value: bytes, put: Put) -> Iterator[str]:
    """Yield the terms of a comparison with a number or a text."""
    path, operator, _ = condition
    found = value_at(path, put)
    if exactjson.kind(value) == "number":
        yield f"jsonb_typeof({found}) = 'number'"
        yield f"{found} {operator} {put(value.decode())}"
        return
    text, nul, _ = exactjson.decode(value).partition("\0")
    if nul:
        # No text here has U+0000, so none is between what comes before it and the whole one.
        operator = ">" if operator in (">", ">=") else "<="
    yield f"jsonb_typeof({found}) = 'string'"
    # By code points, whatever the collation of the database is.
    yield f"({found} #>> '{{}}') COLLATE pg_catalog.\"C\" {operator} {put(text)}"


def _documents(path: Spellings, wanted: str) -> list[str]:
    """Return documents of which a context contains one if it has a value at a path.

    None are returned where an index could not find them: where the value has nothing inside, or
    there would be too many.
    """
    if not _has_scalar(exactjson.decode_exact(wanted)):
        return []
    documents: list[str] = []
    for keys in path:
        texts = [wanted]
        for key in reversed(["data", *keys]):
            name = msgspec.json.encode(key).decode()
            inside = [f"[{text}]" for text in texts] if _INDEX.fullmatch(key) else []
            texts = [f"{{{name}:{text}}}" for text in texts] + inside
            if len(documents) + len(texts) > _MAX_DOCUMENTS:
                return []
        if not any("\0" in key for key in keys):  # JSONB has no such key
            documents += texts
    return documents


def _has_scalar(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_scalar, value.values()))
    return any(map(_has_scalar, value)) if isinstance(value, list) else True


def value_at(path: Spellings, put: Put, context: str = "context") -> str:
    """Return the SQL of the value at a path."""
    if path == (TOP_NAMES,):
        return _list_names(context)
    values = [
        f"{context} #> {put(['data', *keys])}::text[]"
        for keys in path
        if not any("\0" in key for key in keys)  # JSONB has no such key
    ]
    return f"coalesce({', '.join(values)})" if values else "NULL::jsonb"


def _list_names(context: str) -> str:
    """Return the SQL of what is under the keys that name what is beside them; few rows have one."""
    keys = [f"'{key}'" for key in sorted(TELLING_KEYS)]
    pairs = [f"{key}, {context} #> ARRAY['data', {key}]" for key in keys]
    # A function takes 100 arguments.
    objects = (pairs[start : start + 50] for start in range(0, len(pairs), 50))
    found = " || ".join(f"jsonb_build_object({', '.join(some)})" for some in objects)
    return (
        f"CASE WHEN {context} -> 'data' ?| ARRAY[{', '.join(keys)}] "
        f"THEN jsonb_strip_nulls({found}) END"
    )


def like_pattern(text: str, *, inside: bool = False) -> str:
    """Return the pattern of LIKE for what begins with a text, or has it inside."""
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return f"{'%' if inside else ''}{escaped}%"


#: So many digits of a text in another spelling are taken for those of a UUID.
_TELLING: Final = 8
_UUID_PREFIX: Final = re.compile(r"(?:urn:)?(?:uuid:)?\{?([0-9a-f-]*)\}?", re.IGNORECASE)
#: Where the groups of a UUID's digits begin; digits past its end stay and match no id.
_GROUPS: Final = (0, 8, 12, 16, 20, None)


def is_telling(text: str) -> bool:
    """Return whether a text begins a UUID, in any spelling, with enough digits to mean one."""
    match = _UUID_PREFIX.fullmatch(text)
    return match is not None and len(match[1].replace("-", "")) >= _TELLING


def key_prefix(prefix: str) -> str:
    """Return the beginning of a UUID as a table of UUIDs writes it; another text as it is."""
    match = _UUID_PREFIX.fullmatch(prefix)
    if match is None:
        return prefix
    given = match[1].lower()
    if "-" in given:
        return given  # a dash elsewhere is in no id
    return "-".join(filter(None, (given[a:b] for a, b in pairwise(_GROUPS))))
