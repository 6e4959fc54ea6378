"""Stores on this machine that a lesson may kill and start again."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, Literal, Self, get_args

from ..errors import GraphflowError, StorageError
from ..notebook.display import register
from ..notebook.workbench import Workbench, open
from ..private_server import LocalPostgres, LocalRedis

__all__ = ["LessonStore", "StoreName", "lesson_store"]

StoreName = Literal["memory", "sqlite", "redis", "postgres"]

#: The settings that a kind of store takes, with the value where none is given.
_SETTINGS: Final[dict[str, dict[str, str]]] = {
    "memory": {},
    "sqlite": {"journal_mode": "wal"},
    "redis": {"appendonly": "no", "appendfsync": "everysec", "save": "3600 1 300 100 60 10000"},
    "postgres": {"synchronous_commit": "on", "fsync": "on"},
}
#: The values that a setting may have; ``save`` is a text that Redis reads.
_VALUES: Final = {
    "journal_mode": ("wal", "delete"),
    "appendonly": ("no", "yes"),
    "appendfsync": ("everysec", "always", "no"),
    "synchronous_commit": ("on", "off"),
    "fsync": ("on", "off"),
}
#: What makes a recovery quick without changing what it recovers.
_QUICK: Final = {"recovery_init_sync_method": "syncfs"} if sys.platform.startswith("linux") else {}
_LABELS: Final = {
    "memory": "memory",
    "sqlite": "SQLite",
    "redis": "Redis",
    "postgres": "PostgreSQL",
}


class LessonStore:
    """A store of a lesson; ``lesson_store()`` creates and starts one.

    It is a context manager, which ends a server and removes the data.

    Example:
        >>> from graphflow_nb.lessons import lesson_store
        >>> with lesson_store("sqlite") as store:
        ...     session = store.open().create("claim-1", "intake")
        ...     print(store.label, len(store.open().sessions()))
        SQLite 1

    Attributes:
        kind: The kind of store: ``memory``, ``sqlite``, ``redis`` or ``postgres``.
        settings: The settings of its server, all of them.
    """

    def __init__(self, kind: StoreName, given: dict[str, str]):
        self.kind: StoreName = kind
        self.settings = _SETTINGS[kind] | given
        self._given = given
        self._folder: Path | None = None
        self._server: LocalPostgres | LocalRedis | None = None
        self._memory: Workbench | None = None
        self._opened: list[Workbench] = []
        self._closed = False
        register()  # or a session that is found here is shown as a line
        if kind == "sqlite":
            self._folder = Path(tempfile.mkdtemp(prefix="graphflow_nb-lesson-"))
            self._create_file()
        elif kind == "redis":
            self._server = LocalRedis(self.settings).start()
        elif kind == "postgres":
            self._server = LocalPostgres(settings=self.settings | _QUICK).start()

    def _create_file(self) -> None:
        open(self.url, writable=True).close()
        mode = self.settings["journal_mode"]
        with closing(sqlite3.connect(self._file)) as db:
            db.execute(f"PRAGMA journal_mode = {mode}")  # one of two words; the file keeps it

    @property
    def _file(self) -> Path:
        assert self._folder is not None
        return self._folder / "lesson.db"

    @property
    def has_server(self) -> bool:
        """Whether the data are kept by a server, which ``kill`` kills."""
        return self._server is not None

    @property
    def setting(self) -> str:
        """The settings that were given, or else all, for people; empty for memory."""
        return _join(self._given or self.settings)

    @property
    def label(self) -> str:
        """The store and the settings that were given, for people."""
        return f"{_LABELS[self.kind]} {_join(self._given)}".rstrip()

    @property
    def url(self) -> str | None:
        """The URL of the store, the same after a restart; None for memory.

        Raises:
            StorageError: The store is closed.
        """
        self._check_open()
        if self._server is not None:
            return self._server.url
        return None if self._folder is None else f"sqlite:{self._file}"

    def open(self) -> Workbench:
        """Return a new workbench on the store that may write.

        A workbench that was opened before a kill works again after ``restart``: an operation that
        the kill interrupts raises a ``StorageError``, and later ones connect again. Memory belongs
        to one process and is one workbench, the same for each call.

        Raises:
            StorageError: The store is closed, or does not run.
        """
        url = self.url
        if url is None:
            if self._memory is None:
                self._memory = open("memory:")
                self._opened.append(self._memory)
            return self._memory
        self._opened.append(open(url, writable=True))
        return self._opened[-1]

    def kill(self) -> None:
        """Kill the server by a real SIGKILL, with all of its processes.

        Of PostgreSQL these are the postmaster, the backend of each connection, and those in the
        background that write the log and the data. Of Redis it is the server and, if there is one,
        the child that writes its data to a file. The system does not crash: what was handed to it
        is kept. Do nothing if the server does not run.

        Raises:
            StorageError: The store has no server, or is closed.
        """
        self._check_open()
        if self._server is None:
            where = "in this process" if self.kind == "memory" else "by the processes that open it"
            raise StorageError(
                f"{_LABELS[self.kind]} has no server to kill: its data are kept {where}. Nothing "
                "was killed. Kill the process that writes, as the lessons' crashes do"
            )
        self._server.kill()

    def restart(self) -> None:
        """Start the server again and wait until it accepts connections.

        Do nothing if it runs. A SQLite file needs no start: it is recovered by the next operation.

        Raises:
            StorageError: The store is closed, or is memory: what a process held ends with it.
            LocalServerError: The server did not start.
        """
        self._check_open()
        if self._server is not None:
            self._server.start()
        elif self.kind == "memory":
            raise StorageError(
                "memory can't be restarted: it belongs to this process and ends with it. Nothing "
                "was changed"
            )

    def close(self) -> None:
        """Close what ``open`` returned, end the server and remove the data."""
        if self._closed:
            return
        self._closed = True
        for workbench in self._opened:
            with suppress(GraphflowError):
                workbench.close()
        if self._server is not None:
            if isinstance(self._server, LocalPostgres) and not self._server.running:
                # A killed server leaves shared memory behind, which its next start frees.
                with suppress(GraphflowError):
                    self._server.start()
            self._server.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("the lesson's store is closed; lesson_store() makes another")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return f"<LessonStore {self.label}, closed>"
        if self._server is not None and not self._server.running:
            return f"<LessonStore {self.label}, killed>"
        return f"<LessonStore {self.label}>"


def lesson_store(kind: StoreName, **settings: str) -> LessonStore:
    """Start a private store on this machine; it ends with this process.

    Example:
        >>> from graphflow_nb.lessons import lesson_store
        >>> with lesson_store("redis", appendonly="yes", appendfsync="always") as store:
        ...     wb = store.open()
        ...     _ = wb.create("claim-1", "intake")
        ...     store.kill()
        ...     store.restart()
        ...     wb.get("claim-1").current_task_id
        'intake'

    Args:
        kind: ``memory``, ``sqlite`` (a new file), ``redis`` or ``postgres`` (new servers, on a Unix
            socket only).
        settings: Of SQLite ``journal_mode``, ``"wal"`` by default or ``"delete"``. Of PostgreSQL
            ``synchronous_commit`` and ``fsync``, both ``"on"`` by default. Of Redis ``appendonly``
            (``"no"`` by default), ``appendfsync`` (``"everysec"``) and ``save`` (Redis's own
            default; ``""`` writes no snapshots).

    Returns:
        The running store.

    Raises:
        StorageError: The kind or a setting is unknown, or the driver is not installed.
        LocalServerError: There is no program of the server (``pip install
            'graphflow_nb[lessons]'`` brings it), or it did not start.
    """
    if kind not in get_args(StoreName):
        raise StorageError(f"unknown store {kind!r}: use {', '.join(get_args(StoreName))}")
    known = _SETTINGS[kind]
    for name, value in settings.items():
        if name not in known:
            what = f"use {', '.join(known)}" if known else "it takes none"
            raise StorageError(f"{_LABELS[kind]} has no setting {name!r} in a lesson: {what}")
        allowed = _VALUES.get(name)
        if not isinstance(value, str) or (allowed is not None and value not in allowed):
            what = " or ".join(map(repr, allowed or (known[name],)))
            raise StorageError(f"{name}= is {what}, not {value!r}; nothing was started")
    return LessonStore(kind, settings)


def _join(settings: dict[str, str]) -> str:
    return " ".join(f"{name}={value or repr(value)}" for name, value in settings.items())
