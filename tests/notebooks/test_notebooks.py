"""The notebooks are committed executed, and still do what they show."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

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
