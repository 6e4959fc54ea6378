"""The storage that ``notebooks/05_your_own_storage.ipynb`` writes, checked by the suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphflow_nb.testing import StorageSuite

from .test_notebooks import FOLDER

NOTEBOOK = FOLDER / "05_your_own_storage.ipynb"


def define_storage() -> Any:
    """Return the class of the cell that is tagged ``storage``."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    (cell,) = [c for c in cells if "storage" in c["metadata"].get("tags", ())]
    names: dict[str, Any] = {}
    exec("import os\nfrom pathlib import Path\nfrom graphflow_nb import Session\n", names)
    exec("".join(cell["source"]), names)
    return names["FolderStorage"]


class TestFolderStorage(StorageSuite):
    @pytest.fixture
    def open_storage(self, tmp_path: Path) -> Any:
        storage = define_storage()
        return lambda: storage(tmp_path / "sessions")
