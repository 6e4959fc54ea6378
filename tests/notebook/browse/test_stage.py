"""Where the focus goes after an action; that it gets there is tried in tests/lab."""

from __future__ import annotations

import graphflow_nb as g

from .kit import settle


def test_the_focus_goes_on_with_what_is_done(monkeypatch):
    with g.open("demo") as wb:
        browser = wb.browse(session="claim-0014")
        settle(browser)
        goals: list[str] = []
        monkeypatch.setattr(browser.table, "lead", goals.append)
        create, delete, *_ = browser.dialogs

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
