"""Content that tries to run something, shown in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

import graphflow_nb as g

from ..hostile import SHOWN as SAMPLE
from ..notebook.test_hostile import save_cases
from ..scope import only_complete
from ..servers.jupyter import open_in_lab, run_all, write_notebook
from .person import Person, run_apart

CELLS = [
    """\
import graphflow_nb as g
from IPython.display import HTML, display
from tests.hostile import SHOWN as SAMPLE
from tests.notebook.test_hostile import walk
from ipywidgets import Widget
from tests.test_rich_outputs import ALL, MAKERS
wb = g.open(URL, writable=True)
browser = wb.browse(page_size=1000, order="id")
browser""",
    """\
import asyncio, time
began, small = time.monotonic(), wb.browse(page_size=25)
display(small)
for case in SAMPLE:
    if case.postgres:
        walk(small, case)
        await asyncio.sleep(0.01)
print("walked", len(small.calls), time.monotonic() - began)""",
    """\
from graphflow_nb.cards import patch_html, session_html
plain = g.Session("p", "p")
for start in range(0, len(SAMPLE), 64):
    sessions = [case.session() for case in SAMPLE[start : start + 64]]
    parts = [session_html(s) + patch_html(g.diff(plain, s)) for s in sessions]
    display(HTML("".join(parts)))
for kind in MAKERS:
    if not issubclass(kind, Widget):
        display(*MAKERS[kind](ALL.replace("JS", "window.__pwned='rich'")))
print("shown")""",
]


# Every case is walked through and shown; that takes most of a minute.
@only_complete
@pytest.mark.timeout(280)
def test_nothing_runs_in_a_browser(chromium, jupyter, database):
    stored = [case for case in SAMPLE if case.postgres]

    async def fill() -> None:
        storage = await g.connect(database)
        await save_cases(storage, stored)
        await storage.close()

    run_apart(fill())
    cells = [text.replace("URL", repr(database)) for text in CELLS]
    write_notebook(jupyter.folder / "hostile.ipynb", cells)
    page = chromium.new_page(viewport={"width": 1300, "height": 1500})
    person = Person(page, jupyter)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    open_in_lab(page, jupyter, "hostile.ipynb")
    run_all(page)
    outputs = page.locator(".jp-OutputArea-output")
    expect(outputs.filter(has_text="shown").last).to_be_visible(timeout=240_000)
    assert page.evaluate("window.__pwned") is None
    assert page.locator(".gfnb mjx-container, .mathjax_ignore mjx-container").count() == 0
    # What waits for a person: move over the rows, open one, click into the text.
    assert person.rows().count() == len(stored)
    person.rows().nth(3).click()
    view = page.locator(".gfnb-browser").first
    view.get_by_role("button", name="Context", exact=True).click()
    expect(view.locator(".gfnb-reader").locator("visible=true").first).to_be_visible()
    page.wait_for_timeout(1000)  # nothing is expected to happen, and nothing says when
    frames = [frame.evaluate("window.__pwned") for frame in page.frames]
    assert set(frames) == {None}
    assert len(page.frames) == 1
    assert not dialogs
    assert not person.outside
    assert page.url.startswith(f"{jupyter.base}/lab/"), "it did not go elsewhere"
    page.close()
    jupyter.end_kernels()
