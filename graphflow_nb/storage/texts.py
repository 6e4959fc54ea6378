"""A column of many texts, held in portions as it was read."""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from .arrow import compute, fill_missing

try:
    import pyarrow
except ImportError:  # an extra
    pyarrow = None

__all__ = [
    "Portion",
    "Texts",
    "as_texts",
    "buffer_of_texts",
    "bytes_of_texts",
    "ends_of_texts",
    "first_bytes",
    "list_texts",
    "release_freed",
]

#: Texts as one list, or as one array of Arrow, which takes a fifth of the memory: of texts, with a
#: dictionary of those that are distinct, or of integers where all are integers as JSON writes them.
Portion = Any


class Texts(Sequence[str | None]):
    """A column of texts in portions, each a list or an array of Arrow.

    It is a sequence like another one. What takes many texts takes ``portions``, so that no text
    becomes a Python object where it need not.

    Example:
        >>> from graphflow_nb.storage.texts import Texts
        >>> texts = Texts([["a", None], ["b"]])
        >>> len(texts), texts[-1], list(texts), texts[1:]
        (3, 'b', ['a', None, 'b'], [None, 'b'])

    Args:
        portions: The portions, in order.

    Attributes:
        portions: As given.
    """

    def __init__(self, portions: Sequence[Portion]):
        self.portions = portions
        self._ends = list(accumulate(map(len, portions)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[str | None]:
        for portion in self.portions:
            yield from list_texts(portion)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, Texts)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Texts: {len(self):,} in {len(self.portions):,} portions>"

    @overload
    def __getitem__(self, place: int) -> str | None: ...

    @overload
    def __getitem__(self, place: slice) -> list[str | None]: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step == 1:
                return self._slice(start, stop)
            return [self[each] for each in range(start, stop, step)]
        at = place + len(self) if place < 0 else place
        if not 0 <= at < len(self):
            raise IndexError(f"there are {len(self):,} texts, and none at {place}")
        number = bisect_right(self._ends, at)
        portion = self.portions[number]
        text = portion[at - self._ends[number] + len(portion)]
        value = text if text is None or isinstance(text, str) else text.as_py()
        return None if value is None else str(value)

    def _slice(self, start: int, stop: int) -> list[str | None]:
        found: list[str | None] = []
        for portion, end in zip(self.portions, self._ends, strict=True):
            first = end - len(portion)
            if first < stop and end > start:
                found += list_texts(portion[max(0, start - first) : stop - first])
        return found


def list_texts(portion: Portion) -> list[str | None]:
    """Return the texts of a portion as a list.

    Args:
        portion: The portion, a list or an array of Arrow.
    """
    if isinstance(portion, (list, tuple)):
        return list(portion)
    texts: list[str | None]
    if isinstance(portion, pyarrow.DictionaryArray) and len(portion.dictionary) <= len(portion):
        # Each text is one object, however often it is there.
        distinct = np.array([*portion.dictionary.to_pylist(), None], object)
        texts = distinct.take(fill_missing(portion.indices, -1).to_numpy()).tolist()
    else:
        texts = as_texts(portion).to_pylist()
    return texts


def as_texts(portion: Any) -> Any:
    """Return a portion that is an array of Arrow as an array of texts.

    Args:
        portion: The portion.
    """
    if isinstance(portion, pyarrow.DictionaryArray):
        return compute("take", portion.dictionary, portion.indices)
    return (
        compute("cast", portion, pyarrow.string()) if portion.type == pyarrow.int64() else portion
    )


def bytes_of_texts(texts: Any) -> bytes:
    """Return the bytes of all texts of an array of Arrow, one behind the other.

    To search them at once takes a hundredth of the time that it takes text by text. What is
    missing may have bytes too.

    Args:
        texts: The array, of texts of either size.
    """
    return bytes(buffer_of_texts(texts))


def buffer_of_texts(texts: Any) -> Any:
    """Return what ``bytes_of_texts`` returns without a copy, as a buffer of Arrow.

    Args:
        texts: The array, of texts of either size.
    """
    data = texts.buffers()[2]
    if not len(texts) or data is None:
        return pyarrow.py_buffer(b"")
    ends = ends_of_texts(texts)
    return data.slice(int(ends[0]), int(ends[-1] - ends[0]))


def first_bytes(texts: Any) -> bytes:
    """Return the different bytes with which the texts of an array of Arrow begin.

    Args:
        texts: The array, of texts of either size. What is missing may have bytes too.
    """
    ends = ends_of_texts(texts)
    data = texts.buffers()[2]
    if not len(texts) or data is None:
        return b""
    starts = ends[:-1][ends[1:] > ends[:-1]]
    found = np.zeros(256, bool)
    found[np.frombuffer(data, np.uint8)[starts]] = True
    return bytes(np.flatnonzero(found).tolist())


def ends_of_texts(texts: Any) -> NDArray[Any]:
    """Return where each text of an array of Arrow begins in its bytes, and where the last one ends.

    Args:
        texts: The array, of texts of either size.
    """
    large = str(texts.type) == "large_string"
    ends = np.frombuffer(texts.buffers()[1], np.int64 if large else np.int32)
    return ends[texts.offset : texts.offset + len(texts) + 1]


def release_freed() -> None:
    """Give the memory that Arrow and the C library have freed back to the system.

    Each keeps it for its own next arrays, and what the other one makes would need it again.
    """
    if pyarrow is not None:
        pyarrow.default_memory_pool().release_unused()
    if _trim is not None:
        _trim(0)


def _find_trim() -> Any:
    """Return the function by which the C library gives back what it keeps; None for none."""
    with suppress(AttributeError, OSError, TypeError):  # of GNU's alone
        return ctypes.CDLL(None).malloc_trim
    return None


_trim: Final = _find_trim()
