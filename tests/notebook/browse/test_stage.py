"""Where the focus goes after an action; that it gets there is tried in tests/lab."""

from __future__ import annotations

import threading

import graphflow_nb as g

from .kit import settle, wait_until


def test_the_focus_goes_on_with_what_is_done(monkeypatch):
    with g.open("demo") as wb:
        browser = wb.browse(session="claim-0014")
        settle(browser)
        goals: list[str] = []
        monkeypatch.setattr(browser.table, "lead", goals.append)
        create, delete = browser.actions.create.get(), browser.actions.delete.get()

        def do(action, goal=None):
            goals.clear()
            browser.stage.act(action)
            assert goals == ([] if goal is None else [goal])

        do(create.open, "dialog")
        do(delete.open)  # an error: nothing is selected
        do(browser.stage.close_dialog, "back")
        do(lambda: browser.stage.show_part("Edit"))
        do(lambda: browser.desk.edit().set("status_message", "mine"))
        do(browser.desk.preview_changes, "preview")
        session = wb.get("claim-0014")
        session.status_message = "theirs"
        wb.save(session)
        do(browser.desk.save, "conflict")
        do(browser.desk.discard, "row")
        do(browser.listing.load)


def test_an_error_of_counting_is_not_the_end_of_counting(monkeypatch):
    with g.open("demo") as wb:
        browser = wb.browse()
        settle(browser)
        stage, ended, counted = browser.stage, threading.Event(), []

        def count(*, again: bool = False) -> bool:
            counted.append(again)
            if len(counted) == 1:
                raise ZeroDivisionError
            return False

        monkeypatch.setattr(browser.listing, "count", count)
        monkeypatch.setattr(threading, "excepthook", lambda _: ended.set())
        stage.count_later(again=True)
        assert ended.wait(20)
        stage.count_later()
        settle(browser)
        assert counted == [True, False]


def test_an_error_of_an_exact_count_is_shown_where_it_was_asked_for(monkeypatch):
    with g.open("demo") as wb:
        browser = wb.browse()
        settle(browser)
        stage, asked = browser.stage, browser.pager.notice
        release = threading.Event()

        def finish() -> None:
            release.wait(20)
            raise g.StorageError("the line was cut")

        monkeypatch.setattr(browser.listing.counts, "begin_exact", lambda: finish)
        stage.act(stage.count_exactly, place=asked)
        stage.act(lambda: None)  # another action, at another place
        release.set()
        wait_until(lambda: not stage.counting_exactly and "the line was cut" in asked.value)
