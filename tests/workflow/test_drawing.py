"""A graph as a diagram and as text."""

from __future__ import annotations

from graphflow_nb import Context
from graphflow_nb.workflow import FanOutTask, Graph, GraphBuilder

from .test_graph import answering, chain


def is_large(context: Context) -> bool:
    return True


def claims() -> Graph:
    builder = chain(answering("intake"), FanOutTask("checks", [answering("x"), answering("y")]))
    builder.add_task(answering("decide")).add_task(answering("pay"))
    builder.add_conditional_edge("checks", is_large, "decide", "pay")
    builder.add_conditional_edge("checks", lambda context: False, "pay", "intake")
    return builder.build()


def test_mermaid():
    assert claims().mermaid().splitlines() == [
        "flowchart TD",
        '    n0["intake"]',
        '    n1[["checks: x, y"]]',
        '    n2["decide"]',
        '    n3["pay"]',
        '    start(("start"))',
        "    start --> n0",
        "    n0 --> n1",
        '    n1 -->|"if is_large"| n2',
        '    n1 -->|"else"| n3',
        '    n1 -->|"if"| n3',  # and no second else, which is never taken
    ]


def test_the_current_task_is_marked():
    assert claims().mermaid(current="pay").splitlines()[-1] == "    class n3 current"
    assert claims().mermaid(current="gone") == claims().mermaid()


def test_text():
    assert repr(claims()).splitlines() == [
        "Graph 'g': 4 tasks, starts at 'intake'",
        "  intake → checks",
        "  checks (x, y) → decide if is_large, pay else, pay if",
        "  decide",
        "  pay",
    ]
    assert repr(GraphBuilder("empty").build()) == "Graph 'empty': 0 tasks, starts at None"


def test_all_forms_are_in_one_bundle():
    graph = claims()
    assert graph._repr_mimebundle_() == {
        "text/vnd.mermaid": graph.mermaid(),
        "image/svg+xml": graph.svg(),
        "text/plain": repr(graph),
    }


def test_a_label_is_read_as_text():
    text = chain(answering('end"]; x <b> #35;')).build().mermaid()
    assert text.splitlines()[1] == '    n0["end#34;#93;#59; x #60;b#62; #35;35#59;"]'
    assert chain(answering("")).build().mermaid().splitlines()[1] == '    n0[" "]'
    assert len(chain(answering("x" * 500)).build().mermaid()) < 150
