"""Lists: what two sides did to one list, merged where it provably concerns the same elements.

A JSON list does not say which of its elements is which: ``[1, 2]`` that became ``[2, 3]`` may have
lost its first element and got a new one, or both may have been changed. So a list is merged only
where each side appended elements or changed some at their places, and each changed element is
seen, once and unchanged, at the same place of the other two lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Raw

from ..model import exactjson

__all__ = ["merge_lists", "merge_messages"]


def merge_lists(base: list[Raw], stored: list[Raw], mine: list[Raw]) -> list[Raw] | None:
    """Return a list with the changes of both sides; None if they may concern the same elements.

    Where both sides appended elements, their order is not known, so these are not merged.

    Args:
        base: The elements before both changes.
        stored: The elements after the changes of others.
        mine: The elements after one's own changes.
    """
    size = len(base)
    if len(stored) > size and len(mine) > size:
        return None
    merged = _merge_in_place(base, stored, mine)
    return None if merged is None else merged + stored[size:] + mine[size:]


def merge_messages(base: list[Raw], stored: list[Raw], mine: list[Raw]) -> list[Raw] | None:
    """Return the messages of a chat history with the changes of both sides; None as above.

    Messages that both appended are kept in this order: those that are stored, then one's own.
    Messages that one side only appended follow whatever the other did. The oldest may have been
    dropped, as a chat history does at its limit.

    Args:
        base: The messages before both changes.
        stored: The messages after the changes of others.
        mine: The messages after one's own changes.
    """
    merged = _merge_in_place(base, stored, mine)
    if merged is not None:
        return merged + _join_new(stored[len(base) :], mine[len(base) :])
    marks = _mark(base)
    theirs, own = _count_dropped(marks, _mark(stored)), _count_dropped(marks, _mark(mine))
    if theirs is not None and own is not None:
        new = _join_new(stored[len(base) - theirs :], mine[len(base) - own :])
        return base[max(theirs, own) :] + new
    if own == 0:
        return stored + mine[len(base) :]
    if theirs == 0:
        return mine + stored[len(base) :]
    return None


def _merge_in_place(base: list[Raw], stored: list[Raw], mine: list[Raw]) -> list[Raw] | None:
    """Return the elements at the places of the base list, changed as on both sides."""
    size = len(base)
    if len(stored) < size or len(mine) < size:
        return None
    before, theirs, own = map(_mark, (base, stored, mine))
    their_places, own_places = _find_changed(before, theirs), _find_changed(before, own)
    if their_places is None or own_places is None:
        return None
    if any(theirs[place] != own[place] for place in their_places & own_places):
        return None
    # An element that the other side has once more, further down, may be either of them.
    if any(before[place] in own[size:] for place in their_places) or any(
        before[place] in theirs[size:] for place in own_places
    ):
        return None
    only_own = own_places - their_places
    return [mine[place] if place in only_own else stored[place] for place in range(size)]


def _find_changed(before: list[bytes], side: list[bytes]) -> set[int] | None:
    """Return the places whose elements a side changed; None if it may have moved some instead."""
    known, now = Counter(before), Counter(side)
    places = {place for place, mark in enumerate(before) if side[place] != mark}
    for place in places:
        old, new = before[place], side[place]
        if known[old] > 1 or now[old] or known[new]:
            return None
    return places


def _mark(items: Sequence[Raw]) -> list[bytes]:
    return list(map(exactjson.canonical, items))


def _count_dropped(base: list[bytes], side: list[bytes]) -> int | None:
    """Return how many elements a side dropped at the start; None if it did more than append."""
    for dropped in range(max(1, len(base))):
        rest = base[dropped:]
        if side[: len(rest)] == rest:
            moved = set(base) & set(side[len(rest) :])
            return None if moved else dropped
    return None


def _join_new(stored: list[Raw], mine: list[Raw]) -> list[Raw]:
    """Return what both appended, what is stored first; messages that both have are there once."""
    common = 0
    for left, right in zip(stored, mine, strict=False):
        if not exactjson.same(left, right):
            break
        common += 1
    return stored + mine[common:]
