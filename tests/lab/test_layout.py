"""The browser's layout in a real JupyterLab: what is beside what, widths, and no overflow."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ..scope import only_complete
from .accessible import check_accessible
from .person import Person

pytestmark = pytest.mark.timeout(240)

LONG = "tenant/eu-1/region/north/branch/0017/claims/2026/11/claim-9f1c2"
CELL = f"""import graphflow_nb as g
wb = g.open("demo")
wb.create({LONG!r}, "intake", context={{"customer": {{"tier": "gold"}}}})
browser = wb.browse()
browser"""

#: What is wider than the browser, but for what scrolls inside it.
OVERFLOWING = """() => {
  const view = document.querySelector('.gfnb-browser');
  const edge = view.getBoundingClientRect().right + 1;
  return [...view.querySelectorAll('*')]
    .filter((e) => e.offsetWidth && e.getBoundingClientRect().right > edge)
    .filter((e) => !e.closest('.gfnb-frame') && !e.closest('pre'))
    .map((e) => e.className);
}"""


def box(locator: Any) -> dict[str, float]:
    """Where something is on the screen."""
    found: dict[str, float] = locator.bounding_box()
    return found


@only_complete
def test_the_layout_follows_the_width(person: Person, tmp_path: Any) -> None:
    page = person.page
    page.set_viewport_size({"width": 1440, "height": 900})
    person.run([CELL])
    listed, opened = page.locator(".gfnb-listed"), page.locator(".gfnb-opened")
    person.open("claim-0118")
    reader = page.locator(".gfnb-reader").locator("visible=true")
    assert box(opened)["x"] > box(listed)["x"] + box(listed)["width"], "side by side"
    person.picture("wide", tmp_path)
    for width in (1100, 800, 700):
        page.set_viewport_size({"width": width, "height": 900})
        person.expect(person.button("Overview")).to_be_visible()
        assert box(opened)["y"] >= box(listed)["y"] + box(listed)["height"], "one under the other"
        assert page.evaluate(OVERFLOWING) == []
    person.picture("narrow", tmp_path)

    # What is opened comes into view, though the list fills the screen.
    page.set_viewport_size({"width": 700, "height": 700})
    person.row("claim-0118").scroll_into_view_if_needed()
    person.open("claim-0116")
    person.expect(reader).to_be_in_viewport()

    # So do Preview and Save, under the fields of a long context.
    page.set_viewport_size({"width": 800, "height": 600})
    person.click("Edit")
    person.click("Context as JSON")
    person.expect(person.button("Preview changes")).to_be_in_viewport(ratio=1)
    person.type("Status", "seen")
    person.click("Preview changes")
    person.expect(person.button("Save 1 change")).to_be_in_viewport(ratio=1)
    person.click("Discard changes")

    # Columns are as wide as a person makes them, by key and by mouse.
    page.set_viewport_size({"width": 1440, "height": 900})
    cell = page.get_by_role("columnheader", name="task")
    before = box(cell)["width"]
    cell.get_by_role("button").focus()
    page.keyboard.press("Shift+ArrowRight")
    assert box(cell)["width"] == before + 16
    page.keyboard.press("ArrowRight")
    person.expect(page.get_by_role("button", name="status", exact=True)).to_be_focused()
    # Not under the notebook's toolbar, where the mouse would press that.
    cell.evaluate("cell => cell.scrollIntoView({block: 'center'})")
    edge = box(cell.locator(".gfnb-edge"))
    page.mouse.move(edge["x"] + 4, edge["y"] + 4)
    page.mouse.down()
    page.mouse.move(edge["x"] + 64, edge["y"] + 4, steps=3)
    page.mouse.up()
    assert box(cell)["width"] == before + 76
    person.expect(cell).not_to_have_attribute("aria-sort", re.compile(".*"))
    person.expect(page.get_by_role("columnheader", name="updated")).to_have_attribute(
        "aria-sort", "descending"
    )

    # A long id shows both its ends, and is whole for who copies it or has it read aloud.
    person.type("Find", "9f1c2")
    person.sees("showing 1 to 1 of 1")
    id = person.row(LONG).locator("td").nth(2)
    assert id.inner_text() == LONG
    end = id.locator("span").last
    assert box(end)["x"] + box(end)["width"] <= box(id)["x"] + box(id)["width"]
    person.click("Columns…")
    person.type("Context path", "customer.tier")
    person.expect(page.get_by_role("columnheader", name="customer.tier")).to_be_visible()
    person.expect(person.rows().first.locator("td").last).to_have_text("gold")
    person.type("Filter", "customer.tier = gold")
    person.expect(person.button("customer.tier = gold")).to_be_visible()
    person.click("Views…")
    check_accessible(page, "columns, a condition and the views")
    person.picture("columns", tmp_path)
