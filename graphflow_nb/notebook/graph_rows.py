"""The tasks and edges of a ``GraphView``: as rows, DataFrames and boxes with arrows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from ..client.observed import Transition
from ..diagrams import Arrow, Diagram, Node
from ..frames import category_column
from ..model import Session
from ..printable import describe_count
from ..storage.table import GroupCount
from ..workflow import Graph

__all__ = [
    "EdgeRow",
    "Place",
    "TaskRow",
    "describe_lines",
    "draw",
    "edges_frame",
    "list_edges",
    "list_tasks",
    "tasks_frame",
]

#: A graph_id and a task.
Place: TypeAlias = tuple[str, str]


class TaskRow(NamedTuple):
    """A task, as ``GraphView.tasks`` has it; None for what is missing there."""

    graph_id: str
    task: str
    in_graph: bool | None
    sessions: int | None
    median_age: timedelta | None
    oldest_age: timedelta | None


class EdgeRow(NamedTuple):
    """An edge or a transition, as ``GraphView.transitions`` has it; None for what is missing."""

    graph_id: str
    source: str
    target: str
    in_graph: bool | None
    n: int
    skipped: int
    p50: timedelta | None
    p99: timedelta | None


def list_tasks(
    graph: Graph | None,
    session: Session | None,
    counts: Mapping[Place, GroupCount] | None,
    medians: Mapping[Place, timedelta],
    seen: Iterable[tuple[str, str, str]],
) -> list[TaskRow]:
    """Return the tasks of the graph, then others at which sessions are or were seen."""
    places = [] if graph is None else [(graph.id, id) for id in graph.tasks]
    places += counts or ()
    for graph_id, source, target in seen:
        places += [(graph_id, source), (graph_id, target)]
    if session is not None:
        graph_id = session.graph_id if graph is None else graph.id
        places.append((graph_id, session.current_task_id))
    now = datetime.now(UTC)
    rows = []
    for place in dict.fromkeys(places):
        count = None if counts is None else counts.get(place)
        oldest = None if count is None else count.oldest
        if oldest is not None and oldest.tzinfo is None:  # an infinity of PostgreSQL
            oldest = None
        rows.append(
            TaskRow(
                *place,
                None if graph is None else place[1] in graph.tasks,
                None if counts is None else 0 if count is None else count.sessions,
                medians.get(place),
                None if oldest is None else max(timedelta(), now - oldest),
            )
        )
    return rows


def list_edges(
    graph: Graph | None, seen: Mapping[tuple[str, str, str], Transition]
) -> list[EdgeRow]:
    """Return the edges of the graph, then other transitions that were seen."""
    edges = (
        []
        if graph is None
        else list(dict.fromkeys((graph.id, edge.source, edge.target) for edge in graph.edges))
    )
    own = set(edges)
    rows = []
    for key in dict.fromkeys([*edges, *seen]):
        each = seen.get(key) or Transition(*key)
        p50, p99 = _percentiles(each.micros)
        in_graph = None if graph is None else key in own
        rows.append(EdgeRow(*key, in_graph, each.direct, each.skipped, p50, p99))
    return rows


def _percentiles(micros: Sequence[int]) -> tuple[timedelta | None, timedelta | None]:
    if not micros:
        return None, None
    p50, p99 = np.percentile(list(micros), (50, 99)).tolist()
    return timedelta(microseconds=p50), timedelta(microseconds=p99)


def tasks_frame(rows: Sequence[TaskRow]) -> pd.DataFrame:
    """Return one row for each task; see ``GraphView.tasks`` for the columns."""
    return pd.DataFrame(
        {
            "graph_id": category_column([row.graph_id for row in rows]),
            "task": category_column([row.task for row in rows]),
            "in_graph": pd.array([row.in_graph for row in rows], dtype="boolean"),
            "sessions": pd.array([row.sessions for row in rows], dtype="Int64"),
            "median_age": _span_column(row.median_age for row in rows),
            "oldest_age": _span_column(row.oldest_age for row in rows),
        }
    )


def edges_frame(rows: Sequence[EdgeRow]) -> pd.DataFrame:
    """Return one row for each edge; see ``GraphView.transitions`` for the columns."""
    return pd.DataFrame(
        {
            "graph_id": category_column([row.graph_id for row in rows]),
            "from": category_column([row.source for row in rows]),
            "to": category_column([row.target for row in rows]),
            "in_graph": pd.array([row.in_graph for row in rows], dtype="boolean"),
            "n": np.array([row.n for row in rows], np.int64),
            "skipped": np.array([row.skipped for row in rows], np.int64),
            "p50": _span_column(row.p50 for row in rows),
            "p99": _span_column(row.p99 for row in rows),
        }
    )


def _span_column(spans: Iterable[timedelta | None]) -> Any:
    return pd.Series(list(spans), dtype="timedelta64[us]")


def draw(
    plain: Diagram, tasks: Sequence[TaskRow], edges: Sequence[EdgeRow], session: Session | None
) -> Diagram:
    """Return a diagram with the figures at its boxes and arrows.

    Args:
        plain: The diagram of the graph; one without boxes where there is no graph.
        tasks, edges: What it shows.
        session: The session whose current task is marked.
    """
    own = {node.key: node for node in plain.nodes}
    several = len({row.graph_id for row in tasks}) > 1
    nodes = []
    for row in tasks:
        key = _key(row.graph_id, row.task, row.in_graph)
        node = own.get(key) or Node(key, row.task, strange=row.in_graph is False)
        marked = session is not None and session.current_task_id == row.task
        lines = (*([row.graph_id] if several else []), *_describe_sessions(row))
        nodes.append(replace(node, lines=lines, marked=marked))
    any_seen = any(row.n or row.skipped for row in edges)
    labels, others = {}, []
    for edge in edges:
        pair = (
            _key(edge.graph_id, edge.source, edge.in_graph),
            _key(edge.graph_id, edge.target, edge.in_graph),
        )
        labels[pair] = _describe_edge(edge) if any_seen else ""
        if not edge.in_graph:
            broken = edge.in_graph is False or not edge.n
            others.append(Arrow(*pair, labels[pair], broken))
    arrows = []
    for arrow in plain.arrows:  # of several between two tasks, the first has what was seen
        label = labels.pop((arrow.source, arrow.target), "")
        arrows.append(replace(arrow, label="; ".join(filter(None, (arrow.label, label)))))
    return replace(plain, nodes=tuple(nodes), arrows=(*arrows, *others))


def _key(graph_id: str, task: str, in_graph: bool | None) -> str:
    """Return the key of a task's box: its id alone if there is a graph, as in its diagram."""
    return task if in_graph is not None else repr((graph_id, task))


def _describe_sessions(row: TaskRow) -> Iterator[str]:
    if row.sessions is not None:
        yield describe_count(row.sessions, "session")
        if row.sessions:
            median, oldest = map(_describe_span, (row.median_age, row.oldest_age))
            yield f"median {median}, oldest {oldest}"


def _describe_edge(row: EdgeRow) -> str:
    direct = f"{row.n:,} ×, p50 {_describe_span(row.p50)}" if row.n else ""
    skipped = f"{row.skipped:,} × indirect" if row.skipped else ""
    return ", ".join(filter(None, (direct, skipped))) or "unknown"


def describe_lines(edges: Iterable[EdgeRow]) -> Iterator[str]:
    """Yield what broken lines and "indirect" mean, where there are some."""
    edges = list(edges)
    if any(edge.in_graph is False for edge in edges):
        yield (
            "broken line: not an edge of the graph, but a jump, or tasks that ran one after the "
            "other before one save"
        )
    if any(edge.skipped for edge in edges):
        yield "indirect: saves in between were not seen, or the store does not count them"


def _describe_span(span: timedelta | None) -> str:
    """Return a span of time for people: ``340 ms``, ``3.4 s``, ``12 min``."""
    if span is None:
        return "unknown"
    seconds = span.total_seconds()
    for limit, unit, size in (
        (1e-3, "µs", 1e-6),
        (1, "ms", 1e-3),
        (120, "s", 1),
        (7_200, "min", 60),
        (172_800, "h", 3_600),
    ):
        if seconds < limit:
            value = seconds / size
            return f"{value:.2g} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{seconds / 86_400:,.0f} days"
