"""What a page shows of sessions, taken at one moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, Self

import pandas as pd

from ...model import Session

__all__ = ["PolledPage", "ShownPage", "ShownSession", "problems_of_page", "shown_sessions"]


class ShownSession(NamedTuple):
    """What a row shows of a session: enough to notice that it was changed, or replaced by another.

    Attributes:
        id, version, graph_id, current_task_id, status_message: As in the session.
        created_at, updated_at: The store's times; None where it knows none.
    """

    id: str
    version: int
    graph_id: str
    current_task_id: str
    status_message: str | None
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, session: Session | None) -> Self | None:
        """Return what a row would show of a session; None for None."""
        if session is None:
            return None
        return cls(*(getattr(session, name) for name in cls._fields))


class ShownPage(NamedTuple):
    """A page as it is to be shown, taken at one moment.

    Attributes:
        frame: The rows; None while they were not read.
        ids: The ids of the rows, in order.
        selected: The ids of the selected rows.
        changed: The ids of the rows that changed.
    """

    frame: pd.DataFrame | None
    ids: list[str]
    selected: list[str]
    changed: list[str]


class PolledPage(NamedTuple):
    """A page that was read behind the view, and is not shown yet.

    Attributes:
        frame: The rows, followed by those that are kept though they have left the page.
        kept: The number of these.
        wanted: The ids of the rows that were to be kept.
        loads: How often a person had read the page before: if it was read again meanwhile, this
            one is outdated.
    """

    frame: pd.DataFrame
    kept: int
    wanted: frozenset[str]
    loads: int


def problems_of_page(frame: pd.DataFrame) -> dict[str, str]:
    problems: dict[str, str] = frame.attrs.get("problems", {})
    return problems


def shown_sessions(frame: pd.DataFrame) -> dict[str, ShownSession]:
    """Return what each row of a page shows, by id."""
    columns = [_values(frame[name]) for name in ShownSession._fields]
    return {row[0]: ShownSession._make(row) for row in zip(*columns, strict=True)}


def _values(column: pd.Series[Any]) -> list[Any]:
    if column.dtype.kind == "M":
        return [None if time is pd.NaT else time.to_pydatetime() for time in column]
    return [value if isinstance(value, (str, int)) else None for value in column.tolist()]
