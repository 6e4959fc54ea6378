"""The command ``graphflow-nb``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

__all__ = ["main"]

QUICKSTART = "01_quickstart.ipynb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; ``graphflow-nb lab`` opens JupyterLab on the quickstart.

    Args:
        arguments: the words after the command; those of this process if left out.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        prog="graphflow-nb", description="A Jupyter toolkit for the sessions of graph workflows."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on the quickstart notebook",
        description="Open JupyterLab on the quickstart notebook, which shows sample sessions "
        "without any server. Further options are handed to JupyterLab.",
    )
    lab.add_argument(
        "--url",
        help="the store that the notebook opens, e.g. postgresql://user@host/database or "
        "sqlite:sessions.db; the default is DATABASE_URL, or sample sessions if it is not set",
    )
    known, more = parser.parse_known_args(arguments)
    if find_spec("jupyterlab") is None:
        print("JupyterLab is missing: pip install 'graphflow_nb[lab]'", file=sys.stderr)
        return 1
    if known.url:
        os.environ["DATABASE_URL"] = known.url
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container everyone is root. The server listens on this machine alone, by a token.
        more.append("--allow-root")
    notebook = _quickstart()
    print(f"opening {notebook} in JupyterLab", flush=True)
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(notebook), *more])


def _quickstart() -> Path:
    """The notebook: the one of a checkout, or a copy of the installed one in this folder."""
    package = Path(__file__).parent
    checkout = package.parent / "notebooks" / QUICKSTART
    if checkout.exists():
        return checkout
    mine = Path.cwd() / f"graphflow_nb_{QUICKSTART}"
    if not mine.exists():  # what the user changed in it stays
        shutil.copyfile(package / "notebooks" / QUICKSTART, mine)
    return mine
