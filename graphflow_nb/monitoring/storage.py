"""A storage that tells its hooks what each operation cost."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from time import perf_counter_ns
from typing import Any, TypeVar

from ..errors import SessionConflict
from ..session import Session
from ..storage.base import SessionStorage
from ..storage.trace import LISTENER, Trace
from ..storage.wrappers import Wrapper
from .operation import Hook, Operation, Outcome

__all__ = ["MonitoredStorage"]

T = TypeVar("T")
log = logging.getLogger("graphflow_nb")


class MonitoredStorage(Wrapper):
    """Wraps a storage; behaves the same, and reports every call, failed and cancelled ones too.

    A hook that raises is logged once and dropped: monitoring never changes a result.

    Args:
        storage: anything with ``save``, ``get`` and ``delete``.
        hooks: called with an ``Operation`` after each call, in this order.
    """

    def __init__(self, storage: SessionStorage, hooks: Iterable[Hook] = ()):
        super().__init__(storage)
        self._hooks = tuple((hook, hook.on_operation) for hook in hooks)
        self._name = type(storage).__name__
        self._save, self._get = storage.save, storage.get
        self._traced = bool(getattr(storage, "phases", False))
        if not self._traced:
            # The shorter way for storages that report no phases, memory above all.
            self.save, self.get = self._plain()  # type: ignore[method-assign, assignment]

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

    def _plain(
        self,
    ) -> tuple[
        Callable[[Session], Coroutine[Any, Any, None]],
        Callable[[str], Coroutine[Any, Any, Session | None]],
    ]:
        # Local names: an attribute of a class with __getattr__ is found more slowly.
        inner_save, inner_get, name = self._save, self._get, self._name
        tell, failed = self._tell, self._failed

        async def save(session: Session) -> None:
            start = perf_counter_ns()
            try:
                await inner_save(session)
            except BaseException as raised:
                failed("save", session.id, start, raised)
                raise
            duration = perf_counter_ns() - start
            tell(Operation("save", name, session.id, start, duration))

        async def get(id: str) -> Session | None:
            start = perf_counter_ns()
            try:
                session = await inner_get(id)
            except BaseException as raised:
                failed("get", id, start, raised)
                raise
            duration = perf_counter_ns() - start
            if session is None:
                tell(Operation("get", name, id, start, duration, outcome="missing"))
            else:
                tell(Operation("get", name, id, start, duration))
            return session

        return save, get

    async def save(self, session: Session) -> None:
        await self._watched("save", session.id, lambda: self._save(session))

    async def get(self, id: str) -> Session | None:
        return await self._watched("get", id, lambda: self._get(id))

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        call = getattr(self.inner, method)
        id = None
        if method == "delete":
            id = arguments[0]
        elif method in ("upsert", "restore"):
            id = (arguments[0] if arguments else named["session"]).id
        return await self._watched(method, id, lambda: call(*arguments, **named))

    def __repr__(self) -> str:
        return f"<Monitored {self.inner!r}>"


def _outcome(raised: BaseException) -> Outcome:
    if isinstance(raised, SessionConflict):
        return "conflict"
    return "cancelled" if isinstance(raised, CancelledError) else "error"
