"""A new session: its id, and a preview of all that will be stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from .kit import find_button, settle

MODES = ("Copy of the open session", "From JSON")


def create(browser: Browser, mode: str) -> Any:
    find_button(browser, "Create…").click()
    dialog: Any = browser.actions.create.get()
    dialog.mode.value = mode
    return dialog


@pytest.fixture
def browser(wb: g.Workbench) -> Browser:
    session = wb.get("claim-0014")
    for n in range(3):
        session.context.add_user_message(f"message number {n}")
    wb.save(session)
    browser = wb.browse(session="claim-0014")
    settle(browser)
    return browser


@pytest.mark.parametrize("mode", MODES)
def test_the_preview_has_all_that_will_be_stored(browser: Browser, mode: str):
    session = browser.wb.get("claim-0014")
    dialog = create(browser, mode)
    if mode == "From JSON":
        dialog.json.value = session.copy("other").to_json()
    dialog.confirm.click()
    shown = browser.reader.saving.preview_text.value
    assert "nothing in its context" not in shown
    for key in session.context:
        assert f"<code>{key}</code>" in shown
    for n in range(3):
        assert f"message number {n}" in shown
    assert f"{len(session.context)} keys" in shown
    assert f"{len(session.context.chat_history)} messages" in shown
    browser.reader.saving.save.click()
    stored = browser.wb.get("other" if mode == "From JSON" else "claim-0014-copy")
    assert stored.context == session.context


def test_a_copy_says_what_it_is_a_copy_of(browser: Browser):
    for name in ("claim-0014-copy", "claim-0014-copy-2", "claim-0014-copy-3"):
        browser.open_session("claim-0014")
        dialog = create(browser, MODES[0])
        assert dialog.id.value == name
        dialog.confirm.click()
        browser.reader.saving.save.click()
        assert browser.session is not None
        assert browser.session.id == name
        assert name in browser.listing.ids()


def test_an_id_that_was_typed_stays(browser: Browser):
    dialog = create(browser, "At a task")
    assert UUID(dialog.id.value)
    dialog.id.value = "mine"
    dialog.mode.value = MODES[0]
    assert dialog.id.value == "mine"


def test_the_copy_of_a_uuid_is_a_uuid(wb: g.Workbench):
    id = str(uuid4())
    wb.create(id, "intake")
    browser = wb.browse(session=id)
    dialog = create(browser, MODES[0])
    assert UUID(dialog.id.value) != UUID(id)
