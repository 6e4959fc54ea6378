"""A Jupyter toolkit for the sessions of graph workflows: see them, change them, time them.

Example:
    >>> import graphflow_nb
    >>> wb = graphflow_nb.open("demo")
    >>> session = wb.get("claim-0014")
    >>> session.current_task_id, session.status_message
    ('await_documents', 'waiting for documents')

What most people need is here. The packages below have the rest:

- ``graphflow_nb.storage``: stores, queries, and what a storage of your own needs
- ``graphflow_nb.testing``: checks of what a complete storage does
- ``graphflow_nb.changes``: patches, merges and drafts
- ``graphflow_nb.history``: the versions of sessions over time
- ``graphflow_nb.journal``: the writes by hand, to be undone
- ``graphflow_nb.monitoring``: the cost of operations, and hooks
- ``graphflow_nb.figures``: pictures of that cost
- ``graphflow_nb.benchmark``: workloads that load a store
- ``graphflow_nb.workflow``: tasks, graphs, and what runs them as graph-flow does
- ``graphflow_nb.lessons``: workflows to step through, crash and race, for courses
- ``graphflow_nb.dask``: the sessions for the machines of a cluster
"""

from ._version import __version__ as __version__
from .benchmark import Workload
from .changes import Change, Clash, Merge, Patch, diff
from .errors import (
    BenchmarkError,
    BridgeError,
    CapabilityError,
    ChangeRefused,
    ContextError,
    GraphError,
    GraphflowError,
    HistoryError,
    InvalidEdge,
    JournalError,
    LessonError,
    LocalPostgresError,
    LocalServerError,
    PatchError,
    QueryError,
    ReadOnlyError,
    ReadStopped,
    RecordingError,
    ScanRefused,
    SessionConflict,
    SessionFormatError,
    SessionNotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTimeout,
    StorageUnavailable,
    TaskExecutionFailed,
    TaskNotFound,
)
from .model import ChatHistory, Context, Message, MessageRole, Session
from .model.secrets import mask_secrets
from .monitoring import (
    Hook,
    LoggingHook,
    MonitoredStorage,
    OpenTelemetryHook,
    Operation,
    PrometheusHook,
    Recorder,
)
from .notebook import (
    DemoWorker,
    FlowRun,
    Fork,
    Latency,
    Recording,
    Run,
    Workbench,
    compare,
    demo_worker,
    open,
    read_recording,
    wrap,
)
from .notebook.magics.gf import load_ipython_extension, unload_ipython_extension
from .private_server.server import LocalPostgres, local_postgres
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

__all__ = [
    "BenchmarkError",
    "BridgeError",
    "CapabilityError",
    "Change",
    "ChangeRefused",
    "ChatHistory",
    "Clash",
    "Context",
    "ContextError",
    "CopyReport",
    "Cursor",
    "DemoWorker",
    "FallbackStorage",
    "FlowRun",
    "Fork",
    "GraphError",
    "GraphflowError",
    "GroupCount",
    "HistoryError",
    "Hook",
    "InMemorySessionStorage",
    "InvalidEdge",
    "JournalError",
    "LessonError",
    "Latency",
    "LocalPostgres",
    "LocalPostgresError",
    "LocalServerError",
    "LoggingHook",
    "Message",
    "Merge",
    "MessageRole",
    "Migration",
    "MonitoredStorage",
    "OpenTelemetryHook",
    "Operation",
    "Patch",
    "PatchError",
    "PostgresSessionStorage",
    "PrometheusHook",
    "Query",
    "QueryError",
    "ReadOnlyError",
    "Recording",
    "RecordingError",
    "ReadOnlyStorage",
    "Recorder",
    "RedisSessionStorage",
    "RetryingStorage",
    "Run",
    "ReadStopped",
    "ScanRefused",
    "Session",
    "SessionConflict",
    "SessionFormatError",
    "SessionNotFound",
    "SessionStorage",
    "SqliteSessionStorage",
    "StorageDenied",
    "StorageError",
    "StorageFull",
    "StorageMissing",
    "StorageTimeout",
    "StorageUnavailable",
    "Table",
    "TaskExecutionFailed",
    "TaskNotFound",
    "Workbench",
    "Workload",
    "compare",
    "connect",
    "connect_from_env",
    "demo_worker",
    "diff",
    "get_or_create",
    "load_ipython_extension",
    "local_postgres",
    "mask_secrets",
    "open",
    "read_recording",
    "unload_ipython_extension",
    "wrap",
]

_PACKAGES = (
    "benchmark changes dask figures history journal lessons monitoring storage testing workflow"
)


def __dir__() -> list[str]:
    """Return the public names and packages, for Tab completion."""
    return sorted((*__all__, *_PACKAGES.split(), "__version__"))
