"""What a ``sqlite:`` URL names, and how a path is written as one.

| URL | what is opened |
|---|---|
| ``sqlite:notes.db``, ``sqlite:///notes.db`` | a path relative to the current folder |
| ``sqlite:/data/notes.db``, ``sqlite:////data/notes.db`` | an absolute path |
| ``sqlite:~/notes.db``, ``sqlite:///~/notes.db`` | a path in your home folder |
| ``sqlite:file:/data/notes.db?mode=ro`` | what SQLite calls a URI, by SQLite's own rules |
| ``sqlite::memory:``, ``sqlite://``, ``sqlite:///:memory:`` | in memory, gone when closed |

Three and four slashes mean what they mean to SQLAlchemy. ``%20`` is a blank, as in other URLs:
write ``%3F`` for a ? and ``%25`` for a % in a path. ``?mode=ro`` opens for reading, ``rw`` creates
nothing, ``rwc`` creates the file if it does not exist; ``timeout`` is in seconds.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from ...errors import StorageError
from ...files import can_name_file

__all__ = ["MEMORY", "Location", "read_location", "url_of"]

MEMORY: Final = ":memory:"  # as SQLite names a database in memory

_MODES: Final[dict[str, dict[str, Any]]] = {
    "ro": {"read_only": True},
    "rw": {"create": False},
    "rwc": {"create": True},
    "memory": {},
}
# Of SQLAlchemy, sqlx and SQLite; they change nothing for one connection on one thread.
_WITHOUT_EFFECT: Final = {"uri", "check_same_thread", "cache"}
# A path of a file system that is not UTF-8 has surrogates, which no text that is printed may have.
_QUOTED: Final = re.compile(r"[%?\x00-\x1f\x7f\ud800-\udfff]")


class Location(NamedTuple):
    """What a URL names.

    Attributes:
        path: The path of the file, or ``MEMORY``.
        options: The options of ``connect`` that the URL's parameters give.
    """

    path: str
    options: dict[str, Any]


def read_location(url: str) -> Location:
    """Return what a ``sqlite:`` URL names.

    Example:
        >>> from graphflow_nb.storage.sqlite.location import read_location
        >>> read_location("sqlite:////data/my%20notes.db?mode=ro")
        Location(path='/data/my notes.db', options={'read_only': True})

    Args:
        url: The URL.

    Raises:
        StorageError: It names no file, or has a parameter that is not known.
    """
    rest, asked, query = url.partition(":")[2].partition("?")
    if rest.startswith("//"):
        if rest.startswith("///"):
            rest = rest[3:] or MEMORY
        elif rest == "//":
            rest = MEMORY
        else:
            raise StorageError(
                f"{url!r} names no file: after two slashes comes a host, which SQLite has not. "
                f"Write sqlite:{rest[2:]} or sqlite:///{rest[2:]} for a path relative to the "
                f"current folder, sqlite:/{rest[2:]} or sqlite:////{rest[2:]} for an absolute one"
            )
    options: dict[str, Any] = {}
    if asked:
        options, in_memory = _read_parameters(url, query)
        rest = MEMORY if in_memory else rest
    if rest.startswith("file:"):
        rest = rest.removeprefix("file:").partition("#")[0]
        if rest.startswith("//"):
            host, slash, path = rest[2:].partition("/")
            if host not in ("", "localhost"):
                raise StorageError(f"{url!r} names the host {host!r}: SQLite reads local files")
            rest = slash + path
    path = unquote(rest, errors="surrogateescape")
    if rest.startswith("~"):
        path = os.path.expanduser(path)
    if not path or not can_name_file(path):
        raise StorageError(f"{url!r} needs the path of a file, e.g. sqlite:sessions.db")
    return Location(path, options)


def url_of(path: str) -> str:
    """Return the URL that opens a path again.

    Args:
        path: An absolute path, or ``MEMORY``.
    """
    return "sqlite:" + _QUOTED.sub(_quote, path)


def _quote(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(match[0]))


def _read_parameters(url: str, query: str) -> tuple[dict[str, Any], bool]:
    """Return the options of a URL's parameters, and whether they ask for a database in memory."""
    options: dict[str, Any] = {}
    in_memory = False
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "mode" and value in _MODES:
            options |= _MODES[value]
            in_memory = value == "memory"
        elif name == "immutable" and value in ("1", "true"):
            options["read_only"] = True  # and whether others write is looked at, in any case
        elif name == "timeout" and value.replace(".", "", 1).isdecimal():
            options["timeout"] = float(value)
        elif name not in _WITHOUT_EFFECT:
            raise StorageError(
                f"{url!r}: {name}={value} means nothing here; use mode=ro, mode=rw, mode=rwc or "
                "timeout=30. A ? in a path is written %3F"
            )
    return options, in_memory
