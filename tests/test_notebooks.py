"""The notebooks are committed executed, and still do what they show."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

import graphflow_nb
from notebooks.execute import FOLDER, execute

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ROOT = FOLDER.parent


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_from_scratch(path: Path):
    execute(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_as_committed(path: Path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [
        o
        for cell in code
        for o in cell.outputs
        if o.output_type in ("error", "stream") and o.get("name") != "stdout"
    ]
    text = path.read_text()
    assert len(text) < 500_000
    assert not re.search(r"/(home|root|Users|tmp|work)/|://[^/\s\"]+:[^/\s\"]+@", text)


def test_floors_import_only_from_floors_below():
    """README's architecture, checked against the code."""
    floors = ["errors", "exactjson", "session", "changes", "storage", "monitoring", "journal"]
    floors += ["benchmark", "bridge", "notebook"]
    beside = {"testing": {"errors", "exactjson", "session", "storage"}}
    package = Path(graphflow_nb.__file__).parent
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        if parts[0] not in (*floors, *beside):
            continue
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []  # no import when the program runs
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = parts[: len(parts) - node.level]
                found = (*base, *(node.module or "").split("."))[0]
                if found in floors and parts[0] in beside:
                    assert found in beside[parts[0]], (path, found)
                elif found in floors:
                    assert floors.index(found) <= floors.index(parts[0]), (path, found)
                if found == "bridge":
                    assert parts[0] == "notebook"
