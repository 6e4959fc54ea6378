"""Diagram: boxes and arrows, and what a notebook gets of them."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import GraphError
from ..extras import install_command
from .mermaid import render_mermaid
from .scene import Scene
from .text import render_text

__all__ = ["Diagram"]


class Diagram(Scene):
    """Boxes and arrows, which a notebook shows as Mermaid or SVG and a terminal as text.

    Of more than 200 boxes or 400 arrows the first are drawn, and a note says so.

    Example:
        >>> from graphflow_nb.diagrams import Arrow, Diagram, Node
        >>> nodes = Node("a", "intake"), Node("b", "decide")
        >>> print(Diagram("claims", nodes, (Arrow("a", "b"),), start="a").text())
        claims
          intake → decide
          decide
    """

    def mermaid(self) -> str:
        """Return the text of a Mermaid flowchart."""
        return render_mermaid(self.limit())

    def svg(self) -> str:
        """Return the picture as SVG, readable on a light and on a dark page.

        Raises:
            GraphError: networkx, which places the boxes, is not installed.
        """
        if not _can_place_boxes():
            raise GraphError(
                "networkx, which places the boxes of a picture, is not installed: "
                f"{install_command('lab')}"
            )
        from .svg import render_svg  # and with it networkx, only when it is wanted

        return str(render_svg(self.limit()))

    def text(self) -> str:
        """Return the diagram as lines of text: each box, and where its arrows lead."""
        return render_text(self.limit())

    def mimebundle(self) -> dict[str, str]:
        """Return all forms by MIME type, for a notebook to choose from; SVG only with networkx.

        JupyterLab and Notebook take Mermaid, which they show in the colours of their theme; they
        would prefer HTML to it. VS Code and nbconvert take SVG.
        """
        bundle = {"text/vnd.mermaid": self.mermaid(), "text/plain": self.text()}
        if _can_place_boxes():
            bundle["image/svg+xml"] = self.svg()
        return bundle


def _can_place_boxes() -> bool:
    return find_spec("networkx") is not None
