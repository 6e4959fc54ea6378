"""Scene: what a diagram shows, within bounds; and texts short enough for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..printable import describe_count, printable

__all__ = [
    "MAX_ARROWS",
    "MAX_NODES",
    "ROW",
    "Arrow",
    "Node",
    "Scene",
    "shorten",
    "shorten_children",
]

#: What is drawn at most; Mermaid itself refuses more arrows.
MAX_NODES: Final = 200
MAX_ARROWS: Final = 400
MAX_CHILDREN: Final = 12
ROW: Final = 4  # boxes without arrows in a row
MAX_LABEL: Final = 60  # characters


def shorten(text: str, most: int = MAX_LABEL) -> str:
    r"""Return a text in one line, with escapes for what is not printable, its middle left out.

    Example:
        >>> from graphflow_nb.diagrams import shorten
        >>> shorten("await_documents_of_the_customer", 16)
        'await_do…ustomer'

    Args:
        text: The text.
        most: The number of characters at most.
    """
    if len(text) > 2 * most:  # without looking at each of a million characters
        text = f"{text[:most]}…{text[-most:]}"
    text = printable(text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


@dataclass(frozen=True)
class Node:
    """A box.

    Example:
        >>> from graphflow_nb.diagrams import Node
        >>> Node("intake", "intake", ("13 sessions",)).marked
        False

    Attributes:
        key: What arrows name it by.
        label: Its first line.
        lines: Lesser lines below.
        children: Small boxes inside.
        marked: Whether it stands out, as a session's current task.
        strange: Whether it has a broken border, as a task that the graph lacks.
    """

    key: str
    label: str
    lines: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    marked: bool = False
    strange: bool = False


@dataclass(frozen=True)
class Arrow:
    """An arrow from one box to another, or back to the same.

    Example:
        >>> from graphflow_nb.diagrams import Arrow
        >>> Arrow("intake", "decide", "else").label
        'else'

    Attributes:
        source, target: The keys of the boxes.
        label: The text beside it.
        broken: Whether its line is broken, as of a transition that is not an edge of the graph.
    """

    source: str
    target: str
    label: str = ""
    broken: bool = False


def shorten_children(node: Node) -> list[str]:
    """Return the labels of a box's children, the first of many."""
    labels = [shorten(child) for child in node.children[:MAX_CHILDREN]]
    if len(node.children) > MAX_CHILDREN:
        labels.append(f"{len(node.children) - MAX_CHILDREN:,} more")
    return labels


@dataclass(frozen=True)
class Scene:
    """Boxes and arrows, and what is said about them.

    Attributes:
        title: The first line of the text, which also describes the picture.
        nodes: The boxes.
        arrows: The arrows; those from or to an unknown box are left out.
        start: The key of the box at which all begins; None for none.
        notes: Remarks, shown below.
    """

    title: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...] = ()
    start: str | None = None
    notes: tuple[str, ...] = ()

    def limit(self) -> Scene:
        """Return the scene within its bounds, with a note of what is left out."""
        nodes = self.nodes[:MAX_NODES]
        keys = {node.key for node in nodes}
        known = [arrow for arrow in self.arrows if {arrow.source, arrow.target} <= keys]
        left_out = []
        if len(self.nodes) > len(nodes):
            more = len(self.nodes) - len(nodes)
            left_out.append(
                describe_count(more, "more task and its arrows", "more tasks and their arrows")
            )
        if len(known) > MAX_ARROWS:
            left_out.append(describe_count(len(known) - MAX_ARROWS, "more arrow"))
        note = (f"not drawn: {' and '.join(left_out)}",) if left_out else ()
        start = self.start if self.start in keys else None
        return Scene(self.title, nodes, tuple(known[:MAX_ARROWS]), start, self.notes + note)
