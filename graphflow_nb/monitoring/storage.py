"""A storage that tells its hooks what each operation cost."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter_ns
from typing import Any, TypeVar

from ..errors import SessionConflict
from ..session import Session
from ..storage.base import SessionStorage, capability
from ..storage.query import ContextPath, GroupCount, Query, Table
from ..storage.trace import LISTENER, Trace
from .operation import Hook, Operation, Outcome

__all__ = ["MonitoredStorage"]

T = TypeVar("T")
log = logging.getLogger("graphflow_nb")


class MonitoredStorage:
    """Wraps a storage; behaves the same, and reports every call, failed and cancelled ones too.

    A hook that raises is logged once and dropped: monitoring never changes a result.

    Args:
        storage: anything with ``save``, ``get`` and ``delete``.
        hooks: called with an ``Operation`` after each call, in this order.
    """

    def __init__(self, storage: SessionStorage, hooks: Iterable[Hook] = ()):
        self.inner = storage
        self._hooks = tuple((hook, hook.on_operation) for hook in hooks)
        self._name = type(storage).__name__
        self._save, self._get, self._delete = storage.save, storage.get, storage.delete
        self._traced = bool(getattr(storage, "phases", False))
        if not self._traced:
            # The shorter way for storages that report no phases, memory above all.
            self.save = self._save_plain  # type: ignore[method-assign]
            self.get = self._get_plain  # type: ignore[method-assign]

    @property
    def suspends(self) -> bool:
        """Whether its coroutines need an event loop, as those of the storage inside."""
        return bool(getattr(self.inner, "suspends", True))

    @property
    def loop(self) -> Any:
        """The event loop that the storage inside belongs to, if it tells."""
        return self.inner.loop  # type: ignore[attr-defined]

    def add_hook(self, hook: Hook) -> None:
        """Tell this hook too from now on."""
        self._hooks += ((hook, hook.on_operation),)

    def remove_hook(self, hook: Hook) -> None:
        """Stop telling it; no error if it was dropped already."""
        self._hooks = tuple(pair for pair in self._hooks if pair[0] is not hook)

    def _tell(self, operation: Operation) -> None:
        for hook, hear in self._hooks:
            try:
                hear(operation)
            except Exception:
                self.remove_hook(hook)
                log.exception("dropped the hook %r, which raised", hook)

    async def _watched(self, op: str, id: str | None, call: Callable[[], Awaitable[T]]) -> T:
        start = perf_counter_ns()
        trace = Trace(start)
        token = LISTENER.set(trace)
        outcome: Outcome = "ok"
        error = None
        try:
            result = await call()
            if result is None and op == "get":
                outcome = "missing"
            return result
        except BaseException as raised:
            outcome, error = _outcome(raised), type(raised).__name__
            raise
        finally:
            duration = perf_counter_ns() - start
            LISTENER.reset(token)
            self._tell(
                Operation(
                    op,
                    self._name,
                    id,
                    start,
                    duration,
                    trace.wait,
                    trace.encode,
                    trace.execute,
                    trace.decode,
                    trace.bytes,
                    trace.rows,
                    outcome,
                    error,
                )
            )

    def _failed(self, op: str, id: str, start: int, raised: BaseException) -> None:
        duration = perf_counter_ns() - start
        name = type(raised).__name__
        outcome = _outcome(raised)
        self._tell(Operation(op, self._name, id, start, duration, outcome=outcome, error=name))

    async def _save_plain(self, session: Session) -> None:
        start = perf_counter_ns()
        try:
            await self._save(session)
        except BaseException as raised:
            self._failed("save", session.id, start, raised)
            raise
        duration = perf_counter_ns() - start
        self._tell(Operation("save", self._name, session.id, start, duration))

    async def _get_plain(self, id: str) -> Session | None:
        start = perf_counter_ns()
        try:
            session = await self._get(id)
        except BaseException as raised:
            self._failed("get", id, start, raised)
            raise
        duration = perf_counter_ns() - start
        if session is None:
            self._tell(Operation("get", self._name, id, start, duration, outcome="missing"))
        else:
            self._tell(Operation("get", self._name, id, start, duration))
        return session

    async def save(self, session: Session) -> None:
        await self._watched("save", session.id, lambda: self._save(session))

    async def get(self, id: str) -> Session | None:
        return await self._watched("get", id, lambda: self._get(id))

    async def delete(self, id: str) -> None:
        await self._watched("delete", id, lambda: self._delete(id))

    async def upsert(self, session: Session) -> None:
        call = capability(self.inner, "upsert")
        await self._watched("upsert", session.id, lambda: call(session))

    async def query(self, query: Query) -> list[Session]:
        return await self._beyond("query", query)  # type: ignore[no-any-return]

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        return await self._beyond("table", query, context)  # type: ignore[no-any-return]

    async def count(self, query: Query) -> int:
        return await self._beyond("count", query)  # type: ignore[no-any-return]

    async def counts(self, query: Query) -> list[GroupCount]:
        return await self._beyond("counts", query)  # type: ignore[no-any-return]

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        return await self._beyond("delete_many", ids, versions)  # type: ignore[no-any-return]

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        return await self._beyond("save_many", sessions)  # type: ignore[no-any-return]

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        return await self._beyond("import_many", sessions)  # type: ignore[no-any-return]

    async def restore(self, session: Session) -> None:
        call = capability(self.inner, "restore")
        await self._watched("restore", session.id, lambda: call(session))

    async def plan_migration(self) -> Any:
        return await self._beyond("plan_migration")

    async def migrate(self) -> Any:
        return await self._beyond("migrate")

    async def plan_trigger(self) -> Any:
        return await self._beyond("plan_trigger")

    async def install_trigger(self) -> Any:
        return await self._beyond("install_trigger")

    async def remove_trigger(self) -> Any:
        return await self._beyond("remove_trigger")

    async def build_index(self) -> Any:
        return await self._beyond("build_index")

    async def drop_index(self) -> None:
        await self._beyond("drop_index")

    async def _beyond(self, method: str, *arguments: Any) -> Any:
        call = capability(self.inner, method)
        return await self._watched(method, None, lambda: call(*arguments))

    async def close(self) -> None:
        """Close the storage inside, if it can be closed."""
        if hasattr(self.inner, "close"):
            await self.inner.close()

    def __repr__(self) -> str:
        return f"<Monitored {self.inner!r}>"


def _outcome(raised: BaseException) -> Outcome:
    if isinstance(raised, SessionConflict):
        return "conflict"
    return "cancelled" if isinstance(raised, CancelledError) else "error"
