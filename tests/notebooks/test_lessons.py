"""The lessons run unattended on each kind of store, and are committed executed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from graphflow_nb.lessons import StoreName

from ..scope import one_in
from .test_notebooks import FOLDER, check_executed

LESSONS = sorted((FOLDER / "lessons").glob("*.ipynb"))
KINDS = get_args(StoreName)


def read_cells(path: Path) -> Any:
    return json.loads(path.read_text())["cells"]


def find_kinds(path: Path) -> list[str]:
    """Return the kinds of store that a lesson claims to run on: those before its second text."""
    cells = read_cells(path)
    texts = [n for n, cell in enumerate(cells) if cell["cell_type"] == "markdown"]
    first = "".join(line for cell in cells[: texts[1]] for line in cell["source"])
    return [kind for kind in KINDS if f'"{kind}"' in first]


#: A table of kills has all stores, on whichever its lesson runs: on its own there are as many as in
#: the notebook.
FEWER = {"kills=5": "kills=1"}
RUNS = [pytest.param(p, kind, id=f"{p.stem}-{kind}") for p in LESSONS for kind in find_kinds(p)]


@one_in(36)
@pytest.mark.parametrize(("path", "kind"), RUNS)
def test_it_runs_on_each_kind_of_store_that_it_names(path: Path, kind: str):
    from notebooks.execute import execute  # which takes a second to import

    lines = [line.strip() for cell in read_cells(path) for line in cell["source"]]
    execute(path, kind, {} if f'KIND = "{kind}"' in lines else FEWER)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_it_is_committed_executed_and_small(path: Path):
    check_executed(path, 200_000)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_it_has_the_shape_of_a_lesson(path: Path):
    cells = read_cells(path)
    assert all(not cell["metadata"] for cell in cells), "what a cell means is in its text alone"
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    (kind,) = re.findall(r'(?m)^KIND = "(\w+)"$', code[0])
    assert kind in find_kinds(path)
    assert not any(re.search(r"\binput\(|https?://|%pip|!pip", source) for source in code)
    assert any("assert " in source for source in code), "a claim is backed by an assertion"
    assert "teacher" in texts[-1].lower()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_an_exercise_names_itself_as_its_cell_does(path: Path):
    for cell in read_cells(path):
        shown = json.dumps(cell.get("outputs", []))
        for name in re.findall(r"Answer in a cell: <code>([\w.]+)\.check", shown):
            assert cell["source"][-1] == name
