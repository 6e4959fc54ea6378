"""Content that tries to run something, shown in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect

import graphflow_nb as g

from ..hostile import SHOWN
from ..notebook.test_hostile import save_cases
from ..scope import only_complete
from ..servers.jupyter import Jupyter, open_in_lab, run_all, write_notebook
from .person import Person, run_apart

BROWSER = [
    """\
import asyncio
import graphflow_nb as g
from IPython.display import display
from tests.hostile import SHOWN
from tests.notebook.test_hostile import walk
wb = g.open(URL, writable=True)
wb.browse(page_size=1000, order="id")""",
    """\
small = wb.browse(page_size=25)
display(small)
for case in SHOWN:
    if case.postgres:
        walk(small, case)
        await asyncio.sleep(0.01)
print("shown")""",
]
CARDS = [
    """\
import graphflow_nb as g
from graphflow_nb.cards import patch_html, session_html
from IPython.display import HTML, display
from ipywidgets import Widget
from tests.hostile import SHOWN
from tests.test_rich_outputs import ALL, MAKERS
plain = g.Session("p", "p")
sessions = [case.session() for case in SHOWN]
display(HTML("".join(session_html(s) + patch_html(g.diff(plain, s)) for s in sessions)))
for kind in MAKERS:
    if not issubclass(kind, Widget):
        display(*MAKERS[kind](ALL.replace("JS", "window.__pwned='rich'")))
print("shown")""",
]


@contextmanager
def shown(browser: Browser, jupyter: Jupyter, name: str, cells: list[str]) -> Iterator[Person]:
    """Run the cells in a page, and fail if anything of what they show has run."""
    write_notebook(jupyter.folder / name, cells)
    page = browser.new_page(viewport={"width": 1300, "height": 1500})
    person = Person(page, jupyter)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    open_in_lab(page, jupyter, name)
    run_all(page)
    outputs = page.locator(".jp-OutputArea-output")
    expect(outputs.filter(has_text="shown").last).to_be_visible(timeout=120_000)
    assert page.evaluate("window.__pwned") is None
    assert page.locator(".gfnb mjx-container, .mathjax_ignore mjx-container").count() == 0
    yield person
    page.wait_for_timeout(1000)  # nothing is expected to happen, and nothing says when
    frames = [frame.evaluate("window.__pwned") for frame in page.frames]
    assert set(frames) == {None}
    assert len(page.frames) == 1
    assert not dialogs
    assert not person.outside
    assert page.url.startswith(f"{jupyter.base}/lab/"), "it did not go elsewhere"
    page.close()
    jupyter.end_kernels()


@only_complete
@pytest.mark.timeout(180)
def test_nothing_runs_in_the_browser_of_sessions(chromium, jupyter, database):
    stored = [case for case in SHOWN if case.postgres]

    async def fill() -> None:
        storage = await g.connect(database)
        await save_cases(storage, stored)
        await storage.close()

    run_apart(fill())
    cells = [text.replace("URL", repr(database)) for text in BROWSER]
    with shown(chromium, jupyter, "hostile.ipynb", cells) as person:
        # What waits for a person: move over the rows, open one, click into the text.
        assert person.rows().count() == len(stored)
        person.rows().nth(3).click()
        view = person.page.locator(".gfnb-browser").first
        view.get_by_role("button", name="Context", exact=True).click()
        expect(view.locator(".gfnb-reader").locator("visible=true").first).to_be_visible()


@only_complete
@pytest.mark.timeout(180)
def test_nothing_runs_in_cards(chromium, jupyter):
    with shown(chromium, jupyter, "hostile-cards.ipynb", CARDS) as person:
        cards = person.page.locator(".gfnb")
        assert cards.count() > len(SHOWN)
