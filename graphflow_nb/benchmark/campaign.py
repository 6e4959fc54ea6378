"""Running a benchmark over one store or several, turn by turn."""

from __future__ import annotations

import random
import threading
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack

from ..bridge import Bridge, LoopThread, meeting_point
from ..errors import BenchmarkError, CapabilityError, GraphflowError, StorageError
from ..storage import Query, SessionStorage, connect
from . import OwnSessions, StoredSessions, Turn, Workload, measure
from .machine import machine
from .progress import Progress
from .run import Run, Store
from .sessions import GRAPH
from .settings import Settings

if TYPE_CHECKING:
    from ..notebook.workbench import Workbench

__all__ = ["Benchmark", "compare"]

Contender: TypeAlias = "Workbench | SessionStorage | str"

_DEFAULTS: Options = {
    "duration": 10.0,
    "rate": None,
    "sessions": 1000,
    "context_bytes": 1000,
    "repeats": 5,
    "warmup": 1.0,
    "stored": False,
    "shared": False,
    "seed": 1,
}

_KINDS = {
    "InMemorySessionStorage": "memory",
    "PostgresSessionStorage": "PostgreSQL",
    "RedisSessionStorage": "Redis",
    "SqliteSessionStorage": "SQLite",
}


class Options(TypedDict, total=False):
    """The options of ``wb.benchmark``, which tells what they mean."""

    duration: float
    concurrency: int
    rate: float | None
    sessions: int
    context_bytes: int
    repeats: int
    warmup: float
    stored: bool
    shared: bool
    seed: int


class Benchmark:
    """Benchmarks one workbench's store; see ``__call__``."""

    def __init__(self, wb: Workbench):
        self._wb = wb

    def __call__(self, workload: Workload | str = "A", **options: Unpack[Options]) -> Run:
        """Load the store, and measure what requests and operations take.

        The benchmark makes sessions of its own, works on those alone, and deletes them in the end,
        also when it is stopped. If the kernel is killed meanwhile, they are left behind; their
        graph_id is ``graphflow_nb benchmark``.

        Interrupting the kernel (■) stops it like the Stop button: what was measured is kept.

        Args:
            workload: ``A`` (half reads, half updates), ``B`` (95 % reads), ``C`` (reads), ``D``
                (reads of the newest, 5 % inserts), ``E`` (short scans, 5 % inserts), ``F`` (half
                of the reads change and save the session), as YCSB has them; ``flow`` (get, change,
                save, as a runner does); or a ``graphflow_nb.Workload``.
            duration: seconds of measuring each store, over all repeats; 10.
            concurrency: requests that are under way at a time; 1, in an open loop 64 at most.
            rate: requests a second at set times (open loop): a request that starts late because the
                store stalled is measured from the time at which it should have started. None: the
                next begins when one is answered (closed loop), and a stall counts once.
            sessions: how many to work on; 1,000.
            context_bytes: of each, 100 to 1,000,000; 1,000.
            repeats: turns of each store, alternating; 5. Confidence intervals are over these.
            warmup: seconds before them that are not counted; 1.
            stored: read sessions that are there instead of making some, with workload C: nothing is
                written, so it may be done on a store opened for reading only.
            shared: True to load a store that holds sessions that are not the benchmark's: whoever
                uses it will wait for it.
            seed: of all that is drawn by chance; 1.

        Raises:
            BenchmarkError: the arguments mean nothing, or the store is not to be loaded without
                being told to.
            StorageError: the store failed.
        """
        return _Campaign([self._wb], workload, options).finish()

    def aio(self, workload: Workload | str = "A", **options: Unpack[Options]) -> Awaitable[Run]:
        """The same to be awaited."""
        campaign = _Campaign([self._wb], workload, options)
        return campaign.bridge.wait(campaign.run())


def compare(
    stores: Sequence[Contender] | Mapping[str, Contender],
    workload: Workload | str = "A",
    **options: Unpack[Options],
) -> Run:
    """Benchmark several stores in one run, their turns alternating.

    Args:
        stores: workbenches, URLs (opened for writing, and closed in the end) or storages that are
            not bound to a loop; as a mapping, with what to call them.
        workload: as for ``wb.benchmark``.
        options: as for ``wb.benchmark``.

    Raises:
        BenchmarkError: the arguments mean nothing, or a store is not to be loaded without being
            told to.
        StorageError: a store failed.
    """
    return _Campaign(stores, workload, options).finish()


@dataclass(eq=False)
class _Entry:
    """A store that takes part."""

    label: str
    bridge: Bridge
    storage: Any
    sessions: Any = None


class _Campaign:
    """One run, from the check whether it may to the clean-up."""

    def __init__(
        self,
        stores: Sequence[Contender] | Mapping[str, Contender],
        workload: Workload | str,
        options: Options,
    ):
        unknown = [name for name in options if name not in Options.__annotations__]
        if unknown:
            raise BenchmarkError(
                f"there is no option {', '.join(unknown)}; known are "
                f"{', '.join(Options.__annotations__)}"
            )
        given: dict[str, Any] = {**_DEFAULTS, **options}
        given.setdefault("concurrency", 1 if given["rate"] is None else 64)
        self._shared = given.pop("shared")
        self._settings = Settings.of(workload, **given)
        self._contenders = _named(stores)
        found = [store for _, store in self._contenders]
        self.bridge = meeting_point(s.bridge for s in found if hasattr(s, "bridge"))
        self._stop = threading.Event()
        self._turns: list[Turn] = []

    def finish(self) -> Run:
        """Run it, and wait here."""
        if isinstance(self.bridge, LoopThread):
            return self.bridge.run(self.run(), on_interrupt=self._stop.set)
        return self.bridge.run(self.run())

    async def run(self) -> Run:
        settings, began = self._settings, datetime.now(UTC)
        with Progress.shown(self._stop.set) as progress:
            async with AsyncExitStack() as stack:
                entries = [await self._enter(stack, *named) for named in self._contenders]
                for entry, label in zip(entries, _apart([e.label for e in entries]), strict=True):
                    entry.label = label
                    await self._check(entry)
                for entry in entries:
                    await self._prepare(stack, entry, progress)
                await self._measure(entries, progress)
                stores = [_store(entry) for entry in entries]
                progress.say("deleting the benchmark's sessions")
        stopped = ("stopped before its end",) if self._stop.is_set() else ()
        return Run(settings, machine(), stores, began, tuple(self._turns), stopped)

    async def _enter(self, stack: AsyncExitStack, label: str | None, store: Any) -> _Entry:
        bridge = getattr(store, "bridge", self.bridge)
        if isinstance(store, str):
            store = await connect(store)
            stack.push_async_callback(store.close)
        elif hasattr(store, "bridge"):
            store = store.storage.inner
        return _Entry(label or _label(store), bridge, store)

    async def _check(self, entry: _Entry) -> None:
        storage = entry.storage
        if self._settings.workload.shares.get("scan") and not hasattr(storage, "query"):
            raise CapabilityError(storage, "query")
        if self._settings.stored:
            return
        if getattr(storage, "read_only", False):
            raise BenchmarkError(
                f"{entry.label} was opened for reading only, and a benchmark writes sessions of "
                "its own: open it with writable=True, or read what is there with workload='C' and "
                "stored=True"
            )
        if self._shared or not getattr(storage, "suspends", True):
            return
        if not hasattr(storage, "count"):
            raise BenchmarkError(
                f"{entry.label} can't tell whether it holds sessions of others, who would have to "
                "wait for the benchmark: say shared=True if they may"
            )
        every = await entry.bridge.wait(storage.count(Query()))
        own = await entry.bridge.wait(storage.count(Query(graph=GRAPH)))
        if every > own:
            raise BenchmarkError(
                f"{entry.label} holds sessions that are not the benchmark's ({every - own:,}), and "
                "whoever uses them would have to wait for it: say shared=True if they may"
            )

    async def _prepare(self, stack: AsyncExitStack, entry: _Entry, progress: Progress) -> None:
        settings, storage = self._settings, entry.storage
        if settings.stored:
            found = StoredSessions.found(storage, settings.sessions)
            entry.sessions = await entry.bridge.wait(found)
            return
        own = OwnSessions(settings.context_bytes, settings.seed)
        entry.sessions = own
        stack.push_async_callback(_remove, entry, own)

        def told(count: int) -> bool:
            progress.say(f"{entry.label}: {count:,} of {settings.sessions:,} sessions made")
            return self._stop.is_set()

        await entry.bridge.wait(own.fill(storage, settings.sessions, told))

    async def _measure(self, entries: Sequence[_Entry], progress: Progress) -> None:
        settings = self._settings
        order = random.Random(settings.seed)
        steps = 0
        for repeat in range(-1 if settings.warmup else 0, settings.repeats):
            seconds = settings.warmup if repeat < 0 else settings.turn_seconds
            for entry in order.sample(list(entries), len(entries)):
                if self._stop.is_set():
                    return
                what = "warm-up" if repeat < 0 else f"turn {repeat + 1} of {settings.repeats}"
                progress.say(f"{entry.label}: {what}")
                turn = await entry.bridge.wait(
                    measure(
                        entry.storage,
                        entry.sessions,
                        settings.workload,
                        store=entry.label,
                        repeat=repeat,
                        seconds=seconds,
                        concurrency=settings.concurrency,
                        rate=settings.rate,
                        seed=settings.seed,
                        stop=self._stop,
                    )
                )
                if repeat >= 0 and len(turn.requests):
                    self._turns.append(turn)
                steps += 1
                progress.go(steps / (len(entries) * (settings.repeats + bool(settings.warmup))))


async def _remove(entry: _Entry, own: OwnSessions) -> None:
    try:
        await entry.bridge.wait(own.remove(entry.storage))
    except GraphflowError as error:
        raise StorageError(
            f"sessions of the benchmark may be left in {entry.label}; delete them with "
            f"wb.delete(wb.sessions(graph={GRAPH!r})['id']): {error}"
        ) from error


def _named(stores: Any) -> list[tuple[str | None, Any]]:
    """Stores with what they are to be called, if that was said."""
    if isinstance(stores, Mapping):
        found: list[tuple[str | None, Any]] = list(stores.items())
    else:
        found = [] if isinstance(stores, str) else [(None, store) for store in stores]
    if not found:
        raise BenchmarkError("what is compared is a list of stores, or a mapping with their names")
    for _, store in found:
        if not isinstance(store, str) and not all(
            hasattr(store, name) for name in ("save", "get", "delete")
        ):
            raise BenchmarkError(f"a store is a workbench, a URL or a storage, not {store!r}")
    return found


def _label(storage: Any) -> str:
    name = type(storage).__name__
    return f"{_KINDS.get(name, name)} {getattr(storage, 'server_version', '')}".strip()


def _apart(labels: Sequence[str]) -> list[str]:
    """Labels of which none is there twice."""
    found: list[str] = []
    for label in labels:
        number, another = 1, label
        while another in found:
            number += 1
            another = f"{label} ({number})"
        found.append(another)
    return found


def _store(entry: _Entry) -> Store:
    storage = entry.storage
    name = type(storage).__name__
    version = str(getattr(storage, "server_version", ""))
    return Store(entry.label, name, str(getattr(storage, "place", name)), version)
