"""The history of a session in a real JupyterLab, on a real PostgreSQL, by keyboard and clicks."""

from __future__ import annotations

from pathlib import Path

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
FORK = """\
fork = wb.fork("claim-0014", 2, as_id="claim-0014-b")
session = fork.session
session.current_task_id = "payout"
session.context["approved"] = True
wb.save(session)
fork"""
COMPARE = 'wb.compare_runs("claim-0014", "claim-0014-b")'
TIMELINE = 'wb.timeline(["claim-0014", "claim-0014-b"])'


def keep_history(url: str) -> None:
    """Make the store keep its history, and save versions of one session as a worker does."""

    async def install(storage: g.SessionStorage) -> None:
        await history_of(storage).table.create_trigger(None)  # type: ignore[attr-defined]

    do_as_peer(url, install)
    for task, status, values in STEPS:
        change(url, ID, current_task_id=task, status_message=status, context=values)


@only_complete
def test_an_earlier_version_is_found_by_keyboard_and_restored(
    person: Person, store: str, tmp_path: Path
):
    keep_history(store)
    page = person.page
    page.set_viewport_size({"width": 1280, "height": 800})
    person.run([*cells(store, writable=True), FORK, COMPARE, TIMELINE])
    person.open(ID)
    person.click("History")
    person.sees("of 1 to 3")
    person.sees("/context/data/limit")
    person.sees("amount above the limit <b>of 1,000</b>")
    slider = page.locator(".gfnb-history").get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    person.sees("/context/data/checked")
    person.picture("history", tmp_path, screen=True)
    slider.focus()
    person.sees("wb.diff('claim-0014', 1, 2)")
    page.keyboard.press("Home")
    person.sees("The first version that is kept")
    page.keyboard.press("ArrowRight")
    person.sees("/context/data/checked")
    # Someone saves while a person looks: the slider stays, and has one more.
    person.click("Follow changes")
    change(store, ID, status_message="someone looks at it")
    person.sees("of 1 to 4")
    person.sees("/context/data/checked")
    person.click("Restore as draft")
    person.sees("Version 2 is the draft now")
    assert stored(store, ID).current_task_id == "review", "not before Save"
    person.click("Preview changes")
    person.sees("/current_task_id")
    person.picture("history-preview", tmp_path, screen=True)
    person.click("Save 3 changes")
    person.sees(f"Saved '{ID}'")
    session = stored(store, ID)
    assert (session.current_task_id, session.status_message) == ("decide", "checked")
    assert session.context.get("limit") is None
    person.click("History")
    person.sees("of 1 to 5")

    # What the cells below it show: a fork, two runs compared, and both over time.
    below = page.locator(".jp-OutputArea-output")
    fork = below.filter(has_text="fork of claim-0014 at version 2")
    person.expect(fork).to_be_visible()
    compared = below.filter(has_text="They parted after decide").filter(has_text="to payout")
    person.expect(compared).to_be_visible()
    timeline = below.filter(has_text="sessions over time")
    for name, output in (("compare", compared), ("timeline", timeline)):
        image = output.locator("img")
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        output.scroll_into_view_if_needed()
        page.screenshot(path=tmp_path / f"history-{name}.png")
    assert stored(store, f"{ID}-b").current_task_id == "payout"
