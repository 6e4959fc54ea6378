"""Benchmarks as a person starts them, with their progress shown in the notebook."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Unpack

from ..benchmark.campaign import Campaign, Contender
from ..benchmark.run import Run
from ..benchmark.settings import Options
from ..benchmark.workload import Workload
from ..client import Client
from .progress import show_progress

__all__ = ["Benchmark", "compare"]


class Benchmark:
    """The benchmark of one open store, as ``wb.benchmark``; see ``__call__``.

    Args:
        client: The open store.
    """

    def __init__(self, client: Client):
        self._client = client

    def __call__(self, workload: Workload | str = "A", **options: Unpack[Options]) -> Run:
        """Load the store, and measure how long requests and operations take.

        The benchmark creates sessions of its own, works on those alone, and deletes them at the
        end, also when it is stopped. If the kernel is killed meanwhile, they are left behind; their
        graph_id is ``graphflow_nb benchmark``.

        Interrupting the kernel (■) stops it like the Stop button: what was measured is kept.

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
            shared: Whether to load a store that holds sessions of others, who wait for the
                benchmark then.
            seed: The seed of everything random; 1.

        Returns:
            The run: ``summary()``, ``plot()``, ``frame()`` and more.

        Raises:
            BenchmarkError: An argument is out of its range, or the store may not be loaded without
                permission.
            StorageError: The store failed.
        """
        return Campaign([self._client], workload, options, show_progress).run()

    def aio(self, workload: Workload | str = "A", **options: Unpack[Options]) -> Awaitable[Run]:
        """Return the same benchmark to be awaited."""
        campaign = Campaign([self._client], workload, options, show_progress)
        return campaign.bridge.wait(campaign.measure_all())


def compare(
    stores: Sequence[Contender] | Mapping[str, Contender],
    workload: Workload | str = "A",
    **options: Unpack[Options],
) -> Run:
    """Benchmark several stores in one run, in alternating turns.

    Args:
        stores: Workbenches, URLs (opened for writing, and closed at the end) or storages that are
            not bound to a loop; as a mapping, with labels.
        workload: As for ``wb.benchmark``.
        options: As for ``wb.benchmark``.

    Returns:
        One run of all stores.

    Raises:
        BenchmarkError: An argument is out of its range, or a store may not be loaded without
            permission.
        StorageError: A store failed.

    Example:
        >>> import graphflow_nb
        >>> stores = {"one": "memory:", "other": "memory:"}
        >>> run = graphflow_nb.compare(stores, "C", duration=0.1, repeats=2, warmup=0)
        >>> run.summary().index.tolist()
        ['one', 'other']
    """
    return Campaign(stores, workload, options, show_progress).run()
