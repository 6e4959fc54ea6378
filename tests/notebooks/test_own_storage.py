"""The storage that ``notebooks/05_your_own_storage.ipynb`` writes, checked by the suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from graphflow_nb.testing import StorageSuite

from .test_notebooks import FOLDER

NOTEBOOK = FOLDER / "05_your_own_storage.ipynb"


def define_storage() -> Any:
    """Return the class of the cell that is tagged ``storage``."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [c for c in notebook.cells if "storage" in c.metadata.get("tags", ())]
    names: dict[str, Any] = {}
    exec("import os\nfrom pathlib import Path\nfrom graphflow_nb import Session\n", names)
    exec(cell.source, names)
    return names["FolderStorage"]


class TestFolderStorage(StorageSuite):
    @pytest.fixture
    def open_storage(self, tmp_path: Path) -> Any:
        storage = define_storage()
        return lambda: storage(tmp_path / "sessions")
