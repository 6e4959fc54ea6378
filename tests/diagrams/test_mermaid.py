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
    shown = Diagram("claims", nodes, arrows, "a", ("others are unknown", "and more")).mermaid()
    assert shown.splitlines() == [
        '%%{init: {"flowchart": {"wrappingWidth": 560}}}%%',
        "flowchart TD",
        '    n0["intake<br>2 sessions"]',
        '    n1[["checks: x, y"]]',
        '    n2["old"]',
        '    start(("start"))',
        "    start --> n0",
        '    n0 -->|"12 #215;"| n1',
        "    n0 -.-> n2",
        '    notes["others are unknown<br>and more"]',
        "    n2 ~~~ notes",
        "    classDef current stroke-width:4px,font-weight:bold",
        "    class n1 current",
        "    classDef strange stroke-dasharray:4 4",
        "    class n2 strange",
        "    classDef note fill:none,stroke:none,text-align:left",
        "    class notes note",
    ]


def test_boxes_without_arrows_are_in_rows():
    nodes = tuple(Node(f"k{n}", f"task {n}") for n in range(9))
    lines = Diagram("loose", nodes, (Arrow("k0", "k1"),), notes=("a note",)).mermaid().splitlines()
    hidden = [line.strip() for line in lines if "~~~" in line]
    assert hidden == [
        *("n2 ~~~ n6", "n3 ~~~ n7", "n4 ~~~ n8"),
        *(f"n{n} ~~~ notes" for n in range(5, 9)),
    ]


def test_no_text_is_read_as_mermaid():
    for text in filter(None, TEXTS.values()):
        node = Node(text, text, (text,), (text,))
        hostile = Diagram(text, (node,), (Arrow(text, text, text),), text, (text,)).mermaid()
        quoted = hostile.partition("flowchart TD")[2].split('"')[1::2]
        assert len(quoted) == 4
        for part in quoted:
            assert not set('<>&"[]{}|`%\\$\n') & set(part.replace("<br>", "")), text


def test_a_large_one_is_short_enough_for_mermaid():
    for text in ("z", "await_documents", "<" * 1000, "\u202e" * 1000):
        names = [f"{text}{n}" for n in range(300)]
        nodes = tuple(Node(name, name, (text, text), (text,) * 20) for name in names)
        arrows = tuple(Arrow(one, other, text) for one in names[:20] for other in names[:30])
        diagram = Diagram(text, nodes, arrows, names[0], (text,) * 5)
        assert len(diagram.mermaid()) < 50_000, text[:20]
