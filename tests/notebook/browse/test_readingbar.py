"""A page that takes long to be read is shown with its time, and can be stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ipywidgets import HTML

import graphflow_nb as g
from graphflow_nb.notebook import reading
from graphflow_nb.notebook.browse import Browser

from ...interrupts import interrupted_when
from .kit import find_button, said, settle, wait_until


class Slow(g.InMemorySessionStorage):
    """Searches for a text until it is cancelled."""

    suspends = True

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.ended: list[str] = []

    async def table(self, query: Any, context: Any = ()) -> Any:
        if query.text is not None:
            self.began.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.append("in the store")
        return await super().table(query, context)


@pytest.fixture
def storage() -> Slow:
    return Slow()


@pytest.fixture
def browser(storage: Slow, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setattr(reading, "SHOW_SECONDS", 0)
    with g.wrap(storage) as wb:
        for n in range(3):
            wb.create(f"s{n}", "t")
        browser = wb.browse(order="id")
        settle(browser)
        yield browser


def test_a_search_of_a_person_shows_its_time_and_is_stopped(browser: Browser, storage: Slow):
    reading, shown = browser.reading, []

    def click() -> None:
        wait_until(lambda: reading.box.layout.display == "")
        shown.append(next(c.value for c in reading.bar.box.children if isinstance(c, HTML)))
        find_button(reading.box, "Stop").click()

    for _ in range(2):  # the button works again
        threading.Thread(target=click).start()
        browser.bar.text.value = "nowhere"
        assert "Reading was stopped, in the store too" in said(browser)
        assert reading.box.layout.display == "none"
        assert browser.listing.ids() == ["s0", "s1", "s2"]
        assert browser.listing.filters == {}
        assert browser.listing.call == "wb.sessions(order='id', limit=50)"
    assert storage.ended == ["in the store"] * 2
    assert all(text.startswith("reading: ") for text in shown)


def test_an_interrupt_stops_it_too(browser: Browser, storage: Slow):
    with interrupted_when(storage.began):
        browser.bar.text.value = "nowhere"
    assert "Reading was stopped, in the store too" in said(browser)
    wait_until(lambda: storage.ended == ["in the store"])
    assert browser.listing.ids() == ["s0", "s1", "s2"]
