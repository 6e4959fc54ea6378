"""What waits long is seen by task, against a given time or what is usual there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, ClassVar

import pytest

import graphflow_nb as g
from graphflow_nb.notebook import waiting
from graphflow_nb.notebook.waiting import find_waits
from graphflow_nb.storage.overview import OverviewCounts
from graphflow_nb.storage.table import GroupCount

from .kit import Plain, find_button, said, send, settle, wait_until


@pytest.fixture
def wb() -> g.Workbench:
    """Sessions untouched for 1 to 9 hours and one for 80 at a task, and two at another."""
    now = datetime.now(UTC)

    def at(id: str, task: str, hours: float) -> g.Session:
        session = g.Session(id, task, graph_id="g")
        session.raw_created = session.raw_updated = now - timedelta(hours=hours)
        session.version = 1
        return session

    sessions = [at(f"s{n}", "review", n) for n in range(1, 10)]
    sessions += [at("late", "review", 80), at("x", "rare", 30), at("y", "rare", 1)]
    return g.wrap(g.InMemorySessionStorage.from_sessions(sessions))


def places(waits: Any) -> list[tuple[str, int, int]]:
    return [(wait.task, wait.sessions, wait.waiting) for wait in waits.tasks]


def test_waits_are_counted_by_task(wb: g.Workbench):
    given = wb.bridge.run(find_waits(wb.storage.background, timedelta(days=1)))
    assert places(given) == [("rare", 2, 1), ("review", 10, 1)]
    assert [wait.usual for wait in given.tasks] == [None, None]
    assert [wait.longest for wait in given.tasks] == [timedelta(hours=30), timedelta(hours=72)]
    assert (given.share, given.exact, given.note) == (1.0, True, "")
    usual = wb.bridge.run(find_waits(wb.storage.background, None))
    assert places(usual) == [("review", 10, 1), ("rare", 2, 0)]
    assert usual.tasks[0].usual == timedelta(hours=6), "half are within 5 h, and a class of 6"
    assert usual.tasks[1].usual is None, "two are too few to say what is usual"
    with pytest.raises(g.QueryError, match="before the year 1"):
        wb.bridge.run(find_waits(wb.storage.background, timedelta(days=999_999)))


def test_stuck_means_the_same_in_the_overview_in_waiting_and_in_the_list(wb: g.Workbench):
    tasks = wb.overview().tasks
    waits = wb.bridge.run(find_waits(wb.storage.background, None)).tasks
    assert {wait.task: wait.waiting for wait in waits} == dict(
        zip(tasks["current_task_id"], tasks["stuck"], strict=True)
    )
    assert len(wb.stuck("usual")) == tasks["stuck"].sum() == 1


def test_a_click_on_a_task_lists_what_waits_longest_untouched_first(wb: g.Workbench):
    browser: Any = wb.browse()
    find_button(browser, "Waiting…").click()
    box = browser.actions.waiting.get()
    assert browser.table.selectable
    assert not box.table.selectable, "nothing is done to several tasks"
    assert "2 sessions waiting longer" in unescape(box.about.value)
    box.time.value = "90 min"
    assert "10 sessions waiting longer" in unescape(box.about.value)
    box.than.value = box.than.options[1]
    assert [row[3] for row in box.table.page["rows"]] == ["1", "0"]
    send(box.table, "open", 0)
    settle(browser)
    assert browser.listing.ids() == ["late"]
    assert browser.calls[-1] == "wb.stuck('usual', graph='g', task='review')"
    assert wb.stuck("usual", graph="g", task="review")["id"].tolist() == ["late"]
    send(box.table, "open", 1)
    assert "too few to say what is usual" in said(browser)
    box.than.value = box.than.options[0]
    send(box.table, "open", 0)
    settle(browser)
    assert browser.listing.ids() == ["late", *(f"s{n}" for n in range(9, 1, -1))]
    assert browser.calls[-1] == "wb.stuck('90 min', graph='g', task='review')"


def test_what_is_no_time_and_a_store_that_cannot_count_are_said(wb: g.Workbench):
    browser: Any = wb.browse()
    find_button(browser, "Waiting…").click()
    browser.actions.waiting.get().time.value = "soon"
    assert "Error: " in said(browser)
    plain = g.wrap(Plain()).browse()
    find_button(plain, "Waiting…").click()
    assert "Error: " in said(plain)


class Partly(g.InMemorySessionStorage):
    """A storage that reads a part of its sessions for an overview; it notes what it is asked."""

    asked: ClassVar[list[str]] = []

    async def overview(self, now: datetime, *, exact: bool = False) -> OverviewCounts:
        self.asked.append(f"overview {exact}")
        counts = await super().overview(now, exact=exact)
        return counts if exact else replace(counts, share=0.5)

    async def counts(self, query: g.Query) -> list[GroupCount]:
        self.asked.append("counts")
        return await super().counts(query)


@pytest.fixture
def partly(wb: g.Workbench, run: Any) -> g.Workbench:
    Partly.asked.clear()
    sessions = run(wb.storage.background.query(g.Query(limit=None)))
    return g.wrap(Partly.from_sessions(sessions))


def test_one_statement_serves_all_tasks(partly: g.Workbench):
    waits = partly.bridge.run(find_waits(partly.storage.background, None))
    assert places(waits) == [("review", 20, 2), ("rare", 4, 0)]
    assert not waits.exact
    assert "estimated from 12 sessions in 50 %" in waits.note
    assert Partly.asked == ["overview False"]
    whole = partly.bridge.run(find_waits(partly.storage.background, None, exact=True))
    assert places(whole) == [("review", 10, 1), ("rare", 2, 0)]


def test_few_that_wait_are_counted_in_the_whole_store(partly: g.Workbench, monkeypatch: Any):
    storage = partly.storage.background
    few = partly.bridge.run(find_waits(storage, timedelta(days=1)))
    assert places(few) == [("rare", 4, 1), ("review", 20, 1)]
    assert (few.exact, few.share) == (True, 0.5)
    assert few.tasks[1].longest > timedelta(hours=80)
    assert Partly.asked == ["overview False", "counts"]
    monkeypatch.setattr(waiting, "FEW", 3)
    many = partly.bridge.run(find_waits(storage, timedelta(days=1)))
    assert places(many) == [("rare", 4, 2), ("review", 20, 2)]
    assert not many.exact


def test_what_is_counted_of_a_part_is_said_and_can_be_counted_in_all(partly: g.Workbench):
    browser: Any = partly.browse()
    find_button(browser, "Waiting…").click()
    box = browser.actions.waiting.get()
    box.than.value = box.than.options[1]
    assert "about 2 sessions waiting longer" in unescape(box.about.value)
    assert "50 % of the store" in unescape(box.about.value)
    assert [row[2:4] for row in box.table.page["rows"]] == [
        ["about 20", "about 2"],
        ["about 4", "0"],
    ]
    find_button(browser, "Count all").click()
    wait_until(lambda: "1 session waiting longer" in unescape(box.about.value))
    assert [row[2:4] for row in box.table.page["rows"]] == [["10", "1"], ["2", "0"]]
    assert box.count.layout.display == "none"
    with pytest.warns(UserWarning, match="estimated from 12 sessions in 50 %"):
        partly.stuck("usual")
