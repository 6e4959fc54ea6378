"""A storage that reports the cost of each operation to its hooks."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from time import perf_counter_ns
from typing import Any, ClassVar, TypeVar

from ..errors import SessionConflict
from ..model import Session
from ..storage.attributes import attributes_of
from ..storage.protocols import SessionStorage
from ..storage.trace import LISTENER, Trace
from ..storage.wrappers import Wrapper
from .clock import CLOCK
from .code import find_code
from .operation import Hook, Kind, Operation, Origin, Outcome, Phases, kind_of
from .recorder import Recorder

__all__ = ["MonitoredStorage"]

T = TypeVar("T")
log = logging.getLogger("graphflow_nb")

_Save = Callable[[Session], Coroutine[Any, Any, None]]
_Get = Callable[[str], Coroutine[Any, Any, Session | None]]


class _Hooks:
    """The hooks of a monitored storage, which its twins of other origins share.

    Attributes:
        twins: The storages that report to these hooks, one for each origin that was asked for.
        recorder: The first hook that is a recorder: it takes a report without an
            ``Operation``. None without a recorder.
        others: The other hooks, each as a function that never raises.
    """

    __slots__ = ("_hooks", "others", "recorder", "twins")

    def __init__(self, hooks: Iterable[Hook]):
        self._hooks = list(hooks)
        self.twins: dict[Origin, MonitoredStorage] = {}
        self.recorder: Recorder | None = None
        self.others: tuple[Callable[[Operation], None], ...] = ()
        self._sort()

    def __iter__(self) -> Iterator[Hook]:
        return iter(self._hooks)

    def add(self, hook: Hook) -> None:
        """Report to this hook too from now on."""
        self._hooks.append(hook)
        self._sort()

    def remove(self, hook: Hook) -> None:
        """Stop reporting to this hook."""
        self._hooks = [kept for kept in self._hooks if kept is not hook]
        self._sort()

    def _sort(self) -> None:
        self.recorder = next((h for h in self._hooks if isinstance(h, Recorder)), None)
        self.others = tuple(self._guard(h) for h in self._hooks if h is not self.recorder)
        for twin in tuple(self.twins.values()):
            twin.use_hooks()

    def _guard(self, hook: Hook) -> Callable[[Operation], None]:
        def report(operation: Operation) -> None:
            try:
                hook.on_operation(operation)
            except Exception:
                self.remove(hook)
                log.exception("dropped the hook %r, which raised", hook)

        return report

    def report(
        self,
        start: int,
        end: int,
        id: str | None,
        kind: Kind,
        phases: Phases | None = None,
        code: str | None = None,
    ) -> None:
        """Report one operation to all hooks."""
        if self.recorder is not None:
            self.recorder.put(start, end, id, kind, phases)
        if self.others:
            self.report_to_others(start, end, id, kind, phases, code)

    def report_to_others(
        self,
        start: int,
        end: int,
        id: str | None,
        kind: Kind,
        phases: Phases | None = None,
        code: str | None = None,
    ) -> None:
        """Report one operation to the hooks other than the recorder."""
        operation = kind.operation(id, CLOCK.shift(start), end - start, phases, code)
        for report in self.others:
            report(operation)


class MonitoredStorage(Wrapper):
    """A storage around another one that reports every call, failed and cancelled ones too.

    It behaves as the storage inside. A hook that raises is logged once and dropped: monitoring
    never changes a result.

    Args:
        storage: The storage inside: anything with ``save``, ``get`` and ``delete``.
        hooks: The hooks that receive an ``Operation`` after each call, in this order.
        name: What the operations call the storage; its class if left out.
        origin: The cause of the calls; see ``Operation.origin``.

    Example:
        >>> import asyncio
        >>> from graphflow_nb import InMemorySessionStorage, MonitoredStorage, Recorder, Session
        >>> recorder = Recorder()
        >>> storage = MonitoredStorage(InMemorySessionStorage(), [recorder])
        >>> asyncio.run(storage.save(Session("claim-1", "triage")))
        >>> [(operation.op, operation.outcome) for operation in recorder.operations()]
        [('save', 'ok')]
    """

    #: Its hooks receive the phases of the storage inside; a storage around it receives none.
    phases: ClassVar[bool] = False

    def __init__(
        self,
        storage: SessionStorage,
        hooks: Iterable[Hook] = (),
        *,
        name: str | None = None,
        origin: Origin = "user",
    ):
        super().__init__(storage)
        self._name = name or type(storage).__name__
        self._origin: Origin = origin
        self._hooks = hooks if isinstance(hooks, _Hooks) else _Hooks(hooks)
        self._hooks.twins.setdefault(origin, self)
        self.use_hooks()

    def replace_inner(self, storage: Any) -> None:
        """Make calls on another storage from now on, in every twin too.

        Args:
            storage: A wrapper around the storage inside, or what such a wrapper has inside: it has
                the same methods.
        """
        for twin in tuple(self._hooks.twins.values()):
            twin.inner = storage
            twin.use_hooks()

    def use_hooks(self) -> None:
        """Adapt to the present hooks and storage inside; called when one of them changes."""
        inner: SessionStorage = self.inner
        self._save, self._get = inner.save, inner.get
        recorder = self._hooks.recorder
        for name in ("save", "get"):
            self.__dict__.pop(name, None)
        if recorder is not None and not attributes_of(self.inner).phases:
            # The shorter way for storages that report no phases, memory above all.
            self.__dict__["save"], self.__dict__["get"] = self._make_short_calls(recorder)

    @property
    def background(self) -> MonitoredStorage:
        """The same storage for calls of this package by itself, which the hooks receive marked."""
        return self._twin("background")

    @property
    def for_journal(self) -> MonitoredStorage:
        """The same storage for the journal's reads, which the hooks receive marked."""
        return self._twin("journal")

    def _twin(self, origin: Origin) -> MonitoredStorage:
        twins = self._hooks.twins
        if origin not in twins:
            MonitoredStorage(self.inner, self._hooks, name=self._name, origin=origin)
        return twins[origin]

    def add_hook(self, hook: Hook) -> None:
        """Report to this hook too from now on.

        Args:
            hook: Anything with ``on_operation``.
        """
        self._hooks.add(hook)

    def remove_hook(self, hook: Hook) -> None:
        """Stop reporting to this hook; one that was dropped already is not an error.

        Args:
            hook: The hook to remove.
        """
        self._hooks.remove(hook)

    async def _report(self, op: str, id: str | None, call: Callable[[], Awaitable[T]]) -> T:
        """Perform a call and report it."""
        start = perf_counter_ns()
        if start > CLOCK.due:
            CLOCK.compare(start)
        trace = Trace(start)
        token = LISTENER.set(trace)
        outcome: Outcome = "ok"
        error = code = None
        try:
            result = await call()
            if result is None and op == "get":
                outcome = "missing"
            return result
        except BaseException as raised:
            outcome, error = _outcome_of(raised), type(raised).__name__
            code = find_code(raised)
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
            kind = kind_of(op, self._name, outcome, error, self._origin)
            self._hooks.report(start, end, id, kind, phases, code)

    def _report_failed(self, op: str, id: str, start: int, raised: BaseException) -> None:
        end = perf_counter_ns()
        name = type(raised).__name__
        kind = kind_of(op, self._name, _outcome_of(raised), name, self._origin)
        self._hooks.report(start, end, id, kind, code=find_code(raised))

    def _make_short_calls(self, recorder: Recorder) -> tuple[_Save, _Get]:
        """Return ``save`` and ``get`` for a storage that reports no phases."""
        # Local names, and what ``report`` does written out: calls and attributes would cost as
        # much as all the rest.
        inner_save, inner_get = self._save, self._get
        report_failed, hooks = self._report_failed, self._hooks
        block, make_room = recorder.block, recorder.make_room
        starts, ends, ids, codes = block.starts, block.ends, block.ids, block.codes
        origin, compare, due = self._origin, CLOCK.compare, 0
        saved = kind_of("save", self._name, origin=origin)
        got = kind_of("get", self._name, origin=origin)
        missed = kind_of("get", self._name, "missing", origin=origin)
        saved_code, got_code, missed_code = saved.code, got.code, missed.code

        async def save(session: Session) -> None:
            nonlocal due
            start = perf_counter_ns()
            if start > due:
                due = compare(start)
            try:
                await inner_save(session)
            except BaseException as raised:
                report_failed("save", session.id, start, raised)
                raise
            end = perf_counter_ns()
            try:
                at = block.take()
            except StopIteration:
                at = make_room()
            starts[at] = start
            ends[at] = end
            ids[at] = session.id
            codes[at] = saved_code
            if hooks.others:
                hooks.report_to_others(start, end, session.id, saved)

        async def get(id: str) -> Session | None:
            nonlocal due
            start = perf_counter_ns()
            if start > due:
                due = compare(start)
            try:
                session = await inner_get(id)
            except BaseException as raised:
                report_failed("get", id, start, raised)
                raise
            end = perf_counter_ns()
            try:
                at = block.take()
            except StopIteration:
                at = make_room()
            starts[at] = start
            ends[at] = end
            ids[at] = id
            codes[at] = missed_code if session is None else got_code
            if hooks.others:
                kind = missed if session is None else got
                hooks.report_to_others(start, end, id, kind)
            return session

        return save, get

    async def save(self, session: Session) -> None:
        """Save a session in the storage inside, and report it."""
        await self._report("save", session.id, lambda: self._save(session))

    async def get(self, id: str) -> Session | None:
        """Return the session with this id from the storage inside, and report it."""
        return await self._report("get", id, lambda: self._get(id))

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        call = getattr(self.inner, method)
        id = None
        if method == "delete":
            id = arguments[0]
        elif method in ("upsert", "restore"):
            id = (arguments[0] if arguments else named["session"]).id
        result = await self._report(method, id, lambda: call(*arguments, **named))
        if method == "snapshot":  # a storage, whose reads are reported too
            return MonitoredStorage(result, self._hooks, name=self._name, origin=self._origin)
        return result

    def __repr__(self) -> str:
        return f"<Monitored {self.inner!r}>"


def _outcome_of(raised: BaseException) -> Outcome:
    if isinstance(raised, SessionConflict):
        return "conflict"
    return "cancelled" if isinstance(raised, CancelledError) else "error"
