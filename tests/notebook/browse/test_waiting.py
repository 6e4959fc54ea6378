"""What waits long is seen by task, against a given time or what is usual there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.waiting import find_waits

from .kit import Plain, find_button, said, send, settle


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


def test_waits_are_counted_by_task(wb: g.Workbench):
    given = wb.bridge.run(find_waits(wb.storage.background, timedelta(days=1)))
    assert [(w.task, w.sessions, w.waiting, w.usual) for w in given] == [
        ("rare", 2, 1, None),
        ("review", 10, 1, None),
    ]
    usual = wb.bridge.run(find_waits(wb.storage.background, None))
    assert [(w.task, w.waiting) for w in usual] == [("review", 1), ("rare", 0)]
    assert usual[0].usual is not None
    assert abs(usual[0].usual - timedelta(hours=5.5)) < timedelta(seconds=5)
    assert usual[1].usual is None, "two are too few to say what is usual"


def test_a_click_on_a_task_lists_what_waits_longest_untouched_first(wb: g.Workbench):
    browser: Any = wb.browse()
    find_button(browser, "Waiting…").click()
    box = browser.dialogs[-1]
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
    assert "too few sessions at this task" in said(browser)
    box.than.value = box.than.options[0]
    send(box.table, "open", 0)
    settle(browser)
    assert browser.listing.ids() == ["late", *(f"s{n}" for n in range(9, 1, -1))]
    assert browser.calls[-1] == "wb.stuck('90 min', graph='g', task='review')"


def test_what_is_no_time_and_a_store_that_cannot_count_are_said(wb: g.Workbench):
    browser: Any = wb.browse()
    find_button(browser, "Waiting…").click()
    browser.dialogs[-1].time.value = "soon"
    assert "Error: " in said(browser)
    plain = g.wrap(Plain()).browse()
    find_button(plain, "Waiting…").click()
    assert "Error: " in said(plain)


def test_one_read_serves_all_tasks_that_are_not_rare(monkeypatch: pytest.MonkeyPatch, run: Any):
    asked: list[Any] = []

    class Asked(g.InMemorySessionStorage):
        async def table(self, query: g.Query, context: Any = ()) -> Any:
            asked.append(query.task)
            return await super().table(query, context)

        async def count(self, query: g.Query) -> int:
            asked.append(f"count {query.task}")
            return await super().count(query)

    monkeypatch.setattr("graphflow_nb.notebook.waiting.SAMPLE_OF_ALL", 400)
    now = datetime.now(UTC)
    sessions = []
    for n in range(630):
        session = g.Session(f"s{n:03}", f"t{n % 2}" if n < 600 else "rare", graph_id="g")
        hours = 50 if n == 601 else 2 if n % 2 else 1
        session.raw_created = session.raw_updated = now - timedelta(hours=hours)
        session.version = 1
        sessions.append(session)
    waits = run(find_waits(Asked.from_sessions(sessions), None))
    assert [(wait.task, wait.sessions, wait.waiting) for wait in waits] == [
        ("rare", 30, 1),
        ("t0", 300, 0),
        ("t1", 300, 0),
    ]
    assert asked == [None, "rare", "count rare"]
