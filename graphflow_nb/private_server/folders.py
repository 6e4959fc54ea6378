"""The folders of private servers: made for one process, and removed when that has ended."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import LocalPostgresError, LocalServerError
from .processes import ServerUser, find_server_process, identify_process
from .programs import short_temporary_folder

__all__ = ["DATA", "check_folder", "make_runtime_folder"]

#: The name of the folder of the data.
DATA: Final = "postgres-data"
_PREFIX: Final = "gfnb-"
_OWNER: Final = "owner"  # the file that names the process which the folder is for


def make_runtime_folder(
    user: ServerUser, *, error: type[LocalServerError] = LocalPostgresError
) -> Path:
    """Return a new private folder for a server's socket, log and temporary data.

    Those that ended processes left behind, because they and what cleans up after them were killed,
    are removed.

    Args:
        user: The user that the server runs as.
        error: The kind of error to raise.

    Raises:
        LocalServerError: There is no folder for temporary files that the user may enter.
    """
    parent = short_temporary_folder(user, error=error)
    _remove_leftovers(parent, user)
    try:
        runtime = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    except OSError as cause:
        raise error(
            f"no folder can be made in {parent} ({cause.strerror}): set TMPDIR to another folder"
        ) from cause
    try:
        (runtime / _OWNER).write_text(identify_process(os.getpid()) or "")
        user.own(runtime)
    except BaseException:
        shutil.rmtree(runtime, ignore_errors=True)
        raise
    return runtime


def _remove_leftovers(parent: Path, user: ServerUser) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError, ValueError):
            if folder.is_symlink() or folder.stat().st_uid not in (user.uid, os.geteuid()):
                continue
            owner = (folder / _OWNER).read_text()
            if not owner or identify_process(int(owner.split()[0])) == owner:
                continue
            if find_server_process(folder / DATA) is None:
                shutil.rmtree(folder, ignore_errors=True)


def check_folder(folder: Path, user: ServerUser) -> None:
    """Raise LocalPostgresError if data can't be kept in a folder.

    Args:
        folder: The folder, as the caller named it.
        user: The user that the server runs as.

    Raises:
        LocalPostgresError: The folder does not exist, is closed to the user or to this process, or
            holds something else.
    """
    if not folder.is_dir():
        raise LocalPostgresError(f"{folder} is not a folder: create it first")
    closed = user.find_closed_folder(folder)
    if closed is not None:
        raise LocalPostgresError(
            f"the server runs as {user.name!r} and may not enter {closed}: choose a folder "
            "that everyone may enter (the data themselves stay private)"
        )
    data = folder / DATA
    if not data.exists():
        if not user.may_write(folder):
            raise LocalPostgresError(
                f"you may not write in {folder}: choose a folder of your own, or leave folder= out "
                "for data that are removed at the end"
            )
        return
    try:
        stored = (data / "PG_VERSION").exists() or not any(data.iterdir())
    except OSError as error:
        raise LocalPostgresError(
            f"{data} can't be read ({error.strerror}): it belongs to another user; choose another "
            "folder"
        ) from error
    if not stored:
        raise LocalPostgresError(
            f"{data} holds something else than a server's data: choose another folder"
        )
