"""``wb.copy_to``: a copy between two clients, wherever their storages live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..bridge import Bridge, meeting_point
from ..client import Client
from ..errors import StorageError
from ..model import Session
from ..storage import Query, connect
from ..storage.attributes import attributes_of
from ..storage.copying import CopyReport, copy
from .progress import show_count

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

        This store is only read. A copy that is run again continues where it ended: a session that
        the other store has with the same content is skipped; one with other content is reported
        and never overwritten. Versions and times are copied where the other store can keep them.
        The journal does not note the copy.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> report = wb.copy_to(graphflow_nb.open("memory:"), graph="claims")
            >>> report.copied, report.verified
            (80, True)

        Args:
            other: A workbench, or the URL of a store, which is created if it can be.
            redact: A function that takes a copy of each session and returns what is stored instead,
                under the same id, or None to leave the session out.
            progress: A function that is called with the number of sessions done, and of how many
                (None if unknown). Default: a notebook shows a bar.
            filters: The sessions to copy, by the filters of ``wb.sessions``: ``graph``, ``task``,
                ``status``, ``text``, ``id_prefix``, ``ids``, ``updated_since``, ``updated_until``,
                ``created_since``, ``created_until``, ``where``, ``has``.

        Returns:
            The report: what was copied, what was there already and what differs.

        Raises:
            QueryError: A filter is invalid.
            StorageError: A store failed, or both are the same.
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
        """Return the same copy to be awaited."""
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
            progress = show_count("copying …", "sessions")
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
    """A storage whose coroutines run on the loop where it lives."""

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
