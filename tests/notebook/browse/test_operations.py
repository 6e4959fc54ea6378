"""What each click costs: the operations that it causes, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from .kit import Plain, find_button, save_theirs, send, settle, undo_all

#: What is counted on a thread behind the view, after what may change the totals: of a large store
#: it would be a part.
COUNTED = ["estimate (background)", "counts (background)"]


@pytest.fixture
def browser(wb: g.Workbench) -> Iterator[Browser]:
    browser = wb.browse()
    settle(browser)
    yield browser
    browser.close()


@contextmanager
def operations(browser: Browser) -> Iterator[list[str]]:
    """The operations inside, each with its origin if that is not the user."""
    settle(browser)
    before = len(browser.wb.latency.frame(background=True))
    found: list[str] = []
    yield found
    settle(browser)
    frame = browser.wb.latency.frame(background=True)[before:]
    found += [
        op if origin == "user" else f"{op} ({origin})"
        for op, origin in zip(frame["op"], frame["origin"], strict=True)
    ]


def edit(browser: Browser, status: str) -> None:
    """Type a status into the open session's editor, and preview it."""
    browser.reader.parts.value = "Edit"
    browser.reader.editor.status.value = status
    browser.reader.saving.preview.click()


def open_row(browser: Browser, row: int = 0) -> None:
    send(browser.table, "open", row)


def test_the_first_page(wb):
    browser = wb.browse()
    with operations(browser):
        pass
    frame = wb.latency.frame(background=True)
    assert frame["op"].tolist() == ["table", "estimate", "counts", "query"], "suggestions last"
    assert frame["origin"].tolist() == ["user", *["background"] * 3]


def test_open(browser):
    with operations(browser) as found:
        open_row(browser)
    assert found == ["get"]
    with operations(browser) as found:
        browser.open_session("claim-0014")
    assert found == ["get"]


def test_turning_to_the_parts_of_a_session_and_editing_reads_nothing(browser):
    open_row(browser)
    with operations(browser) as found:
        for part in ("Context", "Chat", "JSON", "Overview"):
            browser.reader.parts.value = part
        edit(browser, "typed")
        browser.reader.saving.discard.click()
    assert found == []


def test_save_an_edit(browser):
    open_row(browser)
    edit(browser, "mended")
    with operations(browser) as found:
        browser.reader.saving.save.click()
    # The patch reads and saves; what is stored then is read to be shown, and so is the page.
    assert found == ["get (journal)", "save", "get", "table", *COUNTED]


def test_save_an_edit_of_what_others_changed(browser):
    open_row(browser)
    edit(browser, "mine")
    save_theirs(browser.wb, browser.session.id, context={"theirs": 1})
    with operations(browser) as found:
        browser.reader.saving.save.click()
    assert found == ["get (journal)", "save"]
    assert browser.desk.conflict is not None
    with operations(browser) as found:
        find_button(browser, "Preview the merged session").click()
    assert found == []
    with operations(browser) as found:
        browser.reader.saving.save.click()
    assert found == ["get (journal)", "save", "get", "table", *COUNTED]


def test_create(browser):
    with operations(browser) as found:
        find_button(browser, "Create…").click()
        browser.actions.create.get().task.value = "intake"
        find_button(browser, "Preview new session").click()
    assert found == []
    with operations(browser) as found:
        browser.reader.saving.save.click()
    assert found == ["get (journal)", "save", "get", "table", *COUNTED]


@pytest.mark.parametrize("count", [1, 3])
def test_delete(browser, count):
    send(browser.table, "select", list(range(count)))
    with operations(browser) as found:
        find_button(browser, "Delete…").click()
        browser.actions.delete.get().number.value = str(count)
    assert found == []
    with operations(browser) as found:
        browser.actions.delete.get().confirm.click()
    # Read to be compared with what was shown, and again to be noted.
    assert found == [*["query (journal)"] * 2, "delete_unchanged", "table", *COUNTED]
    assert len(browser.wb.journal) == count


def written(browser: Browser, id: str) -> None:
    """Write one session by hand."""
    changes = [{"op": "replace", "path": "/status_message", "value": "by hand"}]
    browser.wb.patch(id, changes)


def test_undo_one(browser):
    written(browser, "claim-0014")
    with operations(browser) as found:
        find_button(browser, "Undo…").click()
        send(browser.actions.undo.get().table, "select", [0])
    assert found == []
    with operations(browser) as found:
        find_button(browser, "Undo selected").click()
    assert found == ["get (journal)", "save", "table", *COUNTED]


def test_undo_several_of_the_open_session_reads_it_once(browser):
    for status in ("one", "two", "three"):
        browser.open_session("claim-0014")
        edit(browser, status)
        browser.reader.saving.save.click()
    find_button(browser, "Undo…").click()
    send(browser.actions.undo.get().table, "select", [0, 1, 2])
    with operations(browser) as found:
        find_button(browser, "Undo selected").click()
    assert found == [*(["get (journal)", "save"] * 3), "get", "table", *COUNTED]
    assert browser.session.status_message == g.open("demo").get("claim-0014").status_message


def test_undo_a_creation(browser):
    browser.wb.create("new", "t")
    browser.open_session("new")
    find_button(browser, "Undo…").click()
    send(browser.actions.undo.get().table, "select", [0])
    with operations(browser) as found:
        find_button(browser, "Undo selected").click()
    assert found == ["get (journal)", "delete_unchanged", "table", *COUNTED]
    assert browser.session is None


def test_undo_all(browser):
    written(browser, "claim-0014")
    browser.wb.delete("claim-0118")
    browser.open_session("claim-0014")
    find_button(browser, "Undo…").click()
    with operations(browser) as found:
        undo_all(browser)
    shown = ["table (background)", "get (background)"]
    assert found == ["query (journal)", "restore", "save", *shown, *COUNTED]


def test_refresh_and_compare(browser):
    browser.open_session("claim-0014")
    with operations(browser) as found:
        browser.actions.reload.click()
    assert found == ["table", "get", *COUNTED]
    send(browser.table, "select", [0, 1])
    with operations(browser) as found:
        browser.actions.compare.click()
    assert found == ["get", "get"]


def test_a_storage_of_three_methods_reads_no_session_a_third_time():
    wb = g.wrap(Plain())
    wb.create("a", "t")
    browser = wb.browse(session="a")
    edit(browser, "mended")
    with operations(browser) as found:
        browser.reader.saving.save.click()
    assert found == ["get (journal)", "save", "get"]
    find_button(browser, "Undo…").click()
    send(browser.actions.undo.get().table, "select", [0])
    with operations(browser) as found:
        find_button(browser, "Undo selected").click()
    assert found == ["get (journal)", "save", "get"]
    browser.close()
