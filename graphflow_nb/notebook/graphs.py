"""``wb.graph``: a graph with its sessions and what was observed of them, as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

import pandas as pd

from ..client import Client
from ..client.observed import Observations, Observed
from ..diagrams import Diagram, shorten
from ..errors import CapabilityError, GraphError, JournalError, SessionNotFound, StorageError
from ..history import history_of
from ..model import Session
from ..model.times import FIRST, LAST, micros_of
from ..printable import describe_count
from ..storage import Query
from ..storage.protocols import SupportsCounts, SupportsTable
from ..storage.table import GroupCount, Table, note_of
from ..workflow import Graph
from .graph_rows import (
    EdgeRow,
    Place,
    describe_lines,
    draw,
    edges_frame,
    list_edges,
    list_tasks,
    tasks_frame,
)

__all__ = ["GraphView", "build_view"]

MAX_AGES: Final = 10_000  # sessions that are looked at for median ages
MAX_ENTRIES: Final = 1_000  # of the journal
MAX_STEPS: Final = 100_000  # of the history that a store keeps


@dataclass(frozen=True, eq=False)  # two DataFrames have no one answer to ==
class GraphView:
    """A graph with its sessions and the transitions that were observed; it shows itself.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.workflow import GraphBuilder, TaskResult, task
        >>> @task("intake")
        ... def intake(context):
        ...     return TaskResult("taken in")
        >>> graph = GraphBuilder("claims").add_task(intake).build()
        >>> view = graphflow_nb.open("demo").graph(graph)
        >>> view.tasks[["task", "in_graph", "sessions"]].head(2)
                      task  in_graph  sessions
        0           intake      True        13
        1  await_documents     False        10

    Attributes:
        tasks: One row for each task: ``graph_id``, ``task`` (category), ``in_graph`` (boolean,
            missing without a graph), ``sessions`` (Int64, missing if they were not counted),
            ``median_age``, ``oldest_age`` (timedelta64[us], since the last save; missing where
            unknown).
        transitions: One row for each edge of the graph and each pair of tasks that was observed:
            ``graph_id``, ``from``, ``to`` (category), ``in_graph`` (boolean, whether it is an edge;
            missing without a graph), ``n`` (int64, how often one save was at the one task and the
            next save at the other), ``skipped`` (int64, how often saves between were not seen, or
            may not have been), ``p50``, ``p99`` (timedelta64[us], of the time between the two saves
            of ``n``, the newest 1,000; missing where unknown).
        notes: Where the figures are from, and what is not known.
        diagram: The picture.
        session: The session that is marked; None for none.
    """

    tasks: pd.DataFrame
    transitions: pd.DataFrame
    notes: tuple[str, ...]
    diagram: Diagram = field(repr=False)
    session: Session | None = None

    def mermaid(self) -> str:
        """Return the picture as the text of a Mermaid diagram."""
        return self.diagram.mermaid()

    def svg(self) -> str:
        """Return the picture as SVG.

        Raises:
            GraphError: networkx is not installed, which the extra ``lab`` brings.
        """
        return self.diagram.svg()

    def __repr__(self) -> str:
        return self.diagram.text()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.diagram.mimebundle()


async def build_view(client: Client, graph: Graph | str | None, id: str | None) -> GraphView:
    """Return the view of a graph, or of what was observed; see ``Workbench.graph``."""
    if not isinstance(graph, Graph | str | None):
        raise GraphError(
            "wb.graph takes a Graph, which GraphBuilder.build() makes, or a graph_id, not "
            f"{graph!r}; without either it draws what was observed"
        )
    session = None
    if id is not None:
        session = await client.storage.get(id)
        if session is None:
            raise SessionNotFound(id)
        client.note_shown(session)
    graph_id = graph.id if isinstance(graph, Graph) else graph
    if graph is None and session is not None:
        graph_id = session.graph_id
    store = _Store() if session is not None else await _read_store(client, graph_id)
    _read_journal(client)
    # One or the other, since most transitions are in both.
    observed = max(
        client.observed.list_all(),
        await _read_history(client, store.notes),
        key=lambda source: sum(source.ways.values()),
    )
    seen = {
        (each.graph_id, each.source, each.target): each
        for each in observed.transitions
        if graph_id is None or each.graph_id == graph_id
    }
    known = graph if isinstance(graph, Graph) else None
    tasks = list_tasks(known, session, store.counts, store.medians, seen)
    edges = list_edges(known, seen)
    notes = (
        *store.notes,
        *_describe_session(known, session),
        *_describe_observed(observed, edges),
        *describe_lines(edges),
    )
    title = "Observed transitions" + (
        "" if graph_id is None else f" of graph {shorten(graph_id)!r}"
    )
    plain = Diagram(title, ()) if known is None else known.diagram()
    diagram = draw(replace(plain, notes=notes), tasks, edges, session)
    return GraphView(tasks_frame(tasks), edges_frame(edges), notes, diagram, session)


@dataclass
class _Store:
    """What the store says about its sessions.

    Attributes:
        counts: The sessions at each task; None if they were not counted.
        medians: The median age at each task where it is known.
        notes: Remarks.
    """

    counts: dict[Place, GroupCount] | None = None
    medians: dict[Place, timedelta] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


async def _read_store(client: Client, graph_id: str | None) -> _Store:
    query = Query(graph=graph_id)
    now = datetime.now(UTC)
    if not isinstance(client.storage, SupportsCounts):
        return _Store(notes=["this storage can't count its sessions"])
    counts = await client.storage.counts(query)
    store = _Store({(count.graph_id, count.current_task_id): count for count in counts})
    total = sum(count.sessions for count in counts)
    of = "" if graph_id is None else f" with graph_id {shorten(graph_id)!r}"
    store.notes.append(f"{describe_count(total, 'session')}{of} at {now:%H:%M:%S} UTC")
    if note := note_of(counts):
        store.notes.append(note)
    if not total:
        if graph_id is not None:
            store.notes.append("wb.summary() lists the graph ids that sessions have")
    elif isinstance(client.storage, SupportsTable):
        table = await client.table(query.following(None, MAX_AGES))
        store.medians = _find_medians(table, store.counts or {}, micros_of(now))
        store.notes[0] += ", ages since the last save"
        if len(store.medians) < len(counts):
            store.notes.append(
                f"a median is unknown where neither the newest {MAX_AGES:,} sessions show it nor a "
                "time is known"
            )
    return store


def _find_medians(
    table: Table, counts: Mapping[Place, GroupCount], now: int
) -> dict[Place, timedelta]:
    """Return the median age at each task, of all its sessions whose time is known.

    The table begins with those that were saved last, so that it has the median of a task if it has
    more than half of its sessions.
    """
    times: dict[Place, list[int]] = {}
    timeless: dict[Place, int] = {}
    for *place, updated in zip(
        table.graph_id, table.current_task_id, table.updated.tolist(), strict=True
    ):
        key = (place[0], place[1])
        if FIRST <= updated <= LAST:
            times.setdefault(key, []).append(updated)
        else:
            timeless[key] = timeless.get(key, 0) + 1
    found = {}
    for key, newest_first in times.items():
        count = len(newest_first)
        if table.next is not None and key in counts:
            count = max(count, counts[key].sessions - timeless.get(key, 0))
        if count // 2 < len(newest_first):
            middle = median((newest_first[(count - 1) // 2], newest_first[count // 2]))
            found[key] = timedelta(microseconds=max(0, now - int(middle)))
    return found


async def _read_history(client: Client, notes: list[str]) -> Observations:
    """Return the transitions in the history of sessions, if the store keeps one."""
    observed = Observed()
    try:
        archive = history_of(client.storage)
        if await archive.exists():
            observed.note_history(await archive.steps(limit=MAX_STEPS))
    except CapabilityError:
        pass  # it keeps none
    except StorageError as error:
        notes.append(f"the history could not be read: {shorten(str(error), 200)}")
    return observed.list_all()


def _read_journal(client: Client) -> None:
    """Let the client observe what its journal has from an earlier time, once."""
    if client.observed.has_journal:
        return
    client.observed.has_journal = True
    for entry in client.journaled.entries()[-MAX_ENTRIES:]:
        if entry.at < client.observed.since and entry.op in ("save", "upsert"):
            try:
                before, after = entry.sides()
            except JournalError:  # wb.journal says which lines can't be read
                continue
            if before is not None and after is not None:
                client.observed.note_step(before, after)


def _describe_session(graph: Graph | None, session: Session | None) -> Iterator[str]:
    if session is not None:
        name, its_graph = shorten(session.id), shorten(session.graph_id)
        yield f"marked: the current task of session {name!r}, version {session.version:,}"
        if graph is not None and session.graph_id != graph.id:
            own = shorten(graph.id)
            yield f"its graph_id is {its_graph!r}, which no run compares with {own!r}"


_WAYS: Final = {
    "run": "by wb.run",
    "write": "by other writes of this workbench",
    "read": "between two reads",
    "journal": "by writes in the journal from before",
    "history": "in the history that the store keeps",
}


def _describe_observed(observed: Observations, edges: Iterable[EdgeRow]) -> Iterator[str]:
    today = observed.since.date() == datetime.now(UTC).date()
    since = f"since {observed.since:{'%H:%M:%S' if today else '%Y-%m-%d %H:%M:%S'}} UTC"
    count = sum(edge.n + edge.skipped for edge in edges)
    if not count:
        yield (
            f"no transition was observed {since}, so times between tasks are unknown: run steps by "
            "wb.run(graph, id), or while workers run call wb.sessions() now and then, or follow "
            "changes in wb.browse(); then call wb.graph again"
        )
        return
    total = sum(observed.ways.values())
    ways = ", ".join(f"{n:,} {_WAYS[way]}" for way, n in observed.ways.items() if n)
    least = "at least " if observed.more else ""
    here = "" if count == total else f", {count:,} of them here"
    yield (
        f"observed {least}{describe_count(total, 'transition')} of {least}"
        f"{describe_count(observed.sessions, 'session')} {since} ({ways}){here}; others are unknown"
    )
    yield "p50: the median time from the save at one task to the next save, which is at the other"
