"""Parts of the browser that are made when they are first shown."""

from __future__ import annotations

from typing import Any

from ipywidgets.widgets.widget import _instances

import graphflow_nb as g

from .kit import find_button, send, settle


def test_what_is_hidden_is_made_when_it_is_first_shown(wb: g.Workbench):
    before = len(_instances)
    browser: Any = wb.browse()
    settle(browser)
    assert len(_instances) - before < 250
    hidden = [box for box in _find_boxes(browser) if not box.children]
    send(browser.table, "select", [0, 1])
    browser.actions.compare.click()
    for label in ("Create…", "Delete…", "Undo…", "Change…", "Overview…", "Export…", "Waiting…"):
        find_button(browser, label).click()
        (box,) = [box for box in browser.actions.boxes if box.layout.display != "none"]
        assert box.children
        assert box in hidden
    browser.open_session("claim-0014")
    inside = [box for box in _find_boxes(browser) if not box.children and box not in hidden]
    for part in browser.reader.parts.options:
        browser.reader.parts.value = part
    # What is left are the bar of a slow read, and a conflict.
    assert [box for box in hidden if not box.children] == [browser.reading.box]
    assert [box for box in inside if not box.children] == []
    browser.close()
    assert len(_instances) == before


def test_what_was_never_shown_is_closed_too(wb: g.Workbench):
    before = len(_instances)
    browser = wb.browse()
    settle(browser)
    browser.close()
    assert len(_instances) == before


def _find_boxes(widget: Any) -> list[Any]:
    """The hidden boxes in a widget."""
    children = getattr(widget, "children", ())
    own = [widget] if "children" in widget.keys and widget.layout.display == "none" else []
    return own + [box for child in children for box in _find_boxes(child)]
