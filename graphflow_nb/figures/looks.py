"""How a name is drawn: its colour, dashes and shape, the same in every picture.

A look belongs to a name, not to its place among those that happen to be shown. The usual
operations and stores have fixed looks; every other name takes the next free one when it is first
drawn, and keeps it as long as the process lives. Operations, stores and phases have colours of
their own, which no other kind of thing has.

All colours of operations and stores stand out from white and from black (WCAG 2.1, 3 : 1), so they
are the same in each theme. People with protanopia and deuteranopia can distinguish the first four
of each; dashes and shapes differ for everyone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

from .theme import DASHES, MARKERS

__all__ = ["OPERATIONS", "PHASE_COLOURS", "STORES", "Look", "look_of", "name_of", "rest_look"]

OPERATIONS: Final = ("#2b7fc4", "#d9730d", "#1f9a63", "#c64f9f", "#ac00e6", "#bd301c")
STORES: Final = ("#8a5cf0", "#12a0b5", "#8c8400", "#d8415f", "#19a819", "#8d6094")
#: Pale, with dark text on them: they are parts of bars, beside each other.
PHASE_COLOURS: Final = {
    "wait": "#cdb87c",
    "encode": "#a895e0",
    "execute": "#5f9c90",
    "decode": "#ecc3b4",
    "other": "#9298a1",
}
REST: Final = "#8a8a8a"

LOOKS: Final = len(OPERATIONS) * len(MARKERS)  # before a look comes again
MOST_NAMES: Final = 10_000  # of one column; of more, some share a look


class Look(NamedTuple):
    """How a name is drawn.

    Attributes:
        colour: The colour, on any ground.
        dashes: The dashes of its lines.
        marker: The shape of its marks.
    """

    colour: str
    dashes: Any
    marker: str


class _Looks:
    """The looks of the names of one column.

    Args:
        colours: The colours, which are taken in turn.
        known: Names whose number is fixed.
    """

    def __init__(self, colours: Sequence[str], known: Mapping[str, int]):
        self._colours = colours
        self._numbers = dict(known)
        self._next = max(known.values(), default=-1) + 1
        self._lock = threading.Lock()

    def find(self, name: str) -> Look:
        """Return the look of this name, always the same."""
        with self._lock:
            number = self._numbers.get(name)
            if number is None:
                if len(self._numbers) < MOST_NAMES:
                    number = self._numbers[name] = self._next % LOOKS
                    self._next += 1
                else:
                    number = crc32(name.encode(errors="replace")) % LOOKS
        colour = self._colours[number % len(self._colours)]
        # The numbers of colours and shapes have no common factor: all pairs come before one again.
        return Look(colour, DASHES[number % len(DASHES)], MARKERS[number % len(MARKERS)])


_STORE_NAMES: Final = {
    "PostgresSessionStorage": 0,
    "postgres": 0,
    "PostgreSQL": 0,
    "SqliteSessionStorage": 1,
    "sqlite": 1,
    "SQLite": 1,
    "InMemorySessionStorage": 2,
    "memory": 2,
    "RedisSessionStorage": 3,
    "redis": 3,
    "Redis": 3,
    "Valkey": 3,
}
#: Operations of a storage, and the requests of a benchmark that are the same.
_OPERATION_NAMES: Final = {
    "get": 0,
    "read": 0,
    "save": 1,
    "update": 1,
    "table": 2,
    "scan": 2,
    "delete": 3,
    "insert": 3,
}
_columns: dict[str, _Looks] = {
    "op": _Looks(OPERATIONS, _OPERATION_NAMES),
    "storage": _Looks(STORES, _STORE_NAMES),
}
_columns_lock = threading.Lock()


def look_of(column: str, name: str) -> Look:
    """Return how a value of a column is drawn, in this and in every other picture.

    Example:
        >>> from graphflow_nb.figures.looks import look_of
        >>> look_of("op", "get").colour, look_of("storage", "PostgresSessionStorage").colour
        ('#2b7fc4', '#8a5cf0')

    Args:
        column: The name of the column: ``op``, ``storage``, or any other.
        name: The value.
    """
    with _columns_lock:
        looks = _columns.get(column)
        if looks is None:
            looks = _columns[column] = _Looks(OPERATIONS, {})
    return looks.find(name)


#: A frame has the classes of storages; a person knows them by the names of the databases.
_DATABASES: Final = {
    "PostgresSessionStorage": "PostgreSQL",
    "SqliteSessionStorage": "SQLite",
    "InMemorySessionStorage": "memory",
    "RedisSessionStorage": "Redis",
}


def name_of(column: str, value: object) -> object:
    """Return the value of a column as figures name it: ``Redis`` for ``RedisSessionStorage``."""
    return _DATABASES.get(str(value), value) if column == "storage" else value


def rest_look() -> Look:
    """Return how everything is drawn that has no look of its own: others, in grey."""
    return Look(REST, DASHES[-1], MARKERS[-1])
