"""In a real JupyterLab, in a real browser: cells, threads, widget callbacks and await alike."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from playwright.sync_api import expect

import graphflow_nb as g

from ..scope import only_complete
from ..servers.jupyter import Jupyter, idle, open_in_lab, run_all, write_notebook
from .person import run_apart

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
print("slow", flush=True)
session = wb.get("locked")
try:
    wb.save(session)  # someone else has locked the row
except KeyboardInterrupt:
    print("interrupted")
print(wb.get("a").id, "again")""",
]

# Not pg_stat_activity, which does not change within a transaction.
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"


def test_cli_opens_the_quickstart(tmp_path):
    """`graphflow-nb lab` as a person starts it, without any server of sessions."""
    command = Path(sys.executable).with_name("graphflow-nb")
    with Jupyter(tmp_path, [str(command), "lab", "--no-browser"]) as server:
        assert server.ask("GET", "/api/status")["kernels"] == 0
    help = subprocess.run([command, "lab", "--help"], capture_output=True, text=True, check=True)
    assert "DATABASE_URL" in help.stdout


@only_complete
@pytest.mark.timeout(240)
def test_one_workbench_from_everywhere(chromium, each_jupyter, database):
    async def save() -> None:
        storage = await g.connect(database)
        await storage.save(g.Session("locked", "t"))
        await storage.close()

    run_apart(save())
    other = run_apart(asyncpg.connect(database))
    run_apart(other.execute("BEGIN"))
    run_apart(other.execute("SELECT 1 FROM sessions WHERE id = 'locked' FOR UPDATE"))
    notebook = each_jupyter.folder / "everywhere.ipynb"
    write_notebook(notebook, [text.replace("URL", repr(database)) for text in CELLS])
    page = chromium.new_page(viewport={"width": 1200, "height": 1000})
    kernel = open_in_lab(page, each_jupyter, notebook.name)
    run_all(page)

    # The last cell waits for that lock, until the kernel is interrupted.
    deadline = time.monotonic() + 90
    while not run_apart(other.fetchval(WAITING)):
        assert time.monotonic() < deadline, "no save waits for the lock"
        page.wait_for_timeout(20)
    began = time.monotonic()
    each_jupyter.ask("POST", f"/api/kernels/{kernel}/interrupt")
    outputs = page.locator(".jp-OutputArea-output")
    expect(outputs.filter(has_text="a again")).to_be_visible()
    assert time.monotonic() - began < 20
    run_apart(other.close())
    idle(page).wait_for(state="attached")

    button = page.get_by_role("button", name="count one")
    button.scroll_into_view_if_needed()
    for _ in range(5):
        button.click()
    expect(page.get_by_text("5 clicks, 5 and 5")).to_be_visible()
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    cells = json.loads(notebook.read_text())["cells"]
    page.close()
    each_jupyter.end_kernels()

    said = ["".join("".join(o.get("text", "")) for o in cell["outputs"]) for cell in cells]
    assert not [o for cell in cells for o in cell["outputs"] if o["output_type"] == "error"]
    assert said[0].startswith(f"ipykernel {each_jupyter.kernel}")
    same = "['a', 'a', 'a']"
    assert said[1] == f"cell {same} {same}\n"
    assert said[2] == f"thread [{same}, {same}]\n"
    for i in range(QUEUED):
        assert said[4 + i] == f"queued {i} {i} a\n"
    assert said[-1] == "slow\ninterrupted\na again\n"
