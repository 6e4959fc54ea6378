"""What a click means while others write: what the page showed, never what is stored by now."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser, rowtable
from graphflow_nb.notebook.browse.rowtable import RowTable

from .kit import find_button, said, save_theirs, send, settle


@pytest.fixture
def browser(wb: g.Workbench) -> Iterator[Browser]:
    browser = wb.browse()
    settle(browser)
    yield browser
    browser.close()


class Page:
    """What a front end has: the last page that it was sent, and clicks that refer to it."""

    def __init__(self, table: RowTable):
        self._table = table
        self.look()

    def look(self) -> None:
        page = self._table.page
        self.ids = [row[0] for row in page["rows"]]
        self._handles = page["handles"]

    def open(self, row: int) -> None:
        self._table.receive({"event": "open", "value": self._handles[row]})

    def select(self, *rows: int) -> None:
        value = [self._handles[row] for row in rows]
        self._table.receive({"event": "select", "value": value, "stamp": next(_stamps)})


_stamps = itertools.count(1)


def test_a_click_means_the_row_that_was_shown(browser):
    """Sent before others' writes moved the rows, handled after."""
    numbers = random.Random(33)
    opened = selected = 0
    page = Page(browser.table)
    for _ in range(60):
        page.look()
        row = numbers.randrange(len(page.ids))
        for id in numbers.sample(page.ids, 3):
            save_theirs(browser.wb, id, status_message=f"theirs {numbers.random()}")
        if numbers.random() < 0.5:
            browser.stage.poll_once()
        if numbers.random() < 0.5:
            page.open(row)
            assert browser.session.id == page.ids[row]
            assert browser.selected["id"].tolist() == [page.ids[row]]
            opened += 1
        else:
            rows = numbers.sample(range(len(page.ids)), 2)
            page.select(*rows)
            assert set(browser.selected["id"]) == {page.ids[row] for row in rows}
            selected += 1
        assert said(browser) == ""
    assert opened
    assert selected


def test_a_click_while_the_page_is_read_means_the_row_that_was_shown(browser, monkeypatch):
    """At the very moment between reading a new page and showing it."""
    page = Page(browser.table)
    read = browser.listing.read_page
    clicks: list[Callable[[], None]] = [
        lambda: page.open(7),
        lambda: page.select(3, 4),
        lambda: find_button(browser, "Delete…").click(),
    ]

    def read_slowly(keep: str | None = None) -> Any:
        found = read(keep)
        page.look()
        clicks.pop(0)()
        return found

    monkeypatch.setattr(browser.listing, "read_page", read_slowly)
    for wanted in ([7], [3, 4]):
        page.look()
        ids = [page.ids[row] for row in wanted]
        save_theirs(browser.wb, page.ids[30], status_message="to the top")
        browser.stage.poll_once()
        assert set(browser.selected["id"]) == set(ids)
    shown = dict(zip(browser.selected["id"], browser.selected["version"], strict=True))
    for id in shown:
        save_theirs(browser.wb, id, status_message="theirs")
    browser.stage.poll_once()
    # The dialog opened before the new page was shown, and names what was shown then.
    text = browser.actions.delete.get().text.value
    for id, version in shown.items():
        assert f"<code>{id}</code>, version {version}," in text
    browser.actions.delete.get().number.value = "2"
    browser.actions.delete.get().confirm.click()
    assert "left alone, since others changed or deleted them" in said(browser)
    assert all(browser.wb.get(id).status_message == "theirs" for id in shown)


def test_rows_are_shown_while_others_write_and_people_click(browser):
    """Nothing is shown of two moments: no error, whatever the order of the threads."""
    notices: list[str] = []
    for place in (browser.notice, browser.pager.notice):
        place.observe(lambda change: notices.append(change["new"]), "value")
    ended = threading.Event()

    def follow() -> None:
        numbers = random.Random(1)
        while not ended.is_set():
            ids = browser.listing.ids()
            save_theirs(browser.wb, numbers.choice(ids), status_message=str(numbers.random()))
            browser.stage.poll_once()

    thread = threading.Thread(target=follow)
    thread.start()
    page = Page(browser.table)
    try:
        for n in range(25):
            page.look()
            row = n % len(page.ids)
            page.open(row)
            assert browser.session.id == page.ids[row]
            browser.actions.reload.click()
    finally:
        ended.set()
        thread.join()
    assert not [html for html in notices if "gfnb-error" in html]


def test_page_and_selection_are_sent_together(browser, monkeypatch):
    """In between the front end would show the selection of other rows."""
    sent: list[set[str]] = []
    table = browser.table
    monkeypatch.setattr(table, "send_state", lambda key=None: sent.append(set(key)))
    send(table, "select", [0, 1])
    sent.clear()
    browser.pager.next.click()
    assert [keys & {"page", "selection"} for keys in sent] == [{"page", "selection"}]


def test_a_click_on_a_row_of_a_page_that_was_turned_opens_that_row(browser):
    page = Page(browser.table)
    browser.pager.next.click()
    page.open(3)
    assert browser.session.id == page.ids[3]
    assert browser.selected.empty
    assert "1 no longer selected: not on this page" in browser.pager.shown.value


def test_handles_are_never_given_twice(monkeypatch):
    monkeypatch.setattr(rowtable, "MAX_HANDLES", 6)
    opened: list[str] = []
    table = RowTable("t", [{"name": "a", "label": "a"}], opened.append)
    seen: dict[int, str] = {}
    for first in range(20):
        keys = [f"k{n}" for n in range(first, first + 4)]
        table.show(keys, [[key] for key in keys])
        for handle, key in zip(table.page["handles"], keys, strict=True):
            assert seen.setdefault(handle, key) == key
    for handle in seen:
        table.receive({"event": "open", "value": handle})
    assert opened == [f"k{n}" for n in range(17, 23)], "of those long gone nothing is known"
    for wrong in ({}, {"event": "open"}, {"event": "open", "value": [1]}, {"event": "select"}):
        table.receive(wrong)
    assert len(opened) == 6


def test_what_is_chosen_in_the_journal_is_what_was_shown(browser):
    wb = browser.wb
    change = [{"op": "replace", "path": "/status_message", "value": "by hand"}]
    for id in ("claim-0014", "claim-0118"):
        wb.patch(id, change)
    find_button(browser, "Undo…").click()
    table = browser.actions.undo.get().table
    page = Page(table)
    page.select(1)  # the older one
    wb.delete("claim-0007")  # from a cell: now it is the third
    page.select(1)
    assert table.page["rows"][2][3] == "claim-0014"
    assert table.selection["handles"] == [table.page["handles"][2]]
    find_button(browser, "Undo selected").click()
    assert wb.get("claim-0014").status_message != "by hand"
    assert wb.get("claim-0118").status_message == "by hand"


def test_undo_all_undoes_what_was_shown_and_no_more(browser):
    wb = browser.wb
    wb.delete("claim-0014")
    find_button(browser, "Undo…").click()
    button = find_button(browser, "Undo all 1…")
    wb.delete("claim-0118")  # from a cell, after the button was drawn
    button.click()
    find_button(browser, "Undo 1 write").click()
    settle(browser)
    assert wb.get("claim-0014").id == "claim-0014"
    with pytest.raises(g.SessionNotFound):
        wb.get("claim-0118")
    assert "Undone: 1 write" in said(browser)


def test_choices_of_the_filter_bar_stay_where_they_are(browser):
    """Their front end sends the place of a choice."""
    wb, bar = browser.wb, browser.bar
    place = [value for _, value in bar.graph.options].index("support")
    wb.create("first-of-a-graph", "t", graph_id="a graph that sorts first")
    browser.stage.poll_once()
    bar.graph.set_state({"index": place})
    assert browser.listing.filters == {"graph": "support"}


def test_a_task_that_was_chosen_while_the_graph_was_changed_is_the_one_that_was_shown(browser):
    bar = browser.bar
    former, place = bar.task, [name for _, name in bar.task.options].index("triage")
    bar.graph.value = "claims"
    assert "triage" not in dict(browser.listing.counts.tasks("claims"))
    former.set_state({"index": place})
    assert browser.listing.filters == {"graph": "claims", "task": "triage"}
    assert bar.task.value == "triage"


def test_a_choice_that_comes_while_the_choices_are_set_is_not_lost(browser, monkeypatch):
    """The page is shown by a thread that follows; the choice comes on another one."""
    wb, bar, act = browser.wb, browser.bar, browser.stage.act
    place = [value for _, value in bar.graph.options].index("support")
    chosen = threading.Event()

    def act_then(*arguments: Any, **options: Any) -> None:
        chosen.set()
        act(*arguments, **options)

    monkeypatch.setattr(browser.stage, "act", act_then)
    person = threading.Thread(target=lambda: bar.graph.set_state({"index": place}))

    def choose(_: object) -> None:
        bar.graph.unobserve(choose, "_options_labels")
        person.start()
        assert chosen.wait(30)

    bar.graph.observe(choose, "_options_labels")
    wb.create("of-another-graph", "t", graph_id="another")
    browser.stage.poll_once()
    person.join()
    assert browser.listing.filters == {"graph": "support"}
    assert bar.graph.value == "support"


def test_a_filter_that_was_not_touched_stays_as_it_was(wb):
    """Also one that the bar can't show, such as a second condition on the context."""
    where = {"customer.tier": "gold", "amount": 1}
    browser = wb.browse(where=where, id_prefix="claim", graph="claims")
    browser.bar.text.value = "7"
    assert browser.listing.filters == {
        "graph": "claims",
        "text": "7",
        "id_prefix": "claim",
        "where": where,
    }
    browser.close()


def test_the_live_view_opens_the_operation_that_was_clicked(wb):
    view = wb.latency.live()
    try:
        wb.get("claim-0014")
        view.update()
        page = Page(view.table)
        row = [o.session_id for o in view.slowest].index("claim-0014")
        handle = view.table.page["handles"][row]
        # Others come, and are not shown yet.
        view.slowest = [*view.slowest[:row], *view.slowest[row + 1 :]]
        view.table.receive({"event": "open", "value": handle})
        assert page.ids
        assert view.browser.session.id == "claim-0014"
    finally:
        view.close()
