"""The protocols of a storage: three coroutines, and the capabilities that it may have beyond them.

Anything with ``save``, ``get`` and ``delete`` is a storage (``SessionStorage``) and works
everywhere in this package. Each capability beyond these is a small protocol, asked for with
``isinstance``; ``CAPABILITIES`` lists them all, with what works without each, and ``require``
raises a ``CapabilityError`` that says how to get a missing one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from inspect import isfunction
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

from ..errors import CapabilityError, SessionConflict, StorageError
from ..model import Session
from .chats import Chat
from .facts import StoreFacts
from .migration import Migration
from .overview import OverviewCounts
from .paths import ContextPath
from .query import Query
from .table import GroupCount, Table

__all__ = [
    "CAPABILITIES",
    "Capability",
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
    "get_or_create",
    "missing_capability",
    "require",
]

T = TypeVar("T")


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


class Capability(NamedTuple):
    """Something that a storage may offer beyond ``save``, ``get`` and ``delete``.

    Attributes:
        protocol: The protocol of its methods.
        remedy: The way to get them in a storage of your own, for the error about a missing one.
        optional: The reason why a storage may lack it: what needs it, or what happens without it.
        writes: Those of its methods that change the store.
    """

    protocol: type
    remedy: str
    optional: str
    writes: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of its methods."""
        return _methods_of(self.protocol)


def _methods_of(protocol: type) -> tuple[str, ...]:
    return tuple(
        name
        for name, value in vars(protocol).items()
        if isfunction(value) and not name.startswith("_")
    )


_BY_SCANNING = (
    "graphflow_nb.storage.ByScanning gives it to a storage with one method that lists ids"
)

#: All capabilities.
CAPABILITIES: Final[tuple[Capability, ...]] = (
    Capability(
        SupportsQuery,
        _BY_SCANNING,
        "only wb.messages() of several sessions and copies from this store need it",
    ),
    Capability(
        SupportsTable,
        _BY_SCANNING,
        "only wb.sessions() and the browser need it",
    ),
    Capability(
        SupportsCount,
        _BY_SCANNING,
        "only the totals beside a page need it",
    ),
    Capability(
        SupportsCounts,
        _BY_SCANNING,
        "only wb.summary() and the choices in the browser need it",
    ),
    Capability(
        SupportsChats,
        "add chats(query); without it wb.messages() reads whole sessions by query()",
        "without it wb.messages() reads whole sessions",
    ),
    Capability(
        SupportsOverview,
        "add overview(now, exact=False); without it wb.overview() reads the newest sessions by "
        "table()",
        "without it wb.overview() reads the newest sessions",
    ),
    Capability(
        SupportsSplit,
        "add split(parts); without it graphflow_nb.dask reads all ids once to divide them",
        "without it graphflow_nb.dask reads all ids once before it begins",
    ),
    Capability(
        SupportsSnapshot,
        "leave snapshot=True out, and each read has what is stored by then; only memory, SQLite "
        "and PostgreSQL keep what is stored at one moment, and a storage with snapshot()",
        "only snapshot=True of wb.scan() and wb.to_parquet() needs it",
    ),
    Capability(
        SupportsUpsert,
        "wb.save() replaces the version that was read; to overwrite any, add upsert(session)",
        "only wb.upsert() needs it",
        writes=("upsert",),
    ),
    Capability(
        SupportsDeleteMany,
        "delete(id) deletes one at a time; add delete_many(ids, versions) for several",
        "without it the workbench reads and compares each session before it deletes it",
        writes=("delete_many",),
    ),
    Capability(
        SupportsDeleteUnchanged,
        "add delete_unchanged(sessions), which compares and deletes in one step of the store",
        "without it a save between the journal's look and the delete is lost",
        writes=("delete_unchanged",),
    ),
    Capability(
        SupportsSaveMany,
        "save(session) saves one at a time; add save_many(sessions) for several",
        "without it sessions are saved one at a time",
        writes=("save_many",),
    ),
    Capability(
        SupportsImportMany,
        "add import_many(sessions) to keep versions and times in a copy",
        "without it a copy has new versions and times",
        writes=("import_many",),
    ),
    Capability(
        SupportsRestore,
        "add restore(session) to put a deleted session back with its times",
        "without it a deleted session comes back with a new time of creation",
        writes=("restore",),
    ),
    Capability(
        SupportsRestoreMany,
        "restore(session) restores one at a time; add restore_many(sessions) for several",
        "without it deleted sessions come back one at a time",
        writes=("restore_many",),
    ),
    Capability(
        SupportsRaw,
        "add raw(id), which returns what is stored under an id, by column",
        "only wb.raw() needs it, to show what is not a session",
    ),
    Capability(
        SupportsFacts,
        "add facts(), which returns a graphflow_nb.storage.StoreFacts",
        "only wb.advise() needs it",
    ),
    Capability(
        SupportsEstimate,
        "add estimate(), which returns about how many sessions there are, without reading them",
        "without it sessions are counted, for half a second at most where nobody asked",
    ),
    Capability(
        SupportsSlowOrders,
        "add slow_orders(), which returns a text for each order that is slow",
        "without it the browser assumes that every order is quick",
    ),
    Capability(
        SupportsMigration,
        "only a PostgreSQL table has older forms to migrate",
        "only a table that has older forms needs it",
        writes=("migrate",),
    ),
    Capability(
        SupportsTrigger,
        "only PostgreSQL announces changes by a trigger; browse() looks every two seconds",
        "without it the browser looks every two seconds",
        writes=("install_trigger", "remove_trigger"),
    ),
    Capability(
        SupportsIndex,
        "only Redis needs one; the other stores order by themselves",
        "only a store that has no order of its own needs it",
        writes=("build_index", "drop_index"),
    ),
    Capability(
        SupportsWatch,
        "add watch(on_change, on_state); without it browse() looks every two seconds",
        "without it the browser looks every two seconds",
    ),
    Capability(
        SupportsClose,
        "add close(), which releases connections and files",
        "only a storage that holds connections or files needs it",
    ),
)


def missing_capability(storage: object, method: str) -> CapabilityError:
    """Return the error for a method that a storage lacks, with the shortest way to get it."""
    remedies = (c.remedy for c in CAPABILITIES if method in c.methods)
    return CapabilityError(storage, method, next(remedies, _EVERY))


_EVERY: Final = "every storage has the coroutines save, get and delete"


def require(storage: object, protocol: type[T]) -> T:
    """Return the storage as one that has a capability.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, Query
        >>> from graphflow_nb.storage import SupportsCount, require
        >>> await require(InMemorySessionStorage(), SupportsCount).count(Query())
        0

    Args:
        storage: The storage to ask.
        protocol: The capability, one of the protocols of this module.

    Raises:
        CapabilityError: The storage lacks a method of the protocol; the error says how to get it.
    """
    if not isinstance(storage, protocol):
        for name in _methods_of(protocol):
            _require_method(storage, name)
        # Each method is there, but only by __getattr__, which isinstance does not ask since
        # Python 3.12.
        return cast(T, storage)
    return storage


def _require_method(storage: object, name: str) -> None:
    try:
        if getattr(storage, name) is not None:
            return
    except CapabilityError:  # of a wrapper, which names the storage inside
        raise
    except AttributeError:
        pass
    raise missing_capability(storage, name)


async def get_or_create(
    storage: SessionStorage, id: str, start_task: str, graph_id: str = "default"
) -> Session:
    """Return the session with this id; create it at ``start_task`` if it does not exist.

    The pattern of graph-flow's documentation, safe when several callers race: where the storage
    detects conflicts, all of them get the one session that was stored.

    Args:
        storage: The storage to read and write.
        id: The id of the session.
        start_task: The task of a new session.
        graph_id: The graph of a new session.

    Raises:
        StorageError: The store failed, or others create and delete the session again and again.
    """
    for _ in range(10):
        found = await storage.get(id)
        if found is not None:
            return found
        session = Session(id, start_task, graph_id=graph_id)
        try:
            await storage.save(session)
        except SessionConflict as conflict:
            if conflict.stored is not None:
                return conflict.stored
            continue
        return session
    raise StorageError(f"session {id!r} was created and deleted by others ten times in a row")
