"""How the browser is laid out: what is beside what."""

from __future__ import annotations

from typing import Any

import graphflow_nb as g

from .kit import send


def two(browser: Any) -> bool:
    """Whether the list and what is open are two columns where there is room."""
    return "gfnb-two" in browser.split.get_state()["_dom_classes"]


def test_an_open_session_or_a_comparison_is_beside_the_list(wb: g.Workbench) -> None:
    browser = wb.browse()
    assert not two(browser), "the list has all of the width while nothing is open"
    send(browser.table, "select", [0, 1])
    browser.compare.click()
    assert two(browser)
    browser.comparison.box.children[1].click()
    assert not two(browser)
    send(browser.table, "open", 2)
    assert two(browser)
