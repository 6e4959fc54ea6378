"""In a real JupyterLab, in a real browser: cells, threads, widget callbacks and await alike."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from ..conftest import need
from .jupyter import (
    CHROMIUM,
    FLAGS,
    OTHER_KERNEL,
    Jupyter,
    idle,
    jupyterlab,
    older_kernel,
    open_in_lab,
    run_all,
    write_notebook,
)

QUEUED = 12

CELLS = [
    """\
import asyncio, threading
import ipywidgets as widgets
import graphflow_nb as g
from IPython.display import display
wb = g.open(URL, writable=True)
mem = g.open("memory:")
mine = g.wrap(await g.connect(URL))
for w in (wb, mem):
    w.get_or_create("a", "t")
    session = w.get("a")
    session.context["n"] = 0
    w.save(session)
import ipykernel
print("ipykernel", ipykernel.__version__)""",
    """\
def answers():
    return [w.get("a").id for w in (wb, mem, mine)]
awaited = [(await w.get.aio("a")).id for w in (wb, mem, mine)]
print("cell", answers(), awaited)""",
    """\
# A second thread with a running loop of its own. The cell awaits, because what this notebook's own
# loop serves can't be served while a cell holds it.
found = []
def work():
    async def main():
        found.append(answers())
        found.append([(await w.get.aio("a")).id for w in (wb, mem, mine)])
    asyncio.run(main())
thread = threading.Thread(target=work)
thread.start()
while thread.is_alive():
    await asyncio.sleep(0.01)
print("thread", found)""",
    """\
button, label = widgets.Button(description="count one"), widgets.Label("0 clicks")
clicks = []
def clicked(_):
    try:
        for w in (wb, mem):
            session = w.get("a")
            session.context["n"] += 1
            w.save(session)
        clicks.append(mine.get("a").context["n"])
        counts = [w.get("a").context["n"] for w in (wb, mem)]
        label.value = f"{len(clicks)} clicks, {counts[0]} and {counts[1]}"
    except BaseException as error:
        label.value = repr(error)
button.on_click(clicked)
display(button, label)""",
    *(
        f"""\
session = mine.get("a")
session.status_message = "{i}"
mine.save(session)
print("queued", {i}, wb.get("a").status_message, mem.get("a").id)"""
        for i in range(QUEUED)
    ),
    """\
import time
began = time.monotonic()
print("slow", flush=True)
try:
    wb.bridge.run(wb.storage.inner.run(lambda c: c.execute("SELECT pg_sleep(60)")))
except KeyboardInterrupt:
    print("interrupted")
print(wb.get("a").id, "again", time.monotonic() - began < 20)""",
]


def test_cli_opens_the_quickstart(tmp_path):
    """`graphflow-nb lab` as a person starts it, without any server of sessions."""
    command = Path(sys.executable).with_name("graphflow-nb")
    with Jupyter(tmp_path, [str(command), "lab", "--no-browser"]) as server:
        assert server.ask("GET", "/api/status")["kernels"] == 0
    help = subprocess.run([command, "lab", "--help"], capture_output=True, text=True, check=True)
    assert "DATABASE_URL" in help.stdout


@pytest.fixture(params=["installed", "7.3"])
def kernel(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kernel of the installed ipykernel, or an older one laid over it."""
    if request.param == "7.3":
        need("ipykernel 7.3", OTHER_KERNEL.exists())
        monkeypatch.setenv("JUPYTER_PATH", str(older_kernel(tmp_path)))
    return request.param


@pytest.mark.timeout(240)
def test_one_workbench_from_everywhere(kernel, tmp_path, database):
    need("chromium", CHROMIUM is not None)
    from playwright.sync_api import expect, sync_playwright

    write_notebook(tmp_path / "work.ipynb", [text.replace("URL", repr(database)) for text in CELLS])
    with jupyterlab(tmp_path) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        open_in_lab(page, server, "work.ipynb")
        run_all(page)

        # The last cell hangs in a slow query, until the kernel is interrupted.
        saved = tmp_path / "work.ipynb"
        outputs = page.locator(".jp-OutputArea-output")
        expect(outputs.filter(has_text="slow")).to_be_visible(timeout=90_000)
        time.sleep(0.5)
        (running,) = server.ask("GET", "/api/kernels")
        began = time.monotonic()
        server.ask("POST", f"/api/kernels/{running['id']}/interrupt")
        expect(outputs.filter(has_text="a again True")).to_be_visible(timeout=30_000)
        assert time.monotonic() - began < 5
        idle(page).wait_for(state="attached")

        button = page.get_by_role("button", name="count one")
        button.scroll_into_view_if_needed()
        for _ in range(5):
            button.click()
        expect(page.get_by_text("5 clicks, 5 and 5")).to_be_visible(timeout=30_000)
        page.screenshot(path=tmp_path / "lab.png")
        page.keyboard.press("Control+s")
        for _ in range(100):
            cells = nbformat.read(saved, as_version=4).cells
            if all(cell.execution_count for cell in cells):
                break
            time.sleep(0.1)
        browser.close()

    said = ["".join(o.get("text", "") for o in cell.outputs) for cell in cells]
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]
    if kernel != "installed":
        assert said[0].startswith(f"ipykernel {kernel}")
    same = "['a', 'a', 'a']"
    assert said[1] == f"cell {same} {same}\n"
    assert said[2] == f"thread [{same}, {same}]\n"
    for i in range(QUEUED):
        assert said[4 + i] == f"queued {i} {i} a\n"
    assert said[-1] == "slow\ninterrupted\na again True\n"
