"""The list of capabilities, and the error where a storage lacks one.

``CAPABILITIES`` has each protocol of ``protocols.py`` with what works without it, and ``require``
raises a ``CapabilityError`` that says how to get a missing one.
"""

from __future__ import annotations

from inspect import isfunction
from typing import Final, NamedTuple, TypeVar, cast

from ..errors import CapabilityError
from .protocols import (
    SupportsChats,
    SupportsClose,
    SupportsCount,
    SupportsCounts,
    SupportsDeleteMany,
    SupportsDeleteUnchanged,
    SupportsEstimate,
    SupportsFacts,
    SupportsImportMany,
    SupportsIndex,
    SupportsMigration,
    SupportsOverview,
    SupportsQuery,
    SupportsRaw,
    SupportsRestore,
    SupportsRestoreMany,
    SupportsSaveMany,
    SupportsSlowOrders,
    SupportsSnapshot,
    SupportsSplit,
    SupportsTable,
    SupportsTrigger,
    SupportsUpsert,
    SupportsWatch,
)

__all__ = ["CAPABILITIES", "Capability", "missing_capability", "require"]

T = TypeVar("T")


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
        "only Redis has this index; in other stores wb.advise() names the statements that help",
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
        protocol: The capability, one of the protocols of ``protocols.py``.

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
