"""What a page shows of sessions, taken at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from ...frames import sessions_frame
from ...model import Session
from ...model.masks import DEFAULT_MASK, Mask
from ...storage.paths import ContextPath
from ...storage.table import Table

__all__ = [
    "PolledPage",
    "ShownPage",
    "ShownSession",
    "join_pages",
    "page_frame",
    "problems_of_page",
    "shown_sessions",
]


class ShownSession(NamedTuple):
    """What a row shows of a session: enough to notice that it was changed, or replaced by another.

    Attributes:
        id, version, graph_id, current_task_id, status_message: As in the session.
        created_at, updated_at: The store's times; None where it knows none.
        mark: What identifies the stored state beside these, as ``Seen.mark``; None where the store
            lists no marks.
    """

    id: str
    version: int
    graph_id: str
    current_task_id: str
    status_message: str | None
    created_at: datetime | None
    updated_at: datetime | None
    mark: str | None = None

    def is_state_of(self, session: Session | None) -> bool:
        """Return whether a session is in the state that was shown; False for None."""
        if session is None:
            return False
        if self.mark is not None and (session.seen is None or session.seen.mark != self.mark):
            return False
        return all(getattr(session, name) == getattr(self, name) for name in _COLUMNS)


_COLUMNS = ShownSession._fields[:-1]


class ShownPage(NamedTuple):
    """A page as it is to be shown, taken at one moment.

    Attributes:
        frame: The rows; None while they were not read.
        ids: The ids of the rows, in order.
        selected: The ids of the selected rows.
        changed: The ids of the rows that changed.
        context: The context paths whose values the frame has.
    """

    frame: pd.DataFrame | None
    ids: list[str]
    selected: list[str]
    changed: list[str]
    context: Sequence[ContextPath]


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
    """Return what is wrong with each odd row of a page, by id."""
    problems: dict[str, str] = frame.attrs.get("problems", {})
    return problems


def page_frame(
    table: Table, context: Sequence[ContextPath] = (), mask: Mask = DEFAULT_MASK
) -> pd.DataFrame:
    """Return the rows of a page with the values at context paths, secrets hidden.

    ``attrs["context"]`` has the paths, ``attrs["marks"]`` the mark of each row, where there are
    marks.
    """
    frame = sessions_frame(table, context, mask)
    frame.attrs["context"] = tuple(context)
    if table.marks is not None:
        frame.attrs["marks"] = dict(zip(table.id, table.marks, strict=True))
    return frame


def join_pages(frame: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a page followed by others, with what is known of both."""
    attributes = dict(frame.attrs)
    for name in ("problems", "marks"):
        if found := {**frame.attrs.get(name, {}), **more.attrs.get(name, {})}:
            attributes[name] = found
    frame = pd.concat([frame, more], ignore_index=True)
    frame.attrs = attributes
    return frame


def shown_sessions(frame: pd.DataFrame) -> dict[str, ShownSession]:
    """Return what each row of a page shows, by id."""
    columns = [_values(frame[name]) for name in _COLUMNS]
    marks = frame.attrs.get("marks", {})
    rows = ((*row, marks.get(row[0])) for row in zip(*columns, strict=True))
    return {row[0]: ShownSession._make(row) for row in rows}


def _values(column: pd.Series[Any]) -> list[Any]:
    if column.dtype.kind == "M":
        return [None if time is pd.NaT else time.to_pydatetime() for time in column]
    return [value if isinstance(value, (str, int)) else None for value in column.tolist()]
