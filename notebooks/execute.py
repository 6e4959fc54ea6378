"""Execute notebooks in place: ``python notebooks/execute.py [notebook …]``, all of them by default.

What differs between machines and is not content is left out: times of execution, kernel details,
the folder of a private server's socket.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def execute(
    path: Path, kind: str | None = None, instead: Mapping[str, str] = MappingProxyType({})
) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of a fresh kernel.

    Args:
        path: The notebook.
        kind: The kind of store on which a lesson runs instead of the one that it names.
        instead: Texts of its code, each with what is run instead.

    Raises:
        CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    if kind is not None:
        cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
        cell.source, count = re.subn(r'(?m)^KIND = "\w+"', f'KIND = "{kind}"', cell.source)
        assert count == 1, "the first code cell has no line KIND = …"
    for cell in notebook.cells:
        for text, other in instead.items():
            if cell.cell_type == "code":
                cell.source = cell.source.replace(text, other)
    os.environ.pop("DATABASE_URL", None)
    client = NotebookClient(
        notebook, timeout=300, record_timing=False, resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = _without_sockets(_without_widgets(cell.outputs))
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    return notebook


def _without_widgets(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return the outputs of a cell without widgets, which can't be shown without a kernel.

    A view's static form is the output before its widget, and hides what comes after it: so an empty
    output stays in the widget's place, unless it would be the last one.
    """
    kept = []
    for place, output in enumerate(outputs):
        data = output.get("data", {})
        widget = data.pop("application/vnd.jupyter.widget-view+json", None)
        if widget is None or len(data) > 1 or place < len(outputs) - 1:
            kept.append(output)
    return kept


def _without_sockets(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"host=%2F[\w%.-]+", "host=…", value)
    if isinstance(value, list):
        return [_without_sockets(each) for each in value]
    if isinstance(value, dict):
        return type(value)({key: _without_sockets(each) for key, each in value.items()})
    return value


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(FOLDER.rglob("[0-9]*.ipynb")):
        nbformat.write(execute(Path(name)), name)
