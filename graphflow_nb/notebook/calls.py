"""The call to make instead of one that was refused, as Python to paste into a cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from .names import find_name

__all__ = ["allowing_call"]

MAX_SHOWN: Final = 80  # characters of an argument


def allowing_call(wb: object, method: str, arguments: Mapping[str, Any]) -> Callable[[], str]:
    """Return a function that returns a call with ``allow_scan=True``.

    Args:
        wb: The workbench whose method it is.
        method: The name of the method.
        arguments: The arguments that were given, without defaults that are not empty.
    """

    def write() -> str:
        given = {
            name: str(value) if isinstance(value, datetime) else value
            for name, value in arguments.items()
            if name == "limit" or not _is_empty(value)
        }
        shown = [f"{name}={_shorten(repr(value))}" for name, value in given.items()]
        name = find_name(wb) or "wb"
        return f"{name}.{method}({', '.join([*shown, 'allow_scan=True'])})"

    return write


def _is_empty(value: object) -> bool:
    return value is None or value is False or (isinstance(value, (tuple, list, dict)) and not value)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else "…"
