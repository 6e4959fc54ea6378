"""What is beside the value of a context column and may say that it is a secret.

Of ``{"name": "Authorization", "value": "…"}``, ``["api_key", "…"]`` and of a table a column may
have the value alone: what names it, or holds both, is read with it, and is in no column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Raw

from ..model.masks import Mask
from ..secret_neighbours import PLAIN, Place, is_rows_key, is_value_key, read_index
from ..storage.paths import TOP_NAMES, ContextPath, spellings

__all__ = ["paths_beside", "places_in_rows"]


class _Beside(NamedTuple):
    """A place that is read beside a value.

    Attributes:
        path: The place.
        rest: The keys from there to the value.
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


def places_in_rows(
    path: ContextPath, beside: dict[tuple[str, ...], Sequence[str | None]], mask: Mask
) -> list[Place] | None:
    """Return for each row what is known of its value by what is beside it.

    Args:
        path: The path of the values.
        beside: The JSON texts at each of ``paths_beside``.
        mask: What is hidden.

    Returns:
        A list; None where nothing is beside it that says something, or nothing is hidden.
    """
    rows: list[Place] | None = None
    for place in _places(path) if mask.is_on else ():
        texts = beside[place.path]
        if rows is None:
            rows = [PLAIN] * len(texts)
        for row, text in enumerate(texts):
            if text is not None and rows[row] == PLAIN:
                rows[row] = mask.place_within(Raw(text.encode(errors="replace")), place.rest)
    return rows


def _places(path: ContextPath) -> Iterator[_Beside]:
    for keys in map(tuple, spellings(path)):
        for place, key in enumerate(keys):
            is_named = is_value_key(key) or is_rows_key(key)
            if is_named and not place:
                yield _Beside(TOP_NAMES, keys)
            elif place and (is_named or _may_be_named(key)):
                # In a list of lists the first may have the names, or each a name and its value.
                inner = not is_named and place > 1 and read_index(keys[place - 1]) is not None
                yield _Beside(keys[: place - inner], keys[place - inner :])
                break  # what is further in is looked at from there


def _may_be_named(key: str) -> bool:
    """Return whether a key means an item of a list behind its first, which may be its name."""
    return read_index(key) not in (None, 0)
