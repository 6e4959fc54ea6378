"""The picture of a graph in a real JupyterLab: Mermaid, in the colours of the theme."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..scope import only_complete
from ..servers.jupyter import open_in_lab, run_all, write_notebook
from .person import Person

pytestmark = pytest.mark.timeout(480)

CELLS = [
    """\
import graphflow_nb as g
from tests.hostile import TEXTS
from tests.workflow.claims import build_claims
from graphflow_nb.workflow import GraphBuilder, TaskResult, task
wb = g.open("demo")
graph = build_claims()
wb.create("c1", "intake", graph_id="claims",
    context={"customer": {"name": "Ana"}, "amount": 900, "iban": "x"})
run = wb.run(graph, "c1")
wb.graph(graph)""",
    'wb.graph(graph, "c1")',
    "wb.graph()",
    """\
builder = GraphBuilder("hostile")
for text in TEXTS.values():
    builder.add_task(task(text)(lambda context: TaskResult()))
builder.build()""",
]


@only_complete
def test_lab_draws_every_graph_as_mermaid(person: Person, tmp_path: Path):
    page, server = person.page, person.server
    write_notebook(server.folder / "graphs.ipynb", CELLS)
    open_in_lab(page, server, "graphs.ipynb")
    run_all(page)
    drawn = page.locator(".jp-RenderedMermaid")
    person.expect(drawn).to_have_count(len(CELLS))
    for number in range(len(CELLS)):
        # An image that has a size: what Mermaid can't read is shown as text with a warning.
        image = drawn.nth(number).locator("img")
        image.wait_for()
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    person.expect(page.locator(".jp-RenderedMermaid.jp-mod-warning")).to_have_count(0)
    folder = Path(os.environ.get("GRAPHFLOW_NB_PICTURES", tmp_path))
    for number in range(len(CELLS)):
        drawn.nth(number).screenshot(path=folder / f"graph{number}.png")
