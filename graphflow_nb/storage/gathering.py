"""Columns that grow in place while rows come, each as one piece of memory.

Many small arrays that live as long as the column would leave as much memory unused between them,
and joined at the end they would be there twice.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .texts import Texts, ends_of_texts, list_texts

try:
    import pyarrow
except ImportError:  # an extra
    pyarrow = None

__all__ = ["GatheredFew", "GatheredLists", "GatheredTexts"]

_PORTION: Final = 50_000  # texts in a portion of a column
_SMALL: Final = 2**31 - 1  # the last place in the bytes that a small offset reaches


class GatheredLists:
    """A column of lists of texts, each of which stays as it came."""

    def __init__(self) -> None:
        self._portions: list[Any] = []

    def add(self, texts: Any) -> None:
        """Add a portion."""
        self._portions.append(texts)

    def finish(self, order: NDArray[np.int64] | None = None) -> Texts:
        """Return the column.

        Args:
            order: The place of each text; None for the order in which they came.
        """
        if order is None:
            return Texts(self._portions)
        return Texts([self.take(order)])

    def take(self, places: NDArray[np.int64]) -> list[str | None]:
        """Return the texts at some places."""
        texts = list(chain.from_iterable(map(list_texts, self._portions)))
        return [texts[place] for place in places.tolist()]


class GatheredFew(GatheredLists):
    """A column of texts of which few are distinct, in arrays of Arrow, each with its dictionary."""

    def add(self, texts: Any) -> None:
        """Add an array of Arrow with a dictionary; its places take a quarter of the memory."""
        super().add(_narrow(texts))

    def finish(self, order: NDArray[np.int64] | None = None) -> Texts:
        """Return the column; see ``GatheredLists``."""
        if order is None or not self._portions:
            return super().finish()
        portions = [_with_places(portion, pyarrow.int32()) for portion in self._portions]
        self._portions.clear()
        whole = pyarrow.chunked_array(portions).unify_dictionaries().combine_chunks()
        return Texts([_narrow(_take(whole, order))])


def _take(texts: Any, places: NDArray[np.int64]) -> Any:
    return texts.take(pyarrow.array(places))


def _narrow(texts: Any) -> Any:
    few = len(texts.dictionary) <= np.iinfo(np.int8).max
    return _with_places(texts, pyarrow.int8()) if few else texts


def _with_places(texts: Any, kind: Any) -> Any:
    return pyarrow.DictionaryArray.from_arrays(texts.indices.cast(kind), texts.dictionary)


class GatheredTexts:
    """A column of texts in an array of Arrow.

    Args:
        large: Whether it is to be of the type that pandas has, whose offsets take twice as much.
    """

    def __init__(self, *, large: bool):
        self._data = bytearray()
        self._ends = array("q" if large else "i", [0])
        self._missing: list[NDArray[np.int64]] = []

    def add(self, texts: Any) -> None:
        """Add an array of Arrow, of texts of the same type."""
        if texts.null_count:
            missing = np.flatnonzero(texts.is_null().to_numpy(zero_copy_only=False))
            self._missing.append(missing + (len(self._ends) - 1))
        ends = ends_of_texts(texts)
        first, start = int(ends[0]), len(self._data)
        if texts.buffers()[2] is not None:
            self._data += memoryview(texts.buffers()[2])[first : int(ends[-1])]
        if len(self._data) > _SMALL and self._ends.typecode == "i":
            self._ends = array("q", self._ends)
        wider = ends[1:].astype(self._ends.typecode) + (start - first)
        self._ends.frombytes(wider.data.cast("B"))

    def finish(self, order: NDArray[np.int64] | None = None) -> Texts:
        """Return the column; see ``GatheredLists``."""
        whole = self._whole()
        if order is not None:
            whole = _take(whole, order)
        count = len(whole)
        return Texts([whole[start : start + _PORTION] for start in range(0, count, _PORTION)])

    def take(self, places: NDArray[np.int64]) -> list[str | None]:
        """Return the texts at some places."""
        texts: list[str | None] = _take(self._whole(), places).to_pylist()
        return texts

    def _whole(self) -> Any:
        count = len(self._ends) - 1
        kind = pyarrow.large_string() if self._ends.typecode == "q" else pyarrow.string()
        known = None
        if self._missing:
            bits = np.ones(count, bool)
            bits[np.concatenate(self._missing)] = False
            known = pyarrow.py_buffer(np.packbits(bits, bitorder="little"))
        buffers = [known, pyarrow.py_buffer(self._ends), pyarrow.py_buffer(self._data)]
        return pyarrow.Array.from_buffers(kind, count, buffers)
