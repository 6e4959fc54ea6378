"""What no other test takes a picture of is accessible; and the check of it finds something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..scope import only_complete
from .accessible import check_accessible
from .person import Person, cells

pytestmark = pytest.mark.timeout(240)


def test_a_button_without_a_name_is_found_where_it_is_ours(chromium: Any):
    page = chromium.new_page()
    try:
        page.set_content("<button></button><div class=gfnb><p>a</p></div>")
        check_accessible(page, "good")
        page.set_content(
            "<div class=gfnb><p style='color: #aaa'>hard to read</p><button></button></div>"
        )
        with pytest.raises(AssertionError, match=r"(?s)wrong:.*button-name.*color-contrast"):
            check_accessible(page, "wrong")
    finally:
        page.close()


@only_complete
def test_what_opens_above_the_list_is_accessible(person: Person, store: str, tmp_path: Path):
    person.run(cells(store, writable=True))
    person.sees("showing 1 to 50 of 120")
    person.rows().nth(1).click()
    person.sees("1 selected")
    # What changes is read out, at a place that was there before.
    live = person.page.locator(".gfnb-browser .gfnb-live[aria-live=polite]")
    assert "1 selected" in "".join(live.all_inner_texts())
    assert person.page.locator(".gfnb-browser .gfnb-live:not([aria-live])").count() == 0
    for name in ("Columns", "Views", "Overview", "Waiting", "Change", "Export"):
        person.click(f"{name}…")
        person.sees_not("Working …")
        person.picture(f"dialog-{name.lower()}", tmp_path)
