"""Take the pictures of README and of the notebooks: ``python -m notebooks.pictures``.

Needs Chromium. Pictures are twice as fine as a screen, so that they stay sharp on a projector.
"""

from __future__ import annotations

import io
import re
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.servers.jupyter import CHROMIUM, FLAGS, idle, jupyterlab, open_in_lab, write_notebook

PICTURES = Path(__file__).parent / "pictures"
OPEN = """\
import graphflow_nb
wb = graphflow_nb.open("demo")"""
FRAME = """\
wb.sessions(graph="claims", task="await_documents", context=["customer.tier", "amount"], limit=6)[
    ["id", "status_message", "version", "updated_at", "messages", "customer.tier", "amount"]
]"""
BROWSER = 'wb.browse(text="failed", page_size=25)'
# A worker saves while someone edits.
WORKER = """\
session = await wb.storage.get("claim-0118")
session.context["attempts"] = 2
session.status_message = "trying again"
await wb.storage.save(session)"""
# A workload with all that the board shows: several operations and their phases.
LATENCY = """\
server = graphflow_nb.local_postgres(settings={"fsync": "on"})
pg = graphflow_nb.open(server.url, writable=True)
ids = [pg.create(f"claim-{i}", "intake", context={"text": "x" * 700}).id for i in range(100)]
for warm in (False, True):
    if warm:
        pg.latency.clear()
    for step in range(9):
        pg.sessions(limit=50)
        for id in ids:
            session = pg.get(id)
            session.context["step"] = step
            pg.save(session)
board = pg.latency.plot(theme="light")"""
STOP = "pg.close(); server.stop()"
# What a worker saves while the store keeps the history.
HISTORY = """\
wb.install_history()
for task, values in (
    ("check_documents", {"invoice": {"number": "R-118", "total": 2990.7}}),
    ("decide", {"difference": 630.0}),
    ("review", {"approved": False}),
):
    session = wb.get("claim-0014")
    session.current_task_id, session.status_message = task, f"at {task}"
    session.context.update(values)
    wb.save(session)
wb.browse(graph="claims", task="review", session="claim-0014")"""


def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        cells = [OPEN, FRAME, BROWSER, WORKER, LATENCY, "board", STOP, HISTORY]
        write_notebook(Path(folder) / "work.ipynb", cells)
        with jupyterlab(Path(folder)) as lab:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = chromium.new_page(
                viewport={"width": 1400, "height": 1800}, device_scale_factor=2
            )
            open_in_lab(page, lab, "work.ipynb")
            page.keyboard.press("Control+b")  # the notebook gets the whole width
            run_cell(page, 0)
            run_cell(page, 1)
            take(cell(page, 1), "frame", below=12)
            run_cell(page, 2)
            take_browser(page)
            run_cell(page, 4)
            run_cell(page, 5)
            # Every pixel as it was drawn: a picture of the picture would be larger and less sharp.
            shown = cell(page, 5).locator(".jp-OutputArea-output img").first
            drawn = b64decode(str(shown.get_attribute("src")).partition(",")[2])
            save(Image.open(io.BytesIO(drawn)), "latency")
            run_cell(page, 6)
            run_cell(page, 7)
            take_history(page)
            chromium.close()


def cell(page: Any, number: int) -> Any:
    """Return the notebook's code cell with this number."""
    return page.locator(".jp-CodeCell").nth(number)


def run_cell(page: Any, number: int) -> None:
    """Run a code cell and wait until it is done."""
    cell(page, number).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    prompt = cell(page, number).locator(".jp-InputPrompt")
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=120_000)
    idle(page).wait_for(state="attached")


def take(element: Any, name: str, below: int = 0) -> None:
    """Save a picture of an element, without so many pixels at its lower edge."""
    element.first.wait_for()
    element.page.mouse.move(0, 0)
    element.page.wait_for_timeout(500)  # what is moving comes to rest
    picture = Image.open(io.BytesIO(element.first.screenshot()))
    save(picture.crop((0, 0, picture.width, picture.height - below)), name)


def save(picture: Image.Image, name: str) -> None:
    """Save a picture in few colours and so in few bytes."""
    picture.convert("RGB").quantize(128).save(PICTURES / f"{name}.png", optimize=True)


def take_browser(page: Any) -> None:
    """Take the browser from the failed sessions to the journal."""
    view = page.locator(".gfnb-browser").first

    def click(name: str) -> None:
        view.get_by_role("button", name=name).locator("visible=true").first.click()

    def wait(text: str) -> None:
        view.get_by_text(text).locator("visible=true").first.wait_for()

    view.locator("tbody tr").first.wait_for(timeout=60_000)
    view.locator("tbody tr").filter(has_text="claim-0118").click()
    wait("Overview")
    take(view, "found")
    click("Edit")
    status = view.get_by_label("Status", exact=True)
    expect(status).to_have_value(re.compile("Task 'payout' failed"))  # the kernel put it there
    status.fill("account asked for by phone")
    page.keyboard.press("Tab")
    wait("has changes that are not saved")
    click("Preview changes")
    wait("This will change")
    take(view, "preview")
    run_cell(page, 3)
    click("Save 1 change")
    wait("Someone saved this session meanwhile")
    take(view, "conflict")
    view.get_by_role("radio", name="take mine").check()
    click("Preview the merged session")
    click("Save 1 change")
    wait("Saved")
    click("Chat")  # the context of this session has a city that not every font can show
    click("Undo…")
    wait("Undo all 1")
    take(view, "journal")


def take_history(page: Any) -> None:
    """Take the history of a session, at the version before its newest one."""
    view = page.locator(".gfnb-browser").last
    view.get_by_role("button", name="History").click()
    view.get_by_role("slider").press("ArrowLeft")
    view.get_by_text("difference", exact=True).locator("visible=true").first.wait_for()
    take(view, "history")


if __name__ == "__main__":
    main()
