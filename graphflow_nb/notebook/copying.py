"""``wb.copy_to``: a copy between two clients, wherever their storages live."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..bridge import Bridge, meeting_point
from ..client import Client
from ..errors import StorageError
from ..model import Session
from ..storage import Query, connect
from ..storage.copying import CopyReport, copy
from ..storage.protocols import attributes_of

__all__ = ["CopyTo"]


class CopyTo:
    """A copy of a client's sessions into another store; see ``__call__``."""

    def __init__(self, client: Client):
        self._client = client

    def __call__(
        self,
        other: Client | str,
        *,
        redact: Callable[[Session], Session | None] | None = None,
        progress: Callable[[int, int | None], None] | None = None,
        **filters: Any,
    ) -> CopyReport:
        """Copy the sessions that the filters select, and verify them by reading back.

        This store is only read. Run again, it goes on where it ended: what is there with the same
        content is passed over, what is there with another is reported and never overwritten.
        Versions and times are taken along where the other store can keep them. The journal notes
        nothing of it.

        Args:
            other: a workbench, or the URL of a store, which is made if it can be.
            redact: given a copy of each session, returns what is stored instead, under the same
                id, or None to leave it out.
            progress: called with how many were done, and of how many (None if not known). Left out,
                a notebook shows a bar.
            filters: ``graph``, ``task``, ``status``, ``text``, ``id_prefix``, ``ids``,
                ``updated_since``, ``updated_until``, ``created_since``, ``created_until``,
                ``where``, ``has``, as for ``wb.sessions``.

        Raises:
            QueryError: a filter that means nothing.
            StorageError: a store failed, or both are the same.
        """
        bridge, coroutine = self._start(other, redact, progress, filters)
        return bridge.run(coroutine)

    def aio(
        self,
        other: Client | str,
        *,
        redact: Callable[[Session], Session | None] | None = None,
        progress: Callable[[int, int | None], None] | None = None,
        **filters: Any,
    ) -> Awaitable[CopyReport]:
        """The same to be awaited."""
        bridge, coroutine = self._start(other, redact, progress, filters)
        return bridge.wait(coroutine)

    def _start(
        self, other: Any, redact: Any, progress: Any, filters: dict[str, Any]
    ) -> tuple[Bridge, Coroutine[Any, Any, CopyReport]]:
        query = Query.from_filters(filters)
        if not isinstance(other, (Client, str)):
            raise StorageError(f"sessions are copied to a workbench or a URL, not to {other!r}")
        mine = self._client.bridge
        bridges = [mine] if isinstance(other, str) else [mine, other.bridge]
        if progress is None:
            progress = _bar()
        return meeting_point(bridges), self._copy(other, query, redact, progress)

    async def _copy(self, other: Any, query: Query, redact: Any, progress: Any) -> CopyReport:
        source = _Reached(self._client.storage, self._client.bridge)
        if not isinstance(other, str):
            target: Any = _Reached(other.storage, other.bridge)
            _check_apart(self._client.storage.inner, other.storage.inner)
            return await copy(source, target, query, redact=redact, progress=progress)
        target = await connect(other)
        try:
            _check_apart(self._client.storage.inner, target)
            return await copy(source, target, query, redact=redact, progress=progress)
        finally:
            await target.close()


class _Reached:
    """A storage whose coroutines run where it lives."""

    def __init__(self, storage: Any, bridge: Bridge):
        self._storage = storage
        self._bridge = bridge

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._storage, name)
        return lambda *arguments: self._bridge.wait(method(*arguments))


def _check_apart(source: Any, target: Any) -> None:
    place = attributes_of(source).place
    same_place = place not in (None, "memory") and place == attributes_of(target).place
    if source is target or same_place:
        raise StorageError("both are the same store: nothing was copied")


def _bar() -> Callable[[int, int | None], None] | None:
    """A progress bar in a notebook, nothing elsewhere."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import display
    from ipywidgets import HTML, HBox, IntProgress

    bar, text = IntProgress(min=0, max=1), HTML("copying …")
    display(HBox([bar, text]))  # type: ignore[no-untyped-call]

    def show(done: int, total: int | None) -> None:
        bar.max = max(total or done, 1)
        bar.value = min(done, bar.max)
        text.value = f"{done:,} sessions" if total is None else f"{done:,} of {total:,} sessions"

    return show
