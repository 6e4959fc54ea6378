"""Users and processes of the system, as far as a private server needs them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from ..errors import LocalPostgresError

__all__ = [
    "ServerUser",
    "find_command_line",
    "find_parent",
    "find_server_process",
    "identify_process",
    "kill_with_children",
    "replace_stale_pid",
]

_UNUSED_PID = 2**30  # greater than any process number that a system gives
_HAS_PROC = Path("/proc/self").exists()


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
    def current(cls) -> Self:
        """Return the user that this process runs as, root too."""
        return cls(str(os.geteuid()), os.geteuid(), os.getegid(), False)

    @property
    def uid(self) -> int:
        """The number of the user."""
        return self._uid

    @classmethod
    def of_server(cls) -> Self:
        """Return the current user, or as root the user ``postgres`` or ``nobody``.

        Raises:
            LocalPostgresError: The current user has no name in the system, or is root, and neither
                of the others exists.
        """
        import pwd

        if os.geteuid() != 0:
            try:
                name = pwd.getpwuid(os.geteuid()).pw_name
            except KeyError as error:
                raise LocalPostgresError(
                    f"PostgreSQL needs a name for the user {os.geteuid()}, and the system knows "
                    "none: add the user to /etc/passwd (in a container, by its image or the option "
                    "that sets the user), or set DATABASE_URL to the URL of another server"
                ) from error
            return cls(name, os.geteuid(), os.getegid(), False)
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

    def may_write(self, folder: Path) -> bool:
        """Return whether this process may write in a folder, as root for the server's user."""
        effective = os.access in os.supports_effective_ids
        return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)

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
    if _HAS_PROC:
        try:
            return path.read_bytes().decode(errors="replace") or None  # a zombie's is empty
        except OSError:
            return None
    return _ask_ps(pid, "command=")


def _ask_ps(pid: int, what: str) -> str | None:
    found = subprocess.run(["ps", "-o", what, "-p", str(pid)], capture_output=True, text=True)
    return found.stdout.strip() or None


def identify_process(pid: int) -> str | None:
    """Return what a process has that no other process ever had, None where it has ended."""
    if not _HAS_PROC:
        started = _ask_ps(pid, "lstart=")
    else:
        try:
            # The fields after the name, which may have blanks and brackets in it.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        started = None if fields[0] == "Z" else f"{_boot()} {fields[19]}"
    return None if started is None else f"{pid} {started}"


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def find_parent(pid: int) -> int | None:
    """Return the number of a process's parent, None where it has ended."""
    if not _HAS_PROC:
        found = _ask_ps(pid, "ppid=")
        return None if found is None else int(found)
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _find_children(pid: int) -> list[int]:
    """Return the numbers of a process's children that have not ended."""
    if not _HAS_PROC:
        found = subprocess.run(["ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True)
        rows = [line.split() for line in found.stdout.splitlines()]
        return [int(row[0]) for row in rows if row[1] == str(pid) and row[2][0] != "Z"]
    children = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, IndexError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if parent == str(pid) and state != "Z":
                    children.append(int(folder.name))
    return children


def kill_with_children(pid: int) -> None:
    """Send SIGKILL to a process and each of its children, and wait until all have ended."""
    ended = {pid: identify_process(pid)}
    with suppress(ProcessLookupError):
        try:
            os.kill(pid, signal.SIGSTOP)  # or it would start others, or end them in its own way
            while children := _find_children(pid):
                ended |= {child: identify_process(child) for child in children}
                for child in children:
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
        finally:  # an interrupt must not leave it stopped
            os.kill(pid, signal.SIGKILL)
    for number, identity in ended.items():
        while identity is not None and identify_process(number) == identity:
            time.sleep(0.002)


def find_server_process(data: Path) -> int | None:
    """Return the process number of the server that runs on a data folder, None without one.

    A server that may run there counts, however it was started and however its folder was spelled.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    line = find_command_line(pid)
    if line is None or "postgres" not in line:
        return None
    # A server works in the folder of its data.
    with suppress(OSError):
        return pid if os.path.samefile(f"/proc/{pid}/cwd", data) else None
    words = line.split("\0") if _HAS_PROC else line.split()
    with suppress(OSError, ValueError, IndexError):
        return pid if os.path.samefile(words[words.index("-D") + 1], data) else None
    return pid


def replace_stale_pid(data: Path) -> None:
    """Replace the process number in a pid file whose process has ended.

    Another process may have that number now. The rest of the file is kept, because by it
    PostgreSQL sees whether old backends are still there.
    """
    path = data / "postmaster.pid"
    if path.exists() and find_server_process(data) is None:
        lines = path.read_text().split("\n")
        path.write_text("\n".join([str(_UNUSED_PID), *lines[1:]]))
