"""A person at a notebook, and the other workers on the same store."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

import graphflow_nb as g
from graphflow_nb.bridge import LoopThread
from graphflow_nb.storage.demo import demo_storage

from ..scope import COMPLETE
from ..servers.jupyter import Jupyter, open_in_lab, run_all, write_notebook
from ..stores import create_table
from . import filmstrip
from .accessible import check_accessible

#: Where the pictures that the tests take are kept; None for nowhere.
PICTURES = os.environ.get("GRAPHFLOW_NB_PICTURES")
#: Milliseconds that anything may take which is waited for; a machine may be busy.
PATIENCE = 90_000
expect.set_options(timeout=PATIENCE)
_THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
_TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_numbers = itertools.count()
_taken: set[str] = set()

#: Runs a coroutine on another thread, since Playwright's loop runs on this one.
run_apart = LoopThread.shared().run


class Person:
    """Someone at a notebook: sees labels and rows, clicks and types.

    Attributes:
        interactions: How many clicks and entries there were.
        outside: The URLs on other machines that the page asked for.
        wrong: The errors of the page's scripts.
    """

    def __init__(self, page: Any, server: Jupyter):
        self.page = page
        self.server = server
        self.expect = expect
        self.interactions = 0
        page.set_default_timeout(PATIENCE)
        self.outside: list[str] = []
        self.wrong: list[str] = []
        page.on("request", self._asked)
        page.on("pageerror", self._failed)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.server.base, "data:", "blob:", "ws://127.0.0.1")):
            self.outside.append(request.url)

    def _failed(self, error: Any) -> None:
        # anywidget's, two seconds after a widget was made whose module has not loaded: on a busy
        # machine, at any time. What it breaks is mended by notebook/module.js, which
        # test_widgets_whose_modules_load_late_show_what_the_kernel_sends proves.
        if str(error) == "[anywidget] Failed to initialize model.":
            return
        # JupyterLab's own, and rare: no script of ours calls removeChild, and
        # ours are loaded from blobs.
        if "execute 'removeChild'" not in str(error) or "blob:" in (error.stack or ""):
            self.wrong.append(str(error))

    def run(self, cells: list[str]) -> Person:
        """Open a notebook with these cells and run them all."""
        name = f"work{next(_numbers)}.ipynb"
        write_notebook(self.server.folder / name, cells)
        open_in_lab(self.page, self.server, name)
        run_all(self.page)
        self.rows().first.wait_for()
        return self

    def rows(self, view: int = 0) -> Any:
        return (
            self.page.locator(".gfnb-browser")
            .nth(view)
            .locator('table[aria-label="sessions"] tbody tr')
        )

    def row(self, id: str) -> Any:
        return self.rows().filter(has=self.page.get_by_text(id, exact=True))

    def click(self, name: str, index: int = 0) -> None:
        self.interactions += 1
        self.button(name).nth(index).click()

    def button(self, name: str) -> Any:
        views = self.page.locator(".gfnb-browser")
        return views.get_by_role("button", name=name, exact=True).locator("visible=true")

    def open(self, id: str) -> None:
        self.interactions += 1
        self.row(id).click()
        self.sees(f"session {id}")

    def type(self, label: str, text: str) -> None:
        self.interactions += 1
        views = self.page.locator(".gfnb-browser")
        boxes = views.get_by_label(label, exact=True).and_(self.page.locator("input, textarea"))
        box = boxes.locator("visible=true").first
        box.fill(text)
        self.page.keyboard.press("Tab")

    def choose(self, label: str, option: str) -> None:
        self.interactions += 1
        choices = self.page.get_by_role("combobox", name=label, exact=True)
        choices.locator("visible=true").first.select_option(label=option)

    def press_at(self, name: str, *, back: bool = False, key: str = "Enter") -> None:
        """Go to a control by Tab alone, or back by Shift+Tab, and press a key there."""
        keyboard = self.page.keyboard
        for _ in range(60):
            if self.focused() == name:
                self.interactions += 1
                return keyboard.press(key)
            keyboard.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"Tab does not lead to {name}")

    def focused(self) -> str:
        """Return the label of what has the focus."""
        label: str = self.page.evaluate(
            "() => { const e = document.activeElement;"
            "return e.tagName === 'TR' ? 'row' : e.labels?.[0]?.innerText || e.innerText }"
        )
        return label.strip()

    def sees(self, text: str | re.Pattern[str], timeout: int = PATIENCE) -> None:
        found = self.page.locator(".gfnb-browser").get_by_text(text).locator("visible=true")
        self.expect(found.first).to_be_visible(timeout=timeout)

    def sees_not(self, text: str) -> None:
        found = self.page.locator(".gfnb-browser").get_by_text(text).locator("visible=true")
        self.expect(found).to_have_count(0)

    def picture(self, name: str, tmp_path: Path, *, screen: bool = False) -> None:
        """Check and take a picture of the browser, or of the whole screen, light and dark.

        What is shown must be accessible. One state is enough to see that it can be checked; a
        complete run has all, and where pictures are kept each is taken at all widths.
        """
        if _taken and not (COMPLETE or PICTURES):
            return
        _taken.add(name)
        folder = Path(PICTURES) if PICTURES else tmp_path
        folder.mkdir(exist_ok=True)
        size = self.page.viewport_size
        view = self.page if screen else self.page.locator(".gfnb-browser").first
        for theme, title in _THEMES.items():
            self._change_theme(title)
            light = str(theme == "light").lower()
            self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")
            self.page.wait_for_function(
                "want => (getComputedStyle(document.body).getPropertyValue('--jp-layout-color1')"
                ".trim() === 'white') === want",
                arg=theme == "light",
            )
            self.page.evaluate(_TWO_FRAMES)
            check_accessible(self.page, f"{name}, {theme}")
            for width in filmstrip.WIDTHS if PICTURES else (size["width"],):
                if PICTURES:
                    self.page.set_viewport_size(size | {"width": width})
                    self.page.evaluate("() => jupyterapp.shell.collapseLeft()")
                    self.page.evaluate(_TWO_FRAMES)
                path = folder / f"{name}-{width}-{theme}.png"
                view.screenshot(path=path)
                assert path.stat().st_size > 5_000
        self.page.set_viewport_size(size)
        self._change_theme(_THEMES["light"])

    def _change_theme(self, title: str) -> None:
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", title
        )


def fill(url: str) -> None:
    """Create the table and save the sample sessions."""

    async def work() -> None:
        await create_table(url, "crate-0.6")
        storage = await g.connect(url)
        for session in reversed(await demo_storage().query(g.Query())):
            await storage.save(session.copy())
        await storage.close()

    run_apart(work())


def cells(url: str, **options: Any) -> list[str]:
    """Return the cells that open a workbench and its browser."""
    return [
        f"import graphflow_nb as g\nwb = g.open({url!r}, **{options!r})",
        "browser = wb.browse()\nbrowser",
    ]


def do_as_peer(url: str, work: Callable[[Any], Any]) -> Any:
    """Do something with a storage of someone else's."""

    async def there() -> Any:
        storage = await g.connect(url)
        try:
            return await work(storage)
        finally:
            await storage.close()

    return run_apart(there())


def stored(url: str, id: str) -> Any:
    """Return the stored session."""
    return do_as_peer(url, lambda storage: storage.get(id))


def change(url: str, id: str, **fields: Any) -> None:
    """Save a session as someone else: fields, and under ``context`` values."""

    async def work(storage: Any) -> None:
        session = await storage.get(id)
        session.context.update(fields.pop("context", {}))
        for name, value in fields.items():
            setattr(session, name, value)
        await storage.save(session)

    do_as_peer(url, work)
