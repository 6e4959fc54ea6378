"""A write that the database refuses is shown so: no conflict, and nothing in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from .kit import execute, find_button, said, send, settle, undo_all

REFUSED = "the database accepted the statement but changed no row"


@pytest.fixture
def browser(database: str) -> Iterator[Browser]:
    """A browser of a table that lets nothing be changed any more."""
    wb = g.open(database, writable=True)
    for id in ("a", "b"):
        wb.create(id, "t")
    execute(
        wb,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON sessions "
        "FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    browser = wb.browse(session="a", order="id")
    settle(browser)
    yield browser
    browser.desk.discard()
    browser.close()
    wb.close()


def test_a_refused_save_is_no_conflict(browser):
    browser.reader.parts.value = "Edit"
    editor = browser.reader.editor
    editor.status.value = "mine"
    browser.reader.saving.preview.click()
    browser.reader.saving.save.click()
    assert REFUSED in said(browser)
    assert browser.desk.conflict is None
    assert not browser.desk.deleted_meanwhile
    assert browser.desk.draft.get("status_message") == "mine"
    assert len(browser.wb.journal) == 2


def test_a_refused_creation_is_no_conflict(browser):
    find_button(browser, "Create…").click()
    browser.actions.create.get().task.value = "t"
    browser.actions.create.get().confirm.click()
    browser.reader.saving.save.click()
    assert REFUSED in said(browser)
    assert browser.desk.new
    assert len(browser.wb.journal) == 2


def test_a_refused_delete_does_not_blame_others(browser):
    send(browser.table, "select", [0, 1])
    find_button(browser, "Delete…").click()
    browser.actions.delete.get().number.value = "2"
    browser.actions.delete.get().confirm.click()
    assert REFUSED in said(browser)
    assert "others" not in said(browser)
    assert browser.listing.ids() == ["a", "b"]
    assert len(browser.wb.journal) == 2


def test_a_refused_undo_does_not_blame_others(browser):
    find_button(browser, "Undo…").click()
    dialog = browser.actions.undo.get()
    send(dialog.table, "select", [0])
    dialog.confirm.click()
    assert REFUSED in said(browser)
    undo_all(browser)
    settle(browser)
    assert "Undone: 0 writes; refused by the store: " in said(browser)
    assert REFUSED in said(browser)
    assert "others" not in said(browser)
    assert len(browser.wb.journal) == 2


def test_a_delete_that_could_not_be_undone_says_so_before(monkeypatch):
    why = "this user lacks INSERT on sessions"
    monkeypatch.setattr(g.InMemorySessionStorage, "no_restore", why, raising=False)
    with g.open("demo") as wb:
        browser = wb.browse(graph="claims")
        settle(browser)
        id = browser.listing.ids()[0]
        send(browser.table, "select", [0])
        find_button(browser, "Delete…").click()
        dialog = browser.actions.delete.get()
        assert f"<b>It can't be undone</b>: {why}." in unescape(dialog.text.value)
        dialog.confirm.click()
        assert f"{why}, so that undo could not" in said(browser)
        assert wb.get(id).id == id
        dialog.anyway.click()
        with pytest.raises(g.SessionNotFound):
            wb.get(id)
        browser.close()
