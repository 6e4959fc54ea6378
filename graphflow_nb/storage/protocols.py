"""The protocols of a storage: three coroutines, and the capabilities that it may have beyond them.

Anything with ``save``, ``get`` and ``delete`` is a storage (``SessionStorage``) and works
everywhere in this package. Each capability beyond these is a small protocol, asked for with
``isinstance``; ``capabilities.py`` lists them all, with what works without each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from ..errors import SessionConflict
from ..model import Session
from .chats import Chat
from .facts import StoreFacts
from .migration import Migration
from .overview import OverviewCounts
from .paths import ContextPath
from .query import Query
from .table import GroupCount, Table

__all__ = [
    "SessionStorage",
    "SupportsClose",
    "SupportsCount",
    "SupportsCounts",
    "SupportsDeleteMany",
    "SupportsEstimate",
    "SupportsDeleteUnchanged",
    "SupportsFacts",
    "SupportsImportMany",
    "SupportsIndex",
    "SupportsMigration",
    "SupportsChats",
    "SupportsOverview",
    "SupportsQuery",
    "SupportsRaw",
    "SupportsRestore",
    "SupportsRestoreMany",
    "SupportsSaveMany",
    "SupportsSlowOrders",
    "SupportsSnapshot",
    "SupportsSplit",
    "SupportsTable",
    "SupportsTrigger",
    "SupportsUpsert",
    "SupportsWatch",
]


@runtime_checkable
class SessionStorage(Protocol):
    """The three coroutines that every storage has, as in graph-flow 0.6 (``storage.rs``).

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, SessionStorage
        >>> isinstance(InMemorySessionStorage(), SessionStorage)
        True
    """

    async def save(self, session: Session) -> None:
        """Store a session and move ``session.version`` on in place.

        Raises:
            SessionConflict: The stored session is not the one that was read; nothing was written.
        """

    async def get(self, id: str) -> Session | None:
        """Return the session with this id, or None if it does not exist."""

    async def delete(self, id: str) -> None:
        """Delete the session with this id; an unknown id is not an error."""


@runtime_checkable
class SupportsQuery(Protocol):
    """A storage that filters, orders and pages whole sessions inside the store."""

    async def query(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order."""


@runtime_checkable
class SupportsTable(Protocol):
    """A storage that filters, orders and pages sessions by column, for a DataFrame."""

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column, with the values at these context paths."""


@runtime_checkable
class SupportsCount(Protocol):
    """A storage that counts sessions inside the store."""

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""


@runtime_checkable
class SupportsCounts(Protocol):
    """A storage that counts sessions by graph and task inside the store."""

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""


@runtime_checkable
class SupportsChats(Protocol):
    """A storage that returns chats without the rest of the sessions."""

    async def chats(self, query: Query) -> list[Chat] | None:
        """Return the chats that have messages of the selected sessions, in order.

        The limit is one on these. None is returned where one of them can only be read as part of
        its session.
        """


@runtime_checkable
class SupportsOverview(Protocol):
    """A storage that counts its sessions by task and age, by the hour and by size, in the store."""

    async def overview(self, now: datetime, *, exact: bool = False) -> OverviewCounts:
        """Return the counts, with ages up to ``now``.

        A part that stands for the whole is enough where there are many sessions, unless ``exact``.
        """


@runtime_checkable
class SupportsEstimate(Protocol):
    """A storage that knows about how many sessions it holds without reading them."""

    async def estimate(self) -> int | None:
        """Return about how many sessions there are; None where that is not known."""


@runtime_checkable
class SupportsSplit(Protocol):
    """A storage that divides its sessions among several readers without reading them."""

    async def split(self, parts: int) -> list[str] | None:
        """Return the last id of each range but the last, in the order of a query by id.

        The ranges have about equal numbers of sessions. There may be fewer than ``parts``, where
        there are few sessions. None is returned where the store can't find them.

        Args:
            parts: The number of ranges, 1 or more.

        Raises:
            StorageTimeout: It took longer than ``timeout=``.
            StorageUnavailable: The store can't be reached.
        """


@runtime_checkable
class SupportsSnapshot(Protocol):
    """A storage that keeps what is stored at one moment for several reads."""

    async def snapshot(self) -> SessionStorage:
        """Return a storage of what is stored now, which takes no writes.

        It has ``query``, ``table`` and ``close`` at least. Closing it releases what was kept for
        it; the storage itself goes on meanwhile, for reads and for writes.

        Raises:
            StorageError: The store can't keep it, or can't be reached.
        """


@runtime_checkable
class SupportsUpsert(Protocol):
    """A storage that can save without a check: the last write wins, as graph-flow documents it."""

    async def upsert(self, session: Session) -> None:
        """Store a session over whatever is stored, and move ``session.version`` on in place."""


@runtime_checkable
class SupportsDeleteMany(Protocol):
    """A storage that deletes several sessions at once, each only at the version given with it."""

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete sessions and return the ids of those that were deleted."""


@runtime_checkable
class SupportsDeleteUnchanged(Protocol):
    """A storage that deletes sessions only where they are still exactly as they were read."""

    async def delete_unchanged(self, sessions: Sequence[Session]) -> list[str]:
        """Delete sessions and return the ids of those that were deleted.

        A session that was saved since, or deleted and created again, stays.
        """


@runtime_checkable
class SupportsSaveMany(Protocol):
    """A storage that saves several sessions at once, each as ``save`` does."""

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Store sessions and return a conflict for each one that was not stored."""


@runtime_checkable
class SupportsImportMany(Protocol):
    """A storage that imports sessions with their versions and times, as a copy needs."""

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Store sessions whose ids are free; return the ids that were taken."""


@runtime_checkable
class SupportsRestore(Protocol):
    """A storage that puts a deleted session back with the time of its creation."""

    async def restore(self, session: Session) -> None:
        """Store a deleted session again and move its version on.

        Raises:
            SessionConflict: The id is taken.
        """


@runtime_checkable
class SupportsRaw(Protocol):
    """A storage that returns what is stored under an id, also where it is not a session."""

    async def raw(self, id: str) -> dict[str, Any] | None:
        """Return each column with its value as it is stored; None if there is nothing.

        Text that is not UTF-8 is returned as bytes. An id that is not text is given by its name,
        as ``Table.id`` has it.
        """


@runtime_checkable
class SupportsRestoreMany(Protocol):
    """A storage that puts several deleted sessions back at once, each as ``restore`` does."""

    async def restore_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Store deleted sessions again and return a conflict for each one whose id is taken."""


@runtime_checkable
class SupportsFacts(Protocol):
    """A storage that reports what ``wb.advise()`` judges; cheap, and changes nothing."""

    async def facts(self) -> StoreFacts:
        """Return facts about the store."""


@runtime_checkable
class SupportsSlowOrders(Protocol):
    """A storage that reports which orders no index serves."""

    async def slow_orders(self) -> dict[str, str]:
        """Return the columns by which a page is slow, each with what would help."""


@runtime_checkable
class SupportsMigration(Protocol):
    """A storage that brings an older table to graph-flow 0.6's form, after showing how."""

    async def plan_migration(self) -> Migration:
        """Return the statements of the migration; runs nothing."""

    async def migrate(self) -> Migration:
        """Run the statements of ``plan_migration``."""


@runtime_checkable
class SupportsTrigger(Protocol):
    """A storage that makes the store announce each change, after showing how."""

    async def plan_trigger(self) -> Migration:
        """Return the statements that install the trigger; runs nothing."""

    async def install_trigger(self) -> Migration:
        """Run the statements of ``plan_trigger``."""

    async def remove_trigger(self) -> Migration:
        """Remove the trigger, if there is one."""


@runtime_checkable
class SupportsIndex(Protocol):
    """A storage that builds an index for quick pages, where the store itself has no order."""

    async def build_index(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> int:
        """Build the index or update it; return the number of sessions in it.

        Args:
            progress: Called after each batch with the number of sessions done, and of all; None if
                that is unknown.
            stop: Asked before each batch; True ends the work there.
        """

    async def drop_index(self) -> None:
        """Remove the index, if there is one; no session is changed."""


@runtime_checkable
class SupportsWatch(Protocol):
    """A storage that reports changes as they happen."""

    async def watch(
        self, on_change: Callable[[str], None], on_state: Callable[[bool], None]
    ) -> None:
        """Report changes until cancelled; return at once where the store announces none.

        Args:
            on_change: Called with the id of each session that changed, ``""`` for any.
            on_state: Called with True when changes are noticed, with False when no longer.
        """


@runtime_checkable
class SupportsClose(Protocol):
    """A storage that releases connections and files when it is closed."""

    async def close(self) -> None:
        """Close; closing twice is not an error."""
