"""How the browser is laid out: what is beside what."""

from __future__ import annotations

import re
from typing import Any

import graphflow_nb as g

from .kit import send, settle


def two(browser: Any) -> bool:
    """Whether the list and what is open are two columns where there is room."""
    return "gfnb-two" in browser.split.get_state()["_dom_classes"]


def test_an_open_session_or_a_comparison_is_beside_the_list(wb: g.Workbench) -> None:
    browser = wb.browse()
    assert not two(browser), "the list has all of the width while nothing is open"
    send(browser.table, "select", [0, 1])
    browser.actions.compare.click()
    assert two(browser)
    browser.comparison.box.children[1].click()
    assert not two(browser)
    send(browser.table, "open", 2)
    assert two(browser)


def test_the_title_names_the_store_and_counts_all_its_sessions(wb: g.Workbench) -> None:
    browser = wb.browse()
    settle(browser)
    assert ">Demo, in memory, 120 sessions</h4>" in browser.heading.value
    browser.bar.text.value = "paid"
    settle(browser)
    assert ">Demo, in memory, 120 sessions</h4>" in browser.heading.value, "not those found"


class Estimating(g.InMemorySessionStorage):
    """A storage that knows about how many sessions it has."""

    suspends = True

    async def estimate(self) -> int:
        return 1_234_567


def test_the_title_of_a_list_that_begins_with_filters_has_the_store_s_estimate() -> None:
    browser = g.wrap(Estimating()).browse(text="paid")
    settle(browser)
    assert ">In memory, about 1.2 million sessions</h4>" in browser.heading.value
    settle(browser := g.open("demo").browse(text="paid"))
    assert ", 120 sessions</h4>" in browser.heading.value


def test_the_title_shows_no_secret_and_says_read_only(database: str) -> None:
    g.open(database, writable=True).close()  # makes the table
    wb = g.open(database)
    browser = wb.browse()
    settle(browser)
    assert re.search(
        "<h4[^>]*>PostgreSQL [a-z0-9_]+ on this machine, read-only, 0 sessions</h4>",
        browser.heading.value,
    )
