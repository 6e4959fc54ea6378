"""A diagram: its bounds, its text, and what a notebook gets of it."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from graphflow_nb.diagrams import MAX_ARROWS, MAX_NODES, Arrow, Diagram, Node, shorten
from graphflow_nb.errors import GraphError


def row(count: int) -> Diagram:
    """Return a diagram of boxes in a row."""
    nodes = tuple(Node(f"k{n}", f"task {n}") for n in range(count))
    return Diagram("row", nodes, tuple(Arrow(f"k{n}", f"k{n + 1}") for n in range(count - 1)))


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("", 9, ""),
        ("exactly 9", 9, "exactly 9"),
        ("await_documents", 9, "awai…ents"),
        ("x" * 10**6, 9, "xxxx…xxxx"),
        ("a\x1b\u202e", 20, r"a\x1b\u202e"),
        ("\u202e" * 5, 9, r"\u20…202e"),
    ],
)
def test_a_long_text_loses_its_middle(text: str, most: int, shown: str):
    assert shorten(text, most) == shown


def test_the_text_has_boxes_and_where_they_lead():
    nodes = (
        Node("a", "intake", ("2 sessions", "oldest 3 h")),
        Node("b", "checks", children=tuple(f"c{n}" for n in range(14)), marked=True),
    )
    arrows = Arrow("a", "b", "if large"), Arrow("a", "a"), Arrow("a", "nowhere")
    shown = Diagram("claims", nodes, arrows, notes=("a note",)).text().splitlines()
    assert shown == [
        "claims",
        "  intake [2 sessions; oldest 3 h] → checks if large, intake",
        f"  ▶ checks ({', '.join(f'c{n}' for n in range(12))}, 2 more)",
        "a note",
    ]


def test_what_is_left_out_is_said():
    assert "not drawn" not in row(MAX_NODES).text()
    for form in (row(1000).text(), row(1000).svg(), row(1000).mermaid()):
        assert "800" in form
        assert "task 199" in form
        assert "task 200" not in form
    keys = [f"k{n}" for n in range(30)]
    nodes = tuple(Node(key, key) for key in keys)
    dense = Diagram("dense", nodes, tuple(Arrow(one, other) for one in keys for other in keys))
    assert dense.text().splitlines()[-1] == f"not drawn: {900 - MAX_ARROWS} more arrows"


def test_without_networkx_there_is_no_picture(monkeypatch: pytest.MonkeyPatch):
    assert set(row(2).mimebundle()) == {"text/vnd.mermaid", "image/svg+xml", "text/plain"}
    find = importlib.util.find_spec

    def find_other(name: str) -> Any:
        return None if name == "networkx" else find(name)

    monkeypatch.setattr("graphflow_nb.diagrams.diagram.find_spec", find_other)
    assert set(row(2).mimebundle()) == {"text/vnd.mermaid", "text/plain"}
    with pytest.raises(GraphError, match=r"install 'graphflow_nb\[lab\]'"):
        row(2).svg()
