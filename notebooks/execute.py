"""Execute the notebooks in place: ``python notebooks/execute.py``.

Leaves out what differs between machines and is no content: times of execution, kernel details.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def execute(path: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a fresh kernel; raises if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    os.environ.pop("DATABASE_URL", None)
    client = NotebookClient(
        notebook, timeout=300, record_timing=False, resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    # Without a kernel a widget can't be shown, but its static form can. One that has none (a
    # progress bar) says nothing any more.
    for cell in notebook.cells:
        kept = []
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if data.pop("application/vnd.jupyter.widget-view+json", None) is None or len(data) > 1:
                kept.append(output)
        if "outputs" in cell:
            cell.outputs = kept
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    return notebook


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(execute(Path(name)), name)
