"""How many sessions a list selects, and at which tasks they are: counted behind the view."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from threading import RLock
from typing import Final

from ...errors import QueryError, ScanRefused
from ...storage import Query, SessionStorage
from ...storage.attributes import attributes_of
from ...storage.estimates import (
    Counted,
    Estimate,
    count_by_task,
    estimate_count,
    sample_groups,
)
from ...storage.protocols import SupportsCount, SupportsCounts, SupportsEstimate, SupportsTable
from ...storage.table import GroupCount
from .background import BackgroundReads
from .chosen import Chosen

__all__ = ["Counts"]

COUNT_SECONDS: Final = 2.0  # that counting behind the view may take
COUNTING_SHARE: Final = 30  # what others change is counted again after so many times as long


class Counts:
    """The numbers of the sessions that the filters of a list select.

    Args:
        reads: The way to read the store.
        lock: The lock of the list, under which its filters change.
        chosen: The function that returns the filters of the list.
        seen: The function that returns the number of sessions on this page and those before.

    Attributes:
        total: The number of sessions that the filters select; None while it is not known.
        estimate: What is known of ``total`` where counting would read a large table; None if it was
            counted.
        whole: The number of all sessions, as it was last counted; None while it was not.
        about: The store's estimate of it, for a list that began with filters; None without one.
        groups: The number of sessions at each task that the filters but for graph and task select.
        groups_about: Whether these numbers are estimates.
    """

    def __init__(
        self,
        reads: BackgroundReads,
        lock: RLock,
        *,
        chosen: Callable[[], Chosen],
        seen: Callable[[], int],
    ):
        self._reads, self._lock = reads, lock
        self._chosen, self._seen = chosen, seen
        self.total: int | None = None
        self.estimate: Estimate | None = None
        self.whole: int | None = None
        self.about: int | None = None
        self.groups: list[GroupCount] = []
        self.groups_about = False
        self._counted: Chosen | None = None  # what the groups are of
        self._count_again_at = 0.0
        self._exact: Future[Counted] | None = None

    def forget_total(self) -> None:
        """Forget the total, which is of other filters than the list has now."""
        self.total = self.estimate = None

    @property
    def groups_known(self) -> bool:
        """Whether ``groups`` are those of the filters, and not of others that were set before."""
        return self._counted == self._chosen().beside_tasks()

    @property
    def may_count_again(self) -> bool:
        """Whether counting what others change takes a small share of the time."""
        return time.monotonic() >= self._count_again_at

    def count(self, *, again: bool = False) -> bool:
        """Count the total and the groups; return whether anything is new.

        Where that takes long, ``estimate`` has what is known of the total.

        Args:
            again: Whether to count again what is known already.

        Raises:
            StorageError: The store failed.
        """
        began = time.monotonic()
        storage = self._reads.storage
        known = self.total is not None and self.groups_known
        news = False
        if isinstance(storage, SupportsCounts | SupportsCount) and (
            again or not (known or self.estimate is not None)
        ):
            chosen = self._chosen()
            found = self._count_briefly(storage, Query.from_filters(chosen.now()))
            if found.about and self.groups_known and not (self.groups_about or again):
                found = found._replace(groups=self.groups, about=False)  # counted on demand
            news = self._take(chosen, found)
            if not self.groups and isinstance(storage, SupportsTable):
                with suppress(QueryError):  # such a store has no choices then
                    self.groups = self._reads.run(sample_groups(storage))
        if self.whole is None and isinstance(storage, SupportsEstimate):
            about = self._reads.run(storage.estimate())
            if attributes_of(storage).suspends:
                news, self.about = news or about != self.about, about
            else:  # memory, which knows it exactly
                news, self.whole = news or about is not None, about
        if again:
            ended = time.monotonic()
            self._count_again_at = ended + COUNTING_SHARE * (ended - began)
        return news

    def _count_briefly(self, storage: SessionStorage, query: Query) -> Counted:
        """Count what a query selects, or return what is known of it without a long read."""
        seen = self._seen()
        counting = count_by_task(storage, query, seconds=COUNT_SECONDS, seen=seen)
        try:
            return self._reads.run_asked(counting, by_itself=True)
        except ScanRefused:
            estimating = estimate_count(storage, query, seen=seen, asked=True)
            total = self._reads.run_asked(estimating, by_itself=True)
            return Counted(None, total.sessions if total.known == "exactly" else total)
        except QueryError:  # the store would have to read more than it allows
            return Counted(None, Estimate(seen, "more than"))

    def _take(self, chosen: Chosen, found: Counted) -> bool:
        """Take the numbers of filters, if they are still set; return whether any is new."""
        with self._lock:
            before = self.groups, self._counted, self.total, self.estimate
            now = self._chosen()
            if chosen.beside_tasks() == now.beside_tasks():
                self._counted = None
                if found.groups is not None:
                    self.groups, self._counted = list(found.groups), chosen.beside_tasks()
                    self.groups_about = found.about
            if chosen == now:
                if not isinstance(found.total, Estimate):
                    self.total, self.estimate = found.total, None
                    self.whole = self.whole if now.narrows else found.total
                elif self.total is not None:  # what was counted once says more than what was seen
                    self.estimate, self.total = Estimate(self.total, "about"), None
                elif self.estimate is None or found.total.known == "about":
                    self.estimate = found.total
            return before != (self.groups, self._counted, self.total, self.estimate)

    def begin_exact(self) -> Callable[[], None]:
        """Begin to count what the filters select, however long that takes; see ``stop``.

        Returns:
            A function that waits for the numbers and shows them; it raises the store's error.
        """
        chosen = self._chosen()
        query = Query.from_filters(chosen.now())
        counting = count_by_task(self._reads.storage, query, seconds=None)
        exact = self._exact = self._reads.submit(counting)

        def finish() -> None:
            with suppress(CancelledError):  # what is known stays
                self._take(chosen, exact.result())

        return finish

    def stop(self) -> None:
        """Stop what ``begin_exact`` began, in the store too."""
        if self._exact is not None:
            self._exact.cancel()

    # What the choices of the filter bar are

    def graphs(self) -> list[tuple[str, int]]:
        """Return the graphs with the number of their sessions."""
        sums: dict[str, int] = {}
        for group in self.groups:
            sums[group.graph_id] = sums.get(group.graph_id, 0) + group.sessions
        return sorted(sums.items())

    def tasks(self, graph: str | None = None) -> list[tuple[str, int]]:
        """Return the tasks with the number of sessions at each.

        Args:
            graph: The graph whose tasks are wanted; None for all.
        """
        sums: dict[str, int] = {}
        for group in self.groups:
            if graph in (None, group.graph_id):
                task = group.current_task_id
                sums[task] = sums.get(task, 0) + group.sessions
        return sorted(sums.items())
