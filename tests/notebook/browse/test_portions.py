"""All of a long chat and of a large context can be reached, in portions and by search."""

from __future__ import annotations

import re
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

MESSAGES, ITEMS = 1_000, 950


@pytest.fixture
def browser(wb: g.Workbench) -> Browser:
    session = wb.get("claim-0014")
    for n in range(MESSAGES):
        session.context.add_user_message(f"message <{n}>")
    session.context["list"] = [{"n": n, "name": f"Item {n}"} for n in range(ITEMS)]
    session.context["a.b"] = list(range(120))
    wb.save(session)
    return wb.browse(session="claim-0014")


def shown(browser: Browser) -> list[dict[str, Any]]:
    """The lines that are shown."""
    lines: list[dict[str, Any]] = browser.reader.values.tree.page["lines"]
    return lines


def collect(browser: Browser, field: str) -> list[str]:
    """What is shown of a part at the first level, all portions one after the other."""
    portion, found = browser.reader.portion, []
    while True:
        found += [line[field] for line in shown(browser) if line["level"] == 1]
        if portion.next.disabled:
            return found
        portion.next.click()


def test_every_message_is_reached_newest_first(browser: Browser):
    browser.reader.parts.value = "Chat"
    assert browser.reader.portion.shown.value == "1 to 50 of 1,000 messages, newest first"
    numbers = [int(n) for n in re.findall(r"message <(\d+)>", "".join(collect(browser, "raw")))]
    assert numbers == list(range(MESSAGES))[::-1]
    assert browser.reader.portion.shown.value == "951 to 1,000 of 1,000 messages, newest first"
    browser.reader.portion.previous.click()
    assert browser.reader.portion.shown.value.startswith("901 to 950")


def test_a_message_is_found(browser: Browser):
    browser.reader.parts.value = "Chat"
    browser.reader.portion.find.value = "MESSAGE <77"
    assert browser.reader.portion.shown.value == "1 to 11 of 11 messages, newest first"
    browser.reader.portion.find.value = "nowhere"
    assert browser.reader.portion.shown.value == "0 to 0 of 0 messages, newest first"
    assert shown(browser) == []


@pytest.mark.parametrize(("path", "items"), [("list", ITEMS), ("a.b", 120), ("('a.b',)", 120)])
def test_every_item_of_a_list_is_reached(browser: Browser, path: str, items: int):
    browser.reader.parts.value = "Context"
    assert "… 850 more below list: see Below" in [line.get("more") for line in shown(browser)]
    assert "list" in browser.reader.portion.below.options
    browser.reader.portion.below.value = path
    assert [int(n) for n in collect(browser, "name")] == list(range(items))


def test_a_value_is_found_by_its_path_or_its_text(browser: Browser):
    browser.reader.parts.value = "Context"
    portion = browser.reader.portion
    portion.find.value = "ITEM 949"
    assert portion.shown.value == "1 to 1 of 1 value found"
    assert [line["name"] for line in shown(browser)] == ["list.949.name"]
    portion.find.value = "list.94"
    assert portion.shown.value == "1 to 22 of 22 values found"  # 94, and 940 to 949
    portion.below.value = "items"
    assert portion.shown.value == "0 to 0 of 0 values found"


@pytest.mark.parametrize("path", ["nothing", "amount", "list.9999", "("])
def test_a_path_with_nothing_below_is_an_error_and_no_empty_view(browser: Browser, path: str):
    browser.reader.parts.value = "Context"
    browser.reader.portion.below.value = path
    assert "gfnb-error" in browser.reader.values.problem.value
    browser.reader.portion.below.value = ""
    assert browser.reader.values.problem.value == ""


def test_another_session_or_part_begins_at_its_start(browser: Browser):
    browser.reader.parts.value = "Chat"
    browser.reader.portion.next.click()
    browser.reader.parts.value = "Context"
    assert browser.reader.portion.shown.value.startswith("1 to ")
    browser.reader.portion.find.value = "gold"
    browser.open_session("claim-0004")
    assert browser.reader.portion.find.value == ""
    assert "claim-0004" in browser.reader.title.value
    browser.reader.parts.value = "Overview"
    assert browser.reader.portion.box.layout.display == "none"


def test_messages_that_arrive_are_shown_while_one_reads(browser: Browser):
    browser.reader.parts.value = "Chat"
    browser.reader.portion.find.value = "message"
    session = browser.wb.get("claim-0014")
    session.context.add_user_message("message <new>")
    browser.wb.save(session)
    browser.stage.poll_once()
    assert shown(browser)[0]["raw"] == '"message <new>"'
    assert browser.reader.portion.find.value == "message"
