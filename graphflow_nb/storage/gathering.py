"""Columns that grow in place while rows come, each as one piece of memory.

Many small arrays that live as long as the column would leave as much memory unused between them,
and joined at the end they would be there twice.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .arrow import arrow_array, compute, fill_missing
from .texts import (
    Texts,
    as_texts,
    buffer_of_texts,
    bytes_of_texts,
    ends_of_texts,
    list_texts,
)

try:
    import pyarrow
except ImportError:  # an extra
    pyarrow = None

__all__ = [
    "GatheredFew",
    "GatheredLists",
    "GatheredNumbers",
    "GatheredTexts",
    "GatheredValues",
]

_PORTION: Final = 50_000  # texts in a portion of a column
_FIRST: Final = 1 << 24  # bytes that a column reserves at first; what is not needed stays free
_KINDS: Final = tuple(np.dtype(f"i{size}") for size in (1, 2, 4, 8))
_BOUNDS: Final = {kind: (np.iinfo(kind).min, np.iinfo(kind).max) for kind in _KINDS}
#: Texts are few if there are so many distinct ones at most, or so many rows for each of these.
_FEW: Final = 250
_ROWS_EACH: Final = 3
_MOST: Final = 10_000  # distinct ones, each of which is an object of Python while rows come


class _Memory:
    """Bytes that grow in place, apart from those of other objects.

    What an allocator is given back it keeps for others, and of memory that grows beside temporary
    objects much. This is the system's until it is written to, and again when nothing needs it.
    """

    def __init__(self) -> None:
        self._map = _new_map(_FIRST)
        self.size = 0

    def add(self, data: Any) -> None:
        """Add bytes, of which ``data`` is a buffer."""
        end = self.size + len(data)
        if end > len(self._map):
            larger = _new_map(max(2 * len(self._map), end))
            larger[: self.size] = self.view()
            self._map = larger
        self._map[self.size : end] = data
        self.size = end

    def view(self) -> memoryview:
        """Return what was added until now; it may be written to."""
        return memoryview(self._map)[: self.size]


def _new_map(size: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # no child's too


class _Misfit(Exception):
    """The exception for texts that a column of this kind can't hold."""


class GatheredLists:
    """A column of lists of texts, each of which stays as it came."""

    def __init__(self) -> None:
        self._portions: list[Any] = []

    def add(self, texts: Any) -> None:
        """Add a portion."""
        self._portions.append(texts)

    def finish(self, order: NDArray[np.int64] | None = None) -> Texts:
        """Return the column, and give it up.

        Args:
            order: The place of each text; None for the order in which they came.
        """
        if order is not None:
            self._portions = [self.take(order)]
        return Texts(self._portions)

    def take(self, places: NDArray[np.int64]) -> list[str | None]:
        """Return the texts at some places."""
        texts = list(chain.from_iterable(map(list_texts, self._portions)))
        return [texts[place] for place in places.tolist()]


class GatheredNumbers:
    """A column of integers, held in as few bytes as all of them need."""

    def __init__(self) -> None:
        self._kind = _KINDS[0]
        self._memory = _Memory()

    def __len__(self) -> int:
        return self._memory.size // self._kind.itemsize

    def add(self, numbers: NDArray[Any]) -> None:
        """Add a portion."""
        if self._kind.itemsize < numbers.itemsize and len(numbers):
            least, most = numbers.min(), numbers.max()
            kinds = _KINDS[_KINDS.index(self._kind) :]
            kind = next(k for k in kinds if _BOUNDS[k][0] <= least and most <= _BOUNDS[k][1])
            if kind != self._kind:
                held, self._memory, self._kind = self.view(), _Memory(), kind
                self._put(held)
        self._put(numbers)

    def _put(self, numbers: NDArray[Any]) -> None:
        self._memory.add(numbers.astype(self._kind, copy=False).data.cast("B"))

    def view(self) -> NDArray[Any]:
        """Return the numbers that were added until now, as they are held."""
        return np.frombuffer(self._memory.view(), self._kind)

    def finish(self, order: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return the column as it is held, and give it up; see ``GatheredLists``."""
        values, self._memory = self.view(), _Memory()
        return values if order is None else values.take(order)


class GatheredFew:
    """A column of texts of which few are distinct, in an array of Arrow with a dictionary."""

    def __init__(self) -> None:
        self._numbers = GatheredNumbers()
        self._known: dict[bytes, int] = {}
        self._last: tuple[Any, NDArray[np.int64]] | None = None

    @property
    def fits(self) -> bool:
        """Whether few texts are distinct until now."""
        distinct = len(self._known)
        if distinct > _MOST:
            return False
        return distinct <= max(_FEW, len(self._numbers) // _ROWS_EACH)

    @property
    def form(self) -> Any:
        """The type of Arrow in which a portion is added soonest."""
        return pyarrow.dictionary(pyarrow.int32(), pyarrow.string())

    def add(self, texts: Any) -> None:
        """Add an array of Arrow, of texts with a dictionary or without."""
        coded = texts
        if not isinstance(texts, pyarrow.DictionaryArray):
            coded = compute("dictionary_encode", texts)
        if self._last is None or not self._last[0].equals(coded.dictionary):
            known = self._known
            # As bytes: a database may hold what is not UTF-8.
            distinct = coded.dictionary.view(pyarrow.binary()).to_pylist()
            numbers = [known.setdefault(text, len(known)) for text in distinct]
            self._last = coded.dictionary, np.array([*numbers, -1], np.int64)
        places = fill_missing(coded.indices, -1).to_numpy()
        self._numbers.add(self._last[1].take(places))

    def finish(self, order: NDArray[np.int64] | None = None) -> Texts:
        """Return the column, and give it up; see ``GatheredLists``."""
        numbers = self._numbers.finish(order)
        missing = numbers < 0
        places = arrow_array(numbers, mask=missing if missing.any() else None)
        distinct = arrow_array(list(self._known), pyarrow.binary()).view(pyarrow.string())
        return Texts([pyarrow.DictionaryArray.from_arrays(places, distinct)] if len(places) else [])


def _take(texts: Any, places: NDArray[np.int64]) -> Any:
    return compute("take", texts, arrow_array(places))


class _Missing:
    """Where a column has no value."""

    def __init__(self) -> None:
        self._places: list[NDArray[np.int64]] = []

    def add(self, values: Any, start: int) -> None:
        """Note where an array of Arrow, which begins at a place of the column, has none."""
        if values.null_count:
            missing = np.flatnonzero(compute("is_null", values).to_numpy(zero_copy_only=False))
            self._places.append(missing + start)

    def where(self, count: int) -> NDArray[np.bool_] | None:
        """Return which of so many values are missing; None for none."""
        if not self._places:
            return None
        missing = np.zeros(count, bool)
        missing[np.concatenate(self._places)] = True
        return missing


class GatheredTexts:
    """A column of texts in an array of Arrow.

    Args:
        large: Whether it ends as the type that pandas has, whose offsets take twice as much.
    """

    def __init__(self, *, large: bool):
        self._large = large
        self._data = _Memory()
        self._ends = GatheredNumbers()
        self._ends.add(np.zeros(1, np.int64))
        self._missing = _Missing()

    @property
    def form(self) -> Any:
        """The type of Arrow in which a portion is added; see ``GatheredFew``."""
        return pyarrow.string()

    def add(self, texts: Any) -> None:
        """Add an array of texts of Arrow."""
        self._missing.add(texts, len(self._ends) - 1)
        start = self._data.size
        self._data.add(memoryview(buffer_of_texts(texts)))
        ends = ends_of_texts(texts)
        self._ends.add(ends[1:] + np.int64(start - int(ends[0])))

    def finish(self, order: NDArray[np.int64] | None = None) -> Texts:
        """Return the column, and give it up; see ``GatheredLists``."""
        whole = self._whole()
        del self._data, self._ends
        if order is not None:
            whole = _take(whole, order)
        if self._large:  # of the same bytes
            whole = compute("cast", whole, pyarrow.large_string())
        count = len(whole)
        return Texts([whole[start : start + _PORTION] for start in range(0, count, _PORTION)])

    def take(self, places: NDArray[np.int64]) -> list[str | None]:
        """Return the texts at some places."""
        texts: list[str | None] = _take(self._whole(), places).to_pylist()
        return texts

    def _whole(self) -> Any:
        ends, data = self._ends.view(), self._data.view()
        large = ends.dtype == np.int64
        ends = ends.astype(np.int64 if large else np.int32, copy=False)
        missing, known = self._missing.where(len(ends) - 1), None
        if missing is not None:
            known = pyarrow.py_buffer(np.packbits(~missing, bitorder="little"))
        return pyarrow.Array.from_buffers(
            pyarrow.large_string() if large else pyarrow.string(),
            len(ends) - 1,
            [known, pyarrow.py_buffer(ends), pyarrow.py_buffer(data)],
        )


class _GatheredIntegers:
    """A column of JSON texts that are integers, as numbers: an array of Arrow of int64."""

    def __init__(self) -> None:
        self._values = GatheredNumbers()
        self._missing = _Missing()

    @property
    def form(self) -> Any:
        """The type of Arrow in which a portion is added soonest; see ``GatheredFew``."""
        return pyarrow.int64()

    def add(self, texts: Any) -> None:
        """Add an array of Arrow, of texts or of integers.

        Raises:
            _Misfit: A text is not an integer, or not as an integer is written.
        """
        values = _read_integers(texts)
        self._missing.add(values, len(self._values))
        self._values.add(fill_missing(values, 0).to_numpy(zero_copy_only=False))

    def finish(self, order: NDArray[np.int64] | None = None) -> Texts:
        """Return the column, and give it up; see ``GatheredLists``."""
        missing = self._missing.where(len(self._values))
        values = self._values.finish(order).astype(np.int64, copy=False)
        if missing is not None and order is not None:
            missing = missing.take(order)
        return Texts([arrow_array(values, mask=missing)] if len(values) else [])


def _read_integers(texts: Any) -> Any:
    """Return the integers of JSON texts, from which the texts can be written again.

    Raises:
        _Misfit: A text is another one.
    """
    if texts.type == pyarrow.int64():
        return texts
    if isinstance(texts, pyarrow.DictionaryArray):
        texts = as_texts(texts)
    data = np.frombuffer(bytes_of_texts(texts), np.uint8)
    if bytes(data).translate(None, b"-0123456789"):
        raise _Misfit
    ends = ends_of_texts(texts)
    starts, sizes = ends[:-1] - ends[0], ends[1:] - ends[:-1]
    longer = starts[sizes > 1]
    second = data[longer + 1]
    # A zero in front of other digits, or behind a minus.
    if ((data[longer] == ord("0")) | ((data[longer] == ord("-")) & (second == ord("0")))).any():
        raise _Misfit
    try:
        return compute("cast", texts, pyarrow.int64())
    except pyarrow.ArrowInvalid:  # beyond int64
        raise _Misfit from None


class GatheredValues:
    """A column of texts in the form of Arrow in which it takes least.

    That is one with dictionaries while few texts are distinct, one of integers while all are
    integers as JSON writes them, or one of texts.

    Args:
        large: See ``GatheredTexts``.
        json: Whether the texts are JSON.
    """

    def __init__(self, *, large: bool = False, json: bool = True):
        self._column: Any = GatheredFew()
        self._others: list[Callable[[], Any]] = [_GatheredIntegers] if json else []
        self._others.append(partial(GatheredTexts, large=large))

    @property
    def form(self) -> Any:
        """The type of Arrow in which a portion is added soonest; see ``GatheredFew``."""
        return self._column.form

    def add(self, texts: Any) -> None:
        """Add an array of Arrow, of texts with or without a dictionary, or of integers."""
        while True:
            try:
                self._add(self._column, texts)
            except _Misfit:
                self._change()
            else:
                break
        if isinstance(self._column, GatheredFew) and not self._column.fits:
            self._change()

    def finish(self, order: NDArray[np.int64] | None = None) -> Texts:
        """Return the column; see ``GatheredLists``."""
        found: Texts = self._column.finish(order)
        return found

    def _add(self, column: Any, texts: Any) -> None:
        column.add(as_texts(texts) if isinstance(column, GatheredTexts) else texts)

    def _change(self) -> None:
        """Hold the column in the next form that can hold what there is of it."""
        held = self._column.finish().portions
        while True:
            self._column = self._others.pop(0)()
            try:
                for portion in held:
                    self._add(self._column, portion)
            except _Misfit:
                continue
            return
