"""That the check of accessibility finds something."""

from __future__ import annotations

from typing import Any

import pytest

from .accessible import check_accessible


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
