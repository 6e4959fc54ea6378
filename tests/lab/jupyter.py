"""A real Jupyter server, a real kernel and a real browser, for the tests that need them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Container
from pathlib import Path
from typing import Any, Self

import nbformat

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


class Jupyter:
    """A server on a free port of this machine: JupyterLab, Notebook 7 or Voilà.

    Args:
        folder: what it serves, and where it keeps all that it keeps.
        command: that starts it.
        ready: a path that is asked for until something answers.
    """

    def __init__(self, folder: Path, command: list[str], ready: str = "/api/status"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.folder = folder
        self.base = f"http://127.0.0.1:{port}"
        self._ready = ready
        settings = folder / "settings/@jupyterlab/apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}'
        )
        environment = os.environ | {
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
            [*command, *words], cwd=folder, env=environment, stdout=self.log, stderr=self.log
        )

    def __enter__(self) -> Self:
        for _ in range(300):
            try:
                with urllib.request.urlopen(self._request("GET", self._ready), timeout=60):
                    return self
            except urllib.error.HTTPError:
                return self  # it answers, though there is nothing at that path
            except OSError:
                assert self.process.poll() is None, Path(self.log.name).read_text()
                time.sleep(0.1)
        raise AssertionError(Path(self.log.name).read_text())

    def _request(self, method: str, path: str) -> urllib.request.Request:
        return urllib.request.Request(
            self.base + path, method=method, headers={"Authorization": f"token {TOKEN}"}
        )

    def ask(self, method: str, path: str) -> Any:
        """What the server's own interface answers."""
        with urllib.request.urlopen(self._request(method, path), timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def end_kernels(self) -> None:
        """End every kernel of this server."""
        for kernel in self.ask("GET", "/api/kernels"):
            self.ask("DELETE", f"/api/kernels/{kernel['id']}")

    def __exit__(self, *_: object) -> None:
        try:
            if self._ready == "/api/status":
                self.ask("POST", "/api/shutdown")
            else:
                self.process.terminate()
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()


def jupyterlab(folder: Path, *words: str) -> Jupyter:
    """JupyterLab as a person has it."""
    return Jupyter(folder, [sys.executable, "-m", "jupyterlab", "--no-browser", *words])


def write_notebook(path: Path, cells: list[str]) -> None:
    """A notebook of code cells that were not executed."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in cells],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    nbformat.write(notebook, path)


def open_in_lab(page: Any, server: Jupyter, name: str) -> None:
    """Open a notebook in JupyterLab and wait for its kernel."""
    before = {kernel["id"] for kernel in server.ask("GET", "/api/kernels")}
    page.goto(f"{server.base}/lab/tree/{name}?token={TOKEN}&reset")
    idle(page).wait_for(state="attached", timeout=60_000)
    wait_for_kernel(server, before)


def wait_for_kernel(server: Jupyter, before: Container[str] = ()) -> None:
    """Wait for a kernel that was not there before.

    JupyterLab says idle before there is a kernel; what is run then asks for one.
    """
    for _ in range(300):
        kernels = [k for k in server.ask("GET", "/api/kernels") if k["id"] not in before]
        if kernels and kernels[0]["connections"] and kernels[0]["execution_state"] == "idle":
            return
        time.sleep(0.1)
    raise AssertionError("the kernel did not start")


def idle(page: Any) -> Any:
    """What is there while the kernel has nothing to do."""
    return page.locator('.jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status="idle"]')


def run_all(page: Any) -> None:
    """Run → Run All Cells."""
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()


def older_kernel(folder: Path) -> Path:
    """A JUPYTER_PATH in which the kernel is the ipykernel laid over the installed one."""
    kernel = folder / "data/kernels/python3"
    kernel.mkdir(parents=True)
    words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": words, "display_name": "ipykernel 7.3", "language": "python"}
    environment = {"env": {"PYTHONPATH": str(OTHER_KERNEL)}}
    (kernel / "kernel.json").write_text(json.dumps(spec | environment))
    return folder / "data"
