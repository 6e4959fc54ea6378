"""The history of a session in a real JupyterLab, on a real PostgreSQL, by keyboard and clicks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.history import history_of

from ..scope import only_complete
from .person import Person, cells, change, do_as_peer, stored

pytestmark = pytest.mark.timeout(240)

ID = "claim-0014"
#: What a worker saves, one after the other, while the store keeps the history.
STEPS = (
    ("checks", "documents are there", {"documents": ["invoice.pdf"]}),
    ("decide", "checked", {"checked": True}),
    ("review", "amount above the limit <b>of 1,000</b>", {"limit": 1_000}),
)
TIMELINE = 'wb.timeline("claim-0014")'
FORK = f"{ID}-fork"


def keep_history(url: str) -> None:
    """Make the store keep its history, and save versions of one session as a worker does."""

    async def install(storage: g.SessionStorage) -> None:
        await history_of(storage).table.create_trigger(None)  # type: ignore[attr-defined]

    do_as_peer(url, install)
    for task, status, values in STEPS:
        change(url, ID, current_task_id=task, status_message=status, context=values)


@only_complete
def test_an_earlier_version_is_found_restored_and_forked_and_two_runs_are_compared(
    person: Person, store: str, tmp_path: Path
):
    keep_history(store)
    page = person.page
    page.set_viewport_size({"width": 1440, "height": 900})
    person.run([*cells(store, writable=True), TIMELINE])
    person.open(ID)
    person.click("History")
    person.sees("of 1 to 3")
    person.sees(re.compile("^limit$"))
    person.sees("amount above the limit <b>of 1,000</b>")
    slider = page.locator(".gfnb-history").get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    person.sees(re.compile("^checked$"))
    person.picture("history", tmp_path, screen=True)
    slider.focus()
    person.sees("wb.diff('claim-0014', 1, 2)")
    page.keyboard.press("Home")
    person.sees("The first version that is kept")
    page.keyboard.press("ArrowRight")
    person.sees(re.compile("^checked$"))
    # Someone saves while a person looks: the slider stays, and has one more.
    person.click("Follow changes")
    change(store, ID, status_message="someone looks at it")
    person.sees("of 1 to 4")
    person.sees(re.compile("^checked$"))
    restore(person, store, tmp_path)
    fork_and_compare(person, store, tmp_path)
    timeline = page.locator(".jp-OutputArea-output").filter(has_text="sessions over time")
    assert_image_is_shown(timeline)


def restore(person: Person, store: str, tmp_path: Path) -> None:
    """Save version 2, which is looked at, again."""
    person.click("Restore as draft")
    person.sees("Version 2 is the draft now")
    assert stored(store, ID).current_task_id == "review", "not before Save"
    person.click("Preview changes")
    person.sees("the field current_task_id")
    person.picture("history-preview", tmp_path, screen=True)
    person.click("Save 3 changes")
    person.sees(f"Saved '{ID}'")
    session = stored(store, ID)
    assert (session.current_task_id, session.status_message) == ("decide", "checked")
    assert session.context.get("limit") is None
    person.click("History")
    person.sees("of 1 to 5")


def fork_and_compare(person: Person, store: str, tmp_path: Path) -> None:
    """Begin another session at version 2, send it another way, and put both runs side by side."""
    page = person.page
    before = stored(store, ID).to_json()
    person.click("Fork from this version…")
    person.sees(f"Fork {ID} from version 2")
    person.picture("history-fork", tmp_path, screen=True)
    person.click("Preview fork")
    person.sees("decide, review")  # which may run again
    assert stored(store, FORK) is None, "not before it is confirmed"
    person.picture("history-fork-preview", tmp_path, screen=True)
    task = page.locator(".gfnb-reader").get_by_role("combobox", name="Task", exact=True)
    task.locator("visible=true").fill("payout")
    page.keyboard.press("Tab")
    person.click("Preview changes")
    person.click("Create this session")
    person.sees(f"Created '{FORK}'")
    forked = stored(store, FORK)
    assert (forked.current_task_id, forked.context["forked_from"]["id"]) == ("payout", ID)
    assert stored(store, ID).to_json() == before

    person.click("History")
    person.click("Compare with…")  # which offers what it is a fork of
    person.click("Compare runs")
    found = page.locator(".gfnb-browser .gfnb-text").filter(has_text="They parted")
    person.expect(found).to_be_visible()
    assert_image_is_shown(found)
    found.scroll_into_view_if_needed()
    person.picture("history-compare", tmp_path, screen=True)


def assert_image_is_shown(output: Any) -> None:
    image = output.locator("img").locator("visible=true")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
