"""Where the lines of a journal are: in a named file, or in memory and then a private file.

Both are appended to whole or not at all, are read at any offset, and are replaced at once.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from ..errors import JournalError, StorageError
from ..files import sync_folder

try:
    import fcntl
except ImportError:  # Windows: there two processes must not share a journal
    fcntl = None  # type: ignore[assignment]

__all__ = ["InheritedLines", "Lines", "NamedLines", "PrivateLines"]

#: Bytes of a journal in memory, before it goes to a file.
MAX_MEMORY: Final = 16_000_000
#: Bytes of the file that a journal in memory may take.
MAX_PRIVATE: Final = 4_000_000_000
_REMEDY: Final = "nothing is changed without it"


class Lines(Protocol):
    """The bytes of a journal's lines.

    Attributes:
        end: The number of good bytes.
    """

    end: int

    def append(
        self,
        data: bytes,
        *,
        header: bytes | None = None,
        sync: bool = False,
        bounded: bool = True,
    ) -> int:
        """Append all of the data or nothing, and return the offset at which it begins.

        Args:
            data: Whole lines.
            header: What replaces the same number of bytes at the beginning, once the data is there.
            sync: Whether the disk must have it when this returns.
            bounded: Whether a bound on all bytes counts.

        Raises:
            JournalError: The data can't be appended.
        """

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes."""

    def replace(self, chunks: Iterable[bytes]) -> None:
        """Replace everything, at once: after a crash either the old or the new bytes are there."""

    def close(self) -> None:
        """Release the file; closing twice is not an error."""


class NamedLines:
    """The lines in a file that only its owner can read, locked against other processes.

    Args:
        path: The path of the file, which is created if it does not exist.

    Raises:
        StorageError: The file can't be opened, or another process has it.
    """

    def __init__(self, path: Path):
        self.path = path
        self._fd = _open_locked(path)
        # What a process left that was killed while it replaced the file; none can be at it now.
        for left in path.parent.glob(f"{glob.escape(_temporary_prefix(path))}*.tmp"):
            with suppress(OSError):
                left.unlink()
        self.end = os.fstat(self._fd).st_size

    def scan(self) -> Iterator[bytes]:
        """Yield each line, with its end."""
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            yield from file

    def append(
        self,
        data: bytes,
        *,
        header: bytes | None = None,
        sync: bool = False,
        bounded: bool = True,
    ) -> int:
        """See ``Lines.append``."""
        fd, start = self._fd, self.end
        if fd < 0:
            raise self._closed()
        try:
            found = os.fstat(fd)
            if found.st_size > start:  # an append that failed or was interrupted
                os.ftruncate(fd, start)
        except OSError as error:
            raise self._unwritable(error) from error
        if found.st_nlink == 0 and sys.platform != "win32":
            raise JournalError(
                f"the journal {self.path} was removed, and {_REMEDY}: close the store and open it "
                "again, which makes a new one, or write with undo=False"
            )
        if found.st_size < start:
            raise JournalError(
                f"the journal {self.path} was cut or replaced by another program, and {_REMEDY}: "
                "close the store and open it again, or write with undo=False"
            )
        try:
            _write_at(fd, data, start)
            if header is not None:
                _write_at(fd, header, 0)
            if sync:
                os.fsync(fd)
        except OSError as error:
            with suppress(OSError):  # otherwise the next append cuts it off, or is refused
                os.ftruncate(fd, start)
            raise self._unwritable(error) from error
        self.end = start + len(data)
        return start

    def _closed(self) -> JournalError:
        return JournalError(f"the journal {self.path} is closed, and {_REMEDY}: open it again")

    def _unwritable(self, error: OSError) -> JournalError:
        return JournalError(
            f"the journal {self.path} can't be written ({error.strerror}), and {_REMEDY}: make "
            "room, open the store without journal=, or write with undo=False"
        )

    def read(self, offset: int, length: int) -> bytes:
        """See ``Lines.read``."""
        if self._fd < 0:
            raise self._closed()
        try:
            return _read_at(self._fd, length, offset)
        except OSError as error:
            raise JournalError(
                f"the journal {self.path} can't be read: {error.strerror}"
            ) from error

    def replace(self, chunks: Iterable[bytes]) -> None:
        """See ``Lines.replace``; the lock is held throughout.

        Raises:
            JournalError: The new file can't be written; the old one is as it was.
        """
        if self._fd < 0:
            raise self._closed()
        temporary = ""
        fd = -1
        try:
            fd, temporary = tempfile.mkstemp(
                prefix=_temporary_prefix(self.path), suffix=".tmp", dir=self.path.parent
            )
            if fcntl is not None:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            end = 0
            for chunk in chunks:
                _write_at(fd, chunk, end)
                end += len(chunk)
            os.chmod(temporary, stat.S_IMODE(os.fstat(self._fd).st_mode))
            os.fsync(fd)
            os.replace(temporary, self.path)
        except BaseException as error:
            if fd >= 0:
                os.close(fd)
                with suppress(OSError):
                    os.unlink(temporary)
            if isinstance(error, OSError):
                raise self._unwritable(error) from error
            raise
        old, self._fd, self.end = self._fd, fd, end
        os.close(old)
        sync_folder(self.path.parent)

    def close(self) -> None:
        """See ``Lines.close``."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class PrivateLines:
    """The lines in memory; past a bound, in a private file that has no name."""

    def __init__(self) -> None:
        self.end = 0
        self._memory = bytearray()
        self._fd = -1
        self._pid = os.getpid()

    def append(
        self,
        data: bytes,
        *,
        header: bytes | None = None,
        sync: bool = False,
        bounded: bool = True,
    ) -> int:
        """See ``Lines.append``; nothing is synced, since it ends with the process."""
        start = self.end
        if bounded and start + len(data) > MAX_PRIVATE:
            raise JournalError(
                f"the journal holds {MAX_PRIVATE / 1e9:.0f} GB, its bound, and {_REMEDY}: open the "
                "store with journal= and the name of a file, or write with undo=False"
            )
        try:
            if self._fd < 0 and start + len(data) > MAX_MEMORY:
                self._move_to_file()
            if self._fd < 0:
                del self._memory[start:]  # of an append that was interrupted
                self._memory += data
            else:
                self._adopt()
                _write_at(self._fd, data, start)
        except OSError as error:
            raise JournalError(
                f"the journal's temporary file in {tempfile.gettempdir()} can't be written "
                f"({error.strerror}), and {_REMEDY}: make room, open the store with journal= and "
                "the name of a file, or write with undo=False"
            ) from error
        self.end = start + len(data)
        return start

    def _move_to_file(self) -> None:
        fd = _open_unnamed()
        try:
            _write_at(fd, memoryview(self._memory)[: self.end], 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._pid = fd, os.getpid()
        self._memory = bytearray()

    def _adopt(self) -> None:
        """Get a file of its own in a process that was forked from the one that made it."""
        if self._pid == os.getpid():
            return
        fd = _open_unnamed()
        for at in range(0, self.end, 1_000_000):
            _write_at(fd, _read_at(self._fd, min(1_000_000, self.end - at), at), at)
        old, self._fd, self._pid = self._fd, fd, os.getpid()
        os.close(old)

    def read(self, offset: int, length: int) -> bytes:
        """See ``Lines.read``."""
        if self._fd < 0:
            return bytes(self._memory[offset : offset + length])
        try:
            return _read_at(self._fd, length, offset)
        except OSError as error:
            raise JournalError(
                f"the journal's temporary file can't be read: {error.strerror}"
            ) from error

    def replace(self, chunks: Iterable[bytes]) -> None:
        """See ``Lines.replace``."""
        fresh = PrivateLines()
        try:
            for chunk in chunks:
                fresh.append(chunk, bounded=False)
        except BaseException:
            fresh.close()
            raise
        old, self._fd = self._fd, fresh._fd
        self._memory, self.end, self._pid = fresh._memory, fresh.end, fresh._pid
        fresh._fd = -1
        if old >= 0:
            os.close(old)

    def close(self) -> None:
        """See ``Lines.close``."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class InheritedLines:
    """The lines of a named file in a process that was forked from the one that has it open."""

    def __init__(self, path: Path):
        self.end = 0
        self._error = (
            f"this process was forked from the one that has the journal {path} open, and two "
            f"can't share it: nothing was changed. Open the store again here, with journal= and "
            "the name of another file or without it"
        )

    def append(
        self,
        data: bytes,
        *,
        header: bytes | None = None,
        sync: bool = False,
        bounded: bool = True,
    ) -> int:
        """Raise JournalError."""
        raise JournalError(self._error)

    def read(self, offset: int, length: int) -> bytes:
        """Raise JournalError."""
        raise JournalError(self._error)

    def replace(self, chunks: Iterable[bytes]) -> None:
        """Raise JournalError."""
        raise JournalError(self._error)

    def close(self) -> None:
        """Do nothing."""


def _temporary_prefix(path: Path) -> str:
    return f".{path.name}.graphflow_nb-"


def _open_locked(path: Path) -> int:
    """Return the descriptor of a file that only its owner can read, and lock it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        try:
            fd = os.open(path, flags, 0o600)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise StorageError(
                    f"the journal {path} can't be opened: it is a symbolic link; name the file "
                    "itself",
                    nothing_written=True,
                ) from error
            raise StorageError(f"the journal {path} can't be opened: {error.strerror}") from error
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise StorageError(f"the journal {path} can't be opened: it is not a file")
            if fcntl is None:
                return fd
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StorageError(
                    f"another process has the journal {path} open: end that one or name another "
                    "file"
                ) from error
            except OSError as error:
                raise StorageError(
                    f"the journal {path} can't be locked ({error.strerror}): name a file on a "
                    "disk of this machine"
                ) from error
            # The process that had it may have put another file in its place meanwhile.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(path), os.fstat(fd)):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _open_unnamed() -> int:
    """Return the descriptor of a private file that has no name."""
    with tempfile.TemporaryFile(prefix="graphflow_nb-journal-") as file:
        return os.dup(file.fileno())


def _write_at(fd: int, data: bytes | memoryview, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        if sys.platform == "win32":
            os.lseek(fd, offset, os.SEEK_SET)
            count = os.write(fd, rest)
        else:
            count = os.pwrite(fd, rest, offset)
        rest = rest[count:]
        offset += count


def _read_at(fd: int, length: int, offset: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        if sys.platform == "win32":
            os.lseek(fd, offset + len(found), os.SEEK_SET)
            chunk = os.read(fd, length - len(found))
        else:
            chunk = os.pread(fd, length - len(found), offset + len(found))
        if not chunk:
            break
        found += chunk
    return bytes(found)
