"""Diagrams: boxes and arrows as Mermaid, SVG and plain text, from one description.

A ``Diagram`` knows nothing of tasks and sessions. ``layout.py`` places its boxes with networkx,
which the extras ``lab`` and ``lessons`` bring; without it a diagram has no SVG.
"""

from .diagram import Diagram
from .scene import MAX_ARROWS, MAX_NODES, Arrow, Node, Scene, shorten

__all__ = ["MAX_ARROWS", "MAX_NODES", "Arrow", "Diagram", "Node", "Scene", "shorten"]
