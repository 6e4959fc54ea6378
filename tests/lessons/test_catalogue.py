"""The list of lessons, and copies of one, which are never overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphflow_nb.errors import LessonError, StorageError
from graphflow_nb.lessons.catalogue import copy_lesson, describe_lessons, find_lessons

FIRST = """# 3. The lost update

Two writers load one row.
Both save it. More text.

After fifteen minutes you know:
"""


def write_lesson(package: Path, name: str = "03_lost_update.ipynb", first: str = FIRST) -> Path:
    folder = package / "notebooks" / "lessons"
    folder.mkdir(parents=True, exist_ok=True)
    code = {"cell_type": "code", "source": ["1"], "execution_count": 1, "outputs": [{"a": "ü"}]}
    cells = [{"cell_type": "markdown", "source": first.splitlines(keepends=True)}, code]
    folder.joinpath(name).write_text(json.dumps({"cells": cells, "nbformat": 4}))
    return folder / name


@pytest.fixture
def entry(tmp_path: Path) -> Any:
    write_lesson(tmp_path / "graphflow_nb")
    (entry,) = find_lessons(tmp_path / "graphflow_nb")
    return entry


def test_each_lesson_of_this_package_says_what_it_is_about_and_how_long_it_takes():
    lessons = find_lessons()
    assert lessons
    assert [entry.number for entry in lessons] == sorted({entry.number for entry in lessons})
    for entry in lessons:
        assert 5 <= entry.minutes <= 20, entry
        assert len(entry.summary) < 200, entry
        assert entry.title


def test_a_lesson_is_described_by_its_first_cell(entry: Any):
    assert (entry.number, entry.title, entry.minutes) == (3, "The lost update", 15)
    assert entry.summary == "Two writers load one row."
    shown = "3. The lost update (15 minutes)\n   Two writers load one row."
    assert describe_lessons([entry]) == shown
    assert "no lesson was found" in describe_lessons([])


def test_of_a_checkout_the_notebooks_beside_the_package_are_found(tmp_path: Path):
    (tmp_path / "graphflow_nb").mkdir()
    path = write_lesson(tmp_path)
    assert [entry.path for entry in find_lessons(tmp_path / "graphflow_nb")] == [path]


@pytest.mark.parametrize(
    "first",
    ["# The lost update\n\nText. 10 minutes", "# 3. Title\n\nText.", "# 3. Title 10 minutes"],
)
def test_a_notebook_that_does_not_begin_as_a_lesson_is_named(tmp_path: Path, first: str):
    write_lesson(tmp_path, first=first)
    with pytest.raises(LessonError, match=r"03_lost_update.ipynb does not begin as a lesson does"):
        find_lessons(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": []}', "\0"])
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, text: str):
    write_lesson(tmp_path).write_text(text)
    with pytest.raises(LessonError, match=r"03_lost_update.ipynb can't be read"):
        find_lessons(tmp_path)


def test_a_copy_has_no_outputs_and_all_else(entry: Any, tmp_path: Path):
    copy, made = copy_lesson(entry, tmp_path)
    assert (copy, made) == (tmp_path / "lesson_03_lost_update.ipynb", True)
    original, copied = json.loads(entry.path.read_text()), json.loads(copy.read_text())
    assert copied["cells"][1]["outputs"] == []
    assert copied["cells"][1]["execution_count"] is None
    for notebook in (original, copied):
        del notebook["cells"][1]["outputs"], notebook["cells"][1]["execution_count"]
    assert copied == original


def test_a_copy_is_never_overwritten(entry: Any, tmp_path: Path):
    first, _ = copy_lesson(entry, tmp_path)
    first.write_text("my work")
    assert copy_lesson(entry, tmp_path) == (first, False)
    second, made = copy_lesson(entry, tmp_path, again=True)
    assert (second, made) == (tmp_path / "lesson_03_lost_update_2.ipynb", True)
    second.write_text("more work")
    third, _ = copy_lesson(entry, tmp_path, again=True)
    assert third.name == "lesson_03_lost_update_3.ipynb"
    assert (first.read_text(), second.read_text()) == ("my work", "more work")


def test_a_link_in_the_place_of_a_copy_is_not_followed(entry: Any, tmp_path: Path):
    target = tmp_path / "elsewhere"
    (tmp_path / "lesson_03_lost_update.ipynb").symlink_to(target)
    copy, made = copy_lesson(entry, tmp_path, again=True)
    assert made
    assert copy.name == "lesson_03_lost_update_2.ipynb"
    assert not target.exists()


def test_a_folder_that_does_not_exist_is_named(entry: Any, tmp_path: Path):
    with pytest.raises(StorageError):
        copy_lesson(entry, tmp_path / "missing")
