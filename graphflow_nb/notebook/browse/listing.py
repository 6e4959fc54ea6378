"""Which sessions are shown: filters, order, pages and selection. No widgets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pandas as pd

from ...client import Client
from ...errors import CapabilityError, ContextError, QueryError, ReadStopped, ScanRefused
from ...frames import paths_beside
from ...model import Session
from ...model.masks import Mask
from ...storage import Query
from ...storage.paths import ContextPath
from ...storage.protocols import SupportsQuery, SupportsSlowOrders
from ...storage.query import DEFAULT_ORDER
from .background import BackgroundReads
from .chosen import Chosen
from .counting import Counts
from .paths import PathSource
from .shown import (
    PolledPage,
    ShownPage,
    ShownSession,
    join_pages,
    page_frame,
    problems_of_page,
    shown_sessions,
)
from .typed import WORKBENCH, sessions_call

__all__ = ["PAGE_SIZES", "Listing"]

SAMPLE: Final = 50  # sessions from which paths are suggested
MAX_SAMPLED: Final = 65_536  # bytes of a context from which paths are suggested
PAGE_SIZES: Final = (25, 50, 100, 200)


class Listing:
    """One page of a client's sessions, and which of its rows are selected.

    Example:
        >>> from graphflow_nb.client import open_client
        >>> listing = Listing(open_client("demo"), {"graph": "claims"}, page_size=25)
        >>> listing.start()
        >>> listing.count()
        True
        >>> listing.describe_page()
        'showing 1 to 25 of 80'
        >>> listing.call
        "wb.sessions(graph='claims', limit=25)"

    Args:
        client: The client whose sessions are listed.
        filters: The filters by name; see ``Workbench.sessions``.
        order: The order. Default: newest first, or by id where the store could order by time only
            by sorting a large table.
        page_size: The number of sessions on a page.
        context: The context paths that are columns too.

    Attributes:
        chosen: The filters that are set, and the window of time.
        order, page_size, context: As passed, or as they were changed since.
        frame: The page, as ``Workbench.sessions`` returns it; None while it was not read.
        unlistable: Why the storage can't list its sessions; empty if it can.
        refused: Why the page was not read, as that would read a large table; empty if it was.
        counts: How many sessions the filters select, and at which tasks.
        reads: How the store is read.
        paths: The context paths and values that are suggested, of some of the sessions.
        selected: The ids of the selected rows, all on this page.
        dropped: The number of rows that are no longer selected, since they left the page.
        kept: The number of the page's last rows that belong to other pages by now, and are kept
            because they are selected or in work.
        changed: The ids of rows that changed since the page was last read by a person's action.
        slow: The orders that no index serves, each with what would help.
        wb_name: The function that returns the name that the workbench has in ``call``.

    Raises:
        QueryError: A filter or the order is invalid.
    """

    def __init__(
        self,
        client: Client,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        page_size: int = 50,
        context: Sequence[ContextPath] = (),
    ):
        filters = {} if filters is None else filters
        Query.from_filters(filters, order=order or DEFAULT_ORDER)
        self._client = client
        self._lock = threading.RLock()
        self.chosen = Chosen.of(filters)
        self.page_size = page_size
        self.context = tuple(context)
        self.slow: dict[str, str] = {}
        self._chosen_order = order
        self.order = order or DEFAULT_ORDER
        self.frame: pd.DataFrame | None = None
        self.unlistable = ""
        self.refused = ""
        self.paths = PathSource()
        self.selected: list[str] = []
        self.dropped = 0
        self.kept = 0
        self.changed: set[str] = set()
        self._call = ""
        self.wb_name: Callable[[], str] = lambda: "wb"
        self._cursors: list[Mapping[str, Any] | None] = [None]
        self._loads = 0
        self.reads = BackgroundReads(client)
        self.counts = Counts(
            self.reads, self._lock, chosen=lambda: self.chosen, seen=lambda: self._seen
        )

    def start(self) -> None:
        """Choose the order and read the first page."""
        storage = self.reads.storage
        if isinstance(storage, SupportsSlowOrders):
            self.slow = self.reads.run(storage.slow_orders())
        if self._chosen_order is None and "updated_at" in self.slow and "id" not in self.slow:
            self.order = "id"
        self.load()

    @property
    def mask(self) -> Mask:
        """What of contexts is hidden where it is shown."""
        return self._client.mask

    @property
    def call(self) -> str:
        """The last call, as Python."""
        return self.name_call(self._call)

    def name_call(self, call: str) -> str:
        """Return a call of ``write_call`` with the name of the workbench."""
        return call.replace(WORKBENCH, self.wb_name())

    @property
    def page(self) -> int:
        """The number of the page, from 0."""
        return len(self._cursors) - 1

    @property
    def filters(self) -> Mapping[str, Any]:
        """The filters that are set, by name."""
        return self.chosen.filters

    @property
    def window(self) -> str:
        """The time of the last save, one of ``WINDOWS``; it moves with the clock."""
        return self.chosen.window

    @property
    def filtered(self) -> bool:
        """Whether any filter is set."""
        return self.chosen.narrows

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.frame is not None and self.frame.attrs["next"] is not None

    def ids(self) -> list[str]:
        """Return the ids of this page's rows, in order."""
        return [] if self.frame is None else self.frame["id"].tolist()

    def load(self) -> None:
        """Read this page again; rows stay selected if they are still on it.

        The number of those that are not is in ``dropped``.

        Raises:
            QueryError: A filter is invalid.
            ReadStopped: A person stopped it; the page is as it was.
            StorageError: The store failed.
        """
        with self._lock:
            self._loads += 1
            filters, after = self.chosen.now(), self._cursors[-1]
            context = self.context
            columns = {"context": context} if context else {}
            arguments = filters | columns | {"order": self.order, "limit": self.page_size}
            self._call = sessions_call(
                arguments | ({} if after is None else {"after": after}), self._client.mask
            )
            query = self._page_query(filters)
        # Not by wb.sessions, whose warnings have no place in a view: the note is shown.
        try:
            table = self.reads.run_shown(self._client.table(query, self._paths(context)))
        except CapabilityError as error:  # a session can still be opened
            self._call, self.unlistable = "", str(error)
            return
        except ScanRefused as error:
            with self._lock:  # other rows than those that were asked for would mislead
                self.frame, self.refused = None, error.kind
            raise
        frame = page_frame(table, context, self._client.mask)
        with self._lock:
            self.unlistable = self.refused = ""
            self.dropped = 0
            self._show(frame, 0)

    def _show(self, frame: pd.DataFrame, kept: int) -> None:
        self.frame, self.kept = frame, kept
        found = set(self.ids())
        before = len(self.selected)
        self.selected = [id for id in self.selected if id in found]
        self.dropped += before - len(self.selected)
        self.changed &= found

    @contextmanager
    def _back_if_stopped(self) -> Iterator[None]:
        """Choose again what is shown, if its successor is stopped while it is read."""
        before = self.chosen, self._cursors, self.order, self.context, self.page_size
        total, estimate, call = self.counts.total, self.counts.estimate, self._call
        try:
            yield
        except ReadStopped:
            with self._lock:
                self.chosen, self._cursors, self.order, self.context, self.page_size = before
                self.counts.total, self.counts.estimate, self._call = total, estimate, call
            raise

    def _page_query(self, filters: Mapping[str, Any]) -> Query:
        after = self._cursors[-1]
        return Query.from_filters(filters, order=self.order, limit=self.page_size, after=after)

    def _go_to_first(self) -> None:
        self._cursors = [None]
        self.changed = set()

    def filter(self, *, window: str | None = None, **changes: Any) -> None:
        """Change filters and go to the first page.

        Args:
            window: One of ``WINDOWS``. Default: as it is.
            changes: The new value of a filter by its name; None removes the filter.

        Raises:
            QueryError: A filter is invalid; then all are as they were.
            StorageError: The store failed.
        """
        before, cursors = self.chosen, self._cursors
        total, estimate = self.counts.total, self.counts.estimate
        chosen = Chosen.of({**before.filters, **changes}, window or before.window)
        try:
            with self._back_if_stopped():
                self._choose(chosen)
                self.load()
        except (QueryError, ContextError):
            with self._lock:
                self.chosen, self._cursors = before, cursors
                self.counts.total, self.counts.estimate = total, estimate
            raise

    def _choose(self, chosen: Chosen) -> None:
        with self._lock:  # together, since a page is polled by all of them
            if chosen != self.chosen:
                self.counts.forget_total()
            self.chosen = chosen
            self._go_to_first()

    def show(
        self,
        filters: Mapping[str, Any],
        window: str,
        order: str,
        context: Sequence[ContextPath],
    ) -> None:
        """Show the first page of these filters, in this order, with these context paths."""
        with self._back_if_stopped():
            with self._lock:
                self.counts.forget_total()
                self.order, self.context = order, tuple(context)
                self._choose(Chosen.of(filters, window))
            self.load()

    def clear(self) -> None:
        """Remove all filters and go to the first page."""
        with self._back_if_stopped():
            with self._lock:
                self.counts.forget_total()
                self._choose(Chosen({}))
            self.load()

    def sort(self, column: str) -> None:
        """Order by a column and go to the first page; the same column again reverses the order.

        Args:
            column: ``updated_at``, ``created_at`` or ``id``.
        """
        if self.order.removeprefix("-") == column:
            order = column if self.order.startswith("-") else f"-{column}"
        else:
            order = column if column == "id" else f"-{column}"
        before = self.order, self._cursors
        try:
            with self._back_if_stopped():
                with self._lock:
                    self.order = order
                    self._go_to_first()
                self.load()
        except ScanRefused:  # asked again, it sorts in the same direction
            self.order, self._cursors = before
            raise

    def resize(self, page_size: int) -> None:
        """Show this many sessions on a page, from the first page on."""
        with self._back_if_stopped():
            with self._lock:
                self.page_size = page_size
                self._go_to_first()
            self.load()

    def show_context(self, paths: Sequence[ContextPath]) -> None:
        """Show these context paths as columns, on this page and the next ones."""
        before = self.context
        try:
            with self._back_if_stopped():
                with self._lock:
                    self.context = tuple(paths)
                self.load()
        except (QueryError, ContextError):
            self.context = before
            raise

    def next(self) -> None:
        """Go to the next page, if there is one."""
        if self.frame is not None and self.has_next:
            self._turn([*self._cursors, self.frame.attrs["next"]])

    def previous(self) -> None:
        """Go back a page, if this is not the first."""
        if self.page:
            self._turn(self._cursors[:-1])

    def _turn(self, cursors: list[Mapping[str, Any] | None]) -> None:
        before, self._cursors = self._cursors, cursors
        try:
            self.load()
        except BaseException:
            self._cursors = before
            raise
        self.changed = set()

    def select(self, ids: Iterable[str]) -> None:
        """Select these rows of the page; the number of those not on it is in ``dropped``."""
        wanted = list(dict.fromkeys(ids))
        with self._lock:
            found = set(self.ids())
            self.selected = [id for id in wanted if id in found]
            self.dropped = len(wanted) - len(self.selected)

    def keep_in_view(self, id: str) -> str:
        """Select a session and show its row, though it may belong to another page.

        Returns:
            Why its row is not on this page by itself, as the end of a sentence; empty if it is.
        """
        if self.unlistable:
            return ""
        on_page = id in self.ids()
        if not on_page:
            self.take_page(self.read_page(id), mark=False)
        self.select([id])
        if on_page:
            return ""
        if self.filtered and not len(self._read(self._only(id), ())):
            return ". The filters would hide it: its row is the last one until another is selected"
        return ". It is on another page: its row is the last one until another is selected"

    def _only(self, id: str) -> Query:
        """Return the query for one session, if the filters select it."""
        filters = self.chosen.now()
        wanted = filters.get("ids", [id])
        return Query.from_filters({**filters, "ids": [id] if id in wanted else []}, order="id")

    def deselect(self, ids: Collection[str]) -> None:
        """Select these rows no longer."""
        with self._lock:
            self.selected = [id for id in self.selected if id not in ids]

    def mark_seen(self, *ids: str) -> None:
        """Mark these rows no longer as changed."""
        with self._lock:
            self.changed.difference_update(ids)

    def selected_frame(self) -> pd.DataFrame:
        """Return the selected rows, as ``Workbench.sessions`` returns them."""
        with self._lock:
            frame, selected = self.frame, self.selected
        if frame is None:
            return pd.DataFrame()
        found = frame[frame["id"].isin(selected)].reset_index(drop=True)
        for name in ("marks", "context"):
            found.attrs.pop(name, None)
        return found

    def shown_page(self) -> ShownPage:
        """Return the page as it is now, to be shown."""
        with self._lock:
            ids, context = self.ids(), () if self.frame is None else self.frame.attrs["context"]
            changed = sorted(self.changed)
            return ShownPage(self.frame, ids, list(self.selected), changed, context)

    def shown_sessions(self, ids: Iterable[str]) -> list[ShownSession]:
        """Return what rows of this page show, in the order of the ids; unknown ids are skipped."""
        frame = self.frame
        known = {} if frame is None else shown_sessions(frame)
        return [known[id] for id in ids if id in known]

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong with each row of the page that is not as graph-flow writes it, by id."""
        return {} if self.frame is None else problems_of_page(self.frame)

    # What takes longer in a large store, for a thread behind the view: background traffic, since
    # it is not the user's doing.

    def count(self, *, again: bool = False) -> bool:
        """Count the total and the groups, and read ``paths``; return whether anything is new.

        Args:
            again: Whether to count again what is known already.

        Raises:
            StorageError: The store failed.
        """
        news = self.counts.count(again=again)
        if self.paths.sessions:
            return news
        self.read_paths()
        return True

    def read_paths(self) -> None:
        """Read some sessions of this page for ``paths``, as background traffic.

        Raises:
            StorageError: The store failed.
        """
        for session in self._sample():
            self.paths.add(self._client.hide_secrets(session))

    def read_page(self, keep: str | None = None) -> PolledPage | None:
        """Read the page as it is stored now, as background traffic; nothing that is shown changes.

        Args:
            keep: The id of a row that stays even if it has moved to another page, as selected rows
                do.

        Returns:
            The page for ``take_page``; None if the sessions can't be listed.
        """
        if self.unlistable or self.refused:
            return None
        with self._lock:
            loads, query = self._loads, self._page_query(self.chosen.now())
            context = self.context
            wanted = frozenset(self.selected) | (set() if keep is None else {keep})
        frame = self._read(query, context)
        missing = sorted(wanted.difference(frame["id"]))
        apart = self._read(Query(ids=missing, order="id"), context) if missing else frame[:0]
        if len(apart):
            frame = join_pages(frame, apart)
        return PolledPage(frame, len(apart), wanted, loads)

    def take_page(self, page: PolledPage | None, *, mark: bool = True) -> bool:
        """Show a page that ``read_page`` returned.

        Args:
            page: The page; None for none.
            mark: Whether the rows that changed are marked.

        Returns:
            Whether any changed, came or went. A page that is outdated is not shown.
        """
        with self._lock:
            if page is None or self.frame is None or page.loads != self._loads:
                return False
            if not page.wanted.union(page.frame["id"]).issuperset(self.selected):
                return False  # a row was selected meanwhile that the page lacks: the next has it
            before, after = shown_sessions(self.frame), shown_sessions(page.frame)
            if mark:
                self.changed |= {id for id, shown in after.items() if before.get(id) != shown}
            self._show(page.frame, page.kept)
        return list(before.items()) != list(after.items())

    def _paths(self, context: Sequence[ContextPath]) -> Sequence[ContextPath]:
        return [*context, *paths_beside(context, self.mask)]

    def _read(self, query: Query, context: Sequence[ContextPath]) -> pd.DataFrame:
        table = self.reads.run(self.reads.storage.table(query, self._paths(context)))
        self._client.observed.note_table(table)
        return page_frame(table, context, self._client.mask)

    def _sample(self) -> list[Session]:
        """Return some sessions of this page, whole; large ones are left out."""
        storage, frame = self.reads.storage, self.frame
        if frame is None or not isinstance(storage, SupportsQuery):
            return []
        ids = frame["id"][frame["context_bytes"] <= MAX_SAMPLED].head(SAMPLE).tolist()
        found = self.reads.run(storage.query(Query(ids=ids, order="id"))) if ids else []
        return list(found)

    @property
    def _seen(self) -> int:
        """The number of sessions on this page and those before."""
        return self.page * self.page_size + len(self.ids()) - self.kept

    def describe_page(self) -> str:
        """Return which sessions are shown, such as ``showing 51 to 100 of 12,345``."""
        if self.unlistable:
            return "the sessions can't be listed"
        if self.refused:
            return "not read"
        rows = self._seen - self.page * self.page_size
        if not rows:
            return "no session"
        first = self.page * self.page_size + 1
        # A page that was turned to while sessions moved may be short of what was counted.
        last = first + rows - 1
        total = None if self.counts.total is None else max(self.counts.total, last)
        if not self.has_next:
            total = last
        of = "…" if self.counts.estimate is None else str(self.counts.estimate)
        if total is not None:
            of = f"{total:,}"
        kept = f", and {self.kept:,} that left this page" if self.kept else ""
        return f"showing {first:,} to {last:,} of {of}{kept}"

    def describe_selection(self) -> str:
        """Return how many rows are selected, and how many no longer; empty for neither."""
        parts = [f"{len(self.selected):,} selected"] if self.selected else []
        if self.dropped:
            parts.append(f"{self.dropped:,} no longer selected: not on this page")
        return ", ".join(parts)

    def describe_lack(self) -> str:
        """Return the reason why the page has no rows; empty if it has some."""
        if self.unlistable:
            return (
                f"{self.unlistable}. A session can be opened by its id: "
                "browser.open_session('the id')"
            )
        if self.refused:
            return "Not read, since that would go through a large table; Read anyway reads it."
        if self.frame is None:
            return "The sessions could not be read; Refresh tries again."
        if len(self.frame):
            return ""
        if self.filtered:
            return "No sessions match. Clear filters shows all."
        return "This store has no sessions yet."
