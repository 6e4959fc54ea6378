"""Where each version of a session differs from the one before it, without its contexts' texts.

A patch names the places that it changes, so most versions need nothing else. At a context that is
kept as a whole the two contexts are compared as plain objects, which are built on the way: for a
thousand versions that takes a tenth of the time of rebuilding and comparing every text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from ..errors import HistoryError
from ..model.exactjson import pointer
from ..storage.history import VersionRow

__all__ = ["changed_paths"]

_FIELDS: Final = ("graph_id", "current_task_id", "status_message")


class _Number(str):
    """A number as it is spelled, so that 1.10 and 1.1 differ; no text is equal to it."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is _Number and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


_decode: Final = json.JSONDecoder(
    parse_float=_Number, parse_int=_Number, parse_constant=_Number
).decode


def changed_paths(rows: Sequence[VersionRow]) -> list[tuple[str, ...] | None]:
    """Return the places where each version differs from the one before it.

    Args:
        rows: Versions of a session, newest first, with their contexts and patches; the first has a
            whole context, and no number is missing.

    Returns:
        A tuple for each row, of ``/current_task_id`` and other fields, and of JSON Pointers that
        begin with ``/context``; None for the last row, whose predecessor is not among them. A
        context whose text changed and whose values did not has ``/context`` itself.

    Raises:
        HistoryError: A patch does not fit.
    """
    found: list[tuple[str, ...] | None] = []
    value: Any = None  # the context of the newer row, as plain objects
    try:
        for newer, older in pairwise(rows):
            if newer.context is not None:
                value = _decode(newer.context)
            fields = [
                f"/{name}" for name in _FIELDS if getattr(newer, name) != getattr(older, name)
            ]
            if older.patch is not None:
                steps = [] if older.patch == "[]" else _decode(older.patch)
                paths = [step["path"] for step in steps]
                for step in steps:
                    value = _apply(value, step)
            elif older.context == newer.context:
                paths = []
            else:
                paths = list(_compare(value, _decode(older.context or ""), ())) or [""]
            found.append((*fields, *(f"/context{path}" for path in dict.fromkeys(paths))))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise HistoryError(
            f"the versions of session {rows[0].id!r} can't be compared: one is not JSON, or its "
            f"patch does not fit ({error}); wb.at(id, version) shows those that can be read"
        ) from error
    return [*found, None] if rows else []


def _apply(value: Any, step: dict[str, Any]) -> Any:
    """Return a document after a step of a patch; it is changed in place."""
    op, path = step["op"], step["path"]
    if not path:
        return step["value"]
    *parents, last = (key.replace("~1", "/").replace("~0", "~") for key in path[1:].split("/"))
    place = value
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if isinstance(place, list):
        index = len(place) if last == "-" else int(last)
        if op == "add":
            place.insert(index, step["value"])
        elif op == "remove":
            del place[index]
        else:
            place[index] = step["value"]
    elif op == "remove":
        del place[last]
    else:
        place[last] = step["value"]
    return value


def _compare(one: Any, other: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the places where two documents differ."""
    if type(one) is not type(other):
        yield pointer(path)
    elif isinstance(one, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            if key not in one or key not in other:
                yield pointer((*path, key))
            else:
                yield from _compare(one[key], other[key], (*path, key))
    elif isinstance(one, list):
        first, last = _find_middle(one, other) if len(one) != len(other) else (0, 0)
        length, longest = (f(len(one), len(other)) - last for f in (min, max))
        for n in range(first, length):
            yield from _compare(one[n], other[n], (*path, str(n)))
        yield from (pointer((*path, str(n))) for n in range(length, longest))
    elif one != other:
        yield pointer(path)


def _find_middle(one: list[Any], other: list[Any]) -> tuple[int, int]:
    """Return how many items two lists have in common at their starts, and then at their ends."""
    shortest = min(len(one), len(other))
    first = next((n for n in range(shortest) if one[n] != other[n]), shortest)
    ends = range(1, shortest - first + 1)
    return first, next((n - 1 for n in ends if one[-n] != other[-n]), shortest - first)
