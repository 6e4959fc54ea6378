"""Fork and comparison on the browser's History page."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from .kit import find_button, said, settle

ID, OTHER = "claim-1", "claim-2"
WAYS = {ID: ("checks", "decide", "review"), OTHER: ("checks", "decide", "payout")}


@pytest.fixture
def wb() -> g.Workbench:
    """Two claims of four versions each, which part after the decision."""
    wb = g.open("memory:")
    wb.install_history()
    for id, way in WAYS.items():
        session = wb.create(id, "intake", graph_id="claims", context={"amount": 1})
        for task in way:
            session.current_task_id = task
            session.context[f"by {task}"] = task
            wb.save(session)
    return wb


def browse_history(wb: g.Workbench, number: int = 4) -> tuple[Browser, Any]:
    browser = wb.browse(session=ID)
    settle(browser)
    browser.reader.parts.value = "History"
    browser.reader.history.slider.value = number
    return browser, browser.reader.history


def test_a_fork_is_stored_after_its_preview_alone(wb: g.Workbench):
    browser, page = browse_history(wb, 2)
    before = wb.get(ID).to_json()
    page.fork.button.click()
    assert page.fork.id.value == "claim-1-fork"
    page.slider.value = 3
    assert "from version 3" in page.fork.title.value
    page.slider.value = 2
    page.fork.confirm.click()
    assert browser.stage.part == "Edit"
    assert "fork of 'claim-1' at version 2, and nothing is stored yet" in said(browser)
    preview = browser.reader.saving.preview_text.value
    assert "checks, decide, review" in preview
    assert "forked_from" in preview
    assert len(wb.sessions()) == 2
    browser.reader.saving.save.click()
    assert "Created 'claim-1-fork'" in said(browser)
    assert browser.calls[-1] == "wb.fork('claim-1', 2, as_id='claim-1-fork')"
    stored = wb.get("claim-1-fork")
    assert stored.context["forked_from"] == {"id": ID, "version": 2}
    assert stored.current_task_id == "checks"
    assert wb.get(ID).to_json() == before
    # The call does the same.
    wb.undo()
    eval(browser.calls[-1], {"wb": wb})
    assert wb.get("claim-1-fork").context == stored.context
    wb.undo()
    assert len(wb.sessions()) == 2


def test_what_is_changed_in_a_fork_is_in_its_call(wb: g.Workbench):
    browser, page = browse_history(wb, 2)
    page.fork.button.click()
    page.fork.confirm.click()
    browser.reader.editor.task.value = "payout"
    browser.reader.saving.preview.click()
    browser.reader.saving.save.click()
    call = browser.calls[-1]
    assert call.startswith("wb.fork('claim-1', 2, as_id='claim-1-fork', changes=[")
    stored = wb.get("claim-1-fork")
    wb.undo()
    eval(call, {"wb": wb})
    assert wb.get("claim-1-fork").current_task_id == stored.current_task_id == "payout"
    assert wb.get("claim-1-fork").context == stored.context


def test_a_fork_that_can_not_be_made_is_refused_where_it_is_asked_for(wb: g.Workbench):
    browser, page = browse_history(wb, 2)
    page.fork.button.click()
    for id, text in (("", "a session needs an id"), (OTHER, "exists already"), (ID, "exists")):
        page.fork.id.value = id
        page.fork.confirm.click()
        assert text in said(browser)
        assert browser.stage.place is page.fork.notice
    browser.reader.parts.value = "Edit"
    browser.reader.editor.status.value = "mine"
    browser.reader.parts.value = "History"
    page.fork.id.value = "new"
    page.fork.confirm.click()
    assert "has changes that are not saved" in said(browser)
    assert browser.desk.draft.get("status_message") == "mine"
    assert len(wb.sessions()) == 2


def test_an_id_that_someone_takes_meanwhile_is_not_overwritten(wb: g.Workbench):
    browser, page = browse_history(wb, 2)
    page.fork.button.click()
    page.fork.confirm.click()
    theirs = g.Session("claim-1-fork", "theirs")
    wb.bridge.run(wb.storage.inner.save(theirs))
    browser.reader.saving.save.click()
    assert "exists already" in said(browser)
    assert wb.get("claim-1-fork").current_task_id == "theirs"


def test_tasks_after_a_delete_are_not_those_of_the_run(wb: g.Workbench):
    wb.delete(ID)
    wb.create(ID, "another")
    assert wb.fork(ID, 2, as_id="x").tasks == ("checks", "decide", "review")
    page = browse_history(wb, 5)[1]
    assert page.fork.button.disabled
    page.slider.value = 4
    assert not page.fork.button.disabled


def test_two_runs_are_put_side_by_side(wb: g.Workbench):
    browser, page = browse_history(wb)
    page.compare.button.click()
    assert page.compare.id.options == (OTHER,)
    page.compare.id.value = OTHER
    page.compare.confirm.click()
    assert browser.calls[-1] == "wb.compare_runs('claim-1', 'claim-2')"
    shown = unescape(page.compare.text.value)
    assert "after decide: claim-1 went to review, claim-2 to payout" in shown
    assert shown.count("<img") == 2  # one for each theme
    expected = eval(browser.calls[-1], {"wb": wb})
    assert page.compare.found.frame["differs"].tolist() == expected.frame["differs"].tolist()
    assert shown[shown.index("<img") :] in unescape(browser.to_html())
    # What is shown is of what was asked for, or gone.
    page.compare.id.value = "nobody"
    page.compare.confirm.click()
    assert "the history has no version of session 'nobody'" in said(browser)
    assert page.compare.text.value == ""
    for id, text in (("", "choose the session"), (ID, "is one run")):
        page.compare.id.value = id
        page.compare.confirm.click()
        assert text in said(browser)
    assert browser.stage.place is page.compare.notice


def test_a_fork_is_compared_with_its_origin(wb: g.Workbench):
    wb.fork(ID, 2, as_id="other")
    browser, page = browse_history(wb)
    page.compare.button.click()
    page.compare.id.value = OTHER
    page.compare.confirm.click()
    browser.open_session("other")
    assert page.compare.found is None, "it is of another session"
    assert page.compare.box.layout.display == "none"
    page.compare.button.click()
    assert page.compare.id.value == ID
    page.compare.close.click()
    assert page.compare.box.layout.display == "none"


def test_a_read_only_store_is_compared_and_not_forked(tmp_path: Path):
    with g.open(f"sqlite:{tmp_path}/s.db", create=True) as wb:
        wb.install_history()
        for id in (ID, OTHER):
            wb.create(id, "intake")
    with g.open(f"sqlite:{tmp_path}/s.db", writable=False) as wb:
        browser, page = browse_history(wb, 1)
        assert find_button(browser, "Fork from this version…") is None
        page.compare.button.click()
        page.compare.id.value = OTHER
        page.compare.confirm.click()
        assert "<img" in page.compare.text.value


def test_without_a_kernel_the_versions_are_shown(wb: g.Workbench):
    browser = wb.browse(session=ID)
    settle(browser)
    html = browser.to_html()
    assert "history of <code>claim-1</code>" in html
    assert all(f'<td class="n">{number}</td>' in html for number in (1, 2, 3, 4))
    assert "Changes since version 3" in html
    browser.reader.parts.value = "History"
    browser.reader.history.slider.value = 2
    assert "Changes since version 1" in browser.to_html()
    for number in range(50):
        session = wb.get(ID)
        session.status_message = f"<b>{number}</b>" * 100
        wb.save(session)
    browser.open_session(ID)
    html = browser.to_html()
    assert "There are older ones." in html
    assert "<b>4" not in html
    assert len(html) < 120_000


def test_without_a_history_the_static_view_has_none():
    browser = g.open("demo").browse(session="claim-0014")
    settle(browser)
    assert "history of" not in browser.to_html()
