"""The API reference is built without a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.scope import only_complete


@only_complete
def test_the_reference_is_built_without_a_warning(tmp_path: Path) -> None:
    # In a process of its own, since it shows some methods as what they are not here.
    build = [sys.executable, "-m", "tests.packaging.reference", str(tmp_path)]
    done = subprocess.run(build, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in ("graphflow_nb", "graphflow_nb/storage", "graphflow_nb/testing"):
        assert (tmp_path / f"{page}.html").exists()
    assert 'id="Workbench.get"' in (tmp_path / "graphflow_nb.html").read_text()
