"""What is beside the value of a context column and may say that it is a secret.

Of ``{"name": "Authorization", "value": "…"}`` and ``["api_key", "…"]`` a column may have the value
alone: its name, or what holds both, is read with it, and is in no column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Raw

from ..model import exactjson
from ..model.masks import Mask
from ..secret_texts import is_value_key
from ..storage.paths import TOP_NAMES, ContextPath, spellings

__all__ = ["paths_beside", "rows_named"]

_INDEXES: Final = frozenset(("1", "-1"))  # of the value in a list of it and its name


class _Beside(NamedTuple):
    """A place that is read beside a value.

    Attributes:
        path: The place.
        rest: The keys from there to the value; empty if only names are there.
    """

    path: tuple[str, ...]
    rest: tuple[str, ...]


def paths_beside(context: Sequence[ContextPath], mask: Mask) -> list[tuple[str, ...]]:
    """Return the paths that are read after those of context columns to know what to hide in them.

    Example:
        >>> from graphflow_nb.model.masks import DEFAULT_MASK
        >>> paths_beside(["customer.tier", "headers.0.value"], DEFAULT_MASK)
        [('headers', '0'), ('headers.0',)]

    Args:
        context: The paths of the columns.
        mask: What is hidden.
    """
    if not mask.is_on:
        return []
    return list(dict.fromkeys(place.path for path in context for place in _places(path)))


def rows_named(
    path: ContextPath, beside: dict[tuple[str, ...], Sequence[str | None]], mask: Mask
) -> list[bool] | None:
    """Return for each row whether its value has the name of a secret beside it.

    Args:
        path: The path of the values.
        beside: The JSON texts at each of ``paths_beside``.
        mask: What is hidden.

    Returns:
        A list; None where nothing beside it could be such a name, or nothing is hidden.
    """
    rows: list[bool] | None = None
    for place in _places(path) if mask.is_on else ():
        texts = beside[place.path]
        if rows is None:
            rows = [False] * len(texts)
        for row, text in enumerate(texts):
            if text is not None and not rows[row]:
                raw = Raw(text.encode(errors="replace"))
                rows[row] = (
                    mask.covers_within(raw, place.rest)
                    if place.rest
                    else any(map(mask.is_secret_name, exactjson.split_array(raw, "names")))
                )
    return rows


def _places(path: ContextPath) -> Iterator[_Beside]:
    for keys in map(tuple, spellings(path)):
        for place, key in enumerate(keys):
            if is_value_key(key) and not place:
                yield _Beside(TOP_NAMES, ())
            elif place and (is_value_key(key) or _is_second(key)):
                # In a list of such lists two plain words are a name and its value, too.
                start = max(1, place - 1) if _is_second(key) else place
                yield _Beside(keys[:start], keys[start:])
                break  # what is further in is looked at from there


def _is_second(key: str) -> bool:
    try:
        return str(int(key)) in _INDEXES
    except ValueError:
        return False
