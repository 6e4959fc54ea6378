"""The overview in the browser has the numbers of ``wb.overview()``, and a click lists them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from html import unescape
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import overviewbox
from graphflow_nb.storage.estimates import read_counts
from graphflow_nb.storage.overview import PlaceCount

from .kit import Plain, find_button, said, send, settle


def open_box(browser: Any) -> Any:
    find_button(browser, "Overview…").click()
    return browser.actions.overview.get()


def test_a_click_on_a_bar_lists_its_sessions(wb: g.Workbench):
    overview = wb.overview()
    browser: Any = wb.browse(text="claim", page_size=100)
    box = open_box(browser)
    for answer in overview.answers:
        assert answer in unescape(box.about.value)
    rows = box.tasks.page["rows"]
    assert [row[:2] for row in rows[:2]] == [["claims", "payout"], ["support", "await_customer"]]
    assert [row[2] for row in rows[:2]] == [["57", "57", 1.0], ["28", "28", 28 / 57]]
    send(box.tasks, "open", 1)
    settle(browser)
    assert len(browser.listing.ids()) == 28, "and not those of them that the filter leaves"
    assert browser.calls[-1] == "wb.sessions(graph='support', task='await_customer')"
    assert box.stuck.page["rows"][0] == [
        *("support", "await_customer", ["6", "6", 1.0], "6 h", "20 min")
    ]
    send(box.stuck, "open", 0)
    settle(browser)
    assert len(browser.listing.ids()) == 6
    call = "wb.stuck('6 h', graph='support', task='await_customer')"
    assert browser.calls[-1] == call
    assert len(wb.stuck("6 h", graph="support", task="await_customer")) == 6
    send(box.graphs, "open", 0)
    settle(browser)
    assert browser.listing.filters == {"graph": box.graphs.page["rows"][0][0]}
    browser.close()


def test_numbers_of_a_part_are_said_to_be_about(
    wb: g.Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_part(storage: Any, now: datetime) -> Any:
        counts = await read_counts(storage, now)
        places: Counter[tuple[str, str]] = Counter()
        for place in counts.places:
            places[place[:2]] += place.sessions
        young = [PlaceCount(*place, 0, sessions) for place, sessions in places.items()]
        return replace(counts, share=0.01, places=young)

    monkeypatch.setattr(overviewbox, "read_counts", read_part)
    browser: Any = wb.browse()
    box = open_box(browser)
    assert [row[2] for row in box.tasks.page["rows"][:2]] == [
        ["about 5,700", "about 5,700", 1.0],
        ["about 2,800", "about 2,800", 28 / 57],
    ]
    assert box.stuck.page["empty"] == "None is stuck in the part that was read."
    browser.close()


def test_a_store_that_is_empty_or_cannot_count_says_so():
    with g.open("memory:") as empty:
        browser: Any = empty.browse()
        assert "there is no session" in open_box(browser).about.value
        browser.close()
    browser = g.wrap(Plain()).browse()
    open_box(browser)
    assert "Error: " in said(browser)
    browser.close()
