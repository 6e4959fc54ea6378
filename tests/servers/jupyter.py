"""A real Jupyter server, a real kernel and a real browser, for the tests that need them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from .process import free_port

TOKEN = "test"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Where CI puts the other ipykernel, the last one that runs callbacks on subshell threads.
OTHER_KERNEL = Path(sys.prefix) / "ipykernel-7.3"
_START_SECONDS = 120.0
# The server's own interface answers 500 for a moment while a kernel starts or ends: its list of
# kernels has an entry that is not complete yet.
_RETRY_SECONDS = 20.0


class Jupyter:
    """A server on a free port of this machine: JupyterLab, Notebook 7 or Voilà.

    Args:
        folder: What it serves, and where it keeps all that it keeps.
        command: The command that starts it.
        ready: The path that is asked for until something answers.
        environment: Variables beyond those of this process.

    Attributes:
        kernel: The beginning of its ipykernel's version.
    """

    kernel = ""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        ready: str = "/api/status",
        environment: Mapping[str, str] | None = None,
    ):
        port = free_port()
        self.folder = folder
        self.base = f"http://127.0.0.1:{port}"
        self._ready = ready
        settings = folder / "settings/@jupyterlab/apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}'
        )
        own = {
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        words = [f"--port={port}"]
        if ready == "/api/status":
            words += ["--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"]
            words += ["--ServerApp.port_retries=0", "--allow-root"]
        self.log = (folder / "server.log").open("w+")
        self.process = subprocess.Popen(
            [*command, *words],
            cwd=folder,
            env=os.environ | own | dict(environment or {}),
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self._request("GET", self._ready), timeout=60):
                    return self
            except urllib.error.HTTPError:
                return self  # it answers, though there is nothing at that path
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        raise AssertionError(Path(self.log.name).read_text())

    def _request(self, method: str, path: str) -> urllib.request.Request:
        return urllib.request.Request(
            self.base + path, method=method, headers={"Authorization": f"token {TOKEN}"}
        )

    def ask(self, method: str, path: str) -> Any:
        """Return what the server's own interface answers; a 500 is asked again for a while."""
        deadline = time.monotonic() + _RETRY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(self._request(method, path), timeout=20) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code < 500 or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def end_kernels(self) -> None:
        """End every kernel of this server."""
        for kernel in self.ask("GET", "/api/kernels"):
            try:
                self.ask("DELETE", f"/api/kernels/{kernel['id']}")
            except urllib.error.HTTPError as error:
                if error.code != 404:  # it ended by itself, or by a DELETE that answered 500
                    raise

    def __exit__(self, *_: object) -> None:
        try:
            # The whole group, since a command may have started the server as its child.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()


def jupyterlab(folder: Path, environment: Mapping[str, str] | None = None) -> Jupyter:
    """Start JupyterLab as a person has it, with ``jupyterapp`` in its page."""
    words = ["--no-browser", "--LabApp.expose_app_in_browser=True"]
    return Jupyter(folder, [sys.executable, "-m", "jupyterlab", *words], environment=environment)


def write_notebook(path: Path, cells: list[str]) -> None:
    """Write a notebook of code cells that were not executed."""
    empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": [empty | {"id": f"cell{n}", "source": text} for n, text in enumerate(cells)],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook))


# JupyterLab says idle before there is a kernel, and what is run then asks for one. Where the first
# request to a kernel that is starting gets lost, JupyterLab waits forever for its answer: null.
_KERNEL = """async name => {
    const late = new Promise(give => setTimeout(() => give(null), 40_000));
    let given = false;
    late.then(() => { given = true; });
    const started = async () => {
      while (!given) {
        const open = window.jupyterapp && window.jupyterapp.shell.currentWidget;
        if (open && open.context && open.context.path.endsWith(name)) {
            await open.context.ready;
            await open.sessionContext.ready;
            const kernel = open.sessionContext.session?.kernel;
            if (kernel) {
                await kernel.info;
                return kernel.id;
            }
        }
        await new Promise(again => setTimeout(again, 50));
      }
      return null;
    };
    return await Promise.race([started(), late]);
}"""


def open_in_lab(page: Any, server: Jupyter, name: str) -> str:
    """Open a notebook in JupyterLab, wait until its kernel answers, and return the kernel's id.

    A kernel that does not answer is ended and the page loaded again, as a person would.
    """
    for _ in range(3):
        page.goto(f"{server.base}/lab/tree/{name}?token={TOKEN}&reset")
        kernel = page.evaluate(_KERNEL, name)
        if kernel is not None:
            break
        server.end_kernels()
    assert kernel is not None, "no kernel answered"
    idle(page).wait_for(state="attached", timeout=60_000)
    return str(kernel)


def wait_for_kernel(server: Jupyter) -> None:
    """Wait until the server's only kernel is connected and idle."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        kernels = server.ask("GET", "/api/kernels")
        if kernels and kernels[0]["connections"] and kernels[0]["execution_state"] == "idle":
            return
        time.sleep(0.05)
    raise AssertionError("the kernel did not start")


def idle(page: Any) -> Any:
    """Return what the page shows while the kernel has nothing to do."""
    return page.locator('.jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status="idle"]')


def run_all(page: Any) -> None:
    """Choose Run → Run All Cells in the menu."""
    # In the menu bar: a heading of the notebook may be "Run", too.
    page.locator(".lm-MenuBar").get_by_text("Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def older_kernel(folder: Path, environment: Mapping[str, str]) -> Path:
    """Return a JUPYTER_PATH in which the kernel is the ipykernel laid over the installed one.

    Args:
        folder: Where it is made.
        environment: Variables of the kernel, whose PYTHONPATH comes after that ipykernel.
    """
    kernel = folder / "data/kernels/python3"
    kernel.mkdir(parents=True)
    words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": words, "display_name": "ipykernel 7.3", "language": "python"}
    path = os.pathsep.join(filter(None, [str(OTHER_KERNEL), environment.get("PYTHONPATH")]))
    (kernel / "kernel.json").write_text(json.dumps(spec | {"env": {"PYTHONPATH": path}}))
    return folder / "data"
