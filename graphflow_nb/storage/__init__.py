"""Where sessions live. Asynchronous, usable without a notebook.

A storage is anything with the coroutines ``save``, ``get`` and ``delete`` (``SessionStorage``).
Capabilities beyond them, each optional:

    query(query), table(query, context), count(query), counts(query)    see Query
    upsert(session)                                                     last write wins
    save_many(sessions)           saves each as save does, and says which conflict
    import_many(sessions)         takes in as they are those whose ids are free
    delete_many(ids, versions)    those that still have these versions, and says which
    restore(session)              puts a deleted session back, created when it was
    slow_orders()                 orders that no index serves, with what would help
    facts()                       what the store tells of itself, for wb.advise()
    build_index(), drop_index()   make pages quick where the store itself has no order
    watch(on_change, on_state)    tells of changes until cancelled
    close()                                                             gives back what it holds

For one of your own: ``check_texts`` refuses what no store can hold, ``stored_session`` makes what
``get`` returns, ``mark_saved`` moves a session on after a save, ``ByScanning`` answers queries from
a list of all sessions, and ``graphflow_nb.testing.check`` says what is still missing. An attribute
``address``, an ``Address``, tells tools that watch databases which one it is.
"""

from ..model import mark_saved, stored_session
from .address import Address
from .attributes import StorageAttributes, attributes_of
from .checks import check_text, check_texts
from .connect import connect, connect_from_env
from .copying import CopyReport
from .facts import StoreFacts
from .memory import InMemorySessionStorage
from .migration import Migration
from .postgres import PostgresSessionStorage
from .protocols import (
    SessionStorage,
    SupportsClose,
    SupportsCount,
    SupportsCounts,
    SupportsDeleteMany,
    SupportsFacts,
    SupportsImportMany,
    SupportsIndex,
    SupportsMigration,
    SupportsQuery,
    SupportsRestore,
    SupportsSaveMany,
    SupportsSlowOrders,
    SupportsTable,
    SupportsTrigger,
    SupportsUpsert,
    SupportsWatch,
    get_or_create,
    require,
)
from .query import Cursor, Query
from .redis.storage import RedisSessionStorage
from .rows import ByScanning
from .sqlite.storage import SqliteSessionStorage
from .stores import StoreKind, example_urls, is_server, label_of, register
from .table import GroupCount, Table
from .wrappers import FallbackStorage, ReadOnlyStorage, RetryingStorage

__all__ = [
    "Address",
    "ByScanning",
    "CopyReport",
    "Cursor",
    "FallbackStorage",
    "GroupCount",
    "InMemorySessionStorage",
    "Migration",
    "PostgresSessionStorage",
    "Query",
    "ReadOnlyStorage",
    "RedisSessionStorage",
    "RetryingStorage",
    "SessionStorage",
    "SqliteSessionStorage",
    "StorageAttributes",
    "StoreFacts",
    "StoreKind",
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
    "Table",
    "attributes_of",
    "check_text",
    "check_texts",
    "connect",
    "connect_from_env",
    "example_urls",
    "get_or_create",
    "is_server",
    "label_of",
    "mark_saved",
    "register",
    "require",
    "stored_session",
]
