"""A diagram as SVG."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

from graphflow_nb.diagrams import MAX_NODES, Arrow, Diagram, Node

from ..hostile import TEXTS

SVG = "{http://www.w3.org/2000/svg}"


def draw(*nodes: Node, arrows: tuple[Arrow, ...] = (), **named: str) -> ElementTree.Element:
    return ElementTree.fromstring(Diagram("a diagram", nodes, arrows, **named).svg())


def texts(picture: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def test_boxes_with_their_lines_and_children():
    picture = draw(
        Node("a", "intake", ("2 sessions",), marked=True), Node("b", "fan", children=("x", "y"))
    )
    assert texts(picture) == ["▶ intake", "2 sessions", "fan", "x", "y"]
    classes = [rect.get("class") for rect in picture.iter(f"{SVG}rect")]
    assert classes == ["paper", "box marked", "box", "box", "box"]


def test_each_kind_of_arrow():
    arrows = (
        Arrow("a", "b", "down"),
        Arrow("b", "a", "up"),
        Arrow("b", "b", "here"),
        Arrow("a", "c", "if large"),
        Arrow("a", "c", "else"),
        Arrow("b", "c", broken=True),
    )
    picture = draw(Node("a", "a"), Node("b", "b"), Node("c", "c"), arrows=arrows, start="a")
    lines = [path.get("class") for path in picture.iter(f"{SVG}path")]
    assert lines == ["line"] * 4 + ["line broken", "line"]  # the last one is that of the start
    assert len(list(picture.iter(f"{SVG}polygon"))) == 5
    assert texts(picture)[:4] == ["down", "up", "here", "if large, else"]


def test_everything_is_inside_of_the_picture():
    arrows = Arrow("a", "b", "a label " * 7), Arrow("b", "a", "back"), Arrow("b", "b", "x" * 60)
    nodes = Node("a", "語" * 40, ("w" * 60,)), Node("b", "b", children=("child",) * 30)
    picture = draw(*nodes, arrows=arrows, start="a")
    left, top, width, height = map(float, (picture.get("viewBox") or "").split())
    for rect in picture.iter(f"{SVG}rect"):
        x, y, w, h = (
            float(rect.get(name, "0").strip("%")) for name in ("x", "y", "width", "height")
        )
        if rect.get("class") != "paper":
            assert left <= x <= x + w <= left + width
            assert top <= y <= y + h <= top + height
    for text in picture.iter(f"{SVG}text"):
        assert left <= float(text.get("x", "")) <= left + width
    for path in picture.iter(f"{SVG}path"):
        for x, y in re.findall(
            r"(?<![\d.-])(-?\d+),(-?\d+)", re.sub(r" c.*", "", path.get("d", ""))
        ):
            assert left <= float(x) <= left + width
            assert top <= float(y) <= top + height


def test_labels_do_not_lie_on_each_other():
    arrows = tuple(Arrow("a", key, f"a rather long label of {key}") for key in "bcd")
    picture = draw(*(Node(key, key) for key in "abcd"), arrows=arrows)
    levels = [
        float(t.get("y", "")) for t in picture.iter(f"{SVG}text") if "halo" in t.get("class", "")
    ]
    assert len(levels) == 3
    assert all(abs(one - other) >= 13 for one, other in pairwise(levels))


def test_any_text_is_well_formed_and_nothing_but_text():
    for text in [*TEXTS.values(), "\ud800", "\ufffe", "x" * 10**6]:
        node = Node("k", text, (text,), (text,))
        svg = Diagram(text, (node,), (Arrow("k", "k", text),), "k", (text,)).svg()
        picture = ElementTree.fromstring(svg)
        kinds = {element.tag.removeprefix(SVG) for element in picture.iter()}
        assert kinds <= {"svg", "title", "style", "rect", "g", "path", "polygon", "circle", "text"}
        assert len(svg) < 12_000


def test_a_large_one_is_bounded():
    nodes = tuple(Node(f"k{n}", f"task {n}", ("1 session",)) for n in range(MAX_NODES))
    arrows = tuple(Arrow(f"k{n}", f"k{m}", "x") for n in range(20) for m in range(0, 200, 10))
    svg = Diagram("large", nodes, arrows).svg()
    assert len(svg) < 400_000
