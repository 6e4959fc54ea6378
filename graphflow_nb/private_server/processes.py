"""Users and processes of the system, as far as a private server needs them."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from ..errors import LocalPostgresError

__all__ = ["ServerUser", "find_command_line", "find_server_process", "replace_stale_pid"]

_UNUSED_PID = 2**30  # greater than any process number that a system gives


class ServerUser:
    """The system user that the server runs as.

    Attributes:
        name: The user's name, for error messages.
        arguments: The arguments of ``subprocess`` that start a program as this user; empty where
            that is the current user.
    """

    def __init__(self, name: str, uid: int, gid: int, switch: bool):
        self.name = name
        self.arguments: dict[str, Any] = (
            {"user": uid, "group": gid, "extra_groups": []} if switch else {}
        )
        self._uid, self._gid = uid, gid

    @classmethod
    def of_server(cls) -> Self:
        """Return the current user, or as root the user ``postgres`` or ``nobody``.

        Raises:
            LocalPostgresError: The current user is root, and neither of the others exists.
        """
        import pwd

        if os.geteuid() != 0:
            return cls("you", os.geteuid(), os.getegid(), False)
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(name, entry.pw_uid, entry.pw_gid, True)
        raise LocalPostgresError(
            "PostgreSQL refuses to run as root, and neither user postgres nor nobody exists here: "
            "start the kernel as another user"
        )

    def own(self, folder: Path) -> None:
        """Make this user the owner of a folder."""
        if self.arguments:
            os.chown(folder, self._uid, self._gid)

    def find_closed_folder(self, path: Path) -> Path | None:
        """Return the first folder on the way to a path that this user may not enter, or None."""
        if not self.arguments:
            return None
        for folder in (*reversed(path.parents), path):
            found = folder.stat()
            shift = 6 if found.st_uid == self._uid else 3 if found.st_gid == self._gid else 0
            if not found.st_mode >> shift & 1:
                return folder
        return None


def find_command_line(pid: int) -> str | None:
    """Return the command line of a process, None where it has ended."""
    path = Path(f"/proc/{pid}/cmdline")
    if path.parent.parent.joinpath("self").exists():
        try:
            return path.read_bytes().decode(errors="replace") or None  # a zombie's is empty
        except OSError:
            return None
    found = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return found.stdout.strip() or None


def find_server_process(data: Path) -> int | None:
    """Return the process number of the server that runs on a data folder, None without one."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    line = find_command_line(pid)
    return pid if line is not None and "postgres" in line and str(data) in line else None


def replace_stale_pid(data: Path) -> None:
    """Replace the process number in a pid file whose process has ended.

    Another process may have that number now. The rest of the file is kept, because by it
    PostgreSQL sees whether old backends are still there.
    """
    path = data / "postmaster.pid"
    if path.exists() and find_server_process(data) is None:
        lines = path.read_text().split("\n")
        path.write_text("\n".join([str(_UNUSED_PID), *lines[1:]]))
