"""What a person types: values and paths; and what was done, as Python."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from ...changes import json_value
from ...changes.patch import SECRET, parse_pointer
from ...errors import ContextError, QueryError
from ...model import exactjson
from ...model.masks import DEFAULT_MASK, Mask
from ...storage.paths import DATA, POINTER, ContextPath, data_path, is_path_hidden, parse_path
from ...storage.query import DEFAULT_ORDER

__all__ = [
    "WORKBENCH",
    "hide_filters",
    "is_secret",
    "parse_typed_path",
    "parse_typed_value",
    "sessions_call",
    "type_value",
    "write_call",
]

#: The place of the workbench in a call. A view may be named after it was made, so the name is
#: filled in when the call is shown; no text that ``repr`` makes has this character.
WORKBENCH: Final = "\0"


def parse_typed_value(text: str) -> Any:
    """Return a context value as a person types it: JSON, or else the text itself.

    Example:
        >>> [parse_typed_value(text) for text in ("gold", "12", "true", '"12"')]
        ['gold', 12, True, '12']
    """
    try:
        return exactjson.decode(json_value("JSON", text))
    except ContextError:
        return text


def type_value(text: str) -> str:
    """Return a JSON text as a person types it: a string without quotes, where that means the same.

    Example:
        >>> [type_value(text) for text in ('"gold"', "12", '"12"')]
        ['gold', '12', '"12"']
    """
    try:
        value = exactjson.decode(text)
    except ContextError:
        return text
    plain = isinstance(value, str) and value == value.strip() and value.isprintable() and value
    return value if plain and parse_typed_value(value) == value else text


def is_secret(path: ContextPath, mask: Mask) -> bool:
    """Return whether the value at a context path is hidden."""
    return is_path_hidden(mask, path)


def parse_typed_path(text: str) -> ContextPath:
    """Return a context path as a person types it.

    Example:
        >>> parse_typed_path("customer.tier")
        'customer.tier'
        >>> parse_typed_path("('a.b', 'c')")  # for keys with dots
        ('a.b', 'c')
        >>> parse_typed_path("/context/data/customer/tier")  # as patches show it
        ('customer', 'tier')

    Raises:
        QueryError: The text is not a path.
    """
    text = text.strip()
    path: object = text
    if text.startswith(POINTER):
        return parse_pointer(text)[len(DATA) :]
    if text.startswith("("):
        try:
            path = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            path = ()
    try:
        parse_path(cast(ContextPath, path))
    except QueryError as error:
        raise QueryError(
            f"{text!r} is not a context path: write customer.tier, or ('a.b', 'c') for keys with "
            "dots"
        ) from error
    return cast(ContextPath, path)


def sessions_call(arguments: Mapping[str, Any], mask: Mask = DEFAULT_MASK) -> str:
    """Return the call of ``wb.sessions`` with these arguments, as Python that needs no import."""
    return write_call("sessions", arguments, mask)


def hide_filters(filters: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """Return filters with ``SECRET`` in place of each value that is looked for and hidden."""

    def hide(path: ContextPath, value: Any) -> Any:
        return SECRET if is_path_hidden(mask, path) else mask.hide_object(value, data_path(path))

    shown = dict(filters)
    if where := shown.get("where"):
        shown["where"] = {path: hide(path, value) for path, value in where.items()}
    if compare := shown.get("compare"):
        shown["compare"] = [(path, sign, hide(path, value)) for path, sign, value in compare]
    return shown


def write_call(method: str, arguments: Mapping[str, Any], mask: Mask = DEFAULT_MASK) -> str:
    """Return the call of a method of the workbench that lists sessions, as Python.

    Args:
        method: The name of the method.
        arguments: The arguments.
        mask: What is hidden of values that are looked for: ``SECRET`` is written for each.
    """
    shown = hide_filters(arguments, mask)
    if shown.get("order") == DEFAULT_ORDER:
        del shown["order"]
    for name, value in shown.items():
        if isinstance(value, datetime):
            shown[name] = str(value)
        elif isinstance(value, tuple):
            shown[name] = list(value)
    return (
        f"{WORKBENCH}.{method}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
    )
