"""What a store's history table keeps: one row for each version of each session.

A history table is written by three sources, which every row names: ``written`` (by a storage of
this package, in the transaction of the save), ``trigger`` (by the database itself, whoever saves)
and ``observed`` (noted after a look at the store, so what happened in between is unknown).

Rows are always appended with their whole context. ``HistoryArchive`` (``graphflow_nb.history``)
later replaces older contexts by patches, each against the version that follows it. So the newest
version is always there as a whole, and the oldest can be removed without a look at the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import StorageError
from .migration import Migration

__all__ = [
    "HISTORY_WRITES",
    "Expired",
    "OBSERVED",
    "STEP_COLUMNS",
    "TRIGGER",
    "WRITTEN",
    "HistorySize",
    "HistoryTable",
    "Retention",
    "Steps",
    "SupportsHistory",
    "TriggeredTable",
    "VersionRow",
    "measure_history",
    "missing_history",
]

#: The sources of a version.
WRITTEN: Final = "written"
TRIGGER: Final = "trigger"
OBSERVED: Final = "observed"


class VersionRow(NamedTuple):
    """One version of a session as a history table keeps it.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> from graphflow_nb.history import HistoryStorage
        >>> storage = HistoryStorage(InMemorySessionStorage())
        >>> await storage.save(Session("claim-1", "intake", context={"amount": 120}))
        >>> (row,) = await storage.archive.table.read("claim-1")
        >>> row.context[:24], row.patch, row.source
        ('{"data":{"amount":120},"', None, 'written')

    Attributes:
        id: The session's id.
        number: The number of the version in the session's history: 1, 2, 3 …, in the order of the
            commits, over deletes too. 0 in a row that is to be appended.
        version: The session's ``version`` in the store; None where the store does not count.
        at: When it was written, in µs since 1970 UTC.
        graph_id, current_task_id, status_message: The session's columns.
        created: The session's time of creation in µs since 1970 UTC; None where unknown.
        deleted: Whether the session was deleted. The row then has what was deleted.
        context: The JSON text of the context; None where there is a patch, or it was not read.
        patch: The JSON Patch that makes the context from that of the next number; None where the
            context is kept as a whole, or was not read.
        bytes: The length of the context's text in bytes.
        source: ``written``, ``trigger`` or ``observed``.
        writer: Who wrote it, as far as the store knows: application, user, process; ``""`` if not.
        extra: The JSON object of the members that graph-flow does not define; None without any.
    """

    id: str
    number: int
    version: int | None
    at: int
    graph_id: str
    current_task_id: str
    status_message: str | None
    created: int | None
    deleted: bool
    context: str | None
    patch: str | None
    bytes: int
    source: str
    writer: str
    extra: str | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of each session's history is kept.

    The newest version always stays, and so does the version that was stored when ``age`` began. The
    versions of a session that was deleted before that go altogether.

    Example:
        >>> from graphflow_nb.history import Retention
        >>> Retention(versions=20)
        Retention(versions=20, age=datetime.timedelta(days=30))

    Attributes:
        versions: The most versions of a session, 1 or more; None for any number.
        age: How long a version is kept after the next one replaced it; None for ever.
    """

    versions: int | None = 100
    age: timedelta | None = timedelta(days=30)

    def __post_init__(self) -> None:
        if self.versions is not None and (type(self.versions) is not int or self.versions < 1):
            raise StorageError(
                f"versions= must be an integer >= 1 or None, not {self.versions!r}",
                nothing_written=True,
            )
        if self.age is not None and (
            not isinstance(self.age, timedelta) or self.age <= timedelta(0)
        ):
            raise StorageError(
                f"age= must be a timedelta above 0, e.g. timedelta(days=30), or None, not "
                f"{self.age!r}",
                nothing_written=True,
            )


class Expired(NamedTuple):
    """Versions that a retention does not keep.

    Attributes:
        sessions: The number of sessions that have such versions.
        versions: The number of the versions.
        bytes: What their contexts and patches take in the store.
    """

    sessions: int
    versions: int
    bytes: int


class HistorySize(NamedTuple):
    """The size of a history.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.history import history_of
        >>> (await history_of(InMemorySessionStorage()).size()).versions
        0

    Attributes:
        sessions: The number of sessions; None where counting them would take long.
        versions: The number of versions; an estimate where ``exact`` is False.
        bytes: What the store uses for the history, indexes included.
        exact: Whether the versions were counted.
        oldest: The time of the oldest version in µs since 1970 UTC; None without any.
    """

    sessions: int | None
    versions: int
    bytes: int
    exact: bool
    oldest: int | None


@dataclass(frozen=True)
class Steps:
    """Versions of many sessions by column, without their contexts, ordered by id and number.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Session
        >>> from graphflow_nb.history import HistoryStorage
        >>> storage = HistoryStorage(InMemorySessionStorage())
        >>> await storage.save_many([Session("claim-1", "intake"), Session("claim-2", "payout")])
        []
        >>> steps = await storage.archive.steps()
        >>> steps.id, steps.current_task_id, steps.number.tolist()
        (['claim-1', 'claim-2'], ['intake', 'payout'], [1, 1])

    Attributes:
        id, graph_id, current_task_id, status_message, source: The columns, one text each.
        number, at: int64: the numbers, and the times in µs since 1970 UTC.
        deleted: bool.
        more: Whether there are more versions than the limit.
    """

    id: list[str]
    graph_id: list[str]
    current_task_id: list[str]
    status_message: list[str | None]
    source: list[str]
    number: NDArray[np.int64]
    at: NDArray[np.int64]
    deleted: NDArray[np.bool_]
    more: bool = field(default=False)

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[Any]], limit: int) -> Steps:
        """Return the steps of rows of ``STEP_COLUMNS``, at most ``limit`` of them."""
        shown = rows[:limit]
        columns: list[list[Any]] = [list(c) for c in zip(*shown, strict=True)] or [[]] * 8
        return cls(
            id=columns[0],
            number=np.array(columns[1], np.int64),
            at=np.array(columns[2], np.int64),
            graph_id=columns[3],
            current_task_id=columns[4],
            status_message=columns[5],
            deleted=np.array(columns[6], bool),
            source=columns[7],
            more=len(rows) > limit,
        )


#: The columns of a row for ``Steps.from_rows``.
STEP_COLUMNS: Final = (
    "id",
    "number",
    "at",
    "graph_id",
    "current_task_id",
    "status_message",
    "deleted",
    "source",
)


@runtime_checkable
class HistoryTable(Protocol):
    """A store's history table: what each database does in its own SQL.

    What is the same everywhere (patches, retention in steps) is done by ``HistoryArchive``. All
    reads change nothing. Where there is no table yet, ``exists`` is False and all others but
    ``plan``, ``create`` and ``drop`` raise StorageError.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.history import HistoryTable
        >>> isinstance(InMemorySessionStorage().history_table, HistoryTable)
        True
    """

    async def plan(self) -> Migration:
        """Return the statements that create the table; runs nothing."""

    async def create(self) -> Migration:
        """Create the table if it does not exist; return what was run."""

    async def drop(self) -> Migration:
        """Remove the table with every version in it; return what was run."""

    async def exists(self) -> bool:
        """Return whether the table exists."""

    async def start(self) -> None:
        """Note every write of this storage from now on, in the transaction of the write.

        What a trigger of the database notes already is not noted twice.

        Raises:
            StorageError: There is no history table, or the store takes no writes.
        """

    async def stop(self) -> None:
        """Note the writes of this storage no longer; the versions stay."""

    async def append(self, rows: Sequence[VersionRow]) -> None:
        """Append versions as they are, but with the next numbers of their sessions."""

    async def read(
        self,
        id: str,
        *,
        first: int | None = None,
        last: int | None = None,
        limit: int | None = None,
        content: bool = True,
    ) -> list[VersionRow]:
        """Return the versions of a session from number ``last`` down to ``first``.

        Args:
            id: The session's id.
            first, last: The lowest and the highest number; None for any.
            limit: The most versions, the newest first; None for all.
            content: False leaves the contexts and the patches out.
        """

    async def number_at(self, id: str, moment: int) -> int | None:
        """Return the number that was the newest at a time in µs; None if there was none yet."""

    async def steps(
        self,
        ids: Sequence[str] | None = None,
        *,
        since: int | None = None,
        until: int | None = None,
        limit: int = 100_000,
    ) -> Steps:
        """Return versions of many sessions, without contexts.

        Args:
            ids: The sessions; None for all.
            since, until: Only versions written from this time on, and before that one, in µs.
            limit: The most versions.
        """

    async def ids(self, after: str | None, limit: int) -> list[str]:
        """Return the next ids that have versions, in the store's own order, after one of them."""

    async def compact(self, id: str, patches: Mapping[int, tuple[str, int]]) -> int:
        """Replace contexts by patches; return how many were replaced.

        Args:
            id: The session's id.
            patches: By number the JSON Patch and the length of the context's text in bytes.
        """

    async def find_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None
    ) -> Expired:
        """Return what ``remove_expired`` would remove."""

    async def remove_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None, limit: int
    ) -> Expired:
        """Remove versions that a retention does not keep, oldest first, in one short transaction.

        Args:
            ids: The sessions.
            versions: The most versions of each session; None for any number.
            before: The time in µs before which a version must have been replaced; None for no time.
            limit: The most versions to remove.
        """

    async def size(self) -> HistorySize:
        """Return the size of the history."""


@runtime_checkable
class TriggeredTable(HistoryTable, Protocol):
    """A history table that triggers of its database can write, whoever saves: workers, too."""

    async def plan_trigger(self, versions: int | None, age: timedelta | None = None) -> Migration:
        """Return the statements that create the table and its triggers; runs nothing.

        The triggers remove older versions of a session with its later saves, as a ``Retention``
        of the same arguments does.

        Args:
            versions: The most versions of a session; None for any number.
            age: How long a version is kept after the next one replaced it; None for ever.
        """

    async def create_trigger(self, versions: int | None, age: timedelta | None = None) -> Migration:
        """Create the table and its triggers, or replace them; return what was run."""

    async def drop_trigger(self) -> Migration:
        """Remove the triggers; the table stays. Return what was run."""

    async def is_triggered(self) -> bool:
        """Return whether triggers of the database note what every client writes."""

    async def count_whole(self, ids: Sequence[str]) -> dict[str, int]:
        """Return by id how many versions of sessions have a context and no patch; not for none."""


#: The methods of a history table that write.
HISTORY_WRITES: Final = frozenset(
    (
        *("create", "drop", "start", "stop", "append", "compact", "remove_expired"),
        *("create_trigger", "drop_trigger"),
    )
)


@runtime_checkable
class SupportsHistory(Protocol):
    """A storage whose store can keep the history of its sessions beside them."""

    @property
    def history_table(self) -> HistoryTable:
        """The store's history table, whether it exists or not."""


async def measure_history(table: HistoryTable) -> HistorySize | str | None:
    """Return the size of a history for facts; the reason why it can't be read; None without one."""
    try:
        if not await table.exists():
            return None
    except StorageError:
        return None  # a user who may not ask has none to see
    try:
        return await table.size()
    except StorageError as error:
        return str(error)


def missing_history(where: str) -> StorageError:
    """Return the error for a store without a history table."""
    return StorageError(
        f"{where} has no history table: nothing was read or written. wb.plan_history() shows the "
        "statements that create it, wb.install_history() runs them on a store that was opened with "
        "writable=True; for a storage, history_of(storage).plan() and .create()",
        nothing_written=True,
    )
