"""The command ``graphflow-nb``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphflow_nb import cli
from graphflow_nb.lessons import catalogue
from graphflow_nb.lessons.catalogue import find_lessons
from graphflow_nb.storage.stores import STORES

from .lessons.test_catalogue import write_lesson

CHECKOUT = Path(__file__).parents[1] / "notebooks" / cli.QUICKSTART


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been started; each ends with the exit code 7."""
    calls: list[list[str]] = []

    def call(command: list[str]) -> int:
        calls.append(command)
        return 7

    monkeypatch.setattr(subprocess, "call", call)
    # Whatever the command sets there is taken away after the test.
    monkeypatch.setenv("DATABASE_URL", "memory:")
    return calls


def test_lab_opens_jupyterlab_on_the_checkouts_quickstart(
    called: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["lab"]) == 7
    assert called[0][:4] == [sys.executable, "-m", "jupyterlab", str(CHECKOUT)]
    assert capsys.readouterr().out == f"opening {CHECKOUT} in JupyterLab\n"


def test_further_options_are_passed_to_jupyterlab(called: list[list[str]]) -> None:
    cli.main(["lab", "--no-browser", "--ServerApp.port=8890"])
    assert called[0][4:6] == ["--no-browser", "--ServerApp.port=8890"]


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_root_is_allowed_as_in_a_container(
    called: list[list[str]], monkeypatch: pytest.MonkeyPatch, user: int, allowed: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user, raising=False)
    cli.main(["lab"])
    assert ("--allow-root" in called[0]) is allowed


def test_the_url_reaches_the_notebook_by_the_environment(called: list[list[str]]) -> None:
    cli.main(["lab", "--url", "sqlite:sessions.db"])
    assert os.environ["DATABASE_URL"] == "sqlite:sessions.db"


def test_a_missing_jupyterlab_is_named_with_its_remedy(
    called: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.main(["lab"]) == 1
    assert not called
    assert "install 'graphflow_nb[lab]'" in capsys.readouterr().err


def test_an_installed_package_copies_its_notebook_once(
    called: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the user changed in the copy stays."""
    package = tmp_path / "site-packages" / "graphflow_nb"
    (package / "notebooks").mkdir(parents=True)
    (package / "notebooks" / cli.QUICKSTART).write_text("the notebook")
    monkeypatch.setattr(cli, "__file__", str(package / "cli.py"))
    monkeypatch.chdir(tmp_path)
    cli.main(["lab"])
    copied = tmp_path / f"graphflow_nb_{cli.QUICKSTART}"
    assert called[0][3] == str(copied)
    assert copied.read_text() == "the notebook"
    copied.write_text("changed")
    cli.main(["lab"])
    assert copied.read_text() == "changed"


def test_help_names_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    assert "open JupyterLab on the quickstart notebook" in capsys.readouterr().out


def test_no_command_is_an_error_that_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "lab" in capsys.readouterr().err


def test_help_names_every_kind_of_store(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["lab", "--help"])
    words = "".join(capsys.readouterr().out.split())
    for kind in STORES.values():
        assert kind.example in words


@pytest.fixture
def a_lesson(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only lesson of an installed package; the current folder is empty."""
    package = tmp_path / "site-packages" / "graphflow_nb"
    path = write_lesson(package)
    monkeypatch.setattr(catalogue, "find_lessons", lambda: find_lessons(package))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return path


def test_lessons_are_listed(a_lesson: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lessons"]) == 0
    said = capsys.readouterr().out
    assert said == "3. The lost update (15 minutes)\n   Two writers load one row.\n"
    assert not list(Path.cwd().iterdir())


def test_a_copy_of_a_lesson_is_opened_and_kept(
    a_lesson: Path, called: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path.cwd() / "lesson_03_lost_update.ipynb"
    assert cli.main(["lessons", "3", "--no-browser"]) == 7
    assert called[-1][3:5] == [str(copy), "--no-browser"]
    copy.write_text("my work")
    assert cli.main(["lessons", "3"]) == 7
    assert "is there already and stays; --again makes a further one" in capsys.readouterr().out
    assert cli.main(["lessons", "3", "--again"]) == 7
    assert called[-1][3] == str(copy.with_name("lesson_03_lost_update_2.ipynb"))
    assert copy.read_text() == "my work"


def test_without_jupyterlab_a_lesson_can_still_be_copied(
    a_lesson: Path,
    called: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.main(["lessons", "3"]) == 1
    assert "install 'graphflow_nb[lab]'" in capsys.readouterr().err
    assert not list(Path.cwd().iterdir())
    assert cli.main(["lessons", "3", "--no-open"]) == 0
    assert [file.name for file in Path.cwd().iterdir()] == ["lesson_03_lost_update.ipynb"]
    assert not called


def test_a_lesson_that_does_not_exist_is_an_error_with_the_list(
    a_lesson: Path, called: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["lessons", "9"]) == 2
    assert "there is no lesson 9. There are:\n3. The lost update" in capsys.readouterr().err
    assert not called


def test_a_folder_that_takes_no_copy_is_named(
    a_lesson: Path,
    called: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = Path.cwd() / "gone"
    monkeypatch.setattr(Path, "cwd", lambda: gone)
    assert cli.main(["lessons", "3"]) == 1
    assert "lesson_03_lost_update.ipynb" in capsys.readouterr().err
    assert not called


@pytest.mark.parametrize(
    "words",
    [["URL"], ["nosuch", "URL"], ["lab", "URL"], ["lessons", "URL"], ["lessons", "1", "URL"]],
)
def test_no_error_shows_the_password_of_a_misplaced_url(
    words: list[str], called: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://ann:Zq7pw@db.example/flows"
    with pytest.raises(SystemExit):
        cli.main([url if word == "URL" else word for word in words])
    assert "Zq7pw" not in "".join(capsys.readouterr())
    assert not called
