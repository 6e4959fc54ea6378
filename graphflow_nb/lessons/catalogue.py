"""The lessons that there are, and a copy of one to work in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import LessonError
from ..files import write_privately
from ..printable import printable

__all__ = ["LessonEntry", "copy_lesson", "describe_lessons", "find_lessons"]

MAX_COPIES: Final = 1000
_NUMBERS: Final = {"ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20}
_MINUTES: Final = re.compile(rf"(\d+|{'|'.join(_NUMBERS)}) minutes", re.IGNORECASE)


@dataclass(frozen=True)
class LessonEntry:
    """A lesson's notebook, and what its first cell says of it.

    Attributes:
        number: The number of the lesson.
        path: The notebook.
        title: The heading, without the number.
        summary: The first sentence.
        minutes: How long it takes.
    """

    number: int
    path: Path
    title: str
    summary: str
    minutes: int


def find_lessons(package: Path | None = None) -> list[LessonEntry]:
    """Return the lessons in their order: those of the installed package, or of the checkout.

    Args:
        package: The folder of the package; None for that of this one.

    Raises:
        LessonError: A notebook can't be read, or does not begin as a lesson does.
    """
    package = package or Path(__file__).parents[1]
    installed = package / "notebooks" / "lessons"
    folder = installed if installed.exists() else package.parent / "notebooks" / "lessons"
    return [_read_entry(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]


def describe_lessons(lessons: list[LessonEntry]) -> str:
    """Return the list of lessons as text, two lines for each."""
    if not lessons:
        return "no lesson was found; they come with the package"
    lines = []
    for entry in lessons:
        lines += [f"{entry.number}. {entry.title} ({entry.minutes} minutes)", f"   {entry.summary}"]
    return "\n".join(map(printable, lines))


def copy_lesson(entry: LessonEntry, folder: Path, *, again: bool = False) -> tuple[Path, bool]:
    """Return a copy of a lesson in a folder, without the outputs, so that one can predict first.

    A copy that is there already is never overwritten: it is the one returned, or a further one is
    made beside it.

    Args:
        entry: The lesson.
        folder: The folder for the copy.
        again: Whether to make a further copy where there is one.

    Returns:
        The copy, and whether it was made now.

    Raises:
        LessonError: The notebook can't be read, or there are 1000 copies already.
        StorageError: The copy can't be written; nothing was changed.
    """
    for number in range(1, MAX_COPIES + 1):
        suffix = f"_{number}" if number > 1 else ""
        copy = folder / f"lesson_{entry.path.stem}{suffix}.ipynb"
        if not copy.is_symlink() and not copy.exists():
            notebook = _read_notebook(entry.path)
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    cell |= {"outputs": [], "execution_count": None}
            text = json.dumps(notebook, ensure_ascii=False, indent=1)
            write_privately(copy, f"{text}\n".encode(), replace=False)
            return copy, True
        if not again:
            return copy, False
    raise LessonError(
        f"there are {MAX_COPIES} copies of lesson {entry.number} in {str(folder)!r}; nothing was "
        "copied. Work in one of them, or in another folder"
    )


def _read_entry(path: Path) -> LessonEntry:
    first = "".join(_read_notebook(path)["cells"][0]["source"])
    heading, _, rest = first.partition("\n")
    title = re.sub(r"^#\s*(Lesson\s*)?\d+\s*[.:]\s*", "", heading)
    paragraph = " ".join(rest.strip().partition("\n\n")[0].split())
    summary = re.match(r".*?[.!?](?=\s|$)", paragraph)
    minutes = _MINUTES.search(first)
    if title == heading or summary is None or minutes is None:
        raise LessonError(
            f"{path.name} does not begin as a lesson does: '# 1. Title', a paragraph that says "
            "what it is about, and how many minutes it takes"
        )
    words = minutes[1].lower()
    count = _NUMBERS.get(words) or int(words)
    return LessonEntry(int(path.name[:2]), path, title.strip(), summary[0], count)


def _read_notebook(path: Path) -> Any:
    try:
        notebook = json.loads(path.read_bytes())
        notebook["cells"][0]["source"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise LessonError(f"the notebook {path.name} can't be read: {error}") from error
    return notebook
