"""A diagram as Mermaid."""

from __future__ import annotations

from graphflow_nb.diagrams import Arrow, Diagram, Node

from ..hostile import TEXTS


def test_the_flowchart():
    nodes = (
        Node("a", "intake", ("2 sessions",)),
        Node("b", "checks", children=("x", "y"), marked=True),
        Node("c", "old", strange=True),
    )
    arrows = Arrow("a", "b", "12 ×"), Arrow("a", "c", broken=True)
    shown = Diagram("claims", nodes, arrows, "a", ("others are unknown",)).mermaid()
    assert shown.splitlines() == [
        "flowchart TD",
        '    n0["intake<br>2 sessions"]',
        '    n1[["checks: x, y"]]',
        '    n2["old"]',
        '    start(("start"))',
        "    start --> n0",
        '    n0 -->|"12 #215;"| n1',
        "    n0 -.-> n2",
        '    note0["others are unknown"]',
        "    classDef current stroke-width:4px,font-weight:bold",
        "    class n1 current",
        "    classDef strange stroke-dasharray:4 4",
        "    class n2 strange",
        "    classDef note fill:none,stroke:none",
        "    class note0 note",
    ]


def test_no_text_is_read_as_mermaid():
    for text in filter(None, TEXTS.values()):
        node = Node(text, text, (text,), (text,))
        hostile = Diagram(text, (node,), (Arrow(text, text, text),), text, (text,)).mermaid()
        quoted = hostile.split('"')[1::2]
        assert len(quoted) == 4
        for part in quoted:
            assert not set('<>&"[]{}|`%\\$\n') & set(part.replace("<br>", "")), text
