"""A storage from its URL."""

from __future__ import annotations

import logging
import os
from difflib import get_close_matches
from typing import Any

from ..errors import StorageError
from .demo import DEMO, demo_storage
from .memory import InMemorySessionStorage
from .protocols import SessionStorage
from .stores import STORES, example_urls, find_kind
from .url import StoreUrl

__all__ = ["connect", "connect_from_env", "read_url"]

log = logging.getLogger("graphflow_nb")


def read_url(url: object) -> StoreUrl:
    """Return what a caller named a store by as its URL.

    Every function that opens a store by its URL begins with it, so that no traceback shows a
    secret.

    Raises:
        StorageError: It is not a text.
    """
    if not isinstance(url, (str, StoreUrl)):
        raise StorageError(f"a store is named by its URL, a text, not by {url!r}")
    return StoreUrl(url)


async def connect(url: str | StoreUrl, **options: Any) -> SessionStorage:
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
    url = read_url(url)
    kind = find_kind(url)
    is_demo = url.reveal() == DEMO
    if is_demo and options:
        raise StorageError(f"unknown option {', '.join(options)}: {DEMO} takes none")
    if is_demo:
        return demo_storage()
    if kind is None:
        raise StorageError(
            f"{str(url)!r} is not the URL of a store{_hint(url)}: use {example_urls()}, or {DEMO}"
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
    url = StoreUrl(os.getenv("DATABASE_URL", ""))
    try:
        if not url.reveal():
            raise StorageError("DATABASE_URL is not set")
        return await connect(url, **options)
    except StorageError as error:
        if not fallback:
            raise
        log.warning("%s: using memory, so sessions are gone when this process ends", error)
        return InMemorySessionStorage()


def _hint(url: StoreUrl) -> str:
    """Return what a person may have meant by something that is not the URL of a store."""
    if "sentinel" in url.scheme:
        return " (of Redis with Sentinel, name the present primary)"
    if not url.scheme and "=" in url.reveal():
        return " (libpq's form with host= and dbname= is none)"
    schemes = [scheme for kind in STORES.values() for scheme in kind.schemes]
    near = get_close_matches(url.scheme, schemes, 1)
    return f" ({near[0]}: is)" if near else ""
