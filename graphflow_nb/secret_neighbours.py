"""Which values are secrets by what is beside them: a name, or the head of a column.

A name and its value are two values of an object or a list: ``{"name": "api_key", "value": …}``,
``{"type": "password", "value": …}``, ``["Cookie", …]``, ``["Accept", …, "X-Api-Key", …]``. In a
table the head says it of each cell below: ``{"columns": ["user", "password"], "rows": [[…]]}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeVar

__all__ = [
    "PLAIN",
    "TELLING_KEYS",
    "Inside",
    "Kind",
    "Place",
    "Reader",
    "is_innocent_item",
    "is_rows_key",
    "is_telling_key",
    "is_value_key",
    "look_into_list",
    "look_into_object",
    "may_be_name",
    "names_secret",
    "read_index",
]

#: Returns what kind of secret is under a key; None for none.
Kind: TypeAlias = Callable[[str], str | None]
_Value = TypeVar("_Value")


def _spell(words: str) -> frozenset[str]:
    """Return words in three spellings, so that a database can look for each of them."""
    spellings = (str.lower, str.title, str.upper)
    return frozenset(spell(word) for word in words.split() for spell in spellings)


_NAME_KEYS: Final = _spell(
    "name key header field variable var param parameter property attribute label k"
)
#: Under these is what a value is: ``{"type": "password", "value": …}``.
_TYPE_KEYS: Final = _spell("type kind")
#: Under these are the names of a table's columns.
_HEAD_KEYS: Final = _spell("columns cols column_names fields header headers names") | {
    "columnNames"
}
#: The keys under which a text, or a list of them, says what is under another key beside them.
TELLING_KEYS: Final = _NAME_KEYS | _TYPE_KEYS | _HEAD_KEYS
_VALUES: Final = "value val values content data stringdata default text v"
_VALUE_KEYS: Final = frozenset(_VALUES.split())
_ROWS_KEYS: Final = frozenset(("rows", "data", "values", "records"))
# Types of other things, by words that are a secret's as a key: a piece of a text, a pin on a map.
_OTHER_TYPES: Final = frozenset(("token", "tokens", "pin", "pass", "auth"))
_INNOCENT_LIST_ITEM: Final = re.compile(r"[A-Za-z]+(?:[ _-][A-Za-z]+)*")
_COLUMN: Final = re.compile(r"[A-Za-z]+(?:[ _-][A-Za-z]+)*[ _]?\d{0,2}")
_LONGEST_NAME: Final = 60


class Place(NamedTuple):
    """What is known of a value by what is around it.

    Attributes:
        covered: Whether it is a secret.
        among_pairs: Whether it is in a list, of which each item may be a name and its value.
        rows: If it is the rows of a table: the numbers of the columns that hold secrets.
        width: The number of columns of that table.
        columns: If it is a list: the numbers of the items that are secrets.
    """

    covered: bool = False
    among_pairs: bool = False
    rows: frozenset[int] = frozenset()
    width: int = 0
    columns: frozenset[int] = frozenset()

    def step(self, key: str) -> Place:
        """Return what is known of what is under a key or an index, whatever else is there."""
        if self.covered:
            return self
        if not (self.rows or self.columns) or (index := read_index(key)) is None:
            return PLAIN
        covered = bool(self.columns) if index < 0 else index in self.columns
        return Place(covered=covered, columns=self.rows)


#: That nothing is known.
PLAIN: Final = Place()


class Inside(NamedTuple):
    """What is known of the items of a list.

    Attributes:
        each: What is known of those that are not named.
        some: What is known of others, by their index.
    """

    each: Place = PLAIN
    some: Mapping[int, Place] = {}

    def at(self, index: int | None) -> Place:
        """Return what is known of an item; of none, what is known of any other."""
        return self.each if index is None else self.some.get(index, self.each)


class Reader(Protocol[_Value]):
    """How values of one form are read: JSON texts, or Python objects."""

    def text(self, value: _Value) -> str | None:
        """Return a short text; None for any other value."""

    def is_list(self, value: _Value) -> bool:
        """Return whether a value is a list."""

    def items(self, value: _Value) -> Sequence[_Value]:
        """Return the items of a list; none of any other value."""

    def parts(self, value: _Value) -> Mapping[str, _Value] | None:
        """Return the values of an object by their keys; None for any other value."""


def is_telling_key(key: str) -> bool:
    """Return whether a text under a key names what is under another key of the same object."""
    return key in _NAME_KEYS or key in _TYPE_KEYS


def is_value_key(key: str) -> bool:
    """Return whether under a key is what another key of the same object names."""
    return key.lower() in _VALUE_KEYS


def is_rows_key(key: str) -> bool:
    """Return whether under a key are the rows of a table, whose columns another key names."""
    return key.lower() in _ROWS_KEYS


def may_be_name(text: str) -> bool:
    """Return whether a text may be the name of something: it is short, of at most three words."""
    return 1 < len(text) <= _LONGEST_NAME and text.count(" ") <= 2 and "/" not in text


def names_secret(key: str, text: str | None, kind: Kind) -> bool:
    """Return whether a text under a key says that what is beside it is a secret.

    Example:
        >>> from graphflow_nb.secret_keys import secret_kind
        >>> from graphflow_nb.secret_neighbours import names_secret
        >>> pairs = [("name", "token"), ("type", "password"), ("type", "token"), ("user", "pin")]
        >>> [names_secret(key, text, secret_kind) for key, text in pairs]
        [True, True, False, False]
    """
    if text is None or not is_telling_key(key) or not may_be_name(text):
        return False
    return (key in _NAME_KEYS or text.lower() not in _OTHER_TYPES) and kind(text) is not None


def is_innocent_item(text: str) -> bool:
    """Return whether a text looks like a name beside another: ``["password", "email"]``."""
    return _INNOCENT_LIST_ITEM.fullmatch(text) is not None


def read_index(key: str) -> int | None:
    """Return the index that a key of a path means; None if it means none."""
    try:
        return int(key)
    except ValueError:
        return None


def look_into_object(
    parts: Mapping[str, _Value], read: Reader[_Value], kind: Kind
) -> Callable[[str], Place]:
    """Return what the parts of an object say of each other: a function of the key.

    Args:
        parts: The values by their keys.
        read: How they are read.
        kind: Returns what kind of secret is under a key.
    """
    named, rows, width = False, frozenset[int](), 0
    for key, part in parts.items():
        if key not in TELLING_KEYS:
            continue
        named = named or names_secret(key, read.text(part), kind)
        if not rows and key in _HEAD_KEYS and (items := read.items(part)):
            names = [_column_name(item, read) for item in items]
            rows, width = _find_columns(names, kind), len(names)
    if not (named or rows):
        return _say_nothing

    def place(key: str) -> Place:
        if named and is_value_key(key):
            return Place(covered=True)
        return Place(rows=rows, width=width) if rows and is_rows_key(key) else PLAIN

    return place


def _say_nothing(_key: str) -> Place:
    return PLAIN


def _column_name(item: _Value, read: Reader[_Value]) -> str | None:
    """Return the name of a column, which may be an object with its type too."""
    parts = read.parts(item)
    if parts is None:
        return read.text(item)
    return next((read.text(part) for key, part in parts.items() if key in _NAME_KEYS), None)


def _find_columns(names: Sequence[str | None], kind: Kind) -> frozenset[int]:
    return frozenset(
        n for n, name in enumerate(names) if name and may_be_name(name) and kind(name) is not None
    )


def look_into_list(
    items: Sequence[_Value], place: Place, read: Reader[_Value], kind: Kind
) -> Inside:
    """Return what the items of a list say of each other, and what is known of them besides.

    Args:
        items: The items.
        place: What is known of the list.
        read: How they are read.
        kind: Returns what kind of secret is under a key.
    """
    if not items:
        return Inside()
    if place.rows:
        if any(map(read.is_list, items)):
            return Inside(Place(columns=place.rows))
        if len(items) == place.width:  # one row
            return Inside(some=dict.fromkeys(place.rows, Place(covered=True)))
    if all(map(read.is_list, items)):
        columns = _find_columns_of(items, read, kind)
        if columns:
            return Inside(Place(columns=columns), {0: PLAIN})
        return Inside(Place(among_pairs=True))
    covered = set(place.columns)
    texts = [read.text(item) for item in items]
    names = [n for n, text in enumerate(texts) if text and may_be_name(text) and kind(text)]
    if names:
        covered.update(_find_values(texts, names, among_pairs=place.among_pairs))
    return Inside(some=dict.fromkeys(covered, Place(covered=True))) if covered else Inside()


def _find_values(
    texts: Sequence[str | None], names: Sequence[int], *, among_pairs: bool
) -> list[int]:
    """Return which items of a list are values, each behind the name of a secret.

    Args:
        texts: The items that are short texts; None for others.
        names: Which of them are names of secrets.
        among_pairs: Whether the list is in a list of names and their values.
    """
    values, others = texts[1::2], texts[::2]
    alternate = len(texts) % 2 == 0 and all(text and len(text) <= _LONGEST_NAME for text in others)
    # One list may be of names alone; in a list of lists of two, and beside what is no name, it
    # is not.
    certain = (among_pairs and len(texts) == 2) or (
        len(texts) > 2 and any(text is None or not _is_word(text) for text in values)
    )
    found = []
    for n in names:
        value = texts[n + 1] if n + 1 < len(texts) else ""
        if value == "":
            continue
        if (texts[n] or "").startswith("-"):  # an option of a command
            if value is not None and not value.startswith("-"):
                found.append(n + 1)
        elif alternate and n % 2 == 0 and (certain or not is_innocent_item(value or "")):
            found.append(n + 1)
    return found


def _is_word(text: str) -> bool:
    return re.fullmatch(r"\w+(?:[ .-]\w+)*", text) is not None


def _find_columns_of(rows: Sequence[_Value], read: Reader[_Value], kind: Kind) -> frozenset[int]:
    """Return which columns of a list of rows hold secrets, if the first row names them."""
    head = [read.text(item) for item in read.items(rows[0])]
    if len(rows) < 2 or len(head) < 2 or not all(text and _COLUMN.fullmatch(text) for text in head):
        return frozenset()
    columns = _find_columns(head, kind)
    if not columns:
        return columns
    # In each row of two may be a name and its value.
    end = 1 if len(head) == 2 and 0 in columns else None
    cells = (read.text(item) for row in rows[1:] for item in read.items(row)[:end])
    if any(text is None or (text and not is_innocent_item(text)) for text in cells):
        return columns
    return frozenset()  # words alone
