"""``wb.copy_to``: a copy between two clients, wherever their storages live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from ..bridge import Bridge, meeting_point
from ..client import Client
from ..dual import CalledAsMethod
from ..errors import StorageError
from ..model import Session
from ..storage import Query, connect
from ..storage.attributes import attributes_of
from ..storage.checks import check_callables
from ..storage.connect import read_url
from ..storage.copy_report import CopyFailure, CopyReport
from ..storage.copying import copy
from ..storage.stores import check_may_write
from ..storage.url import StoreUrl
from ..storage.wrappers import Wrapper
from ..tracebacks import scrub_by
from .stopping import show_work

__all__ = ["CopyTo"]


class CopyTo(CalledAsMethod):
    """A copy of a client's sessions into another store; see ``__call__``."""

    def __init__(self, client: Client):
        super().__init__("copy_to")
        self._client = client

    def __call__(
        self,
        other: Client | str | StoreUrl,
        *,
        redact: Callable[[Session], Session | None] | None = None,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
        on_failure: Callable[[CopyFailure], None] | None = None,
        strict: bool = False,
        writable: bool = False,
        **filters: Any,
    ) -> CopyReport:
        """Copy the sessions that the filters select, and verify them by reading back.

        This store is only read. A copy that is run again continues where it ended: a session that
        the other store has with the same content is skipped; one with other content is reported
        and never overwritten. Versions and times are copied where the other store can keep them,
        and compared. A session that the other store can't hold is in ``report.failed`` with the
        reason, and the others are copied. The journal does not note the copy.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> report = wb.copy_to(graphflow_nb.open("memory:"), graph="claims")
            >>> report.copied, report.verified
            (80, True)

        Args:
            other: A workbench, or the URL of a store. The target is created on purpose: a SQLite
                file that does not exist without ``create=True``, a table on a server with
                ``writable=True``. A storage with ``save``, ``get`` and ``delete`` alone is asked
                for each id before it is saved.
            redact: A function that takes a copy of each session and returns what is stored instead,
                under the same id, or None to leave the session out.
            progress: A function that is called with the number of sessions done, and of how many
                (None if unknown). Default: a notebook shows a bar with a Stop button.
            stop: A function that is asked before each batch of 500 sessions; True ends the copy
                there. Interrupting the kernel (■) ends it too.
            on_failure: A function that is called on the storage's thread with each session that is
                not the same in both stores afterwards, as a ``CopyFailure``; the report names the
                first 1,000 of each kind.
            strict: Whether to stop at the first session that can't be copied.
            writable: Whether to write to a server's database that ``other`` names by its URL.
            filters: The sessions to copy, by the filters of ``wb.sessions``: ``graph``, ``task``,
                ``status``, ``text``, ``id_prefix``, ``ids``, ``updated_since``, ``updated_until``,
                ``created_since``, ``created_until``, ``where``, ``has``, ``lacks``, ``compare``,
                ``ignore_case``.

        Returns:
            The report: what was copied, what was there already and what differs.

        Raises:
            QueryError: A filter is invalid.
            ReadOnlyError: ``other`` is the URL of a server's database, without ``writable=True``.
            StorageError: A store failed, both are the same, or with ``strict`` a session can't be
                copied.
        """
        other = _read_target(other)
        bridge, coroutine = self._start(
            other, redact, progress, stop, on_failure, strict, writable, filters
        )
        return bridge.run(coroutine)

    def aio(
        self,
        other: Client | str | StoreUrl,
        *,
        redact: Callable[[Session], Session | None] | None = None,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
        on_failure: Callable[[CopyFailure], None] | None = None,
        strict: bool = False,
        writable: bool = False,
        **filters: Any,
    ) -> Awaitable[CopyReport]:
        """Return the same copy to be awaited."""
        other = _read_target(other)
        bridge, coroutine = self._start(
            other, redact, progress, stop, on_failure, strict, writable, filters
        )
        return bridge.wait(coroutine)

    def _start(
        self,
        other: Client | StoreUrl,
        redact: Any,
        progress: Any,
        stop: Any,
        on_failure: Any,
        strict: bool,
        writable: bool,
        filters: dict[str, Any],
    ) -> tuple[Bridge, Coroutine[Any, Any, CopyReport]]:
        check_callables(redact=redact, progress=progress, stop=stop, on_failure=on_failure)
        redact = self._client.hiding(redact)
        query = Query.from_filters(filters)
        if isinstance(other, StoreUrl):
            check_may_write(other, writable)
        mine = self._client.bridge
        bridges = [mine] if isinstance(other, StoreUrl) else [mine, other.bridge]
        options = {"redact": redact, "strict": strict, "on_failure": on_failure}
        copy = partial(self._copy, other, query, **options)
        if progress is not None:
            work = scrub_by(self._client.scrubber, copy, progress=progress, stop=stop)
            return meeting_point(bridges), work
        work = show_work(
            partial(scrub_by, self._client.scrubber, copy),
            stop,
            step="copying …",
            unit="sessions",
            done="copied",
            again="the same wb.copy_to(…) continues",
        )
        return meeting_point(bridges), work

    async def _copy(self, other: Any, query: Query, **options: Any) -> CopyReport:
        source = _Reached(self._client.storage, self._client.bridge)
        if not isinstance(other, StoreUrl):
            _check_apart(self._client.storage.inner, other.storage.inner)
            return await copy(source, _Reached(other.storage, other.bridge), query, **options)
        target: Any = await connect(other)
        try:
            _check_apart(self._client.storage.inner, target)
            return await copy(source, target, query, **options)
        finally:
            await target.close()


def _read_target(other: object) -> Client | StoreUrl:
    if isinstance(other, Client):
        return other
    if not isinstance(other, (str, StoreUrl)):
        raise StorageError(f"sessions are copied to a workbench or a URL, not to {other!r}")
    return read_url(other)


class _Reached(Wrapper):
    """A storage whose coroutines run on the loop where it lives."""

    def __init__(self, storage: Any, bridge: Bridge):
        super().__init__(storage)
        self._bridge = bridge

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        return await self._bridge.wait(getattr(self.inner, method)(*arguments, **named))


def _check_apart(source: Any, target: Any) -> None:
    """Raise StorageError if both storages are on the same data."""
    one, other = attributes_of(source), attributes_of(target)
    # Without an identity or a place a storage has only the name of its class.
    known = one.sets("identity") or one.place is not None
    if source is target or (known and one.identity == other.identity):
        raise StorageError("both are the same store: nothing was copied", nothing_written=True)
