"""A storage that tells its hooks what each operation cost."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from time import perf_counter_ns
from typing import Any, TypeVar

from ..errors import SessionConflict
from ..model.session import Session
from ..storage.protocols import SessionStorage
from ..storage.trace import LISTENER, Trace
from ..storage.wrappers import Wrapper
from .operation import Hook, Kind, Operation, Outcome, Phases, kind_of
from .recorder import Recorder

__all__ = ["MonitoredStorage"]

T = TypeVar("T")
log = logging.getLogger("graphflow_nb")


class _Listeners:
    """The hooks of a storage.

    Attributes:
        recorder: the first of them that is one, to which operations are told the shorter way.
        others: the other hooks, each as a function that never raises.
    """

    __slots__ = ("_hooks", "others", "recorder")

    def __init__(self, hooks: Iterable[Hook]):
        self._hooks: list[Hook] = []
        self.recorder: Recorder | None = None
        self.others: tuple[Callable[[Operation], None], ...] = ()
        for hook in hooks:
            self.add(hook)

    def add(self, hook: Hook) -> None:
        self._hooks.append(hook)
        self._sort()

    def remove(self, hook: Hook) -> None:
        self._hooks = [kept for kept in self._hooks if kept is not hook]
        self._sort()

    def _sort(self) -> None:
        self.recorder = next((h for h in self._hooks if isinstance(h, Recorder)), None)
        self.others = tuple(self._guarded(h) for h in self._hooks if h is not self.recorder)

    def _guarded(self, hook: Hook) -> Callable[[Operation], None]:
        def hear(operation: Operation) -> None:
            try:
                hook.on_operation(operation)
            except Exception:
                self.remove(hook)
                log.exception("dropped the hook %r, which raised", hook)

        return hear

    def tell(
        self, start: int, end: int, id: str | None, kind: Kind, phases: Phases | None = None
    ) -> None:
        if self.recorder is not None:
            self.recorder.put(start, end, id, kind, phases)
        if self.others:
            self.tell_others(start, end, id, kind, phases)

    def tell_others(
        self, start: int, end: int, id: str | None, kind: Kind, phases: Phases | None = None
    ) -> None:
        operation = kind.operation(id, start, end - start, phases)
        for hear in self.others:
            hear(operation)


class MonitoredStorage(Wrapper):
    """Wraps a storage; behaves the same, and reports every call, failed and cancelled ones too.

    A hook that raises is logged once and dropped: monitoring never changes a result.

    Args:
        storage: anything with ``save``, ``get`` and ``delete``.
        hooks: called with an ``Operation`` after each call, in this order.
        name: what the operations call the storage; its class if left out.
    """

    def __init__(
        self, storage: SessionStorage, hooks: Iterable[Hook] = (), *, name: str | None = None
    ):
        self._listeners = _Listeners(hooks)
        self._watch(storage, name or type(storage).__name__, False)

    def _watch(self, storage: SessionStorage, name: str, background: bool) -> None:
        super().__init__(storage)
        self._name = name
        self._background = background
        self._save, self._get = storage.save, storage.get
        self._route()

    def _route(self) -> None:
        recorder = self._listeners.recorder
        if recorder is None or getattr(self.inner, "phases", False):
            self.__dict__.pop("save", None)
            self.__dict__.pop("get", None)
        else:
            # The shorter way for storages that report no phases, memory above all.
            self.save, self.get = self._plain(recorder)  # type: ignore[method-assign, assignment]

    @property
    def background(self) -> MonitoredStorage:
        """The same storage for traffic that nobody asked for, told to the same hooks as such."""
        twin = object.__new__(MonitoredStorage)
        twin._listeners = self._listeners
        twin._watch(self.inner, self._name, True)
        return twin

    def add_hook(self, hook: Hook) -> None:
        """Tell this hook too from now on."""
        self._listeners.add(hook)
        self._route()

    def remove_hook(self, hook: Hook) -> None:
        """Stop telling it; no error if it was dropped already."""
        self._listeners.remove(hook)
        self._route()

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
            end = perf_counter_ns()
            LISTENER.reset(token)
            phases = (
                trace.wait,
                trace.encode,
                trace.execute,
                trace.decode,
                trace.bytes,
                trace.rows,
            )
            kind = kind_of(op, self._name, outcome, error, self._background)
            self._listeners.tell(start, end, id, kind, phases)

    def _failed(self, op: str, id: str, start: int, raised: BaseException) -> None:
        end = perf_counter_ns()
        name = type(raised).__name__
        kind = kind_of(op, self._name, _outcome(raised), name, self._background)
        self._listeners.tell(start, end, id, kind)

    def _plain(
        self, recorder: Recorder
    ) -> tuple[
        Callable[[Session], Coroutine[Any, Any, None]],
        Callable[[str], Coroutine[Any, Any, Session | None]],
    ]:
        # Local names, and what ``tell`` does written out: calls and attributes would cost as much
        # as all the rest.
        inner_save, inner_get = self._save, self._get
        failed, listeners = self._failed, self._listeners
        block, make_room = recorder.block, recorder.make_room
        starts, ends, ids, codes = block.starts, block.ends, block.ids, block.codes
        background = self._background
        saved = kind_of("save", self._name, background=background)
        got = kind_of("get", self._name, background=background)
        missed = kind_of("get", self._name, "missing", background=background)

        async def save(session: Session) -> None:
            start = perf_counter_ns()
            try:
                await inner_save(session)
            except BaseException as raised:
                failed("save", session.id, start, raised)
                raise
            end = perf_counter_ns()
            try:
                at = block.take()
            except StopIteration:
                at = make_room()
            starts[at] = start
            ends[at] = end
            ids[at] = session.id
            codes[at] = saved.code
            if listeners.others:
                listeners.tell_others(start, end, session.id, saved)

        async def get(id: str) -> Session | None:
            start = perf_counter_ns()
            try:
                session = await inner_get(id)
            except BaseException as raised:
                failed("get", id, start, raised)
                raise
            end = perf_counter_ns()
            kind = missed if session is None else got
            try:
                at = block.take()
            except StopIteration:
                at = make_room()
            starts[at] = start
            ends[at] = end
            ids[at] = id
            codes[at] = kind.code
            if listeners.others:
                listeners.tell_others(start, end, id, kind)
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
