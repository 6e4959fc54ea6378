"""Undoing in the browser: many writes with Stop, and what could not be undone is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import ipywidgets
import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser

from .kit import find_button, said, send, settle, undo_all

MANY = 1_500


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser on whose workbench many sessions were deleted."""
    wb = g.open("memory:")
    sessions = [g.Session(f"s{n:04}", "t", context={"n": n}) for n in range(MANY)]
    wb.bridge.run(wb.storage.inner.save_many(sessions))
    wb.create("open", "t")
    browser = wb.browse(session="open")
    wb.delete([session.id for session in sessions])
    settle(browser)
    find_button(browser, "Undo…").click()
    yield browser
    browser.desk.discard()
    browser.close()


def bar_of(browser: Browser) -> ipywidgets.FloatProgress:
    (bar,) = (
        child
        for child in browser.actions.undo.get().bar.box.children
        if isinstance(child, ipywidgets.FloatProgress)
    )
    return bar


def test_all_are_undone_with_progress_and_a_stop(browser):
    wb, bar = browser.wb, bar_of(browser)
    stop = find_button(browser.actions.undo.get().bar.box, "Stop")
    shares: list[float] = []

    def watch(change: dict[str, float]) -> None:
        shares.append(change["new"])
        if len(shares) == 1:
            stop.click()

    bar.observe(watch, "value")
    undo_all(browser)
    settle(browser)
    undone = re.search(r"Undone: (\d+) writes; stopped, left: ([\d,]+) writes", said(browser))
    assert undone is not None, said(browser)
    left = int(undone[2].replace(",", ""))
    assert 0 < left < MANY
    assert int(undone[1]) + left == MANY + 1
    assert wb.bridge.run(wb.storage.inner.count(g.Query())) == int(undone[1]) + 1
    # Once more goes on with what is left.
    undo_all(browser)
    settle(browser)
    assert f"Undone: {left:,} writes" in said(browser)
    assert shares[-1] == 1
    assert browser.actions.undo.get().bar.box.layout.display == "none"
    found = wb.bridge.run(wb.storage.inner.query(g.Query(order="id")))
    assert [(s.id, s.context["n"]) for s in found] == [(f"s{n:04}", n) for n in range(MANY)]
    assert browser.session is None, "its creation was undone too"


def test_a_person_goes_on_while_all_are_undone(browser):
    seen: list[str] = []

    def act_meanwhile(_: object) -> None:
        if not seen:
            seen.append("asked")
            undo_all(browser)
            seen.append(said(browser))
            browser.open_session("open")
            # Of what is typed meanwhile nothing is lost.
            browser.desk.edit().set("status_message", "typed")
            undo_all(browser)
            seen.append(said(browser))

    bar_of(browser).observe(act_meanwhile, "value")
    undo_all(browser)
    settle(browser)
    assert "another action is still running" in seen[1]
    assert "has changes that are not saved" in seen[2]
    assert browser.desk.draft.get("status_message") == "typed"
    assert browser.desk.newer == -1


def test_what_others_changed_is_left_alone_and_named(browser):
    wb = browser.wb
    wb.bridge.run(wb.storage.inner.save(g.Session("s0007", "t", status_message="theirs")))
    undo_all(browser)
    settle(browser)
    assert f"Undone: {MANY:,} writes; left alone, since others changed them: 's0007'" in (
        said(browser)
    )
    assert wb.get("s0007").status_message == "theirs"


def closed_journal(tmp_path: Path) -> g.Workbench:
    """A workbench whose journal's file can't be written any more."""
    wb = g.open("memory:", journal=tmp_path / "writes.journal")
    wb.create("a", "t")
    wb.journaled.journal.close()
    return wb


def test_a_delete_that_could_not_be_undone_asks_first(tmp_path):
    wb = closed_journal(tmp_path)
    browser = wb.browse()
    settle(browser)
    send(browser.table, "select", [0])
    find_button(browser, "Delete…").click()
    dialog = browser.actions.delete.get()
    assert dialog.anyway.layout.display == "none"
    dialog.confirm.click()
    assert "gfnb-error" in browser.stage.place.value
    assert "journal" in said(browser)
    assert wb.get("a")
    assert "It can't be undone" in dialog.text.value
    assert "Undo… can undo it" not in dialog.text.value
    assert dialog.anyway.layout.display == ""
    # The question is asked of each delete.
    dialog.cancel.click()
    find_button(browser, "Delete…").click()
    assert dialog.anyway.layout.display == "none"
    dialog.confirm.click()
    dialog.anyway.click()
    assert said(browser) == "Deleted 1 session"
    assert browser.calls[-1] == "wb.delete({'a': 1}, undo=False)"
    with pytest.raises(g.SessionNotFound):
        wb.get("a")
    browser.close()


def test_a_save_that_could_not_be_undone_asks_first(tmp_path):
    wb = closed_journal(tmp_path)
    browser = wb.browse(session="a")
    settle(browser)
    browser.reader.parts.value = "Edit"
    editor = browser.reader.editor
    editor.status.value = "mine"
    browser.reader.saving.preview.click()
    assert browser.reader.saving.anyway.layout.display == "none"
    browser.reader.saving.save.click()
    assert "gfnb-error" in browser.stage.place.value
    assert wb.get("a").status_message is None
    assert browser.reader.saving.anyway.layout.display == ""
    # Another preview is another question.
    editor.status.value = "mine again"
    browser.reader.saving.preview.click()
    assert browser.reader.saving.anyway.layout.display == "none"
    browser.reader.saving.save.click()
    browser.reader.saving.anyway.click()
    assert said(browser) == "Saved 'a'"
    assert browser.calls[-1].endswith("version=1, undo=False)")
    assert wb.get("a").status_message == "mine again"
    browser.close()


def test_lines_that_can_not_be_read_are_named_and_all_is_not_undone(tmp_path):
    path = tmp_path / "writes.journal"
    url = f"sqlite:{tmp_path / 'sessions.db'}"
    with g.open(url, create=True, journal=path) as wb:
        for id in ("a", "b"):
            wb.create(id, "t")
        wb.journaled.journal.close()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[-2] = lines[-2][:40] + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.warns(UserWarning, match="damaged"):
        wb = g.open(url, journal=path)
    browser = wb.browse()
    settle(browser)
    find_button(browser, "Undo…").click()
    dialog = browser.actions.undo.get()
    assert f"these lines of the journal can't be read: {len(lines) - 1}." in (
        unescape(dialog.note.value)
    )
    dialog.all.click()
    settle(browser)
    assert "nothing was undone" in said(browser)
    assert wb.get("a")
    send(dialog.table, "select", [0])
    dialog.confirm.click()
    assert "Undone: 1 write" in said(browser)
    browser.close()
    wb.journaled.journal.close()
    wb.close()


def test_undoing_all_is_previewed(wb):
    session = wb.get("claim-0014")
    session.status_message = "mine"
    wb.save(session)
    wb.create("new", "t")
    wb.delete("claim-0118")
    browser = wb.browse()
    settle(browser)
    find_button(browser, "Undo…").click()
    dialog = browser.actions.undo.get()
    assert dialog.sure.layout.display == "none"
    find_button(browser, "Undo all 3…").click()
    text = dialog.preview.value
    assert "This will undo 3 writes" in text
    assert "changed back, 1 session: &#39;claim-0014&#39;" in text
    assert "restored, 1 session: &#39;claim-0118&#39;" in text
    assert "deleted, since these writes created them, 1 session: &#39;new&#39;" in text
    assert wb.get("claim-0014").status_message == "mine"
    wb.create("later", "t")  # what is written meanwhile is not among it
    find_button(browser, "Undo 3 writes").click()
    settle(browser)
    assert "Undone: 3 writes" in said(browser)
    assert wb.get("claim-0014").status_message != "mine"
    assert wb.get("claim-0118")
    assert wb.get("later")
    assert dialog.sure.layout.display == "none"
