"""Take the notebooks' pictures anew: ``python -m notebooks.pictures``. Needs Chromium."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.lab.jupyter import CHROMIUM, FLAGS, jupyterlab, open_in_lab, write_notebook

PICTURES = Path(__file__).parent / "pictures"
CELL = """\
import graphflow_nb
wb = graphflow_nb.open("demo")
browser = wb.browse(text="failed", page_size=25)
browser"""
# A worker saves while someone edits.
WORKER = """\
session = await wb.storage.get("claim-0118")
session.context["attempts"] = 2
session.status_message = "trying again"
await wb.storage.save(session)"""


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_notebook(Path(folder) / "work.ipynb", [CELL, WORKER])
        with jupyterlab(Path(folder)) as lab:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = chromium.new_page(viewport={"width": 1180, "height": 1500})
            open_in_lab(page, lab, "work.ipynb")
            page.locator(".jp-CodeCell").first.click()
            page.keyboard.press("Shift+Enter")
            take(page)
            chromium.close()


def take(page: Any) -> None:
    view = page.locator(".gfnb-browser").first

    def click(name: str) -> None:
        view.get_by_role("button", name=name).locator("visible=true").first.click()

    def picture(name: str, wait: str) -> None:
        view.get_by_text(wait).locator("visible=true").first.wait_for()
        page.wait_for_timeout(300)
        picture = Image.open(io.BytesIO(view.screenshot()))
        picture.quantize(64).save(PICTURES / f"{name}.png", optimize=True)

    view.locator("tbody tr").first.wait_for(timeout=60_000)
    view.locator("tbody tr").filter(has_text="claim-0118").click()
    picture("found", "Overview")
    click("Edit")
    view.get_by_label("Status", exact=True).fill("account asked for by phone")
    page.keyboard.press("Tab")
    click("Preview changes")
    picture("preview", "This will change")
    page.locator(".jp-CodeCell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_timeout(1000)
    click("Save 1 change")
    picture("conflict", "Someone saved this session meanwhile")
    view.get_by_role("radio", name="take mine").check()
    click("Preview the merged session")
    click("Save 1 change")
    view.get_by_text("Saved").first.wait_for()
    click("Journal…")
    picture("journal", "Undo all 1")


if __name__ == "__main__":
    main()
