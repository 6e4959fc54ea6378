"""A diagram as the text of a Mermaid flowchart."""

from __future__ import annotations

import re

from markupsafe import Markup

from .scene import Node, Scene, shorten, shorten_children

__all__ = ["render_mermaid"]

_MARKED = "    classDef current stroke-width:4px,font-weight:bold"
_STRANGE = "    classDef strange stroke-dasharray:4 4"
_NOTE = "    classDef note fill:none,stroke:none"


def render_mermaid(scene: Scene) -> str:
    """Return the text of a Mermaid flowchart of a scene."""
    lines = ["flowchart TD"]
    names = {node.key: f"n{number}" for number, node in enumerate(scene.nodes)}
    lines += [f"    {names[node.key]}{_box(node)}" for node in scene.nodes]
    if scene.start is not None:
        lines += ['    start(("start"))', f"    start --> {names[scene.start]}"]
    for arrow in scene.arrows:
        line = "-.->" if arrow.broken else "-->"
        label = f'|"{_safe(arrow.label)}"|' if arrow.label else ""
        lines.append(f"    {names[arrow.source]} {line}{label} {names[arrow.target]}")
    lines += [f'    note{n}["{_safe(note, 300)}"]' for n, note in enumerate(scene.notes)]
    groups = {
        (_MARKED, "current"): [names[node.key] for node in scene.nodes if node.marked],
        (_STRANGE, "strange"): [names[node.key] for node in scene.nodes if node.strange],
        (_NOTE, "note"): [f"note{n}" for n in range(len(scene.notes))],
    }
    for (style, name), members in groups.items():
        if members:
            lines += [style, f"    class {','.join(members)} {name}"]
    return "\n".join(lines)


def _box(node: Node) -> str:
    label = _safe(node.label)
    if node.children:
        label += f": {_safe(', '.join(shorten_children(node)), 300)}"
    text = Markup("<br>").join([label, *map(_safe, node.lines)])
    return f'[["{text}"]]' if node.children else f'["{text}"]'


def _safe(text: str, most: int = 60) -> str:
    """Return a text for a label: cut where it is long, and with nothing that Mermaid would read."""
    safe = re.sub(r"[^\w .,…-]", lambda found: f"#{ord(found[0])};", shorten(text, most))
    return safe or " "  # Mermaid has no empty labels
