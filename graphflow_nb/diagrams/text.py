"""A diagram as lines of text."""

from __future__ import annotations

from .scene import Scene, shorten, shorten_children

__all__ = ["render_text"]


def render_text(scene: Scene) -> str:
    """Return each box of a scene, and where its arrows lead."""
    labels = {node.key: shorten(node.label) for node in scene.nodes}
    ways: dict[str, list[str]] = {}
    for arrow in scene.arrows:
        way = f"{labels[arrow.target]} {shorten(arrow.label)}".rstrip()
        ways.setdefault(arrow.source, []).append(way)
    lines = [shorten(scene.title, 200)]
    for node in scene.nodes:
        parts = [f"  {'▶ ' if node.marked else ''}{labels[node.key]}"]
        if node.children:
            parts.append(f"({', '.join(shorten_children(node))})")
        if node.lines:
            parts.append(f"[{'; '.join(map(shorten, node.lines))}]")
        if node.key in ways:
            parts.append(f"→ {', '.join(ways[node.key])}")
        lines.append(" ".join(parts))
    return "\n".join([*lines, *(shorten(note, 400) for note in scene.notes)])
