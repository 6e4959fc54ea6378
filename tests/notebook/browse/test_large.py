"""The browser on a large table: nothing that reads all of it is done unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from html import unescape

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from ...client.test_asking import FILL
from ...storage.postgres.kit import execute
from .kit import settle, wait_until


@pytest.fixture
def browser(database) -> Iterator[Browser]:
    g.open(database, writable=True).close()  # creates the table
    asyncio.run(execute(database, FILL))
    asyncio.run(execute(database, "CREATE INDEX ON sessions (updated_at, id); ANALYZE sessions"))
    with g.open(database, ask_above_bytes=100_000) as wb:
        browser = wb.browse(page_size=25)
        settle(browser)
        yield browser


def test_a_filter_that_no_index_serves_is_asked_about(browser):
    listing = browser.listing
    assert len(listing.ids()) == 25
    assert browser.anyway.layout.display == "none"
    # A filter on contexts: few rows, so that the look at the first ones does not suffice.
    browser.stage.act(lambda: listing.filter(where={"n": 77}))
    settle(browser)
    assert "Read anyway reads it, and then this kind of read" in unescape(browser.notice.value)
    assert "no index serves its filters" in unescape(browser.notice.value)
    assert browser.anyway.layout.display == ""
    assert listing.ids() == []
    assert "Read anyway" in listing.describe_lack()
    assert listing.describe_page() == "not read"
    browser.stage.poll_once()  # as following does: it reads nothing either
    assert listing.ids() == []
    browser.anyway.click()
    settle(browser)
    assert listing.ids() == ["s77"]
    assert browser.anyway.layout.display == "none"
    browser.stage.act(lambda: listing.filter(where={"n": 78}))
    assert listing.ids() == ["s78"]


def test_an_order_that_no_index_serves_is_asked_about_and_keeps_its_direction(browser):
    browser.stage.act(lambda: browser.listing.sort("created_at"))
    assert "no index serves its order" in unescape(browser.notice.value)
    browser.anyway.click()
    assert browser.listing.order == "-created_at"
    assert len(browser.listing.ids()) == 25
    settle(browser)


def test_the_total_is_counted_exactly_on_demand_and_can_be_stopped(
    browser, database, run, monkeypatch
):
    listing, button = browser.listing, browser.pager.count
    # The server's estimate, where there are more than are counted in any case.
    monkeypatch.setattr("graphflow_nb.storage.estimates.CHEAP", 100)
    browser.actions.reload.click()
    settle(browser)
    assert listing.describe_page() == "showing 1 to 25 of about 600"
    assert (button.layout.display, button.description) == ("", "Count")
    other = run(asyncpg.connect(database))
    run(other.execute("BEGIN; LOCK TABLE sessions"))  # what counts waits
    button.click()
    wait_until(lambda: button.description == "Stop counting")
    button.click()
    wait_until(lambda: button.description == "Count")
    assert listing.describe_page() == "showing 1 to 25 of about 600"
    run(other.close())
    button.click()
    wait_until(lambda: button.layout.display == "none")
    assert listing.describe_page() == "showing 1 to 25 of 600"
