"""The errors that graphflow_nb raises.

    GraphflowError
    ├── ContextError         a value that JSON can't hold, or a stored context that can't be read
    ├── SessionFormatError   text that is not a session in graph-flow's JSON form  (also ValueError)
    ├── SessionNotFound      no session has this id                                (also KeyError)
    ├── SessionConflict      the stored session is not the one read: nothing was written
    ├── PatchError           a change that does not fit the session                (also ValueError)
    ├── QueryError           an invalid filter, order or path                      (also ValueError)
    ├── GraphError           an invalid graph of tasks                             (also ValueError)
    │   ├── InvalidEdge          an edge to or from a task that the graph lacks
    │   └── TaskNotFound         a task that the graph lacks
    ├── TaskExecutionFailed  a task that failed, took too long, or chained too many others
    ├── BenchmarkError       an invalid benchmark, or one that may not run here    (also ValueError)
    ├── RecordingError       a file that is not a recording of graphflow-stream    (also ValueError)
    ├── LessonError          a step of a lesson that is not possible here          (also ValueError)
    ├── StorageError         the store failed, is out of reach, or can't hold a value
    │   ├── StorageTimeout       no answer in the time allowed                   (also TimeoutError)
    │   ├── StorageUnavailable   the store is out of reach; a later try may succeed
    │   ├── StorageFull          a write for which the store has no room left
    │   ├── StorageDenied        a right that the user lacks, for this session and others
    │   ├── StorageMissing       a table, or a column of it, that the store lacks
    │   ├── ReadOnlyError        a write on a store opened for reading
    │   ├── JournalError         the journal can't note a write, or can't be read
    │   ├── HistoryError         a version of a session can't be read
    │   └── CapabilityError      the storage lacks the method that this needs  (also AttributeError)
    ├── ScanRefused          a read that would go through a large table, and was not allowed
    ├── ReadStopped          a read that took long, and that a person stopped
    ├── ChangeRefused        a change of many sessions that was not confirmed
    ├── BridgeError          a call from a thread or loop from which it can't be served
    └── LocalServerError     a private server could not be started
        └── LocalPostgresError   that of PostgreSQL

``ContextError``, ``SessionNotFound``, ``SessionConflict``, ``StorageError``, ``InvalidEdge``,
``TaskNotFound`` and ``TaskExecutionFailed`` have the meaning of the variants of graph-flow's
``GraphError`` with the same names; the last three have its texts, too. The driver's own exception,
where there is one, is the ``__cause__``.

What an error says is shown with escapes for control characters, those that drive a terminal and
those that change the direction of writing: it can have ids and texts of servers in it. Secrets that
it quotes are shown as ``•••``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from .printable import printable_lines
from .secret_texts import Scrubber, current_scrubber, scrub, scrubbing_by

if TYPE_CHECKING:
    from .model import Session

__all__ = [
    "OF_THE_STORE",
    "BenchmarkError",
    "BridgeError",
    "CapabilityError",
    "ChangeRefused",
    "ContextError",
    "GraphError",
    "GraphflowError",
    "HistoryError",
    "InvalidEdge",
    "JournalError",
    "LessonError",
    "LocalPostgresError",
    "LocalServerError",
    "PatchError",
    "QueryError",
    "ReadOnlyError",
    "ReadStopped",
    "RecordingError",
    "ScanRefused",
    "SessionConflict",
    "SessionFormatError",
    "SessionNotFound",
    "StorageDenied",
    "StorageError",
    "StorageFull",
    "StorageMissing",
    "StorageTimeout",
    "StorageUnavailable",
    "TaskExecutionFailed",
    "TaskNotFound",
]


class GraphflowError(Exception):
    """The base of all errors of this package.

    Attributes:
        nothing_written: Whether it is certain that the store took no write of the call that failed.
            False means that it is not known.
    """

    nothing_written: bool = True
    _scrubber: Scrubber | None = None
    _done = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Return the error, which hides what the store hides whose call is under way."""
        error = super().__new__(cls, *args)
        if (scrubber := current_scrubber()) is not None:
            error._scrubber = scrubber
        return error

    def __str__(self) -> str:
        with scrubbing_by(self._scrubber):
            text = self._text()
            if self._done:
                text += f"{'' if text.endswith(('.', '?', '!')) else '.'} {self._done}"
            return printable_lines(scrub(text))

    def __repr__(self) -> str:
        with scrubbing_by(self._scrubber):
            return scrub(super().__repr__())

    def note_done(self, done: str) -> None:
        """Add what the call had written before it failed, and what to do next.

        Args:
            done: It, as a sentence without a full stop.
        """
        self._done = done
        self.nothing_written = False

    def _text(self) -> str:
        """Return what happened, which may have texts of drivers, stores and users in it."""
        return super().__str__()


class ContextError(GraphflowError):
    """The error for a value that JSON can't hold, or a stored context that can't be read."""


class SessionFormatError(GraphflowError, ValueError):
    """The error for text that is not a session in graph-flow's JSON form."""


class SessionNotFound(GraphflowError, KeyError):
    """The error for an id that no session has.

    Attributes:
        id: The id.
    """

    def __init__(self, id: str):
        super().__init__(id)
        self.id = id

    def _text(self) -> str:
        return f"no session has the id {self.id!r}; wb.sessions() lists those that exist"


class SessionConflict(GraphflowError):
    """The error for a save whose stored session is not the one that was read.

    Nothing was written.

    Attributes:
        session: The session that was to be saved, unchanged.
        stored: The session that is stored now; None if it was deleted meanwhile.
    """

    def __init__(self, session: Session, stored: Session | None):
        super().__init__(session, stored)
        self.session = session
        self.stored = stored
        if stored is not None:
            stored.mask = session.mask  # it is shown as the one that was to be saved

    def _text(self) -> str:
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
        if mine.version == theirs.version:
            return (
                f"the stored session {mine.id!r} has the version {mine.version} of yours, but it "
                "is not the one that yours was read from: it was deleted and created again, "
                "written without counting versions, or is in another store; nothing was written. "
                "Get it again, repeat the change and save; .stored and .session hold both sides"
            )
        return (
            f"session {mine.id!r} was saved by someone else meanwhile (stored version "
            f"{theirs.version}, yours was read at {mine.version}); nothing was written. Get it "
            "again, repeat the change and save; .stored and .session hold both sides"
        )


class PatchError(GraphflowError, ValueError):
    """The error for a change that does not fit the session."""


class QueryError(GraphflowError, ValueError):
    """The error for an invalid filter, order or path."""


class GraphError(GraphflowError, ValueError):
    """The error for an invalid graph of tasks.

    Args:
        text: What is wrong.
        problems: See the attribute.

    Attributes:
        problems: Each error that was found, where there are several.
    """

    def __init__(self, text: str, problems: tuple[GraphError, ...] = ()):
        super().__init__(text)
        self.problems = problems


class InvalidEdge(GraphError):
    """The error for an edge that names a task which the graph lacks."""

    def _text(self) -> str:
        return f"Invalid edge: {self.args[0]}"


class TaskNotFound(GraphError):
    """The error for a task that the graph lacks."""

    def _text(self) -> str:
        return f"Task not found: {self.args[0]}"


class TaskExecutionFailed(GraphflowError):
    """The error for a task that failed, took too long, or chained too many others.

    A task may raise it itself, with its reason. The step was not saved.
    """

    def _text(self) -> str:
        return f"Task execution failed: {self.args[0] if self.args else ''}"


class BenchmarkError(GraphflowError, ValueError):
    """The error for an invalid benchmark, or one that needs permission to run on this store."""


class LessonError(GraphflowError, ValueError):
    """The error for a step of a lesson that is not possible, here or now."""


class StorageError(GraphflowError):
    """The error for a store that failed, is out of reach, or can't hold a value.

    Args:
        text: What happened, what was not done and what to do next.
        nothing_written: Whether it is certain that the store took no write: a value was refused
            before it was sent, or the store refused the statement.
    """

    nothing_written = False

    def __init__(self, *text: object, nothing_written: bool | None = None):
        super().__init__(*text)
        if nothing_written is not None:
            self.nothing_written = nothing_written


class StorageTimeout(StorageError, TimeoutError):
    """The error for no answer in the time allowed; a write may or may not have taken place."""


class StorageUnavailable(StorageError):
    """The error for a store out of reach; a write under way may or may not have taken place."""


class StorageFull(StorageError):
    """The error for a store that has no room for a write; others will not fit either."""


class StorageDenied(StorageError):
    """The error for a user without the right, or whom the store does not let in.

    Another session is refused too. Where it depends on the session (row-level security, keys of
    Redis), the error is a ``StorageError``.
    """

    nothing_written = True


class StorageMissing(StorageError):
    """The error for a table, or a column of it, that is not there, or not any more."""

    nothing_written = True


class ReadOnlyError(StorageError):
    """The error for a write on a store that was opened for reading only."""

    nothing_written = True


class JournalError(StorageError):
    """The error for a write that can't be noted in the journal, or a journal that can't be read.

    The write was not made. With ``undo=False`` it is made without being noted.
    """

    nothing_written = True


class HistoryError(StorageError):
    """The error for a version of a session that can't be read."""

    nothing_written = True


class RecordingError(GraphflowError, ValueError):
    """The error for a file that can't be read as a recording of graphflow-stream."""


class CapabilityError(StorageError, AttributeError):
    """The error for a storage that lacks a method which a call needs.

    Attributes:
        storage: The class of the storage.
        method: The name of the method.
        remedy: The shortest way to get the method.
    """

    nothing_written = True

    def __init__(self, storage: object, method: str, remedy: str | None = None):
        super().__init__(storage, method, remedy)
        self.storage = type(storage).__name__
        self.method = method
        self.remedy = remedy or "add it as graphflow_nb.storage describes"

    def _text(self) -> str:
        return f"{self.storage} has no method {self.method!r}, which this needs; {self.remedy}"


#: Errors of a store as a whole, after which another session would be refused as well.
OF_THE_STORE: Final = (
    StorageTimeout,
    StorageUnavailable,
    StorageFull,
    StorageDenied,
    StorageMissing,
    ReadOnlyError,
    CapabilityError,
)


class ScanRefused(GraphflowError):
    """The error for a read that would go through a large table or file, and was not allowed.

    No more was read than it took to find that out; with ``allow_scan=True`` it is read.

    Attributes:
        kind: Why it would read so much: ``full read``, ``search``, ``sort`` or ``count``.
        bytes: About how many bytes it would read; 0 where nothing tells.
        seconds: About how long that would take; 0 where nothing tells.
    """

    def __init__(self, *text: object, kind: str = "", bytes: int = 0, seconds: float = 0.0):
        super().__init__(*text)
        self.kind, self.bytes, self.seconds = kind, bytes, seconds


class ReadStopped(GraphflowError):
    """The error for a read that took long, and that a person stopped by its button.

    The store ended it too, and nothing was changed.
    """


class ChangeRefused(GraphflowError):
    """The error for a change of many sessions that was not confirmed.

    Nothing was written; with ``confirm=`` it is.

    Attributes:
        count: How many would be changed.
    """

    def __init__(self, *text: object, count: int = 0):
        super().__init__(*text)
        self.count = count


class BridgeError(GraphflowError):
    """The error for a call from a thread or event loop where it can't be answered."""

    nothing_written = False


class LocalServerError(GraphflowError):
    """The error for a private server that could not be started."""


class LocalPostgresError(LocalServerError):
    """The error for a private PostgreSQL server that could not be started."""
