"""Which sessions are shown: filter, order, pages and selection. No widgets."""

from __future__ import annotations

import ast
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pandas as pd

from ...changes import json_value
from ...client import Client
from ...errors import ContextError, QueryError
from ...frames import sessions_frame
from ...storage import Cursor, Query
from ...storage.paths import ContextPath, parse_path
from ...storage.protocols import SupportsCount, SupportsCounts, SupportsSlowOrders
from ...storage.table import GroupCount

__all__ = [
    "WINDOWS",
    "Filters",
    "Listing",
    "frame_call",
    "parse_value",
    "typed_path",
]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
#: Label of a choice to the seconds; negative for "not since".
WINDOWS: Final[dict[str, int]] = {
    "at any time": 0,
    "in the last 15 minutes": 15 * _MINUTE,
    "in the last hour": _HOUR,
    "in the last day": _DAY,
    "in the last week": 7 * _DAY,
    "not for 15 minutes": -15 * _MINUTE,
    "not for an hour": -_HOUR,
    "not for a day": -_DAY,
    "not for a week": -7 * _DAY,
}
PAGE_SIZES: Final = (25, 50, 100, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the filter bar says; the words are those of ``Workbench.sessions``."""

    graph: str | None = None
    task: str | None = None
    text: str | None = None
    status: str | None = None
    id_prefix: str | None = None
    updated_since: datetime | None = None
    updated_until: datetime | None = None
    where: Mapping[Any, Any] = field(default_factory=dict)
    has: tuple[Any, ...] = ()

    def given(self) -> dict[str, Any]:
        """Those that are set, as arguments of ``Workbench.sessions``."""
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {
            name: list(v) if name == "has" else v for name, v in pairs if v not in (None, {}, ())
        }

    def query(self) -> Query:
        """What is counted."""
        arguments = self.given()
        return Query(context=arguments.pop("where", {}), **arguments)


def parse_value(text: str) -> Any:
    """A context value as a person types it: JSON, or else the text itself.

    ``12``, ``true`` and ``"12"`` are a number, a boolean and a text; ``gold`` is a text.
    """
    from ...model.exactjson import decode

    try:
        return decode(json_value("JSON", text))
    except ContextError:
        return text


class Listing:
    """One page of sessions of a workbench.

    Attributes:
        frame: the page, as ``Workbench.sessions`` gives it.
        total: how many sessions the filters select; None while that is not known.
        groups: how many sessions stand where, for the choices of graph and task.
        selected: ids of the selected rows, all on this page.
        changed: ids of rows that changed since the page was last looked at.
        slow: orders that no index serves, with what would help.
        call: the last call, as a line of Python.
    """

    def __init__(self, client: Client, filters: Filters, order: str | None, page_size: int):
        self._client = client
        self._lock = threading.RLock()
        self.filters = filters
        self.page_size = page_size
        self.window = "at any time"
        self.slow: dict[str, str] = {}
        self._asked_for = order
        self.order = order or "-updated_at"
        self.frame: pd.DataFrame | None = None
        self.total: int | None = None
        self.groups: list[GroupCount] = []
        self.selected: list[str] = []
        self.changed: set[str] = set()
        self.call = ""
        self._cursors: list[Cursor | None] = [None]
        self._counted: Filters | None = None

    def start(self) -> None:
        """Choose the order and load the first page."""
        storage = self._client.storage.background
        if isinstance(storage, SupportsSlowOrders):
            self.slow = self._client.bridge.run(storage.slow_orders())
        if self._asked_for is None and "updated_at" in self.slow and "id" not in self.slow:
            self.order = "id"
        self.load()

    @property
    def page(self) -> int:
        """Number of the page, from 0."""
        return len(self._cursors) - 1

    @property
    def has_next(self) -> bool:
        return self.frame is not None and self.frame.attrs["next"] is not None

    def ids(self) -> list[str]:
        """Of the rows of this page, in order."""
        return [] if self.frame is None else self.frame["id"].tolist()

    def load(self) -> None:
        """Read this page anew; what was selected stays so if it is still there."""
        filters = self._now()
        arguments = filters.given() | {"order": self.order, "limit": self.page_size}
        if self._cursors[-1] is not None:
            arguments["after"] = self._cursors[-1]
        self.call = frame_call(arguments)
        query = replace(
            filters.query(), order=self.order, limit=self.page_size, after=self._cursors[-1]
        )
        # Not by wb.sessions, whose warnings have no place in a view: the note is shown.
        frame = sessions_frame(self._client.bridge.run(self._client.table(query)), ())
        with self._lock:
            self.frame = frame
            there = set(self.ids())
            self.selected = [id for id in self.selected if id in there]
            self.changed &= there

    def _now(self) -> Filters:
        """The filters with the window of time as it is now."""
        seconds = WINDOWS[self.window]
        if not seconds:
            return self.filters
        edge = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=abs(seconds))
        if seconds > 0:
            return replace(self.filters, updated_since=edge)
        return replace(self.filters, updated_until=edge)

    def _from_the_start(self) -> None:
        self._cursors = [None]
        self.changed = set()
        self.load()

    def filter(self, *, window: str | None = None, **changes: Any) -> None:
        """Change filters and go to the first page; ``None`` takes a filter away."""
        before = self.filters, self.window, self.total
        with self._lock:
            self.filters = replace(self.filters, **changes)
            self.window = window or self.window
            if before[:2] != (self.filters, self.window):
                self.total = None
        try:
            self._from_the_start()
        except (QueryError, ContextError):
            self.filters, self.window, self.total = before  # what means nothing is not kept
            raise

    def clear(self) -> None:
        """Take all filters away."""
        self.filters, self.window, self.total = Filters(), "at any time", None
        self._from_the_start()

    @property
    def filtered(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.filters.given()) or bool(WINDOWS[self.window])

    def sort(self, column: str) -> None:
        """Order by ``updated_at``, ``created_at`` or ``id``; by the same one again turns it."""
        newest_first = column != "id"
        if self.order.removeprefix("-") == column:
            self.order = column if self.order.startswith("-") else f"-{column}"
        else:
            self.order = f"-{column}" if newest_first else column
        self._from_the_start()

    def resize(self, page_size: int) -> None:
        """Show so many sessions a page, from the first."""
        self.page_size = page_size
        self._from_the_start()

    def next(self) -> None:
        """Go to the next page, if there is one."""
        if self.frame is not None and self.has_next:
            self._turn([*self._cursors, self.frame.attrs["next"]])

    def previous(self) -> None:
        """Go back a page, if this is not the first."""
        if self.page:
            self._turn(self._cursors[:-1])

    def _turn(self, cursors: list[Cursor | None]) -> None:
        before, self._cursors = self._cursors, cursors
        try:
            self.load()
        except BaseException:
            self._cursors = before
            raise
        self.changed = set()

    def select(self, ids: list[str]) -> None:
        """Select these rows of the page."""
        there = set(self.ids())
        self.selected = [id for id in ids if id in there]

    def selected_frame(self) -> pd.DataFrame:
        """The selected rows, as ``Workbench.sessions`` gives them."""
        if self.frame is None:
            return pd.DataFrame()
        return self.frame[self.frame["id"].isin(self.selected)].reset_index(drop=True)

    def versions(self, ids: list[str]) -> dict[str, int]:
        """The versions that rows of this page were shown with."""
        assert self.frame is not None
        known = dict(zip(self.frame["id"], self.frame["version"].tolist(), strict=True))
        return {id: known[id] for id in ids if id in known}

    # What takes longer in a large store, for a thread behind the view: background traffic, since
    # it is not the user's doing.

    def count(self, *, again: bool = False) -> bool:
        """Learn the total and the groups; whether anything is new."""
        storage, filters = self._client.storage.background, self._now()
        asked = self.filters, self.window
        news = False
        if isinstance(storage, SupportsCounts) and (again or not self.groups):
            groups = self._client.bridge.run(storage.counts(Query()))
            news, self.groups = groups != self.groups, groups
        if isinstance(storage, SupportsCount) and (again or self.total is None):
            total = self._client.bridge.run(storage.count(filters.query()))
            with self._lock:
                if asked == (self.filters, self.window):
                    news, self.total = news or total != self.total, total
        return news

    def poll(self, keep: str | None = None) -> bool:
        """Read the page anew behind the scenes and mark what changed; whether anything did.

        Args:
            keep: an id whose row stays even if it has moved to another page.
        """
        filters, cursors = self._now(), self._cursors
        arguments = filters.given() | {"limit": self.page_size, "after": cursors[-1]}
        query = Query(context=arguments.pop("where", {}), order=self.order, **arguments)
        frame = self._read(query)
        if keep is not None and keep not in set(frame["id"]):
            following = frame.attrs["next"]
            kept = self._read(Query(ids=[keep], order="id"))
            frame = pd.concat([frame, kept], ignore_index=True)
            frame.attrs["next"] = following
        with self._lock:
            if self.frame is None or cursors is not self._cursors:
                return False  # a page was turned meanwhile
            before = dict(zip(self.frame["id"], self.frame["version"].tolist(), strict=True))
            after = dict(zip(frame["id"], frame["version"].tolist(), strict=True))
            self.changed |= {id for id, version in after.items() if before.get(id) != version}
            self.changed &= after.keys()
            moved = list(before) != list(after)
            news = moved or before != after
            self.frame = frame
            self.selected = [id for id in self.selected if id in after]
        return news

    def _read(self, query: Query) -> pd.DataFrame:
        table = self._client.bridge.run(self._client.storage.background.table(query, ()))
        return sessions_frame(table, ())

    # What the choices of the filter bar are

    def graphs(self) -> list[tuple[str, int]]:
        """Graphs with the number of their sessions."""
        sums: dict[str, int] = {}
        for group in self.groups:
            sums[group.graph_id] = sums.get(group.graph_id, 0) + group.sessions
        return sorted(sums.items())

    def tasks(self, graph: str | None = None) -> list[tuple[str, int]]:
        """Tasks, of one graph or of all, with the number of sessions that stand there."""
        sums: dict[str, int] = {}
        for group in self.groups:
            if graph in (None, group.graph_id):
                task = group.current_task_id
                sums[task] = sums.get(task, 0) + group.sessions
        return sorted(sums.items())

    def shown(self) -> str:
        """``showing 51 to 100 of 12,345``."""
        rows = len(self.ids())
        if not rows:
            return "no session"
        first = self.page * self.page_size + 1
        # A page that was turned to while sessions moved may be short of what was counted.
        last = first + rows - 1
        total = None if self.total is None else max(self.total, last)
        if not self.has_next:
            total = last
        of = "…" if total is None else f"{total:,}"
        return f"showing {first:,} to {last:,} of {of}"


def frame_call(arguments: dict[str, Any]) -> str:
    """The call of ``Workbench.sessions`` that gives a page."""
    shown = dict(arguments)
    if shown.get("order") == "-updated_at":
        del shown["order"]
    if isinstance(shown.get("after"), Cursor):
        cursor = shown.pop("after")
        time = "None" if cursor.time is None else f"datetime.fromisoformat({str(cursor.time)!r})"
        after = f", after=graphflow_nb.Cursor({cursor.order!r}, {cursor.id!r}, {time})"
    else:
        after = ""
    for name in ("updated_since", "updated_until"):
        if name in shown:
            shown[name] = _Source(f"datetime.fromisoformat({str(shown[name])!r})")
    return f"wb.sessions({', '.join(f'{k}={v!r}' for k, v in shown.items())}{after})"


class _Source(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def typed_path(text: str) -> ContextPath:
    """A context path as a person types it: ``customer.tier``, or ``('a.b', 'c')`` for odd keys.

    Raises:
        QueryError: it is none.
    """
    text = text.strip()
    path: Any = text
    if text.startswith("("):
        try:
            path = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            path = ()
    try:
        parse_path(path)
    except QueryError as error:
        raise QueryError(
            f"{text!r} is no context path: say customer.tier, or ('a.b', 'c') for keys with dots"
        ) from error
    return path  # type: ignore[no-any-return]
