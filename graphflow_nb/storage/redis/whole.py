"""All sessions of Redis by column: their values are let go as soon as the columns are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..paths import ContextPath
from ..query import Query
from ..rows import build_table, take_page
from ..table import Table, add_problem
from .form import digest
from .odd import OddStored, time_problem
from .records import Found

__all__ = ["Gathered", "note_problems"]

_MOST_KNOWN: Final = 10_000  # texts that are looked for among those of others
_NUMBERS: Final = ("version", "created", "updated", "context_bytes", "messages")
_TEXTS: Final = ("id", "graph_id", "current_task_id", "status_message")
_FEW: Final = _TEXTS[1:]  # texts that often are those of another session


class _Times(NamedTuple):
    """What orders a session."""

    place: int
    created: int
    updated: int


class Gathered:
    """The columns of the sessions that a query selects, which come in portions and in no order.

    Args:
        query: The query, without a limit.
        context: The context paths that get a column each.
    """

    def __init__(self, query: Query, context: Sequence[ContextPath]):
        self._query = query
        self._context = context
        self._known: dict[str | None, str | None] = {}
        self._parts: list[Table] = []

    @property
    def rows(self) -> int:
        """The number of sessions."""
        return sum(map(len, self._parts))

    def add(self, found: Sequence[Found]) -> None:
        """Add sessions."""
        part = build_table(found, self._query, self._context)
        note_problems(part, found)
        part.marks = [digest(stored.text) for _, stored in found]
        for name in _FEW:
            texts = getattr(part, name)
            setattr(part, name, [self._known.setdefault(text, text) for text in texts])
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._parts.append(part)

    def finish(self) -> Table:
        """Return the table, in the order of the query, without the times at which they expire."""
        joined = build_table([], self._query, self._context)
        problems: dict[str, str] = {}
        for part in self._parts:
            problems |= part.problems
        ids: list[str] = self._join("id")
        created, updated = self._join_numbers("created"), self._join_numbers("updated")
        times = map(_Times, range(len(ids)), created.tolist(), updated.tolist())
        order = [row.place for _, row in take_page(list(zip(ids, times, strict=True)), self._query)]
        for name in _NUMBERS:
            setattr(joined, name, self._join_numbers(name)[order])
        for name in (*_TEXTS, "marks"):
            texts = self._join(name)
            setattr(joined, name, [texts[place] for place in order])
        for number in range(len(self._context)):
            values = [text for part in self._parts for text in part.context[number]]
            joined.context[number] = [values[place] for place in order]
        self._parts.clear()
        if problems:  # also of sessions before the place after which the query begins
            joined.problems = {id: problems[id] for id in joined.id if id in problems}
        return joined

    def _join(self, name: str) -> list[Any]:
        return [text for part in self._parts for text in getattr(part, name)]

    def _join_numbers(self, name: str) -> NDArray[np.int64]:
        nothing = np.zeros(0, np.int64)
        return np.concatenate([nothing, *(getattr(part, name) for part in self._parts)])


def note_problems(table: Table, found: Sequence[Found]) -> None:
    """Add what is wrong with sessions to the problems of their table."""
    for id, stored in found:
        wrong = stored.problem if isinstance(stored, OddStored) else time_problem(stored)
        if wrong:
            add_problem(table.problems, id, wrong)
