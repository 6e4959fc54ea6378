"""diff: the changes between two sessions, as a patch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from msgspec import Raw

from ..errors import ContextError
from ..model import Session, exactjson
from ..model.masks import DEFAULT_MASK, mask_in_use
from .document import document
from .patch import Change, Patch, Path

__all__ = ["compare", "diff"]


def diff(before: Session, after: Session) -> Patch:
    """Return the changes that make one session's content the other's.

    Ids, versions and times are not compared.

    Args:
        before: The session to change.
        after: The session with the wanted content.
    """
    mask = before.mask if after.mask is DEFAULT_MASK else after.mask
    return Patch(compare(document(before), document(after)), mask=mask)


def compare(before: Raw, after: Raw, path: Path = ()) -> Iterator[Change]:
    """Yield the changes from one JSON text to another."""
    if exactjson.same(before, after):
        return
    form = exactjson.kind(before)
    # Of the name of a secret and its value nothing says, one by one, which is secret.
    if form == exactjson.kind(after) and not (_names_secret(before) or _names_secret(after)):
        try:
            if form == "object":
                return (yield from _compare_objects(before, after, path))
            if form == "array":
                first, *others = _compare_arrays(before, after, path)
                # The outermost list wins, since this is set at each level on the way out.
                return (yield from (replace(first, inside=(path, before)), *others))
        except (ContextError, RecursionError):
            pass  # nested too deep to compare: replaced as a whole
    yield Change("replace", path, after, before)


def _names_secret(raw: Raw) -> bool:
    try:
        return mask_in_use().hides_pair(raw)
    except ContextError:
        return False  # nested too deep


def _compare_objects(before: Raw, after: Raw, path: Path) -> Iterator[Change]:
    old, new = exactjson.split_object(before, ""), exactjson.split_object(after, "")
    for key, text in old.items():
        if key in new:
            yield from compare(text, new[key], (*path, key))
        else:
            yield Change("remove", (*path, key), None, text)
    for key, text in new.items():
        if key not in old:
            yield Change("add", (*path, key), text)


def _compare_arrays(before: Raw, after: Raw, path: Path) -> Iterator[Change]:
    old, new = exactjson.split_array(before, ""), exactjson.split_array(after, "")
    # The common start and end stay; between them, elements are compared one by one.
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and exactjson.same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < shorter - head and exactjson.same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    both = shorter - tail
    for index in range(head, both):
        yield from compare(old[index], new[index], (*path, str(index)))
    for index in reversed(range(both, len(old) - tail)):
        yield Change("remove", (*path, str(index)), None, old[index])
    for index in range(both, len(new) - tail):
        yield Change("add", (*path, str(index)), new[index])
