"""What the tests of the browser share."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser
from graphflow_nb.notebook.browse.listing import Listing
from graphflow_nb.notebook.browse.rowtable import RowTable


class Plain:
    """A storage that has the three coroutines and nothing else."""

    suspends = False

    def __init__(self) -> None:
        inside = g.InMemorySessionStorage()
        self.save, self.get, self.delete = inside.save, inside.get, inside.delete


def started(wb: g.Workbench, page_size: int = 50, order: str | None = None, **filters: Any) -> Any:
    """A listing whose first page was read."""
    listing = Listing(wb, filters, order, page_size)
    listing.start()
    return listing


def save_theirs(wb: g.Workbench, id: str, **fields: Any) -> None:
    """Someone else saves a session: fields, and under ``context`` values."""
    inner = wb.storage.inner
    session = wb.bridge.run(inner.get(id))
    session.context.update(fields.pop("context", {}))
    for name, value in fields.items():
        setattr(session, name, value)
    wb.bridge.run(inner.save(session))


def execute(wb: g.Workbench, text: str) -> None:
    """Run SQL on a PostgreSQL table's storage."""
    inner: Any = wb.storage.inner
    wb.bridge.run(inner.run(lambda c: c.execute(text)))


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within ten seconds")


def settle(browser: Browser) -> None:
    """Wait for what is done and counted behind the view."""
    wait_until(lambda: not browser.stage.working and not browser.stage.counting)


def undo_all(browser: Browser) -> None:
    """Ask for the preview of undoing all, and confirm it."""
    browser.actions.undo.get().all.click()
    browser.actions.undo.get().sure.click()


def said(browser: Browser) -> str:
    """The text of the notice."""
    return unescape(re.sub("<[^>]*>", "", browser.stage.place.value))


def send(table: RowTable, event: str, value: Any) -> None:
    """Do something in a table, as its front end reports it: to rows, by their place on the page."""
    handles = table.page["handles"]
    if event == "open":
        value = handles[value]
    elif event == "select":
        value = [handles[row] for row in value]
    table.receive({"event": event, "value": value})


def find_button(widget: Any, label: str) -> Any:
    """The button with this label, somewhere in a widget."""
    for child in getattr(widget, "children", ()):
        if getattr(child, "description", None) == label and hasattr(child, "click"):
            return child
        found = find_button(child, label)
        if found is not None:
            return found
    return None
