"""The command ``graphflow-nb``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from .files import write_privately
from .storage import example_urls

__all__ = ["main"]

QUICKSTART = "01_quickstart.ipynb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; ``graphflow-nb lab`` opens JupyterLab on the quickstart.

    Args:
        arguments: The words after the command, or None for those of this process.

    Returns:
        The exit code: that of JupyterLab, or 1 if it is not installed.
    """
    parser = argparse.ArgumentParser(
        prog="graphflow-nb", description="A Jupyter toolkit for the sessions of graph workflows."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on the quickstart notebook",
        description="Open JupyterLab on the quickstart notebook, which shows sample sessions "
        "and needs no server. Further options are passed to JupyterLab.",
    )
    lab.add_argument(
        "--url",
        help=f"the store to open: {example_urls()}; without it DATABASE_URL, and without that the "
        "sample sessions",
    )
    known, options = parser.parse_known_args(arguments)
    if find_spec("jupyterlab") is None:
        print("JupyterLab is missing: pip install 'graphflow_nb[lab]'", file=sys.stderr)
        return 1
    if known.url:
        os.environ["DATABASE_URL"] = known.url
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container every user is root. The server listens on this machine only, by token.
        options.append("--allow-root")
    notebook = _find_quickstart()
    print(f"opening {notebook} in JupyterLab", flush=True)
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(notebook), *options])


def _find_quickstart() -> Path:
    """Return the checkout's notebook, or a copy of the installed one in the current folder."""
    package = Path(__file__).parent
    checkout = package.parent / "notebooks" / QUICKSTART
    if checkout.exists():
        return checkout
    copied = Path.cwd() / f"graphflow_nb_{QUICKSTART}"
    if not copied.exists():  # what the user changed in the copy stays
        # Its outputs will show sessions.
        write_privately(copied, (package / "notebooks" / QUICKSTART).read_bytes(), replace=False)
    return copied
