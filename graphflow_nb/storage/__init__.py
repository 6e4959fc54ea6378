"""Storages of sessions: asynchronous, usable without a notebook.

A storage is anything with the coroutines ``save``, ``get`` and ``delete`` (``SessionStorage``).
All else is optional. Each capability is a protocol (``SupportsX``; ``capabilities.CAPABILITIES``
lists them with what works without each); the attributes by which a storage describes itself are
those of ``StorageAttributes``.

    capability           methods                                   what they do
    SupportsQuery        query(query)                              filter, order and page sessions
    SupportsTable        table(query, context)                     the same by column
    SupportsCount        count(query)                              count them
    SupportsCounts       counts(query)                             count them by graph and task
    SupportsChats        chats(query)                              return chats that have messages
    SupportsOverview     overview(now, exact)                      count by task, age, hour and size
    SupportsEstimate     estimate()                                report about how many there are
    SupportsSplit        split(parts)                              divide them among several readers
    SupportsSnapshot     snapshot()                                keep what is stored now for reads
    SupportsUpsert       upsert(session)                           save, whatever is stored
    SupportsSaveMany     save_many(sessions)                       save each, and return conflicts
    SupportsImportMany   import_many(sessions)                     store them with their versions
    SupportsDeleteMany   delete_many(ids, versions)                delete those at these versions
    SupportsDeleteUnchanged  delete_unchanged(sessions)            delete those that are unchanged
    SupportsRestore      restore(session)                          put a deleted session back
    SupportsRestoreMany  restore_many(sessions)                    put several back at once
    SupportsFacts        facts()                                   report what wb.advise() judges
    SupportsSlowOrders   slow_orders()                             report orders without an index
    SupportsMigration    plan_migration(), migrate()               bring a table to the newest form
    SupportsTrigger      plan_trigger(), install_trigger(), …      make the store announce changes
    SupportsIndex        build_index(), drop_index()               make pages quick in Redis
    SupportsWatch        watch(on_change, on_state)                report changes until cancelled
    SupportsClose        close()                                   release connections and files

To write a storage of your own:

- ``check_texts``, ``check_no_extra`` and ``check_ids_once`` refuse what it can't hold.
- ``stored_session`` makes what ``get`` returns; ``mark_saved`` moves a session on after a save;
  ``session.raw_created`` and ``session.raw_updated`` are the times as the storage returned them.
- ``ByScanning`` answers queries from a method that lists ids; ``filter_rows``, ``take_page``,
  ``build_table`` and ``GroupCounter`` answer them from rows.
- ``graphflow_nb.testing.check`` reports what is missing or wrong.
- ``register`` gives it a scheme, so that ``connect`` and ``graphflow_nb.open`` open its URLs.
"""

from ..model import mark_saved, stored_session
from .address import Address
from .attributes import StorageAttributes, attributes_of
from .capabilities import require
from .checks import check_ids_once, check_no_extra, check_text, check_texts
from .connect import connect, connect_from_env
from .copy_report import CopyReport
from .creating import get_or_create
from .facts import StoreFacts
from .memory import InMemorySessionStorage
from .migration import Migration
from .odd import Found, problems_of
from .postgres import PostgresSessionStorage
from .protocols import (
    SessionStorage,
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
from .query import Cursor, Query
from .redis.storage import RedisSessionStorage
from .rows import GroupCounter, Row, build_table, filter_rows, take_page
from .scanned import ByScanning
from .sqlite.storage import SqliteSessionStorage
from .stores import StoreKind, example_urls, is_server, label_of, register
from .table import GroupCount, Table
from .url import StoreUrl
from .wrappers import FallbackStorage, ReadOnlyStorage, RetryingStorage

__all__ = [
    "Address",
    "ByScanning",
    "CopyReport",
    "Cursor",
    "FallbackStorage",
    "Found",
    "GroupCount",
    "GroupCounter",
    "InMemorySessionStorage",
    "Migration",
    "PostgresSessionStorage",
    "Query",
    "ReadOnlyStorage",
    "RedisSessionStorage",
    "RetryingStorage",
    "Row",
    "SessionStorage",
    "SqliteSessionStorage",
    "StorageAttributes",
    "StoreFacts",
    "StoreKind",
    "StoreUrl",
    "SupportsClose",
    "SupportsCount",
    "SupportsCounts",
    "SupportsDeleteMany",
    "SupportsDeleteUnchanged",
    "SupportsEstimate",
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
    "Table",
    "attributes_of",
    "build_table",
    "check_ids_once",
    "check_no_extra",
    "check_text",
    "check_texts",
    "connect",
    "connect_from_env",
    "example_urls",
    "filter_rows",
    "get_or_create",
    "is_server",
    "label_of",
    "mark_saved",
    "problems_of",
    "register",
    "require",
    "stored_session",
    "take_page",
]
