"""A storage from its URL."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from inspect import signature
from typing import Any

from ..errors import StorageError
from .memory import InMemorySessionStorage
from .postgres.storage import PostgresSessionStorage
from .protocols import SessionStorage
from .redis.storage import RedisSessionStorage
from .sqlite.storage import SqliteSessionStorage
from .url import REDIS_SCHEMES, redact

__all__ = ["connect", "connect_from_env"]

log = logging.getLogger("graphflow_nb")


async def connect(url: str, **options: Any) -> SessionStorage:
    """Open the storage that a URL names.

    Args:
        url: ``memory:``, ``sqlite:path/of/a.db``, ``postgresql://user@host/database`` or
            ``redis://host:6379/0``.
        options: of that storage's ``connect``, e.g. ``table=``, ``read_only=``, ``timeout=``.

    Raises:
        StorageError: an unknown scheme, or the store can't be opened.
    """
    if not isinstance(url, str):
        raise StorageError(f"a store is named by its URL, a text, and not by {url!r}")
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "memory":
        if options:
            raise StorageError(f"memory: takes no options, so not {', '.join(options)}")
        return InMemorySessionStorage()
    if colon and scheme == "sqlite":
        path = rest.removeprefix("//")
        if path in ("", ":memory:"):
            raise StorageError("sqlite: needs the path of a file, e.g. sqlite:sessions.db")
        _check_options(SqliteSessionStorage.connect, options)
        return await SqliteSessionStorage.connect(path, **options)
    if colon and scheme in ("postgresql", "postgres"):
        _check_options(PostgresSessionStorage.connect, options)
        return await PostgresSessionStorage.connect(url, **options)
    if colon and scheme in REDIS_SCHEMES:
        _check_options(RedisSessionStorage.connect, options)
        return await RedisSessionStorage.connect(url, **options)
    raise StorageError(
        f"{redact(url)!r} names no storage: say memory:, sqlite:path, postgresql://… or redis://…"
    )


def _check_options(opener: Callable[..., object], options: dict[str, Any]) -> None:
    known = list(signature(opener).parameters)[1:]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise StorageError(f"there is no option {', '.join(unknown)}; known are {', '.join(known)}")


async def connect_from_env(*, fallback: bool = True, **options: Any) -> SessionStorage:
    """Open the storage that ``DATABASE_URL`` names, as graph-flow's documentation selects one.

    Args:
        fallback: without DATABASE_URL, or if it can't be opened, use memory and log a warning;
            False raises instead.
        options: as for ``connect``.

    Raises:
        StorageError: with ``fallback=False``, DATABASE_URL is not set or can't be opened.
    """
    url = os.environ.get("DATABASE_URL")
    try:
        if not url:
            raise StorageError("DATABASE_URL is not set")
        return await connect(url, **options)
    except StorageError as error:
        if not fallback:
            raise
        log.warning("%s: using memory, so sessions are gone when this process ends", error)
        return InMemorySessionStorage()
