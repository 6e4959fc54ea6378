"""Every error that graphflow_nb raises on purpose.

    GraphflowError
    ├── ContextError         a value that JSON can't hold, or a stored context that can't be read
    ├── SessionFormatError   text that is no session in graph-flow's JSON form     (also ValueError)
    ├── SessionNotFound      no session has that id                                (also KeyError)
    ├── SessionConflict      the stored session is not the one read: nothing was written
    ├── PatchError           a change that does not fit the session                (also ValueError)
    ├── QueryError           a filter, order or path that means nothing            (also ValueError)
    ├── BenchmarkError       a benchmark that means nothing, or may not run here   (also ValueError)
    ├── StorageError         the store failed, is out of reach, or can't hold a value
    │   ├── StorageTimeout       no answer in the time allowed                   (also TimeoutError)
    │   ├── StorageUnavailable   the store is out of reach; a later try may succeed
    │   ├── ReadOnlyError        a write on a store opened for reading
    │   └── CapabilityError      the storage lacks the method that this needs  (also AttributeError)
    ├── BridgeError          a call from a thread or loop from which it can't be served
    └── LocalPostgresError   the private PostgreSQL server could not be started

The first seven carry the meaning of graph-flow's ``GraphError`` variants of the same names. The
driver's own exception, where there is one, is the ``__cause__``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Session

__all__ = [
    "BenchmarkError",
    "BridgeError",
    "CapabilityError",
    "ContextError",
    "GraphflowError",
    "LocalPostgresError",
    "PatchError",
    "QueryError",
    "ReadOnlyError",
    "SessionConflict",
    "SessionFormatError",
    "SessionNotFound",
    "StorageError",
    "StorageTimeout",
    "StorageUnavailable",
]


class GraphflowError(Exception):
    """Base of every error of this package."""


class ContextError(GraphflowError):
    """A value that JSON can't hold, or a stored context that can't be read."""


class SessionFormatError(GraphflowError, ValueError):
    """Text that is no session in graph-flow's JSON form."""


class SessionNotFound(GraphflowError, KeyError):
    """No session has that id."""

    def __init__(self, id: str):
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"no session has the id {self.id!r}; wb.sessions() lists those that exist"


class SessionConflict(GraphflowError):
    """The stored session is not the one that was read: nothing was written.

    Attributes:
        session: what the caller wanted to save, unchanged.
        stored: what the store holds now; None if it was deleted meanwhile.
    """

    def __init__(self, session: Session, stored: Session | None):
        super().__init__(session, stored)
        self.session = session
        self.stored = stored

    def __str__(self) -> str:
        mine, theirs = self.session, self.stored
        if theirs is None:
            return (
                f"session {mine.id!r} (read at version {mine.version}) was deleted meanwhile; "
                "nothing was written. To store it again as a new session, save session.copy()"
            )
        if mine.is_new:
            return (
                f"session {mine.id!r} exists already (version {theirs.version}) and this one is "
                "new; nothing was written. Get the stored one and change that, or choose another id"
            )
        return (
            f"session {mine.id!r} was saved by someone else meanwhile (stored version "
            f"{theirs.version}, yours was read at {mine.version}); nothing was written. Get it "
            "again, repeat the change and save; .stored and .session hold both sides"
        )


class PatchError(GraphflowError, ValueError):
    """A change that does not fit the session."""


class QueryError(GraphflowError, ValueError):
    """A filter, order or path that means nothing."""


class BenchmarkError(GraphflowError, ValueError):
    """A benchmark that means nothing, or that may not run on this store without being told to."""


class StorageError(GraphflowError):
    """The store failed, is out of reach, or can't hold a value."""


class StorageTimeout(StorageError, TimeoutError):
    """No answer in the time allowed; whether a write took place is not known."""


class StorageUnavailable(StorageError):
    """The store is out of reach; whether a write that was under way took place is not known."""


class ReadOnlyError(StorageError):
    """A write on a store that was opened for reading."""


class CapabilityError(StorageError, AttributeError):
    """The storage lacks a method that this call needs.

    Attributes:
        storage: The class of the storage.
        method: The name of the method.
        remedy: The shortest way to get the method.
    """

    def __init__(self, storage: object, method: str, remedy: str | None = None):
        super().__init__(storage, method, remedy)
        self.storage = type(storage).__name__
        self.method = method
        self.remedy = remedy or "add it as graphflow_nb.storage describes"

    def __str__(self) -> str:
        return f"{self.storage} has no method {self.method!r}, which this needs; {self.remedy}"


class BridgeError(GraphflowError):
    """A call from a thread or loop from which it can't be served."""


class LocalPostgresError(GraphflowError):
    """The private PostgreSQL server could not be started."""
