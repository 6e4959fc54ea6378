"""The wheel, installed alone in an empty environment outside the checkout, does what README says.

Building the environments takes a minute, so this is part of the complete run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from graphflow_nb.cli import QUICKSTART
from tests.scope import only_complete

pytestmark = [
    only_complete,
    pytest.mark.timeout(600),
]

ROOT = Path(__file__).parents[2]
LESSONS = ROOT / "notebooks" / "lessons"
PROGRAM = Path(__file__).with_name("user_program.py")
SMOKE = """\
from pathlib import Path
import graphflow_nb

assert Path(graphflow_nb.__file__).is_relative_to(PREFIX), graphflow_nb.__file__
with graphflow_nb.open("demo") as wb:
    assert len(wb.sessions()) == 120
    session = wb.get("claim-0014")
    session.status_message = "looked at"
    wb.save(session)
    assert wb.undo().status_message != "looked at"
    assert "claim-0014" in wb.browse(session="claim-0014")._repr_mimebundle_()["text/html"]
    wb.latency.plot().savefig("latency.png")
with graphflow_nb.open("sqlite:sessions.db", create=True) as wb:
    wb.create("claim-1", "intake", context={"amount": 1.5})
print("fine")
"""


class Environment:
    """An environment of its own, with nothing but what is installed into it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.home = folder.with_name(f"{folder.name}-home")  # where its programs run
        self.home.mkdir()
        subprocess.run([_python(), "-m", "venv", "--without-pip", folder], check=True)

    def install(self, *what: str) -> None:
        pip = [_python(), "-m", "pip", "--python", str(self.folder), "install", "-q"]
        pip.append("--no-compile")  # few of the modules are imported
        subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), *what], check=True)

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.folder / "bin" / name), *arguments]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(name, *arguments),
            cwd=self.home,
            env=self.variables(),
            capture_output=True,
            text=True,
        )

    def variables(self) -> dict[str, str]:
        """This process's variables without those that let another place win."""
        strange = ("PYTHON", "JUPYTER", "IPYTHON", "DATABASE_URL", "VIRTUAL_ENV")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
        return {**kept, "HOME": str(self.home), "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}


def _python() -> str:
    """The Python that made this environment: it has pip, as README asks for."""
    return str(Path(sys.base_prefix) / "bin" / "python3")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel without any extra."""
    environment = Environment(tmp_path_factory.mktemp("alone") / "venv")
    environment.install(str(wheel))
    return environment


@pytest.fixture(scope="module")
def lab(alone: Environment, wheel: Path) -> Environment:
    """The same with JupyterLab."""
    alone.install(f"{wheel}[lab]")
    return alone


@pytest.fixture
def served(lab: Environment) -> Iterator[str]:
    """The address of the JupyterLab that ``graphflow-nb lab`` starts."""
    said = lab.home / "lab.log"
    with open(said, "w") as log:
        command = lab.command("graphflow-nb", "lab", "--no-browser", "--ServerApp.port=0")
        process = subprocess.Popen(
            command, cwd=lab.home, env=lab.variables(), stderr=log, start_new_session=True
        )
    try:
        address = None
        while address is None:
            assert process.poll() is None, said.read_text()
            time.sleep(0.2)
            address = re.search(r"http://127\S+\?token=\w+", said.read_text())
        yield address[0]
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def test_a_smoke_test_passes(alone: Environment) -> None:
    done = alone.run("python", "-c", f"PREFIX = {str(alone.folder)!r}\n{SMOKE}")
    assert done.stdout == "fine\n", done.stderr
    assert not done.stderr


def test_nothing_but_the_package_is_installed(alone: Environment) -> None:
    code = "import importlib.metadata as m; print(*m.files('graphflow_nb'), sep='\\n')"
    files = alone.run("python", "-c", code).stdout.split()
    assert {file.partition("/")[0].partition("-")[0] for file in files} == {"graphflow_nb", ".."}
    assert "graphflow_nb/py.typed" in files


def test_the_command_says_what_it_does(alone: Environment) -> None:
    assert "open JupyterLab" in alone.run("graphflow-nb", "--help").stdout


def test_the_lessons_are_listed_and_copied(alone: Environment) -> None:
    listed = alone.run("graphflow-nb", "lessons").stdout
    assert len(re.findall(r"(?m)^\d+\. ", listed)) == len(list(LESSONS.glob("*.ipynb")))
    done = alone.run("graphflow-nb", "lessons", "1", "--no-open")
    assert done.returncode == 0, done.stderr
    (copy,) = alone.home.glob("lesson_01_*.ipynb")
    assert copy.name in done.stdout


def test_a_copy_of_a_lesson_runs(lab: Environment) -> None:
    lab.run("graphflow-nb", "lessons", "1", "--no-open")
    (copy,) = lab.home.glob("lesson_01_*.ipynb")
    done = lab.run("jupyter", "execute", "--inplace", copy.name)
    assert done.returncode == 0, done.stderr


def test_a_typed_program_of_a_user_passes_mypy_strict_and_runs(alone: Environment) -> None:
    program = shutil.copy(PROGRAM, alone.home)
    strict = [sys.executable, "-m", "mypy", "--strict", "--config-file="]
    strict += ["--python-executable", alone.command("python")[0], program]
    done = subprocess.run(strict, cwd=alone.home, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    done = alone.run("python", program)
    assert done.returncode == 0, done.stderr


def test_the_command_opens_the_quickstart_and_it_runs(lab: Environment, served: str) -> None:
    server, token = served.split("/lab?")
    name = f"graphflow_nb_{QUICKSTART}"
    with urlopen(f"{server}/api/contents/{name}?{token}") as answer:
        assert json.load(answer)["type"] == "notebook"
    done = lab.run("jupyter", "execute", "--inplace", name)
    assert done.returncode == 0, done.stderr
    notebook = json.loads((lab.home / name).read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert "120 sessions" in str(code[0]["outputs"])
