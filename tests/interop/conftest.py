"""Builds the program on graph-flow, once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ..scope import need

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def program() -> Path:
    need("cargo", shutil.which("cargo") is not None)
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=HERE, check=True, timeout=1200)
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target"))
    return target / "release" / "graphflow-peer"
