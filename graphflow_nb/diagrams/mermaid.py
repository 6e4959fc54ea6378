"""A diagram as the text of a Mermaid flowchart."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from .scene import ROW, Node, Scene, shorten, shorten_children

__all__ = ["render_mermaid"]

MAX_TEXT: Final = 49_000  # characters; Mermaid refuses 50,000
LENGTHS: Final = (60, 24, 8, 2)  # of labels, in characters, from the first on

_WIDE = '%%{init: {"flowchart": {"wrappingWidth": 560}}}%%'
_MARKED = "    classDef current stroke-width:4px,font-weight:bold"
_STRANGE = "    classDef strange stroke-dasharray:4 4"
_NOTE = "    classDef note fill:none,stroke:none,text-align:left"


def render_mermaid(scene: Scene) -> str:
    """Return the text of a Mermaid flowchart of a scene, its labels short enough for Mermaid."""
    texts = (_render(scene, most) for most in LENGTHS)
    return next((text for text in texts if len(text) <= MAX_TEXT), _render(scene, LENGTHS[-1]))


def _render(scene: Scene, most: int) -> str:
    lines = ["flowchart TD"]
    names = {node.key: f"n{number}" for number, node in enumerate(scene.nodes)}
    lines += [f"    {names[node.key]}{_box(node, most)}" for node in scene.nodes]
    if scene.start is not None:
        lines += ['    start(("start"))', f"    start --> {names[scene.start]}"]
    for arrow in scene.arrows:
        line = "-.->" if arrow.broken else "-->"
        label = f'|"{_safe(arrow.label, most)}"|' if arrow.label else ""
        lines.append(f"    {names[arrow.source]} {line}{label} {names[arrow.target]}")
    joined = {key for arrow in scene.arrows for key in (arrow.source, arrow.target)}
    loose = [names[node.key] for node in scene.nodes if node.key not in joined]
    # Mermaid would put all of them side by side: links that are not drawn make rows of them.
    lines += [f"    {one} ~~~ {other}" for one, other in zip(loose, loose[ROW:], strict=False)]
    if scene.notes:
        lines.insert(0, _WIDE)
        text = Markup("<br>").join(_safe(note, 300) for note in scene.notes)
        lines.append(f'    notes["{text}"]')
        last = loose[-ROW:] or list(names.values())[-1:]
        lines += [f"    {name} ~~~ notes" for name in last]
    groups = {
        (_MARKED, "current"): [names[node.key] for node in scene.nodes if node.marked],
        (_STRANGE, "strange"): [names[node.key] for node in scene.nodes if node.strange],
        (_NOTE, "note"): ["notes"] if scene.notes else [],
    }
    for (style, name), members in groups.items():
        if members:
            lines += [style, f"    class {','.join(members)} {name}"]
    return "\n".join(lines)


def _box(node: Node, most: int) -> str:
    label = _safe(node.label, most)
    if node.children:
        label += f": {_safe(', '.join(shorten_children(node)), 5 * most)}"
    text = Markup("<br>").join([label, *(_safe(line, most) for line in node.lines)])
    return f'[["{text}"]]' if node.children else f'["{text}"]'


def _safe(text: str, most: int) -> str:
    """Return a text for a label: cut where it is long, and with nothing that Mermaid would read."""
    safe = re.sub(r"[^\w .,…-]", lambda found: f"#{ord(found[0])};", shorten(text, most))
    return safe or " "  # Mermaid has no empty labels
