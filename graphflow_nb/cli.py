"""The command ``graphflow-nb``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from .errors import GraphflowError
from .extras import install_command
from .files import write_privately
from .storage import example_urls
from .storage.url import mask_text

__all__ = ["main"]

QUICKSTART = "01_quickstart.ipynb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    ``graphflow-nb lab`` opens JupyterLab on the quickstart, ``graphflow-nb lessons`` lists the
    lessons, and ``graphflow-nb lessons 2`` opens a copy of one.

    Args:
        arguments: The words after the command, or None for those of this process.

    Returns:
        The exit code: that of JupyterLab, 1 if it is not installed or a copy can't be written, 2
        if there is no such lesson.
    """
    parser = _Parser(
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
    lessons = commands.add_parser(
        "lessons",
        help="list the lessons, or open a copy of one in JupyterLab",
        description="Without a number, list the lessons. With one, copy this lesson into the "
        "current folder, unless a copy is there, and open it in JupyterLab. Further options are "
        "passed to JupyterLab.",
    )
    lessons.add_argument("number", nargs="?", type=int, help="the number of a lesson")
    lessons.add_argument(
        "--again", action="store_true", help="begin again in a further copy; the first one stays"
    )
    lessons.add_argument("--no-open", action="store_true", help="copy it and open nothing")
    known, options = parser.parse_known_args(arguments)
    if any("://" in option and not option.startswith("-") for option in options):
        # JupyterLab would print it, with its password, and so would a list of processes.
        parser.error("a store is named with --url")
    if known.command == "lab":
        return _open_lab(known.url, options)
    return _open_lesson(known.number, known.again, known.no_open, options)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors quote no password of a URL."""

    def error(self, message: str) -> NoReturn:
        super().error(mask_text(message))


def _open_lab(url: str | None, options: list[str]) -> int:
    if not _has_jupyterlab():
        return 1
    if url:
        os.environ["DATABASE_URL"] = url
    return _open(_find_quickstart(), options)


def _open_lesson(number: int | None, again: bool, no_open: bool, options: list[str]) -> int:
    from .lessons.catalogue import copy_lesson, describe_lessons, find_lessons  # with all they use

    try:
        lessons = find_lessons()
        if number is None:
            print(describe_lessons(lessons))
            return 0
        entry = next((entry for entry in lessons if entry.number == number), None)
        if entry is None:
            print(
                f"there is no lesson {number}. There are:\n{describe_lessons(lessons)}",
                file=sys.stderr,
            )
            return 2
        if not no_open and not _has_jupyterlab():
            return 1
        copy, made = copy_lesson(entry, Path.cwd(), again=again)
    except GraphflowError as error:
        print(error, file=sys.stderr)
        return 1
    if made:
        print(f"copied lesson {number} to {copy.name}")
    else:
        print(f"your copy {copy.name} is there already and stays; --again makes a further one")
    return 0 if no_open else _open(copy, options)


def _has_jupyterlab() -> bool:
    if find_spec("jupyterlab") is not None:
        return True
    print(f"JupyterLab is missing: {install_command('lab')}", file=sys.stderr)
    return False


def _open(notebook: Path, options: list[str]) -> int:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container every user is root. The server listens on this machine only, by token.
        options = [*options, "--allow-root"]
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
