"""Running a benchmark over one store or several, turn by turn."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, NoReturn, TypeAlias

from ..bridge import Bridge, LoopThread, meeting_point
from ..client import Client
from ..errors import BenchmarkError, StorageError
from ..storage import Query, SessionStorage, connect
from ..storage.attributes import attributes_of
from ..storage.capabilities import require
from ..storage.connect import read_url
from ..storage.protocols import SupportsClose, SupportsCount, SupportsQuery
from ..storage.stores import check_may_write, find_kind, label_of
from ..storage.url import StoreUrl
from ..warning import warn
from .cleaning import Cleaning, clean_store
from .load import Turn, measure
from .machine import describe_machine
from .progress import Progress, ShowProgress
from .run import Run, Store
from .sessions import GRAPH, OwnSessions, Sessions, StoredSessions
from .settings import Options, Settings
from .workload import Workload

__all__ = ["Campaign", "Contender", "Named", "read_contenders"]

#: What can be measured: an open store, a storage that is bound to no loop, or a URL.
Contender: TypeAlias = Client | SessionStorage | str | StoreUrl


class Named(NamedTuple):
    """A contender, and its label if it was given one."""

    label: str | None
    contender: Client | SessionStorage | StoreUrl


class _Entered(NamedTuple):
    """A contender whose storage is open.

    Attributes:
        label: Its name in the run.
        bridge: The bridge on which its coroutines run.
        storage: The storage itself, without a monitor.
    """

    label: str
    bridge: Bridge
    storage: SessionStorage


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A store that can be measured, and the sessions to work on."""

    store: _Entered
    sessions: Sessions


class Campaign:
    """One benchmark, from the check whether it may run to the deletion of its sessions.

    Args:
        contenders: The stores to measure; as a mapping, with labels.
        workload: A workload, or the name of one.
        options: The options of ``wb.benchmark``.
        show: Makes the progress that is shown, given the function of its Stop button.
        writable: Whether to write to servers' databases that are given by URL, and to create
            SQLite files that do not exist.

    Attributes:
        bridge: The bridge on which the campaign itself runs.

    Raises:
        BenchmarkError: An option is out of its range, or there is nothing to measure.
        ReadOnlyError: A URL is that of a server's database, and ``writable`` is not True.
    """

    def __init__(
        self,
        contenders: Sequence[Contender | Named] | Mapping[str, Contender],
        workload: Workload | str,
        options: Options,
        show: ShowProgress = lambda stop: Progress(),
        *,
        writable: bool = False,
    ):
        contenders = read_contenders(contenders)
        self._settings = Settings.from_options(workload, options)
        self._shared = options.get("shared", False)
        self._writable = writable
        self._contenders = contenders
        if not self._settings.stored:
            for named in contenders:
                if isinstance(named.contender, StoreUrl):
                    check_may_write(named.contender, writable)
        found = [named.contender for named in self._contenders]
        self.bridge = meeting_point(one.bridge for one in found if isinstance(one, Client))
        self._show = show
        self._stop = threading.Event()
        self._turns: list[Turn] = []
        self._owners: list[tuple[_Entered, OwnSessions]] = []
        self._measured = ""  # the label of the store in use

    def run(self) -> Run:
        """Run the benchmark and wait for it; an interrupt stops it like the Stop button."""
        if isinstance(self.bridge, LoopThread):
            return self.bridge.run(self.measure_all(), on_interrupt=self._stop.set)
        return self.bridge.run(self.measure_all())

    async def measure_all(self) -> Run:
        """Run the benchmark, on the loop of ``bridge``.

        Raises:
            BenchmarkError: A store may not be loaded without permission.
            CapabilityError: The workload scans, and a storage has no method ``query``.
            StorageError: A store failed before a turn was measured.
        """
        began = datetime.now(UTC)
        with self._show(self._stop.set) as progress:
            async with AsyncExitStack() as stack:
                stores = [await self._enter(stack, *named) for named in self._contenders]
                labels = _number_repeated([store.label for store in stores])
                stores = [
                    store._replace(label=label) for store, label in zip(stores, labels, strict=True)
                ]
                for store in stores:
                    await self._check_permission(store)
                error: Exception | None = None
                try:
                    prepared = [await self._prepare(store, progress) for store in stores]
                    await self._take_turns(prepared, progress)
                except Exception as raised:  # a custom storage may raise anything
                    error = raised
                finally:
                    cleanings = await self._clean_up(progress)
                described = [_describe_store(store) for store in stores]
        notes = [cleaning.note for cleaning in cleanings if cleaning.note]
        if error is not None:
            if not self._turns:
                _raise_failed(error, cleanings)
            notes.insert(0, self._describe_failed(error))
        elif self._stop.is_set():
            notes.insert(0, "stopped before its end")
        if error is not None or any(cleaning.error for cleaning in cleanings):
            warn("; ".join(notes))
        machine = describe_machine()
        return Run(self._settings, machine, described, began, tuple(self._turns), tuple(notes))

    async def _clean_up(self, progress: Progress) -> list[Cleaning]:
        """Delete the sessions of the benchmark from all stores, at the same time."""
        if not self._owners:
            return []
        progress.show_step("deleting the benchmark's sessions")
        stopped = self._stop.is_set()
        return await asyncio.gather(
            *(
                clean_store(
                    store.label,
                    store.bridge,
                    store.storage,
                    own,
                    show=progress.show_step,
                    given_up=lambda: not stopped and self._stop.is_set(),
                )
                for store, own in self._owners
            )
        )

    def _describe_failed(self, error: Exception) -> str:
        every = self._settings.repeats * len(self._contenders)
        return (
            f"stopped before its end, after {len(self._turns)} of {every} turns, because "
            f"{self._measured} failed ({type(error).__name__}: {error})"
        )

    async def _enter(
        self,
        stack: AsyncExitStack,
        label: str | None,
        contender: Client | SessionStorage | StoreUrl,
    ) -> _Entered:
        if isinstance(contender, Client):
            storage = contender.storage.inner
            return _Entered(label or _make_label(storage), contender.bridge, storage)
        if isinstance(contender, StoreUrl):
            contender = await connect(contender, **self._options_for(contender))
            if isinstance(contender, SupportsClose):
                stack.push_async_callback(_close, contender)
        return _Entered(label or _make_label(contender), self.bridge, contender)

    def _options_for(self, url: StoreUrl) -> dict[str, bool]:
        kind = find_kind(url)
        if kind is None:
            return {}
        options = {"read_only": True} if self._settings.stored and kind.takes("read_only") else {}
        if kind.takes("create"):
            options["create"] = self._writable  # a mistyped name creates no file
        return options

    async def _check_permission(self, store: _Entered) -> None:
        label, bridge, storage = store
        if self._settings.workload.shares.get("scan"):
            require(storage, SupportsQuery)
        if self._settings.stored:
            return
        attributes = attributes_of(storage)
        if attributes.read_only:
            raise BenchmarkError(
                f"{label} was opened for reading only, and a benchmark writes sessions of its own: "
                "open it with writable=True, or read what is stored with workload='C' and "
                "stored=True"
            )
        if self._shared:
            return
        if not isinstance(storage, SupportsCount):
            raise BenchmarkError(
                f"{label} can't report whether it holds sessions of others, who would have to wait "
                "for the benchmark: pass shared=True if they may"
            )
        every = await bridge.wait(storage.count(Query()))
        own = await bridge.wait(storage.count(Query(graph=GRAPH)))
        if every > own:
            raise BenchmarkError(
                f"{label} holds sessions that are not the benchmark's ({every - own:,}), and their "
                "users would have to wait for it: pass shared=True if they may"
            )

    async def _prepare(self, store: _Entered, progress: Progress) -> _Prepared:
        settings, storage = self._settings, store.storage
        if settings.stored:
            found = StoredSessions.found(storage, settings.sessions)
            return _Prepared(store, await store.bridge.wait(found))
        own = OwnSessions(settings.context_bytes, settings.seed)
        self._owners.append((store, own))

        def show(count: int) -> bool:
            text = f"{store.label}: {count:,} of {settings.sessions:,} sessions created"
            progress.show_step(text)
            return self._stop.is_set()

        await store.bridge.wait(own.fill(storage, settings.sessions, show))
        return _Prepared(store, own)

    async def _take_turns(self, prepared: Sequence[_Prepared], progress: Progress) -> None:
        settings = self._settings
        order = random.Random(settings.seed)
        rounds = range(-1 if settings.warmup else 0, settings.repeats)
        done, total = 0, len(rounds) * len(prepared)
        for repeat in rounds:
            what = "warm-up" if repeat < 0 else f"turn {repeat + 1} of {settings.repeats}"
            for one in order.sample(prepared, len(prepared)):
                if self._stop.is_set():
                    return
                progress.show_step(f"{one.store.label}: {what}")
                self._measured = one.store.label
                turn = await one.store.bridge.wait(
                    measure(
                        one.store.storage,
                        one.sessions,
                        settings.workload,
                        store=one.store.label,
                        repeat=repeat,
                        seconds=settings.warmup if repeat < 0 else settings.turn_seconds,
                        concurrency=settings.concurrency,
                        rate=settings.rate,
                        seed=settings.seed,
                        stop=self._stop,
                    )
                )
                if repeat >= 0 and len(turn.requests):
                    self._turns.append(turn)
                done += 1
                progress.show_share(done / total)


async def _close(storage: SupportsClose) -> None:
    """Close a store that the campaign opened; one that is out of reach takes no figures along."""
    with suppress(StorageError):
        await storage.close()


def _raise_failed(error: Exception, cleanings: Sequence[Cleaning]) -> NoReturn:
    """Raise the error of a benchmark without a finished turn, and say what it left."""
    left = [cleaning.note for cleaning in cleanings if cleaning.error is not None]
    if not left:
        raise error
    raise StorageError(f"{error}; {'; '.join(left)}") from error


def read_contenders(contenders: object) -> list[Named]:
    """Return stores with their labels, and their URLs read, so that no traceback shows a secret.

    Args:
        contenders: The stores; as a mapping, with labels. What this function returned stays.

    Raises:
        BenchmarkError: There is nothing to measure, or something that is not a store.
    """
    found: list[tuple[str | None, object]] = []
    if isinstance(contenders, Mapping):
        found = list(contenders.items())
    elif isinstance(contenders, Sequence) and not isinstance(contenders, str):
        found = [one if isinstance(one, Named) else (None, one) for one in contenders]
    if not found:
        raise BenchmarkError("pass a list of stores, or a mapping from labels to stores")
    return [Named(label, _read_contender(one)) for label, one in found]


def _read_contender(contender: object) -> Client | SessionStorage | StoreUrl:
    if isinstance(contender, (str, StoreUrl)):
        return read_url(contender)
    if not isinstance(contender, (Client, SessionStorage)):
        raise BenchmarkError(f"a store must be a workbench, a URL or a storage, not {contender!r}")
    return contender


def _make_label(storage: SessionStorage) -> str:
    return f"{label_of(storage)} {attributes_of(storage).server_version}".strip()


def _number_repeated(labels: Sequence[str]) -> list[str]:
    """Return the labels, with a number added to each one that occurred before."""
    found: list[str] = []
    for label in labels:
        number, another = 1, label
        while another in found:
            number += 1
            another = f"{label} ({number})"
        found.append(another)
    return found


def _describe_store(store: _Entered) -> Store:
    kind, attributes = type(store.storage).__name__, attributes_of(store.storage)
    return Store(store.label, kind, attributes.place or kind, attributes.server_version)
