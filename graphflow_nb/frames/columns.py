"""Columns of a DataFrame from texts, JSON texts and times, portion by portion."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ContextError
from ..model import exactjson
from ..model.masks import Mask
from ..model.times import FIRST, LAST, UNKNOWN_TIME
from ..secret_texts import MAY_HIDE
from ..storage.arrow import arrow_array, compute, fill_missing
from ..storage.texts import (
    Portion,
    Texts,
    buffer_of_texts,
    bytes_of_texts,
    first_bytes,
    list_texts,
)

try:
    import pyarrow
except ImportError:  # an extra
    pyarrow = None

__all__ = [
    "TEXT",
    "category_column",
    "hide_texts",
    "may_hide",
    "object_array",
    "portions_of",
    "text_column",
    "time_column",
    "value_column",
]

TEXT = pd.Series(["x"]).astype("str").dtype  # "str" in pandas 3, object before
#: Whether pandas takes texts as Arrow has them.
_TAKES_ARROW: Final = pyarrow is not None and getattr(TEXT, "storage", None) == "pyarrow"
# What occurs in each JSON text in which a part of a text, or a part of a list, may be a secret.
_MAY_HIDE: Final = rf"(?m)^[\[{{]|\\|{MAY_HIDE}"
_PORTION: Final = 50_000  # values of a column that is decoded at once
_EXACT: Final = 2**53  # the greatest integer up to which floats have all
_NO_VALUES: Final = frozenset[type]()
#: The types whose values several cells may share; lists and objects can be changed in one of them.
_SHARED: Final = frozenset[type]((str, bool, int, float))


def text_column(values: Sequence[str | None] | NDArray[np.object_]) -> Any:
    """Return texts as a column."""
    make: Any = pd.array  # its stubs know no dtype that is not a literal
    if isinstance(values, Texts) and _TAKES_ARROW:
        arrays = [array for portion in values.portions for array in _as_arrow(portion)]
        return make(pyarrow.chunked_array(arrays, pyarrow.large_string()), dtype=TEXT)
    return make(object_array(values), dtype=TEXT)


def _as_arrow(portion: Portion) -> Iterator[Any]:
    """Yield a portion of texts as arrays that pandas holds."""
    large = pyarrow.large_string()
    if isinstance(portion, list):
        yield arrow_array(portion, large)
    elif isinstance(portion, pyarrow.DictionaryArray):
        distinct = compute("cast", portion.dictionary, large)
        for start in range(0, len(portion), _PORTION):  # what is taken grows while it is
            yield compute("take", distinct, portion.indices[start : start + _PORTION])
    else:
        yield portion if portion.type == large else compute("cast", portion, large)


def object_array(values: Sequence[Any] | NDArray[np.object_]) -> NDArray[np.object_]:
    """Return values as an array of objects, each as it is."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, Texts):
        return np.fromiter(values, object, len(values))
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def category_column(values: Sequence[str]) -> pd.Categorical:
    """Return texts as a column of few distinct values."""
    known: dict[str, int] = {}
    numbers = np.concatenate([*_number(values, known), np.zeros(0, np.int8)])
    # Few distinct values among many: a dict finds the codes quicker than a sort.
    names = sorted(known)
    places = np.empty(len(names), _narrowest(len(names)))
    places[[known[name] for name in names]] = np.arange(len(names))
    return pd.Categorical.from_codes(
        places[numbers] if len(names) else numbers, categories=pd.Index(names, dtype=TEXT)
    )


def _narrowest(count: int) -> np.dtype[Any]:
    """Return the type for so many numbers from 0, and for -1."""
    return np.min_scalar_type(-count - 1)


def _number(values: Sequence[str], known: dict[str, int]) -> Iterator[NDArray[np.signedinteger]]:
    """Yield the number of each text, portion by portion; ``known`` has the number by the text."""

    def number(text: str) -> int:
        return known.setdefault(text, len(known))

    for portion in values.portions if isinstance(values, Texts) else [values]:
        if pyarrow is not None and isinstance(portion, pyarrow.Array):
            coded = portion
            if not isinstance(portion, pyarrow.DictionaryArray):
                coded = compute("dictionary_encode", portion)
            numbers = [number(text) for text in coded.dictionary.to_pylist()]
            yield np.array(numbers, _narrowest(len(known)))[coded.indices.to_numpy()]
        else:
            for text in set(portion):
                number(text)
            dtype = _narrowest(len(known))
            yield np.fromiter(map(known.__getitem__, portion), dtype, len(portion))


def time_column(micros: NDArray[np.int64]) -> pd.DatetimeIndex:
    """Return times as a column; what Python's datetime can't hold is missing.

    Args:
        micros: The times as a ``Table`` has them.
    """
    if len(micros) and (micros.min() < FIRST or micros.max() > LAST):
        known = (micros >= FIRST) & (micros <= LAST)
        micros = np.where(known, micros, UNKNOWN_TIME)
    return pd.DatetimeIndex(micros, dtype="datetime64[us, UTC]", copy=False)


# Values of contexts


def may_hide(portion: Portion) -> bool:
    """Return whether one of the JSON texts of a portion has what all secrets in them have."""
    if pyarrow is not None and isinstance(portion, pyarrow.Array):
        texts = _distinct(portion)
        if texts.type == pyarrow.int64():
            return False
        starts = first_bytes(texts)
        return not _NESTED.isdisjoint(starts) or (b'"' in starts and _matches(texts, _MAY_HIDE))
    return _matches(portion, _MAY_HIDE)


def _distinct(portion: Any) -> Any:
    """Return an array of Arrow that has each of the texts of a portion."""
    return portion.dictionary if isinstance(portion, pyarrow.DictionaryArray) else portion


def _matches(portion: Portion, pattern: str) -> bool:
    """Return whether a pattern is found in a portion of texts.

    It may be found over two of them. They are searched as one text, which takes a tenth of the
    time that it takes text by text.
    """
    if pyarrow is None:
        return re.search(pattern, "\n".join(filter(None, portion))) is not None
    if isinstance(portion, pyarrow.Array):
        data = buffer_of_texts(_distinct(portion))
    else:
        joined = "\n".join(filter(None, portion))
        data = pyarrow.py_buffer(joined.encode(errors="surrogatepass"))
    ends = pyarrow.py_buffer(np.array([0, data.size], np.int64))
    whole = pyarrow.Array.from_buffers(pyarrow.large_binary(), 1, [None, ends, data])
    return bool(compute("match_substring_regex", whole, pattern)[0].as_py())


def hide_texts(values: Sequence[str | None], mask: Mask) -> Sequence[str | None]:
    """Return texts of a column without the secrets in them."""
    if not isinstance(values, Texts):
        return mask.hide_each(values)
    shown = [
        mask.hide_each(list_texts(portion)) if _matches(portion, MAY_HIDE) else portion
        for portion in values.portions
    ]
    return Texts(shown)


class _Values(NamedTuple):
    """The values of a portion of a column.

    Attributes:
        values: The values: an array of their type, or of objects.
        missing: Where there is none; None where all are there, or where the array has it.
        kinds: The types of the values.
        exact: Whether a float has each of the integers.
        source: The JSON texts, where integers and floats are values of one array.
    """

    values: Any
    missing: NDArray[np.bool_] | None
    kinds: frozenset[type]
    exact: bool = True
    source: Portion | None = None


def value_column(texts: Iterable[Portion]) -> Any:
    """Return JSON texts as the narrowest column that holds all; absent and null are missing.

    Args:
        texts: The texts in portions.
    """
    portions = [_read_values(portion) for portion in texts]
    kinds = frozenset[type]().union(*(each.kinds for each in portions))
    missing = any(each.missing is not None for each in portions)
    if kinds == {str}:
        return _join_texts(portions)
    if len(kinds) == 1 and kinds <= _ARRAYS.keys() and all(_is_typed(p) for p in portions):
        kind = next(iter(kinds))
        values = _join(portions, _ARRAYS[kind])
        if kind is float:
            return values
        return _NULLABLE[kind](values, _join_missing(portions)) if missing else values
    if kinds == {int, float} and all(_is_typed(p) and p.exact for p in portions):
        return _join(portions, np.float64)
    return np.concatenate([*map(_as_objects, portions), np.empty(0, object)])


_ARRAYS: Final[dict[type, Any]] = {bool: np.bool_, int: np.int64, float: np.float64}
_NULLABLE: Final[dict[type, Callable[..., Any]]] = {
    bool: pd.arrays.BooleanArray,
    int: pd.arrays.IntegerArray,
}


def portions_of(texts: Sequence[str | None], *, consume: bool = False) -> Iterator[Portion]:
    """Yield a column of texts in portions.

    Args:
        texts: The column.
        consume: Whether it gives up each portion that it holds, so that memory holds only one of
            them in two forms.
    """
    if not isinstance(texts, Texts):
        for start in range(0, len(texts), _PORTION):
            yield texts[start : start + _PORTION]
    elif consume:
        portions, texts.portions = list(reversed(texts.portions)), []
        while portions:
            yield portions.pop()
    else:
        yield from texts.portions


def _is_typed(portion: _Values) -> bool:
    return not portion.kinds or portion.values.dtype != object


def _join(portions: Sequence[_Values], dtype: Any) -> Any:
    """Return the values of portions as one array; NaN, or 0, is where one is missing."""
    nothing = np.nan if dtype is np.float64 else 0
    joined = np.empty(sum(len(each.values) for each in portions), dtype)
    start = 0
    for values, missing, kinds, *_ in portions:
        here = joined[start : start + len(values)]
        here[:] = values if kinds else nothing
        if missing is not None:
            here[missing] = nothing
        start += len(values)
    return joined


def _join_missing(portions: Sequence[_Values]) -> NDArray[np.bool_]:
    return np.concatenate(
        [
            np.zeros(len(each.values), bool) if each.missing is None else each.missing
            for each in portions
        ]
    )


def _join_texts(portions: Sequence[_Values]) -> Any:
    columns = []
    for values, _, kinds, *_ in portions:
        if isinstance(values, np.ndarray):
            columns.append(values.tolist() if kinds else [None] * len(values))
        else:
            columns.append(values)
    return text_column(Texts(columns))


def _as_objects(portion: _Values) -> NDArray[np.object_]:
    values, missing, kinds, _, source = portion
    if source is not None:
        return object_array(_decode(list_texts(source)))
    if not isinstance(values, np.ndarray):  # of Arrow
        return object_array(values.to_pylist())
    objects = values.astype(object) if kinds else np.full(len(values), None, object)
    if missing is not None:
        objects[missing] = None
    return objects


def _read_values(portion: Portion) -> _Values:
    if pyarrow is None or not isinstance(portion, pyarrow.Array):
        return _read_list(portion)
    if isinstance(portion, pyarrow.DictionaryArray):
        return _read_few(portion) or _read_list(list_texts(portion))
    return _read_arrow(portion) or _read_list(list_texts(portion))


def _read_few(portion: Any) -> _Values | None:
    """Return the values of texts with a dictionary; None where each needs a value of its own."""
    values, missing, kinds, exact, source = _read_values(portion.dictionary)
    if not kinds <= _SHARED:
        return None
    absent = _missing_in(portion.indices)
    places = fill_missing(portion.indices, 0).to_numpy()
    if not kinds:
        values, missing = np.empty(len(portion), object), np.ones(len(portion), bool)
    else:
        missing = None if missing is None else missing.take(places)
        if not isinstance(values, np.ndarray):  # of Arrow, and missing where there is no place
            values = pyarrow.DictionaryArray.from_arrays(portion.indices, values)
        else:
            values = values.take(places)
            if values.dtype == object and absent is not None:
                values[absent] = None
    if absent is not None:
        missing = absent if missing is None else missing | absent
    return _Values(values, missing, kinds, exact, None if source is None else portion)


def _decode(texts: Sequence[str | None]) -> list[Any]:
    """Return the value of each JSON text; None where there is none."""
    present = [text for text in texts if text is not None]
    try:
        found: list[Any] = msgspec.json.decode("[" + ",".join(present) + "]")
    except msgspec.MsgspecError:  # for example a number beyond float or int
        found = [_decode_or_text(text) for text in present]
    if len(present) == len(texts):
        return found
    each = iter(found)
    return [None if text is None else next(each) for text in texts]


def _read_list(texts: Sequence[str | None]) -> _Values:
    values = _decode(texts)
    kinds = frozenset(map(type, values)) - {type(None)}
    missing = np.fromiter((value is None for value in values), bool, len(values))
    absent = missing if missing.any() else None
    if kinds == {int} and not all(v is None or -(2**63) <= v < 2**63 for v in values):
        return _Values(object_array(values), absent, kinds)
    if kinds and kinds <= {int, float}:
        exact = all(type(v) is not int or abs(v) <= _EXACT for v in values)
        if exact and float in kinds:
            array = np.array([np.nan if v is None else v for v in values], np.float64)
            return _Values(array, absent, kinds, source=list(texts) if int in kinds else None)
        if kinds == {int}:
            array = np.array([0 if v is None else v for v in values], np.int64)
            return _Values(array, absent, kinds, exact)
    if kinds == {bool}:
        return _Values(np.array([v is True for v in values], bool), absent, kinds)
    return _Values(object_array(values), absent, kinds)


def _read_arrow(texts: Any) -> _Values | None:
    """Return the values of an array of JSON texts; None where they have several types."""
    if texts.null_count == len(texts):
        absent = np.ones(len(texts), bool) if len(texts) else None
        return _Values(np.empty(len(texts), object), absent, _NO_VALUES)
    if texts.type == pyarrow.int64():
        return _integers(texts, _missing_in(texts))
    firsts = set(first_bytes(texts))
    if ord("n") in firsts:  # null
        texts = compute("if_else", compute("equal", texts, "null"), None, texts)
        firsts.discard(ord("n"))
    missing = _missing_in(texts)
    if firsts == {ord('"')}:
        if b"\\" in bytes_of_texts(texts):
            return None
        inside = compute("binary_slice", compute("cast", texts, pyarrow.binary()), 1, -1)
        return _Values(compute("cast", inside, pyarrow.string()), missing, frozenset({str}))
    if firsts and firsts <= _BOOLEAN:
        values = fill_missing(compute("equal", texts, "true"), False)
        return _Values(values.to_numpy(zero_copy_only=False), missing, frozenset({bool}))
    if firsts and firsts <= _NUMERIC:
        return _read_numbers(texts, missing)
    return None


def _missing_in(values: Any) -> NDArray[np.bool_] | None:
    """Return where an array of Arrow has no value; None for nowhere."""
    if not values.null_count:
        return None
    missing: NDArray[np.bool_] = compute("is_null", values).to_numpy(zero_copy_only=False)
    return missing


_NESTED: Final = frozenset(b"[{")
_BOOLEAN: Final = frozenset(b"tf")
_NUMERIC: Final = frozenset(b"-0123456789")


def _read_numbers(texts: Any, missing: NDArray[np.bool_] | None) -> _Values | None:
    """Return the values of numbers as JSON; None where an array of them would not be exact."""
    data = bytes_of_texts(texts)
    exponents = b"e" in data or b"E" in data  # which PostgreSQL does not write
    some = exponents or b"." in data
    try:
        integers = texts
        if some:
            found, pattern = "match_substring", "."
            if exponents:
                found, pattern = "match_substring_regex", "[.eE]"
            fractions = fill_missing(compute(found, texts, pattern), False)
            integers = compute("if_else", fractions, None, texts)
        if b"-0" in data and compute("any", compute("equal", integers, "-0")).as_py():
            return None
        numbers = _integers(compute("cast", integers, pyarrow.int64()), missing)
        if not some:
            return numbers
        floats = compute("cast", texts, pyarrow.float64()).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowInvalid:  # an integer beyond int64
        return None
    if not numbers.exact or np.isinf(floats).any():
        return None
    if integers.null_count == len(texts):
        return _Values(floats, missing, frozenset({float}))
    return _Values(floats, missing, frozenset({int, float}), source=texts)


def _integers(numbers: Any, missing: NDArray[np.bool_] | None) -> _Values:
    """Return the values of an array of Arrow of int64."""
    values = fill_missing(numbers, 0).to_numpy(zero_copy_only=False)
    exact = not len(values) or bool(values.min() >= -_EXACT and values.max() <= _EXACT)
    return _Values(values, missing, frozenset({int}), exact)


def _decode_or_text(text: str) -> Any:
    try:
        value = exactjson.decode(text)
    except ContextError:  # an integer of thousands of digits
        return text
    return text if isinstance(value, float) and math.isinf(value) else value
