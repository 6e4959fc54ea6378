"""The protocols of a storage: three coroutines, and the capabilities that it may have beyond them.

Anything with ``save``, ``get`` and ``delete`` is a storage (``SessionStorage``) and works
everywhere in this package. Each capability beyond these is a small protocol, asked for with
``isinstance``; ``require`` raises a ``CapabilityError`` that says how to get a missing one.
The attributes by which a storage describes itself are optional too: see ``StorageAttributes``.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar, runtime_checkable

from ..errors import CapabilityError, SessionConflict, StorageError
from ..model import Session
from .address import Address, address_of
from .facts import StoreFacts
from .migration import Migration
from .paths import ContextPath
from .query import Query
from .table import GroupCount, Table

__all__ = [
    "CAPABILITIES",
    "SessionStorage",
    "StorageAttributes",
    "SupportsClose",
    "SupportsCount",
    "SupportsCounts",
    "SupportsDeleteMany",
    "SupportsFacts",
    "SupportsImportMany",
    "SupportsIndex",
    "SupportsMigration",
    "SupportsQuery",
    "SupportsRestore",
    "SupportsSaveMany",
    "SupportsSlowOrders",
    "SupportsTable",
    "SupportsTrigger",
    "SupportsUpsert",
    "SupportsWatch",
    "attributes_of",
    "get_or_create",
    "missing_capability",
    "require",
]

T = TypeVar("T")


@runtime_checkable
class SessionStorage(Protocol):
    """The three coroutines that every storage has, as in graph-flow 0.6 (``storage.rs``)."""

    async def save(self, session: Session) -> None:
        """Store a session and move ``session.version`` on in place.

        Raises:
            SessionConflict: The stored session is not the one that was read; nothing was written.
        """

    async def get(self, id: str) -> Session | None:
        """Return the session with this id; None if there is none."""

    async def delete(self, id: str) -> None:
        """Delete the session with this id; an unknown id is not an error."""


@runtime_checkable
class SupportsQuery(Protocol):
    """Filter, order and page whole sessions inside the store."""

    async def query(self, query: Query) -> list[Session]:
        """Return the selected sessions, in order."""


@runtime_checkable
class SupportsTable(Protocol):
    """Filter, order and page sessions by column: what a DataFrame shows."""

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column, with the values at these context paths."""


@runtime_checkable
class SupportsCount(Protocol):
    """Count sessions inside the store."""

    async def count(self, query: Query) -> int:
        """Return the number of selected sessions; limit and page are ignored."""


@runtime_checkable
class SupportsCounts(Protocol):
    """Count sessions by graph and task inside the store."""

    async def counts(self, query: Query) -> list[GroupCount]:
        """Return the number of selected sessions at each task of each graph."""


@runtime_checkable
class SupportsUpsert(Protocol):
    """Save without a check: last write wins, the plain upsert of graph-flow's documentation."""

    async def upsert(self, session: Session) -> None:
        """Store a session over whatever is stored, and move ``session.version`` on in place."""


@runtime_checkable
class SupportsDeleteMany(Protocol):
    """Delete several sessions at once, each only if it still has the version given with it."""

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete sessions and return the ids of those that were deleted."""


@runtime_checkable
class SupportsSaveMany(Protocol):
    """Save several sessions at once, each as ``save`` does."""

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Store sessions and return a conflict for each one that was not stored."""


@runtime_checkable
class SupportsImportMany(Protocol):
    """Take in sessions as they are, with versions and times: what a copy needs."""

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Store sessions whose ids are free; return the ids that were taken."""


@runtime_checkable
class SupportsRestore(Protocol):
    """Put a deleted session back with the time of its creation."""

    async def restore(self, session: Session) -> None:
        """Store a deleted session again and move its version on.

        Raises:
            SessionConflict: The id is taken.
        """


@runtime_checkable
class SupportsFacts(Protocol):
    """Report what ``wb.advise()`` judges; cheap, and changes nothing."""

    async def facts(self) -> StoreFacts:
        """Return facts about the store."""


@runtime_checkable
class SupportsSlowOrders(Protocol):
    """Report which orders no index serves."""

    async def slow_orders(self) -> dict[str, str]:
        """Return the columns by which a page is slow, each with what would help."""


@runtime_checkable
class SupportsMigration(Protocol):
    """Bring an older table to graph-flow 0.6's form, after showing how."""

    async def plan_migration(self) -> Migration:
        """Return the statements of the migration; runs nothing."""

    async def migrate(self) -> Migration:
        """Run the statements of ``plan_migration``."""


@runtime_checkable
class SupportsTrigger(Protocol):
    """Make the store announce each change, after showing how."""

    async def plan_trigger(self) -> Migration:
        """Return the statements that install the trigger; runs nothing."""

    async def install_trigger(self) -> Migration:
        """Run the statements of ``plan_trigger``."""

    async def remove_trigger(self) -> Migration:
        """Remove the trigger, if there is one."""


@runtime_checkable
class SupportsIndex(Protocol):
    """Build an index for quick pages where the store itself has no order."""

    async def build_index(self) -> int:
        """Build the index or update it; return the number of sessions in it."""

    async def drop_index(self) -> None:
        """Remove the index, if there is one; no session is touched."""


@runtime_checkable
class SupportsWatch(Protocol):
    """Report changes as they happen."""

    async def watch(
        self, on_change: Callable[[str], None], on_state: Callable[[bool], None]
    ) -> None:
        """Report changes and the state of the connection until cancelled."""


@runtime_checkable
class SupportsClose(Protocol):
    """Give back connections and files."""

    async def close(self) -> None:
        """Close; closing twice is not an error."""


#: How a storage of your own gets the method that it lacks, by the method's name.
CAPABILITIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("query", "table", "count", "counts"),
        "graphflow_nb.storage.ByScanning gives it to a storage with one method that lists ids",
    ),
    "upsert": "wb.save() replaces what was read; to write over anything, add upsert(session)",
    "delete_many": "delete(id) deletes one at a time; add delete_many(ids, versions) for several",
    "save_many": "save(session) saves one at a time; add save_many(sessions) for several",
    "import_many": "add import_many(sessions) to keep versions and times in a copy",
    "restore": "add restore(session) to put a deleted session back with its times",
    "facts": "add facts(), which returns a graphflow_nb.storage.StoreFacts",
    **dict.fromkeys(
        ("plan_migration", "migrate"), "only a PostgreSQL table has older forms to migrate"
    ),
    **dict.fromkeys(
        ("plan_trigger", "install_trigger", "remove_trigger"),
        "only PostgreSQL announces changes by a trigger; browse() looks every two seconds",
    ),
    **dict.fromkeys(
        ("build_index", "drop_index"), "only Redis needs one; the other stores order by themselves"
    ),
    **dict.fromkeys(
        ("save", "get", "delete"), "every storage has the coroutines save, get and delete"
    ),
}


def missing_capability(storage: object, method: str) -> CapabilityError:
    """Return the error for a method that a storage lacks, with the shortest way to get it."""
    return CapabilityError(storage, method, CAPABILITIES.get(method))


def require(storage: object, protocol: type[T]) -> T:
    """Return the storage as one that has a capability.

    Args:
        storage: The storage to ask.
        protocol: The capability, one of the protocols of this module.

    Raises:
        CapabilityError: The storage lacks a method of the protocol; the error says how to get it.
    """
    if not isinstance(storage, protocol):
        methods = [name for name in vars(protocol) if name in CAPABILITIES]
        lacks = next(name for name in methods if getattr(storage, name, None) is None)
        try:
            getattr(storage, lacks)
        except CapabilityError:  # of a wrapper, which names the storage inside
            raise
        except AttributeError:
            pass
        raise missing_capability(storage, lacks)
    return storage


class StorageAttributes:
    """The attributes by which a storage describes itself, with the default of each.

    All are optional: a storage sets those whose default is wrong for it, as class attributes,
    properties or plain attributes. ``attributes_of(storage)`` reads them as they are now.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, ReadOnlyStorage
        >>> from graphflow_nb.storage import attributes_of
        >>> attributes_of(ReadOnlyStorage(InMemorySessionStorage())).read_only
        True
    """

    __slots__ = ("_storage",)

    def __init__(self, storage: object):
        self._storage = storage

    @property
    def suspends(self) -> bool:
        """Whether its coroutines ever wait. False: they are run in place, without an event loop."""
        return bool(getattr(self._storage, "suspends", True))

    @property
    def phases(self) -> bool:
        """Whether it reports phases (wait, encode, execute, decode) to ``storage.trace``."""
        return bool(getattr(self._storage, "phases", False))

    @property
    def loop(self) -> AbstractEventLoop | None:
        """The event loop that its connections belong to; None for any."""
        return getattr(self._storage, "loop", None)

    @property
    def names_loop(self) -> bool:
        """Whether it says which loop it belongs to: ``loop = None`` says that any will do."""
        return hasattr(self._storage, "loop")

    @property
    def place(self) -> str | None:
        """Which store it is, without secrets: equal for two storages on the same data."""
        place = getattr(self._storage, "place", None)
        return None if place is None else str(place)

    @property
    def read_only(self) -> bool:
        """Whether it refuses every write."""
        return bool(getattr(self._storage, "read_only", False))

    @property
    def atomic_batches(self) -> bool:
        """Whether nothing of a batch is stored when the store fails in the middle of it."""
        return bool(getattr(self._storage, "atomic_batches", False))

    @property
    def server_version(self) -> str:
        """The server's product and version, e.g. ``Redis 7.2.4``; empty where there is none."""
        return str(getattr(self._storage, "server_version", ""))

    @property
    def address(self) -> Address:
        """Which database it is, for tools that watch databases."""
        return address_of(self._storage)


def attributes_of(storage: object) -> StorageAttributes:
    """Return the attributes of a storage, with defaults for those that it does not set.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.storage import attributes_of
        >>> attributes_of(InMemorySessionStorage()).suspends
        False
    """
    return StorageAttributes(storage)


async def get_or_create(
    storage: SessionStorage, id: str, start_task: str, graph_id: str = "default"
) -> Session:
    """Return the session with this id; create it at ``start_task`` if there is none.

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
