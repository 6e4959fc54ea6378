"""The workbench: a client with DataFrames, cards, plots and views."""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import cards
from ..advice import Findings, advise
from ..bridge import Bridge
from ..client import open_client, wrap_client
from ..client.asking import MANY_SESSIONS, Asking
from ..dual import dual_read, show_reads_by
from ..errors import GraphflowError, QueryError, StorageError
from ..frames import journal_frame
from ..journal import Journal
from ..journal.overwriting import Overwritten, find_overwritten
from ..model.masks import DEFAULT_MASK, Mask, MaskChoice
from ..model.moments import Moment
from ..monitoring import MonitoredStorage, Recorder
from ..printable import describe_count
from ..storage import SessionStorage
from ..storage.capabilities import require
from ..storage.connect import read_url
from ..storage.estimates import Estimate, count_groups_briefly, read_counts
from ..storage.offloop import MANY_ROWS, run_off_loop
from ..storage.paths import ContextPath, check_columns
from ..storage.postgres.pools import find_resetting_pools
from ..storage.protocols import SupportsFacts
from ..storage.query import FILTERS
from ..storage.scans import LARGE_BYTES
from ..storage.table import note_of
from ..storage.url import StoreUrl
from ..warning import warn
from ..workflow import Graph
from .benchmarks import Benchmark
from .calls import allowing_call
from .changing import Changes
from .display import register
from .exporting import Exports
from .graphs import GraphView, build_view
from .history import HistoryViews
from .latency import Latency
from .reading import run_shown
from .running import RunFlow
from .scanning import LargeReads
from .tables import SessionTables

if TYPE_CHECKING:
    from .browse import Browser
    from .overview import Overview

__all__ = ["Workbench", "open", "wrap"]


class Workbench(SessionTables, HistoryViews, LargeReads, Changes, Exports):
    """One store in a notebook: see its sessions, change them, see what that cost.

    - Look: ``browse`` (all of it by clicking), ``overview``, ``stuck``, ``sessions``, ``messages``,
      ``get``; ``history`` and ``at`` for what was.
    - Change: ``create``, ``save``, ``patch``, ``delete``; ``journal``, ``undo`` and ``redo``.
    - Ask: ``latency`` for what operations cost, ``advise`` for what would help, ``benchmark``.
    - Take along: ``export``, ``scan``, ``to_parquet``, ``copy_to``.

    ``graphflow_nb.open(url)`` and ``graphflow_nb.wrap(storage)`` make one. Every method waits for
    its result, in a cell, a widget callback, a thread or a script. ``await wb.get.aio(id)`` is the
    same call awaited, on the same connections.

    In a notebook, a read that takes longer than a second shows a bar with a Stop button, which ends
    it in the store too.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> len(wb.sessions(graph="claims"))
        80

    Attributes:
        storage: The storage, which records every operation; a ``SessionStorage`` itself.
        latency: The cost of the operations.
    """

    def __init__(
        self,
        storage: MonitoredStorage,
        bridge: Bridge,
        recorder: Recorder,
        journal: Journal | None = None,
        mask: Mask = DEFAULT_MASK,
        asking: Asking | None = None,
    ):
        super().__init__(storage, bridge, recorder, journal, mask, asking)
        self.latency = Latency(recorder, self)
        register()
        show_reads_by(run_shown)

    @property
    def journal(self) -> pd.DataFrame:
        """The writes made through this workbench (or noted in its journal's file), oldest first.

        What ``wb.storage`` and other programs write is not in it.

        Returns:
            Indexed by ``entry`` (int64): ``at`` (datetime64[us, UTC]), ``op`` (category: save,
            upsert, delete, restore, undo), ``session_id`` (text), ``changes`` (text, the paths
            that changed, or ``created``, ``deleted``), ``version_before``, ``version_after``
            (Int64), ``state`` (category: ``done``; ``unknown`` where the connection was lost during
            the write; ``void`` where nothing is left to undo), ``undoes``, ``undone_by`` (Int64,
            entries), ``overwritten_since`` (boolean: whether others have changed since what this
            write changed; missing where that is not known). For the last column the 200 sessions
            written last are read; ``attrs["note"]`` says if there are more, ``attrs["damaged"]``
            names the lines of the file that can't be read.
        """
        entries = self.journaled.entries()
        try:
            # As background traffic: looking leaves no trace in what operations cost.
            found = self.bridge.run(find_overwritten(entries, self.storage.background))
        except GraphflowError as error:
            found = Overwritten({}, f"what became of the writes could not be read: {error}")
        frame = journal_frame(entries, found.answers)
        if found.note:
            frame.attrs["note"] = found.note
        damaged = self.journaled.journal.damaged
        if damaged:
            frame.attrs["damaged"] = [f"line {line}: {reason}" for line, reason in damaged]
            lines = describe_count(len(damaged), "line")
            warn(f"{lines} of the journal can't be read: {frame.attrs['damaged']}")
        return frame

    @dual_read
    async def overview(self, *, exact: bool = False, allow_scan: bool = False) -> Overview:
        """Return where sessions are, which are stuck, and whether they grow, as pictures.

        The store counts. Of a large one a part that stands for the whole is read (in PostgreSQL 16
        MB of a larger table, in Redis the values of 10,000 keys, else 25,000 sessions), so that it
        takes no longer the larger it is; the pictures then say *about*, and from what. A storage of
        your own that can't count reads its 25,000 newest sessions.

        Example:
            >>> import graphflow_nb
            >>> overview = graphflow_nb.open("demo").overview()
            >>> int(overview.tasks["sessions"].sum()), overview.note
            (120, '')

        Args:
            exact: Whether to read all sessions, however many there are.
            allow_scan: See ``sessions``.

        Returns:
            The overview, which shows itself; ``tasks``, ``ages``, ``graphs``, ``days``, ``hours``
            and ``sizes`` are its figures as DataFrames.

        Raises:
            ScanRefused: ``exact`` would go through a large table, and ``allow_scan`` is False.
            CapabilityError: The storage has neither ``overview`` nor ``table``.
            StorageError: The store failed.
        """
        call = allowing_call(self, "overview", {"exact": exact})
        with self.asking.guard(allow=allow_scan, call=call):
            counts = await read_counts(self.storage, datetime.now(UTC), exact=exact)

        def build() -> Overview:
            from .overview import Overview  # with matplotlib: only when it is wanted

            return Overview(counts)

        # To import matplotlib takes as long as many rows.
        return await run_off_loop(MANY_ROWS + 1, build, self.storage)

    def browse(
        self,
        *,
        session: str | None = None,
        graph: str | None = None,
        task: str | None = None,
        text: str | None = None,
        status: str | None = None,
        id_prefix: str | None = None,
        ids: Sequence[str] | None = None,
        updated_since: Moment | None = None,
        updated_until: Moment | None = None,
        created_since: Moment | None = None,
        created_until: Moment | None = None,
        where: Mapping[Any, Any] | None = None,
        has: Sequence[ContextPath] = (),
        lacks: Sequence[ContextPath] = (),
        compare: Sequence[tuple[ContextPath, str, Any]] = (),
        ignore_case: bool = False,
        context: Sequence[ContextPath] = (),
        order: str | None = None,
        page_size: int = 50,
    ) -> Browser:
        """Show a view to find, read, create, edit, copy, delete and restore sessions.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> browser = wb.browse(graph="claims", session="claim-0014")
            >>> browser.session.id
            'claim-0014'

        Args:
            session: The id of a session to open at once.
            graph, task, text, status, id_prefix, ids, updated_since, updated_until, created_since,
                created_until, where, has, lacks, compare, ignore_case: The first filters; see
                ``sessions``.
            context: Context paths to show, a column each; see ``sessions``.
            order: See ``sessions``. Default: newest first, or by id where the store could order by
                time only by sorting a large table.
            page_size: The number of sessions on a page, 1 to 1000.

        Returns:
            A widget. In later cells ``browser.selected`` is the DataFrame of the selected sessions
            and ``browser.session`` the open one.

        Raises:
            QueryError: A filter is invalid.
        """
        arguments = locals()
        filters = {name: arguments[name] for name in FILTERS}

        from .browse import Browser  # with its widgets: only when they are wanted

        if type(page_size) is not int or not 1 <= page_size <= 1000:
            raise QueryError(f"page_size must be 1 to 1000 sessions, not {page_size!r}")
        context = check_columns(context)
        return Browser(
            self, filters, order=order, page_size=page_size, session=session, context=context
        )

    @property
    def run(self) -> RunFlow:
        """Run a step of a graph on a session, or all until input is needed: ``wb.run(graph, id)``.

        See ``help(wb.run)`` for its arguments.

        Example:
            >>> import graphflow_nb
            >>> from graphflow_nb.workflow import GraphBuilder, NextAction, TaskResult, task
            >>> @task("intake")
            ... def intake(context):
            ...     context["amount"] = 120
            ...     return TaskResult("taken in", NextAction.WAIT_FOR_INPUT)
            >>> graph = GraphBuilder("claims").add_task(intake).build()
            >>> wb = graphflow_nb.open("memory:")
            >>> session = wb.create("claim-1", graph.start_task_id, graph_id=graph.id)
            >>> run = wb.run(graph, "claim-1", until="input")
            >>> run.response, run.status.kind, run.changes
            ('taken in', 'waiting_for_input', add /context/data/amount: 120)
        """
        return RunFlow(self)

    @dual_read
    async def graph(
        self,
        graph: Graph | str | None = None,
        id: str | None = None,
        *,
        allow_scan: bool = False,
    ) -> GraphView:
        """Return a picture of a graph, with its sessions and the transitions that were observed.

        Each task has the number of sessions and their ages; each edge how often sessions were seen
        to take it, and the median time from the save at the one task to the save at the next.
        Observed is what this workbench showed and saved itself: steps of ``wb.run``, writes, and
        sessions that two reads (also of a browser that follows changes) found at two tasks. If
        the store keeps a history (``wb.archive``) which has more, its transitions are shown.

        Example:
            >>> import graphflow_nb
            >>> wb = graphflow_nb.open("demo")
            >>> session = wb.get("claim-0014")
            >>> session.current_task_id = "decide"
            >>> wb.save(session)
            >>> wb.graph("claims").transitions[["from", "to", "n"]]
                          from      to  n
            0  await_documents  decide  1

        Args:
            graph: The graph; a graph_id, or None for all, where the graph is not at hand, as that
                of Rust workers: then the picture has the tasks of the store and only transitions
                that were observed.
            id: The id of a session whose current task is marked; then no sessions are counted.
            allow_scan: See ``sessions``: each session is counted.

        Returns:
            The picture, which shows itself; ``.tasks`` and ``.transitions`` are its figures as
            DataFrames, ``.notes`` says where they are from and what is unknown.

        Raises:
            SessionNotFound: No session has this id.
            GraphError: ``graph`` is something else.
            ScanRefused: It would go through a large table, and ``allow_scan`` is False.
            StorageError: The store failed.
        """
        call = allowing_call(self, "graph", {"graph": graph if isinstance(graph, str) else None})
        with self.asking.guard(allow=allow_scan, call=call):
            return await build_view(self, graph, id)

    @property
    def benchmark(self) -> Benchmark:
        """Load this store and measure it: ``wb.benchmark("A", duration=10, rate=500)``.

        See ``help(wb.benchmark)`` for its arguments. A store that is read-only or holds sessions of
        others is not loaded unless an argument allows it.
        """
        return Benchmark(self)

    @dual_read
    async def advise(self) -> Findings:
        """Return what would help this store, with the figures that show it; changes nothing.

        It reads what the store reports about itself (only what is cheap: no table is read whole)
        and the operations in ``wb.latency``. Each advice has its figures, a statement or a call to
        copy, and what that costs. What is in order and what could not be checked is listed too.

        Returns:
            The findings, which show themselves in a notebook; ``.advice`` is the list, ``.frame()``
            the DataFrame.
        """
        # Not through the monitor: this is not an operation of the user's.
        inner = self.storage.inner
        try:
            facts, reason = await require(inner, SupportsFacts).facts(), ""
        except StorageError as error:
            facts, reason = None, str(error)
        operations = self.latency.frame()
        return advise(
            facts,
            operations[operations["origin"] == "user"],
            orders=sorted(self.orders),
            filters=sorted(self.filters),
            pools=find_resetting_pools(inner),
            reason=reason,
        )

    def _describe(self) -> cards.StoreCard:
        note, counts = "", None
        if self.attributes.read_only:
            note = "opened for reading only"
        total = ""
        try:
            counted = self.bridge.run(count_groups_briefly(self.storage.background))
            if isinstance(counted, Estimate):
                total = str(counted)
            else:
                counts = counted
                note = "; ".join(filter(None, (note, note_of(counts))))
        except GraphflowError as error:
            note = f"{note}; {error}" if note else str(error)
        return cards.StoreCard(
            repr(self.storage.inner),
            counts,
            note,
            len(self.latency),
            self.latency.bound_note,
            self.attributes.limits,
            total,
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        card = self._describe()  # once for both, since it counts
        return {
            "text/plain": cards.store_text(card),
            "text/html": str(cards.store_html(card)),
        }

    def __repr__(self) -> str:
        return cards.store_text(self._describe())

    def _repr_html_(self) -> str:
        return str(cards.store_html(self._describe()))


def open(
    url: str | StoreUrl | None = None,
    *,
    writable: bool | None = None,
    journal: str | os.PathLike[str] | None = None,
    mask: MaskChoice = True,
    ask_above_bytes: int | None = LARGE_BYTES,
    ask_above_sessions: int | None = MANY_SESSIONS,
    **options: Any,
) -> Workbench:
    """Open a store.

    Example:
        >>> import graphflow_nb
        >>> wb = graphflow_nb.open("demo")
        >>> wb.summary()["sessions"].sum()
        np.int64(120)

    Args:
        url: ``"demo"`` (sample sessions that graph-flow wrote, in memory), ``memory:``,
            ``sqlite:path`` (``storage/sqlite/location.py`` has the forms of such URLs),
            ``postgresql://user@host/database`` or ``redis://host``. Default: the URL in
            DATABASE_URL, or memory, with a logged warning, if that is not set.
        writable: Whether sessions can be changed. Default: a server's database is opened for
            reading only, since it may not be yours to change; memory, demo and local files are
            writable. True also creates a SQLite file that does not exist, as ``create=True`` does.
        journal: A file that keeps what this workbench writes and what it replaces, so that it can
            be undone after a restart. It holds contexts of sessions, and only its owner can read
            it. Default: the journal is kept in memory, past 16 MB in a private temporary file,
            and ends with this process.
        mask: What of contexts is hidden wherever a person is shown it: values under keys that look
            secret (``dbPassword``, ``X-Api-Key``, ``ssn``, …) are shown as ``•••`` and their kind.
            So are values beside such a name (``["Cookie", "…"]``, ``{"name": "token", "value":
            "…"}``), and in texts, also in the chat and the status: passwords in URLs, what follows
            ``password=``, private keys, and tokens that are known by their beginning (``ghp_…``).
            Names of keys, in any spelling, are hidden too: ``["iban", "customer number"]``, where
            ``iban``, ``email`` and ``phone`` are kinds that are secret by choice;
            ``{"cookie": False}`` shows one; False shows all. Ids and the names of graphs and tasks,
            by which sessions are found, are shown. Errors, warnings and log records hide the same.
            What a program reads, such as ``wb.get(id).context["password"]``, copies, exports and
            Parquet files are never masked; ``redact=graphflow_nb.mask_secrets`` does that.
        ask_above_bytes: Reads that go through more bytes of a server's database or of a SQLite
            file are asked about once: they raise ``ScanRefused`` with an estimate of size and time,
            until ``allow_scan=True``. Those that read everything by their name (``scan``,
            ``to_parquet``, ``copy_to``) do not ask. None never asks.
        ask_above_sessions: Calls that would change more sessions of a server's database raise
            ``ChangeRefused``, until ``confirm=`` gives their number, or is True. None never asks.
        options: Options of the storage's ``connect``: ``create=True`` for a new SQLite file,
            ``table="schema.table"``, ``timeout=30.0`` seconds, ``max_connections=4``, …

    Raises:
        StorageError: The store or the journal can't be opened.
        QueryError: ``mask`` is invalid.
    """
    url = None if url is None else read_url(url)
    return open_client(
        url,
        kind=Workbench,
        writable=writable,
        journal=journal,
        mask=mask,
        ask_above_bytes=ask_above_bytes,
        ask_above_sessions=ask_above_sessions,
        **options,
    )


def wrap(
    storage: SessionStorage,
    *,
    loop: AbstractEventLoop | None = None,
    journal: str | os.PathLike[str] | None = None,
    mask: MaskChoice = True,
) -> Workbench:
    """Return a workbench on a storage that you connected, or wrote, yourself.

    Example:
        >>> import graphflow_nb
        >>> storage = await graphflow_nb.connect("memory:")
        >>> graphflow_nb.wrap(storage).create("claim-1", "intake").version
        1

    Args:
        storage: Anything with the coroutines ``save``, ``get`` and ``delete``. With ``table``,
            ``query``, ``count`` and ``counts`` everything works.
        loop: The event loop that the storage belongs to. Default: the storage's own ``loop``, or
            else the one that runs right now, or else one of our own.
        journal, mask: See ``open``.

    Raises:
        CapabilityError: The storage lacks one of the three.
        QueryError: ``mask`` is invalid.
    """
    return wrap_client(storage, kind=Workbench, loop=loop, journal=journal, mask=mask)
