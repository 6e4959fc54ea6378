"""A Jupyter toolkit for the sessions of graph workflows: see them, change them, time them.

import graphflow_nb
wb = graphflow_nb.open("demo")
"""

from .benchmark import Workload
from .changes import Change, Clash, Merge, Patch, diff
from .errors import (
    BenchmarkError,
    BridgeError,
    CapabilityError,
    ContextError,
    GraphflowError,
    LocalPostgresError,
    PatchError,
    QueryError,
    ReadOnlyError,
    SessionConflict,
    SessionFormatError,
    SessionNotFound,
    StorageError,
    StorageTimeout,
    StorageUnavailable,
)
from .monitoring import Hook, MonitoredStorage, Operation, Recorder
from .notebook import Latency, Run, Workbench, compare, open, wrap
from .notebook.magics import load_ipython_extension, unload_ipython_extension
from .private_server import LocalPostgres, local_postgres
from .session import ChatHistory, Context, Message, MessageRole, Session
from .storage import (
    CopyReport,
    Cursor,
    FallbackStorage,
    GroupCount,
    InMemorySessionStorage,
    Migration,
    PostgresSessionStorage,
    Query,
    ReadOnlyStorage,
    RedisSessionStorage,
    RetryingStorage,
    SessionStorage,
    SqliteSessionStorage,
    Table,
    connect,
    connect_from_env,
    get_or_create,
)

__version__ = "0.1.0"

__all__ = [
    "BenchmarkError",
    "BridgeError",
    "CapabilityError",
    "Change",
    "ChatHistory",
    "Clash",
    "Context",
    "ContextError",
    "CopyReport",
    "Cursor",
    "FallbackStorage",
    "GraphflowError",
    "GroupCount",
    "Hook",
    "InMemorySessionStorage",
    "Latency",
    "LocalPostgres",
    "LocalPostgresError",
    "Message",
    "Merge",
    "MessageRole",
    "Migration",
    "MonitoredStorage",
    "Operation",
    "Patch",
    "PatchError",
    "PostgresSessionStorage",
    "Query",
    "QueryError",
    "ReadOnlyError",
    "ReadOnlyStorage",
    "Recorder",
    "RedisSessionStorage",
    "RetryingStorage",
    "Run",
    "Session",
    "SessionConflict",
    "SessionFormatError",
    "SessionNotFound",
    "SessionStorage",
    "SqliteSessionStorage",
    "StorageError",
    "StorageTimeout",
    "StorageUnavailable",
    "Table",
    "Workbench",
    "Workload",
    "compare",
    "connect",
    "connect_from_env",
    "diff",
    "get_or_create",
    "load_ipython_extension",
    "local_postgres",
    "open",
    "unload_ipython_extension",
    "wrap",
]
