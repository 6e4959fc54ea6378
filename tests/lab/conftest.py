"""The browser and the Jupyter servers that the tests of this folder share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..scope import need, only_complete
from ..servers.jupyter import (
    CHROMIUM,
    FLAGS,
    OTHER_KERNEL,
    Jupyter,
    jupyterlab,
    older_kernel,
)
from . import filmstrip
from .person import PICTURES, Person, fill

# Cells import what is hostile from these tests.
_PATHS = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
_ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(filter(None, _PATHS))}


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """A browser. While it is open this thread has a running loop, so tests use ``run_apart``."""
    need("chromium", CHROMIUM is not None)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
    if PICTURES:
        filmstrip.join_pictures(Path(PICTURES))


@pytest.fixture(scope="package")
def jupyter(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """JupyterLab with the installed ipykernel."""
    with jupyterlab(tmp_path_factory.mktemp("lab"), _ENVIRONMENT) as server:
        yield server


@pytest.fixture(scope="package")
def older_jupyter(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """JupyterLab whose kernels run widget callbacks on threads of their own."""
    need("ipykernel 7.3", OTHER_KERNEL.exists())
    folder = tmp_path_factory.mktemp("older")
    path = {"JUPYTER_PATH": str(older_kernel(folder, _ENVIRONMENT))}
    with jupyterlab(folder, _ENVIRONMENT | path) as server:
        server.kernel = "7.3"
        yield server


@pytest.fixture
def store(database: str) -> str:
    """The URL of a database with the sample sessions."""
    fill(database)
    return database


@pytest.fixture
def person(chromium: Any, jupyter: Jupyter) -> Iterator[Person]:
    """Someone at a notebook in JupyterLab."""
    yield from _seat(chromium, jupyter)


def _seat(chromium: Any, server: Jupyter, known: str = "") -> Iterator[Person]:
    page = chromium.new_page(viewport={"width": 1300, "height": 1500})
    person = Person(page, server)
    yield person
    page.close()
    server.end_kernels()
    assert not [error for error in person.wrong if error != known]
    assert not person.outside, "nothing may be asked of another machine"


@pytest.fixture(scope="package")
def notebook_7(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """Notebook 7, with ``jupyterapp`` in its page."""
    words = ["--no-browser", "--JupyterNotebookApp.expose_app_in_browser=True"]
    command = [sys.executable, "-m", "notebook", *words]
    folder = tmp_path_factory.mktemp("notebook")
    with Jupyter(folder, command, environment=_ENVIRONMENT) as server:
        yield server


@pytest.fixture
def classic(chromium: Any, notebook_7: Jupyter) -> Iterator[Person]:
    """Someone at a notebook in Notebook 7."""
    # Notebook 7.6 says so of its own settings, whatever the notebook.
    yield from _seat(chromium, notebook_7, "Cannot read properties of undefined (reading 'schema')")


@pytest.fixture(params=["installed", pytest.param("7.3", marks=only_complete)])
def each_jupyter(request: pytest.FixtureRequest) -> Jupyter:
    """JupyterLab with the installed ipykernel, and with the older one."""
    fixture = "jupyter" if request.param == "installed" else "older_jupyter"
    server: Jupyter = request.getfixturevalue(fixture)
    return server
