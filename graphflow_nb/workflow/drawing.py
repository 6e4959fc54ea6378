"""The diagram of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..diagrams import Arrow, Diagram, Node, shorten
from ..printable import describe_count
from .edge import Edge
from .fanout import FanOutTask
from .task import Task

__all__ = ["build_diagram"]


def build_diagram(
    id: str, tasks: Iterable[Task], edges: Iterable[Edge], start: str | None, current: str | None
) -> Diagram:
    """Return the diagram of a graph, with the current task marked."""
    nodes = tuple(
        Node(task.id, task.id, children=_children_of(task), marked=task.id == current)
        for task in tasks
    )
    arrows = tuple(Arrow(edge.source, edge.target, name) for edge, name in _name_edges(edges))
    begin = None if start is None else shorten(start)
    title = f"Graph {shorten(id)!r}: {describe_count(len(nodes), 'task')}, starts at {begin!r}"
    return Diagram(title, nodes, arrows, start)


def _children_of(task: Task) -> tuple[str, ...]:
    return tuple(child.id for child in task.children) if isinstance(task, FanOutTask) else ()


def _name_edges(edges: Iterable[Edge]) -> Iterator[tuple[Edge, str]]:
    """Yield each edge that can be taken, with its condition in words."""
    edges = list(edges)
    conditional = {edge.source for edge in edges if edge.condition is not None}
    seen = set()
    for edge in edges:
        if edge.condition is not None:
            name = getattr(edge.condition, "__name__", "<lambda>")
            yield edge, "if" if name == "<lambda>" else f"if {name}"
        elif edge.source not in seen:  # only the first one without a condition is ever taken
            seen.add(edge.source)
            yield edge, "else" if edge.source in conditional else ""
