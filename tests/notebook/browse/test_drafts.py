"""No way to lose a draft without a question: each action that could drop one is tried."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from .kit import find_button, said, save_theirs, send, settle

ID = "claim-0014"
NOT_SAVED = f"session {ID!r} has changes that are not saved: save or discard them first"


@pytest.fixture
def browser(wb: g.Workbench) -> Iterator[Browser]:
    """A browser whose open session has been written, and has a draft now."""
    wb.patch(ID, [{"op": "replace", "path": "/status_message", "value": "by hand"}])
    browser = wb.browse(session=ID)
    settle(browser)
    browser.reader.parts.value = "Edit"
    browser.reader.editor.status.value = "typed"
    yield browser
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        browser.close()


def test_a_field_can_be_typed_into_when_it_is_filled(wb):
    wb.patch(ID, [{"op": "replace", "path": "/status_message", "value": "by hand"}])
    browser = wb.browse(session=ID)
    settle(browser)
    editor, seen = browser.reader.editor, []

    def look(change: Any) -> None:
        if change["new"] != "none":
            seen.append((editor.status.value, editor.task.value, editor.json.value != ""))

    editor.box.layout.observe(look, "display")
    browser.reader.parts.value = "Edit"
    assert seen == [("by hand", wb.get(ID).current_task_id, True)]
    browser.close()


def is_kept(browser: Browser) -> bool:
    """Whether the draft is there, and in the fields."""
    draft, typed = browser.desk.draft, browser.reader.editor.status.value
    return draft is not None and draft.get("status_message") == typed == "typed"


def row_of(browser: Browser, id: str) -> int:
    return browser.listing.ids().index(id)


def create(mode: str) -> Callable[[Browser], None]:
    def act(browser: Browser) -> None:
        find_button(browser, "Create…").click()
        dialog: Any = browser.actions.create.get()
        dialog.mode.value = mode
        dialog.task.value = "intake"
        dialog.json.value = browser.wb.get("claim-0118").to_json()
        dialog.confirm.click()

    return act


def undo(browser: Browser) -> None:
    find_button(browser, "Undo…").click()
    send(browser.actions.undo.get().table, "select", [0])
    find_button(browser, "Undo selected").click()


def undo_all(browser: Browser) -> None:
    find_button(browser, "Undo…").click()
    browser.actions.undo.get().all.click()
    browser.actions.undo.get().sure.click()
    settle(browser)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(undo, id="undo"),
        pytest.param(undo_all, id="undo all"),
        pytest.param(lambda browser: browser.open_session(ID), id="open it again"),
        pytest.param(lambda browser: browser.open_session("claim-0118"), id="open another"),
        pytest.param(
            lambda browser: send(browser.table, "open", row_of(browser, "claim-0118")),
            id="click on another",
        ),
        pytest.param(create("At a task"), id="create at a task"),
        pytest.param(create("Copy of the open session"), id="copy"),
        pytest.param(create("From JSON"), id="create from JSON"),
    ],
)
def test_the_question_is_asked(browser, act):
    before = browser.wb.get(ID).to_json()
    act(browser)
    assert NOT_SAVED in said(browser)
    assert is_kept(browser)
    assert browser.wb.get(ID).to_json() == before


def test_a_click_on_the_row_of_the_draft_shows_it(browser):
    send(browser.table, "open", row_of(browser, ID))
    assert said(browser) == ""
    assert is_kept(browser)


def test_a_row_that_is_not_opened_is_not_selected(browser):
    send(browser.table, "select", [row_of(browser, ID)])
    mine, other = (browser.table.page["handles"][row_of(browser, id)] for id in (ID, "claim-0118"))
    # Its front end has painted the other row already, and waits for the answer to that.
    browser.table.receive({"event": "open", "value": other, "stamp": 7})
    assert NOT_SAVED in said(browser)
    assert browser.table.selection == {"handles": [mine], "stamp": 7}
    browser.desk.discard()
    browser.table.receive({"event": "open", "value": other, "stamp": 8})
    assert browser.table.selection == {"handles": [other], "stamp": 8}


def test_deleting_it_says_that_the_draft_is_dropped(browser):
    send(browser.table, "select", [row_of(browser, ID), row_of(browser, "claim-0118")])
    find_button(browser, "Delete…").click()
    dialog = browser.actions.delete.get()
    assert f"{ID!r} is open and has changes that are not saved" in unescape(dialog.text.value)
    dialog.cancel.click()
    assert is_kept(browser)
    find_button(browser, "Delete…").click()
    dialog.number.value = "2"
    # A worker saves it at this moment, so it is not deleted: nor is the draft.
    save_theirs(browser.wb, ID, context={"theirs": 1})
    dialog.confirm.click()
    assert "Deleted 1 of 2 sessions; left alone, since others changed or deleted them after " in (
        said(browser)
    )
    assert is_kept(browser)
    browser.actions.reload.click()
    find_button(browser, "Delete…").click()
    dialog.confirm.click()
    assert "Deleted 1 session" in said(browser)
    assert browser.desk.draft is None


def test_a_draft_that_begins_after_the_dialog_was_shown_is_asked_for(browser):
    browser.reader.saving.discard.click()
    send(browser.table, "select", [row_of(browser, ID)])
    find_button(browser, "Delete…").click()
    browser.desk.edit().set("status_message", "typed")  # by a cell, which shows nothing
    browser.actions.delete.get().confirm.click()
    assert "has changes by now that are not saved; nothing was deleted" in said(browser)
    assert browser.wb.get(ID)
    assert "not saved" in browser.actions.delete.get().text.value
    browser.actions.delete.get().confirm.click()
    assert "Deleted 1 session" in said(browser)


@pytest.mark.parametrize(
    "act",
    [
        lambda browser: browser.wb.undo(),
        lambda browser: browser.wb.undo_all(),
        lambda browser: browser.wb.delete(ID),
        lambda browser: save_theirs(browser.wb, ID, status_message="theirs"),
    ],
    ids=["undo", "undo_all", "delete", "save"],
)
def test_what_cells_and_others_do_to_it_keeps_the_draft(browser, act):
    act(browser)
    other = browser.wb.browse()
    settle(other)
    for show in (browser.stage.poll_once, browser.actions.reload.click, other.actions.reload.click):
        show()
        assert is_kept(browser)
    assert browser.desk.newer is not None
    other.close()
    browser.reader.saving.preview.click()
    browser.reader.saving.save.click()
    assert browser.desk.conflict is not None or browser.desk.deleted_meanwhile
    browser.open_session("claim-0118")
    assert NOT_SAVED in said(browser)


def test_looking_around_keeps_the_draft(browser):
    bar, pager = browser.bar, browser.pager
    bar.graph.value = "support"
    bar.text.value = "nothing has this text"
    bar.clear.click()
    for button in (pager.next, pager.previous, browser.actions.reload):
        button.click()
    pager.size.value = 25
    send(browser.table, "sort", "id")
    send(browser.table, "select", [0, 1])
    browser.actions.compare.click()
    for name in ("Create…", "Delete…", "Undo…"):
        find_button(browser, name).click()
    for part in ("Overview", "Context", "Chat", "JSON", "Edit"):
        browser.reader.parts.value = part
    browser.follow.value = True
    browser.follow.value = False
    assert is_kept(browser)


def type_value(editor: Any) -> None:
    editor.path.value = "policy_number"
    editor.value.value = "12"


def type_message(editor: Any) -> None:
    editor.mode.value = "Chat message"
    editor.message.value = "hello"


def type_json(editor: Any) -> None:
    editor.mode.value = "Context as JSON"
    editor.json.value = "{"


@pytest.mark.parametrize("act", [type_value, type_message, type_json])
def test_what_was_typed_and_not_set_is_a_change_too(wb, act):
    browser = wb.browse(session=ID)
    browser.reader.parts.value = "Edit"
    editor = browser.reader.editor
    act(editor)
    typed = editor.value.value, editor.message.value, editor.json.value
    browser.open_session("claim-0118")
    assert NOT_SAVED in said(browser)
    assert browser.session.id == ID
    assert (editor.value.value, editor.message.value, editor.json.value) == typed
    browser.reader.saving.discard.click()
    browser.open_session("claim-0118")
    assert browser.session.id == "claim-0118"
    browser.close()


@pytest.mark.parametrize("act", [type_value, type_message])
def test_what_was_typed_after_the_preview_is_not_lost_by_saving(browser, act):
    editor = browser.reader.editor
    browser.reader.saving.preview.click()
    act(editor)
    typed = editor.value.value, editor.message.value
    browser.reader.saving.save.click()
    assert "is not in the draft yet" in said(browser)
    assert (editor.value.value, editor.message.value) == typed
    assert browser.wb.get(ID).status_message == "by hand"


def test_a_value_that_was_typed_is_not_replaced_by_looking_at_a_path(browser):
    editor = browser.reader.editor
    editor.path.value = "policy_number"
    stored = editor.value.value
    editor.path.value = "customer"
    assert editor.value.value not in ("", stored)
    editor.value.value = "typed by hand"
    editor.path.value = "policy_number"
    assert editor.value.value == "typed by hand"


def test_a_new_session_is_not_dropped_by_a_click_on_a_row_with_its_id(wb):
    browser = wb.browse()
    browser.desk.draft_new("claim-0118", "intake", "claims")
    browser.stage.show_part("Edit")
    send(browser.table, "open", row_of(browser, "claim-0118"))
    assert "session 'claim-0118' has changes that are not saved" in said(browser)
    assert browser.desk.new


def test_a_merge_that_was_begun_is_not_dropped(wb):
    wb.patch(ID, [{"op": "replace", "path": "/status_message", "value": "by hand"}])
    save_theirs(wb, ID, status_message="theirs")
    browser = wb.browse()
    undo(browser)
    assert browser.desk.conflict is not None
    browser.open_session("claim-0118")
    assert NOT_SAVED in said(browser)
    assert browser.desk.conflict is not None
    find_button(browser, "Drop my changes").click()
    browser.open_session("claim-0118")
    assert browser.session.id == "claim-0118"


def test_closing_the_view_keeps_the_draft_and_says_where(browser):
    with pytest.warns(UserWarning, match=r"browser\.desk\.draft"):
        browser.close()
    browser.wb.save(browser.desk.draft.session())
    assert browser.wb.get(ID).status_message == "typed"
