"""Benchmarks as a person starts them, with their progress shown in the notebook."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Unpack

from ..benchmark.campaign import Campaign, Contender, read_contenders
from ..benchmark.run import Run
from ..benchmark.sessions import remove_sessions
from ..benchmark.settings import Options
from ..benchmark.workload import Workload
from ..client import Client
from ..dual import CalledAsMethod
from ..errors import BenchmarkError
from .progress import show_progress

__all__ = ["Benchmark", "compare"]


class Benchmark(CalledAsMethod):
    """The benchmark of one open store, as ``wb.benchmark``; see ``__call__``.

    Args:
        client: The open store.
    """

    def __init__(self, client: Client):
        super().__init__("benchmark")
        self._client = client

    def __call__(self, workload: Workload | str = "A", **options: Unpack[Options]) -> Run:
        """Load the store, and measure how long requests and operations take.

        The benchmark creates sessions of its own, works on those alone, and deletes them at the
        end, also when it is stopped. If the kernel is killed meanwhile, they are left behind;
        ``clean_up()`` deletes them.

        Interrupting the kernel (■) stops it like the Stop button: what was measured is kept. It is
        kept too if the store fails meanwhile: then ``run.complete`` is False, and ``run.notes``,
        which are a warning as well, say why. A store that is out of reach at the end is waited for,
        for a minute at most, and what may be left in it is named.

        Args:
            workload: ``A`` (half reads, half updates), ``B`` (95 % reads), ``C`` (reads), ``D``
                (reads of the newest, 5 % inserts), ``E`` (short scans, 5 % inserts), ``F`` (half
                of the reads change and save the session), as in YCSB; ``flow`` (get, change,
                save, as a runner does); or a ``graphflow_nb.Workload``.
            duration: Seconds of measuring each store, over all repeats; 10.
            concurrency: Requests that are under way at a time; 1, in an open loop at most 64.
            rate: Requests a second, at set times (open loop): a request that starts late because
                the store stalled is measured from the time at which it was to start. None starts
                the next one when one is answered (closed loop), so that a stall counts once.
            sessions: The number of sessions to work on; 1,000.
            context_bytes: The size of each context, 100 to 1,000,000; 1,000.
            repeats: Turns of each store, alternating; 5. Confidence intervals are over these.
            warmup: Seconds before them that are not counted; 1.
            stored: Whether to read the stored sessions instead of creating some, with workload C.
                Nothing is written, so this works on a store opened for reading only.
            shared: Whether to load a store that holds other sessions than those of benchmarks:
                they stay as they are, but their users wait for the benchmark.
            seed: The seed of everything random; 1.

        Returns:
            The run: ``summary()``, ``plot()``, ``frame()`` and more.

        Raises:
            BenchmarkError: An argument is out of its range, or the store may not be loaded without
                permission.
            StorageError: The store failed before a turn was measured.
        """
        return Campaign([self._client], workload, options, show_progress).run()

    def clean_up(self, prefix: str | None = None, count: int | None = None) -> int:
        """Delete the sessions that benchmarks left in this store, however many, and no others.

        Without arguments, those of benchmarks that are running right now are deleted too.

        Example:
            >>> import graphflow_nb
            >>> graphflow_nb.open("demo").benchmark.clean_up()
            0

        Args:
            prefix: The digits with which the ids of one benchmark's sessions begin, as its notes
                say; None for the sessions of all benchmarks.
            count: How many it created, as its notes say; None to look for them in the store.

        Returns:
            The number of ids that were deleted.

        Raises:
            BenchmarkError: The prefix is not one of a benchmark's.
            CapabilityError: The storage has no method ``table``, and no count was given.
            StorageError: The store failed; a second call deletes the rest.
        """
        if prefix is not None and not re.fullmatch("[0-9a-f]{8}", prefix):
            raise BenchmarkError(
                f"the ids of a benchmark's sessions begin with eight digits of 0-9 and a-f, not "
                f"{prefix!r}: nothing was deleted"
            )
        if count is not None and (prefix is None or type(count) is not int or count < 0):
            raise BenchmarkError(
                f"count has to be an integer >= 0 and needs a prefix, not {count!r}: nothing was "
                "deleted"
            )
        inner = self._client.storage.inner
        return self._client.bridge.run(remove_sessions(inner, prefix, count))

    def aio(self, workload: Workload | str = "A", **options: Unpack[Options]) -> Awaitable[Run]:
        """Return the same benchmark to be awaited."""
        campaign = Campaign([self._client], workload, options, show_progress)
        return campaign.bridge.wait(campaign.measure_all())


def compare(
    stores: Sequence[Contender] | Mapping[str, Contender],
    workload: Workload | str = "A",
    *,
    writable: bool = False,
    **options: Unpack[Options],
) -> Run:
    """Benchmark several stores in one run, in alternating turns.

    Args:
        stores: Workbenches, URLs (opened, and closed at the end) or storages that are not bound to
            a loop; as a mapping, with labels.
        workload: As for ``wb.benchmark``.
        writable: Whether to write to servers' databases that are given by URL: the benchmark
            creates its sessions there, and their table if there is none. It also creates a SQLite
            file that does not exist. With ``stored=True`` nothing is written, and it is not needed.
        options: As for ``wb.benchmark``.

    Returns:
        One run of all stores.

    Raises:
        BenchmarkError: An argument is out of its range, or a store may not be loaded without
            permission.
        ReadOnlyError: A URL is that of a server's database, and ``writable`` is not True.
        StorageError: A store failed before a turn was measured.

    Example:
        >>> import graphflow_nb
        >>> stores = {"one": "memory:", "other": "memory:"}
        >>> run = graphflow_nb.compare(stores, "C", duration=0.1, repeats=2, warmup=0)
        >>> run.summary().index.tolist()
        ['one', 'other']
    """
    contenders = read_contenders(stores)
    del stores  # no traceback shows a secret in them
    return Campaign(contenders, workload, options, show_progress, writable=writable).run()
