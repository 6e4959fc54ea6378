"""Opening a client: by URL, or from an existing storage."""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop
from typing import Any, TypeVar

from ..bridge import Bridge, ForeignLoop, InPlace, LoopThread, running_loop
from ..errors import StorageError
from ..journal import Journal
from ..model.masks import DEFAULT_MASK, Mask, MaskChoice, note_mask
from ..monitoring import MonitoredStorage, Recorder
from ..secret_texts import scrubbing_by
from ..storage import (
    InMemorySessionStorage,
    ReadOnlyStorage,
    SessionStorage,
    attributes_of,
    connect,
    connect_from_env,
)
from ..storage.capabilities import missing_capability
from ..storage.connect import read_url
from ..storage.protocols import SupportsClose
from ..storage.scans import LARGE_BYTES
from ..storage.stores import find_kind
from ..storage.url import StoreUrl
from ..tracebacks import hide_frames
from .asking import MANY_SESSIONS, Asking
from .client import Client

__all__ = ["open_client", "wrap_client"]

C = TypeVar("C", bound=Client)


def open_client(
    url: str | StoreUrl | None = None,
    *,
    kind: type[C] = Client,  # type: ignore[assignment]
    writable: bool | None = None,
    journal: str | os.PathLike[str] | None = None,
    mask: MaskChoice = True,
    ask_above_bytes: int | None = LARGE_BYTES,
    ask_above_sessions: int | None = MANY_SESSIONS,
    **options: Any,
) -> C:
    """Open a store; see ``graphflow_nb.open`` for the arguments.

    Args:
        url: The store; ``"demo"`` for sample sessions in memory.
        kind: The class to make: ``Client``, or a subclass such as the ``Workbench``.
        writable: Whether sessions can be changed. Default: not on a server's database.
        journal: A file that keeps the journal.
        mask: What of contexts is hidden where it is shown.
        ask_above_bytes, ask_above_sessions: What is asked before the store does it.
        options: Options of the storage's ``connect``.

    Raises:
        StorageError: The store or the journal can't be opened; then neither is.
        QueryError: ``mask`` is invalid.
    """
    hidden = _read_mask(mask)
    Asking(ask_above_bytes, ask_above_sessions)  # which checks them before anything is opened
    url = None if url is None else read_url(url)
    read_only = writable is False
    named = url is not None and url.reveal()
    chosen = url if url is not None and named else StoreUrl(os.getenv("DATABASE_URL", ""))
    store = find_kind(chosen)
    read_only = read_only or (writable is None and store is not None and store.is_server)
    if read_only and store is not None and store.takes("read_only"):
        options["read_only"] = True
    if store is not None and "create" in store.options:
        options.setdefault("create", writable is True)  # a mistyped name creates no file
    # A URL, wherever it comes from, has no fallback: changes in a store other than the one that
    # the user meant would be lost with it.
    opening = connect(chosen, **options) if chosen.reveal() else connect_from_env(**options)
    scrubber = None if hidden is DEFAULT_MASK else hidden
    try:
        with scrubbing_by(scrubber):
            storage = LoopThread.shared().run(opening)
    except Exception as error:
        hide_frames(error, scrubber)
        raise
    attributes = attributes_of(storage)
    bridge = LoopThread.shared() if attributes.suspends else InPlace()
    try:
        if read_only and not attributes.read_only:
            storage = _make_read_only(storage)
        asking = Asking.about(storage, ask_above_bytes, ask_above_sessions)
        return _make(kind, storage, bridge, journal, hidden, asking)
    except BaseException:
        if isinstance(storage, SupportsClose):
            LoopThread.shared().run(storage.close())
        raise


def wrap_client(
    storage: SessionStorage,
    *,
    kind: type[C] = Client,  # type: ignore[assignment]
    loop: AbstractEventLoop | None = None,
    journal: str | os.PathLike[str] | None = None,
    mask: MaskChoice = True,
) -> C:
    """Return a client of an existing storage; see ``graphflow_nb.wrap`` for the arguments.

    Args:
        storage: Anything with the coroutines ``save``, ``get`` and ``delete``.
        kind: The class to make: ``Client``, or a subclass such as the ``Workbench``.
        loop: The event loop that the storage belongs to. Default: the one that it names, or else
            the one that runs right now, or else one of our own.
        journal: A file that keeps the journal.
        mask: What of contexts is hidden where it is shown.

    Raises:
        CapabilityError: The storage lacks one of the three methods.
        QueryError: ``mask`` is invalid.
    """
    hidden = _read_mask(mask)
    for method in ("save", "get", "delete"):
        if not callable(getattr(storage, method, None)):
            raise missing_capability(storage, method)
    attributes = attributes_of(storage)
    if not attributes.suspends:
        return _make(kind, storage, InPlace(), journal, hidden)
    if loop is None:
        loop = attributes.loop if attributes.names_loop else running_loop()
    shared = LoopThread.shared()
    bridge = shared if loop is None or loop is shared.loop else ForeignLoop(loop)
    return _make(kind, storage, bridge, journal, hidden)


def _make_read_only(storage: SessionStorage) -> SessionStorage:
    if type(storage) is InMemorySessionStorage:
        raise StorageError(
            "sessions in memory can't be opened for reading only: they are yours alone, so leave "
            "writable= out"
        )
    return ReadOnlyStorage(storage)


def _read_mask(choice: MaskChoice) -> Mask:
    if choice is True:
        return DEFAULT_MASK
    mask = Mask(choice)
    note_mask(mask)
    return mask


def _make(
    kind: type[C],
    storage: SessionStorage,
    bridge: Bridge,
    journal: str | os.PathLike[str] | None,
    mask: Mask,
    asking: Asking | None = None,
) -> C:
    recorder = Recorder()
    kept = None if journal is None else Journal.at(journal)
    if isinstance(storage, MonitoredStorage):
        storage.add_hook(recorder)
    else:
        storage = MonitoredStorage(storage, [recorder])
    return kind(storage, bridge, recorder, kept, mask, asking)
