"""Which contexts of a history can be kept as patches of those after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from ..storage.history import VersionRow
from .encoding import MAX_CHAIN, MAX_CHAIN_BYTES, encode, rebuild

__all__ = ["patches_of"]


def patches_of(rows: Sequence[VersionRow], below: int) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield the patches by which contexts can be replaced, by number, with the contexts' lengths.

    Args:
        rows: Versions, the newest first, beginning with a whole one.
        below: How many patches build on the oldest of them.
    """
    # The context of the row before, which has the next number: a text, and the patches that make it
    # from that text. It is rebuilt only where it is needed.
    following: str | None = None
    pending: list[str] = []
    number = chain = size = 0
    for index, row in enumerate(rows):
        if row.number != number - 1:
            following = None
        number = row.number
        if row.context is None:
            if row.patch is None:
                following = None
            pending.append(row.patch or "")
            chain, size = chain + 1, size + row.bytes
            continue
        under = _count_patches(rows, index + 1, below)
        bounded = chain + 1 + under <= MAX_CHAIN and size + row.bytes <= MAX_CHAIN_BYTES
        # One link is always allowed, however large the context is.
        patch = None
        if following is not None and (bounded or (chain == 0 and under == 0)):
            patch = encode(row.context, reduce(rebuild, pending, following))
        following, pending = row.context, []
        if patch is None:
            chain = size = 0
        else:
            chain, size = chain + 1, size + row.bytes
            yield row.number, (patch, row.bytes)


def _count_patches(rows: Sequence[VersionRow], start: int, below: int) -> int:
    """Return how many patches build on each other from an index on, with those below the rows."""
    for index in range(start, len(rows)):
        if rows[index].context is not None:
            return index - start
    return len(rows) - start + below
