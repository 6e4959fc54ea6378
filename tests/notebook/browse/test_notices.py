"""A notice is shown beside the control that caused it, where a person can see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from .kit import find_button, said, save_theirs, send, settle


@pytest.fixture
def browser(wb: g.Workbench) -> Browser:
    browser = wb.browse(session="claim-0014", page_size=25)
    settle(browser)
    return browser


def visible(widget: Any) -> list[Any]:
    """All that is shown of a widget, from top to bottom."""
    if widget.layout.display == "none":
        return []
    return [widget, *(part for child in getattr(widget, "children", ()) for part in visible(child))]


def set_value_without_a_path(browser: Browser) -> Any:
    browser.reader.parts.value = "Edit"
    browser.reader.editor.value.value = "gold"
    return click(browser.reader.editor.set)


def add_no_message(browser: Browser) -> Any:
    browser.reader.parts.value = "Edit"
    browser.reader.editor.mode.value = "Chat message"
    return click(browser.reader.editor.add)


def preview_nothing(browser: Browser) -> Any:
    browser.reader.parts.value = "Edit"
    return click(browser.reader.saving.preview)


def save_what_is_typed_meanwhile(browser: Browser) -> Any:
    editor = browser.reader.editor
    browser.reader.parts.value = "Edit"
    editor.status.value = "mine"
    browser.reader.saving.preview.click()
    editor.message.value = "not added"
    return click(browser.reader.saving.save)


def merge_without_a_choice(browser: Browser) -> Any:
    editor = browser.reader.editor
    browser.reader.parts.value = "Edit"
    editor.status.value = "mine"
    browser.reader.saving.preview.click()
    save_theirs(browser.wb, "claim-0014", status_message="theirs")
    browser.reader.saving.save.click()
    return click(find_button(browser, "Preview the merged session"))


def create_without_a_task(browser: Browser) -> Any:
    find_button(browser, "Create…").click()
    return click(find_button(browser, "Preview new session"))


def open_a_row_that_is_gone(browser: Browser) -> Any:
    id = browser.listing.ids()[3]
    browser.wb.bridge.run(browser.wb.storage.inner.delete(id))
    send(browser.table, "open", 3)
    return browser.table


def turn_a_page_of_a_broken_store(browser: Browser) -> Any:
    async def table(*_: Any, **__: Any) -> Any:
        raise g.StorageError("the line was cut")

    browser.wb.storage.inner.table = table  # type: ignore[method-assign]
    return click(browser.pager.next)


def filter_by_no_path(browser: Browser) -> Any:
    browser.bar.condition.value = "(1"
    return browser.bar.condition


def click(button: widgets.Button) -> widgets.Button:
    button.click()
    return button


@pytest.mark.parametrize(
    "act",
    [
        set_value_without_a_path,
        add_no_message,
        preview_nothing,
        save_what_is_typed_meanwhile,
        merge_without_a_choice,
        create_without_a_task,
        open_a_row_that_is_gone,
        turn_a_page_of_a_broken_store,
        filter_by_no_path,
    ],
    ids=lambda act: act.__name__.replace("_", " "),
)
def test_an_error_is_beside_its_control(browser: Browser, act: Callable[[Browser], Any]):
    control = act(browser)
    assert said(browser).startswith("Error: ")
    shown = visible(browser)
    places = [place for place in shown if "gfnb-error" in str(getattr(place, "value", ""))]
    assert places == [browser.stage.place]
    assert 'role="alert"' in places[0].value
    # No table, picture or part of the session is between the two, but the table itself.
    first, last = sorted((shown.index(control), shown.index(places[0])))
    between = shown[first + 1 : last]
    assert not [part for part in between if part is browser.table or part is browser.reader.text]
    assert last - first <= 20


def test_what_was_saved_is_said_where_the_session_is_read(browser: Browser):
    editor = browser.reader.editor
    browser.reader.parts.value = "Edit"
    editor.status.value = "mine"
    browser.reader.saving.preview.click()
    browser.reader.saving.save.click()
    assert said(browser) == "Saved 'claim-0014'; Undo… can undo it"
    assert browser.stage.place is browser.opening
    assert browser.stage.place in visible(browser)


def test_what_was_deleted_is_said_where_the_dialog_was(browser: Browser):
    send(browser.table, "select", [0])
    find_button(browser, "Delete…").click()
    browser.actions.delete.get().confirm.click()
    assert "Deleted 1 session" in said(browser)
    assert browser.stage.place is browser.notice
