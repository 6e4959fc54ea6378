"""What is done to all selected sessions: changed, undone and redone as one, exported."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from .kit import find_button, said, save_theirs, send, settle

STATUS = "seen by hand"


@pytest.fixture
def browser(wb: g.Workbench) -> Browser:
    browser = wb.browse(graph="claims", task="await_documents")
    settle(browser)
    return browser


def ask(browser: Browser, field: str, value: str, rows: list[int]) -> Any:
    """Ask for the preview of a change of these rows."""
    send(browser.table, "select", rows)
    find_button(browser, "Change…").click()
    dialog = browser.actions.change.get()
    dialog.field.value, dialog.value.value = field, value
    dialog.preview.click()
    return dialog


def statuses(browser: Browser) -> list[str | None]:
    return [browser.wb.get(id).status_message for id in browser.listing.ids()]


def test_each_is_previewed_changed_undone_together_and_redone(browser: Browser):
    before = statuses(browser)
    ids = browser.listing.ids()
    dialog = ask(browser, "Status", STATUS, [0, 1, 2])
    shown = unescape(dialog.text.value)
    assert all(id in shown for id in ids[:3])
    assert "waiting for documents" in shown
    assert statuses(browser) == before, "not before it is confirmed"
    find_button(browser, "Change 3 sessions").click()
    settle(browser)
    assert said(browser) == "Changed 3 sessions; Undo… can undo it, together"
    changed = [browser.wb.get(id).status_message for id in ids[:3]]
    assert changed == [STATUS] * 3
    assert browser.calls[-1].startswith("for id, version in {")
    compile(browser.calls[-1], "cell", "exec")

    find_button(browser, "Undo…").click()
    find_button(browser, "Undo last change of 3 sessions…").click()
    assert "the field status_<wbr>message" in browser.actions.undo.get().preview.value
    find_button(browser, "Undo 3 writes").click()
    settle(browser)
    assert [browser.wb.get(id).status_message for id in ids] == before
    find_button(browser, "Redo 3 writes…").click()
    assert "changed again, 3 sessions" in browser.actions.undo.get().preview.value
    find_button(browser, "Redo 3 writes").click()
    settle(browser)
    assert said(browser) == "Redone: 3 writes"
    assert [browser.wb.get(id).status_message for id in ids[:3]] == [STATUS] * 3
    assert find_button(browser, "Undo last change of 3 sessions…") is not None


def test_what_others_changed_and_what_is_refused_is_left_alone_and_said(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    ids = browser.listing.ids()
    save = browser.wb.save

    def refuse(session: g.Session) -> None:
        if session.id == ids[1]:
            raise g.StorageError("the trigger said no")
        save(session)

    dialog = ask(browser, "Task", "payout", [0, 1, 2])
    save_theirs(browser.wb, ids[0], status_message="theirs")
    monkeypatch.setattr(browser.wb, "save", refuse)
    dialog.confirm.click()
    settle(browser)
    text = said(browser)
    assert text.startswith("Note: Changed 1 of 3 sessions; left alone, since others changed or ")
    assert repr(ids[0]) in text
    assert f"refused: {ids[1]!r}. {ids[1]!r}: the trigger said no" in text
    tasks = [browser.wb.get(id).current_task_id for id in ids[:3]]
    assert tasks == ["await_documents", "await_documents", "payout"]


def test_what_cannot_be_changed_is_said_before(browser: Browser):
    ask(browser, "Task", "", [0])
    assert "type the task first" in said(browser)
    ask(browser, "Task", "await_documents", [0, 1])
    assert "nothing would change: the task is so already" in said(browser)
    id = browser.listing.ids()[0]
    browser.open_session(id)
    browser.desk.edit().set("status_message", "typed")
    ask(browser, "Status", "x", [0, 1])
    assert f"{id!r} is open and has changes that are not saved" in said(browser)
    dialog = ask(browser, "Status", "y", [1])
    dialog.value.value = "z"  # the preview is of another value
    dialog.confirm.click()
    assert "preview the changes first" in said(browser)


def test_the_selected_are_exported(browser: Browser, tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sessions.jsonl").write_text("precious")
    send(browser.table, "select", [0, 1])
    find_button(browser, "Export…").click()
    dialog: Any = browser.actions.export.get()
    assert dialog.path.value == "sessions-2.jsonl"
    dialog.form.value = "CSV"
    assert dialog.path.value == "sessions-2.csv"
    dialog.form.value = "JSON lines"
    dialog.path.value = "sessions.jsonl"
    find_button(browser, "Export 2 sessions").click()
    assert "exists and is not replaced" in said(browser)
    dialog.path.value = "mine.jsonl"
    find_button(browser, "Export 2 sessions").click()
    assert said(browser).startswith("Wrote 2 sessions in mine.jsonl")
    lines = (tmp_path / "mine.jsonl").read_text().splitlines()
    assert [g.Session.from_json(line).id for line in lines] == sorted(browser.listing.ids()[:2])
    assert browser.calls[-1].startswith("wb.export('mine.jsonl', ['claim-")


@pytest.mark.parametrize("order", [None, "id"])
def test_a_copy_stays_in_view_and_why_it_would_be_hidden_is_said(wb: g.Workbench, order: Any):
    browser = wb.browse(graph="claims", session="claim-0014", order=order, page_size=25)
    settle(browser)
    find_button(browser, "Copy…").click()
    assert browser.actions.create.get().id.value == "claim-0014-copy"
    find_button(browser, "Preview new session").click()
    find_button(browser, "Create this session").click()
    assert browser.session.id == "claim-0014-copy"
    assert browser.listing.selected == ["claim-0014-copy"]
    assert "claim-0014-copy" in browser.listing.ids()
    # Where the filters would hide it.
    browser.listing.filter(text="no such text")
    find_button(browser, "Copy…").click()
    assert browser.actions.create.get().id.value == "claim-0014-copy-copy"
    find_button(browser, "Preview new session").click()
    find_button(browser, "Create this session").click()
    assert "The filters would hide it" in said(browser)
    assert browser.listing.ids() == ["claim-0014-copy-copy"]


def test_a_store_that_takes_no_more_is_not_asked_for_each(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    save = browser.wb.save

    def full(session: g.Session) -> None:
        asked.append(session.id)
        if len(asked) > 1:
            raise g.StorageFull("there is no room", nothing_written=True)
        save(session)

    monkeypatch.setattr(browser.wb, "save", full)
    ask(browser, "Status", STATUS, [0, 1, 2, 3])
    find_button(browser, "Change 4 sessions").click()
    settle(browser)
    assert len(asked) == 2
    text = said(browser)
    assert "Changed 1 of 4 sessions" in text
    assert "there is no room; not tried: 2 sessions" in text
