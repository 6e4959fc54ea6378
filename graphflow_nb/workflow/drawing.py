"""A graph as a Mermaid diagram and as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ..printable import printable
from .edge import Edge
from .fanout import FanOutTask
from .task import Task

__all__ = ["draw_mermaid", "draw_text"]

MAX_LABEL: Final = 60  # characters


def draw_mermaid(
    tasks: Iterable[Task], edges: Iterable[Edge], start: str | None, current: str | None
) -> str:
    """Return the text of a Mermaid diagram, with the current task marked."""
    lines, nodes = ["flowchart TD"], {}
    for number, task in enumerate(tasks):
        nodes[task.id] = f"n{number}"
        label = _label(task.id)
        if isinstance(task, FanOutTask):
            children = ", ".join(child.id for child in task.children)
            lines.append(f'    n{number}[["{label}: {_label(children)}"]]')
        else:
            lines.append(f'    n{number}["{label}"]')
    if start is not None:
        lines += ['    start(("start"))', f"    start --> {nodes[start]}"]
    for edge, condition in _with_conditions(edges):
        label = f'|"{_label(condition)}"|' if condition else ""
        lines.append(f"    {nodes[edge.source]} -->{label} {nodes[edge.target]}")
    if current in nodes:
        lines += [
            "    classDef current stroke-width:4px,font-weight:bold",
            f"    class {nodes[current]} current",
        ]
    return "\n".join(lines)


def _label(text: str) -> str:
    """Return a text for a label: cut where it is long, and with nothing that Mermaid would read."""
    shown = text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}…"
    safe = re.sub(r"[^\w .,…-]", lambda found: f"#{ord(found[0])};", printable(shown))
    return safe or " "  # Mermaid has no empty labels


def _with_conditions(edges: Iterable[Edge]) -> Iterator[tuple[Edge, str]]:
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


def draw_text(id: str, tasks: Iterable[Task], edges: Iterable[Edge], start: str | None) -> str:
    """Return the graph as lines of text: each task, and where its edges lead."""
    targets: dict[str, list[str]] = {}
    for edge, condition in _with_conditions(edges):
        targets.setdefault(edge.source, []).append(f"{edge.target} {condition}".rstrip())
    tasks = list(tasks)
    lines = [f"Graph {id!r}: {len(tasks)} tasks, starts at {start!r}"]
    for task in tasks:
        inside = ""
        if isinstance(task, FanOutTask):
            inside = f" ({', '.join(child.id for child in task.children)})"
        ways = ", ".join(targets.get(task.id, ()))
        lines.append(f"  {task.id}{inside}{f' → {ways}' if ways else ''}")
    return "\n".join(printable(line) for line in lines)
