"""A storage from its URL."""

from __future__ import annotations

import logging
import os
from typing import Any

from ..errors import StorageError
from .demo import DEMO, demo_storage
from .memory import InMemorySessionStorage
from .protocols import SessionStorage
from .stores import example_urls, find_kind
from .url import redact

__all__ = ["connect", "connect_from_env"]

log = logging.getLogger("graphflow_nb")


async def connect(url: str, **options: Any) -> SessionStorage:
    """Open the storage that a URL names.

    Example:
        >>> import graphflow_nb
        >>> storage = await graphflow_nb.connect("memory:")
        >>> await storage.save(graphflow_nb.Session("claim-1", "intake"))
        >>> (await storage.get("claim-1")).current_task_id
        'intake'

    Args:
        url: The URL of a store: ``memory:``, ``sqlite:path/of/a.db``,
            ``postgresql://user@host/database``, ``redis://host:6379/0``, or that of a kind of your
            own (``graphflow_nb.storage.register``); ``demo`` for sample sessions in memory.
        options: The options of that storage's ``connect``, e.g. ``table=``, ``read_only=``,
            ``timeout=``.

    Raises:
        StorageError: The scheme or an option is unknown, or the store can't be opened.
    """
    if not isinstance(url, str):
        raise StorageError(f"a store is named by its URL, a text, not by {url!r}")
    kind = find_kind(url)
    if url == DEMO and options:
        raise StorageError(f"unknown option {', '.join(options)}: {DEMO} takes none")
    if url == DEMO:
        return demo_storage()
    if kind is None:
        raise StorageError(
            f"{redact(url)!r} is not the URL of a store: use {example_urls()}, or {DEMO}"
        )
    return await kind.open(url, options)


async def connect_from_env(*, fallback: bool = True, **options: Any) -> SessionStorage:
    """Open the storage that ``DATABASE_URL`` names, as graph-flow's documentation selects one.

    Args:
        fallback: Whether to use memory, and log a warning, if DATABASE_URL is not set or can't be
            opened; False raises instead.
        options: The options of ``connect``.

    Raises:
        StorageError: With ``fallback=False``, DATABASE_URL is not set or can't be opened.
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
