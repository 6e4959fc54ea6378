"""What is counted behind the list ends in time, and on demand it goes on until it is stopped."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import counting
from graphflow_nb.storage import estimates

from .kit import find_button, said, settle, wait_until


class Gated(g.InMemorySessionStorage):
    """A storage that counts only when it is allowed to."""

    suspends = True
    allowed: Any = None
    waits = 0
    fails = False

    async def counts(self, query: g.Query) -> Any:
        self.waits += 1
        if self.allowed is None:
            await asyncio.Event().wait()
        if self.fails:
            raise g.StorageTimeout("gave no answer in time")
        return await super().counts(query)

    async def count(self, query: g.Query) -> int:
        return sum(group.sessions for group in await self.counts(query))


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Gated:
    monkeypatch.setattr(counting, "COUNT_SECONDS", 0.01)
    monkeypatch.setattr(estimates, "COUNT_SECONDS", 0.01)
    sessions = [g.Session(f"s{n:03}", f"t{n % 3}", graph_id="g") for n in range(120)]
    return Gated.from_sessions(sessions)


def test_a_count_goes_on_only_on_demand_and_can_be_stopped(storage: Gated):
    browser: Any = g.wrap(storage).browse()
    settle(browser)
    count = browser.pager.count
    assert browser.pager.shown.value == "showing 1 to 50 of more than 50"
    assert (count.description, count.layout.display) == ("Count", "")
    # The choices have the tasks of some sessions, without numbers.
    assert [label for label, _ in browser.bar.task.options] == ["all", "t0", "t1", "t2"]
    browser.pager.turn(1)
    settle(browser)
    waits = storage.waits
    browser.stage.count_later()  # what was cut off is not tried again by itself
    settle(browser)
    assert storage.waits == waits
    count.click()
    assert count.description == "Stop counting"
    wait_until(lambda: storage.waits > waits)
    count.click()
    wait_until(lambda: count.description == "Count")
    assert count.layout.display == ""
    assert "of more than 50" in browser.pager.shown.value
    storage.allowed = True
    find_button(browser, "Count").click()
    wait_until(lambda: count.layout.display == "none")
    assert browser.pager.shown.value == "showing 51 to 100 of 120"
    assert browser.bar.task.options[1][0] == "t0 (40)"
    # Counted again, it takes too long: what was counted is nearly right.
    storage.allowed = None
    browser.stage.count_later(again=True)
    settle(browser)
    assert browser.pager.shown.value == "showing 51 to 100 of about 120"
    browser.listing.filter(task="t1")
    browser.stage.render()
    assert browser.pager.shown.value == "showing 1 to 40 of 40"
    browser.close()


def test_an_exact_count_that_fails_says_why(storage: Gated):
    browser: Any = g.wrap(storage).browse()
    settle(browser)
    storage.allowed = storage.fails = True
    browser.pager.count.click()
    wait_until(lambda: "Error: gave no answer in time" in said(browser))
    assert browser.pager.count.description == "Count"
    browser.close()


def test_a_store_that_refuses_to_count_is_listed_all_the_same(redis_server: Any):
    with g.open(redis_server.url, writable=True, prefix="counting:", scan_limit=150) as wb:
        sessions = [g.Session(f"s{n:03}", "t") for n in range(160)]
        assert not wb.bridge.run(wb.storage.save_many(sessions))
        wb.build_index()
        browser: Any = wb.browse(text="s0", page_size=25)
        settle(browser)
        assert browser.pager.shown.value == "showing 1 to 25 of more than 25"
        assert browser.listing.paths.sessions == 25
        browser.pager.count.click()
        wait_until(lambda: "more than 150 keys" in said(browser))
        browser.close()
        wb.drop_index()
        wb.bridge.run(wb.storage.delete_many([session.id for session in sessions]))


class Sampling(g.InMemorySessionStorage):
    """A large storage that reads a tenth of its sessions for an overview."""

    suspends = True

    async def estimate(self) -> int:
        return 1_234_567

    async def overview(self, now: Any, *, exact: bool = False) -> Any:
        return replace(await super().overview(now), share=0.1)


def test_what_is_estimated_is_said_until_it_is_counted():
    sessions = [g.Session(f"s{n:03}", f"t{n % 3}", graph_id="g") for n in range(600)]
    browser: Any = g.wrap(Sampling.from_sessions(sessions)).browse()
    settle(browser)
    assert browser.pager.shown.value == "showing 1 to 50 of about 1.2 million"
    assert browser.bar.task.options[1][0] == "t0 (about 2,000)"
    browser.listing.filter(task="t1")
    browser.stage.count_later()
    settle(browser)
    assert browser.pager.shown.value == "showing 1 to 50 of about 2,000"
    find_button(browser, "Count").click()
    wait_until(lambda: not browser.stage.counting_exactly)
    assert browser.pager.shown.value == "showing 1 to 50 of 200"
    assert browser.bar.task.options[1][0] == "t0 (200)"
    browser.listing.filter(task="t2")
    browser.stage.count_later()
    settle(browser)
    assert browser.bar.task.options[1][0] == "t0 (200)", "what was counted is not estimated again"
    browser.close()


def test_a_count_that_is_known_to_take_long_is_not_tried(tmp_path):
    done = []

    class Noting:
        def on_operation(self, operation):
            if operation.op in ("count", "counts"):
                done.append((operation.op, operation.outcome))

    url = f"sqlite:{tmp_path}/sessions.db"
    with g.open(url, create=True) as wb:
        for number in range(60):
            wb.create(f"claim-{number}", "t", context={"text": "x" * 10_000})
    with g.open(url, ask_above_bytes=10_000) as wb:
        wb.storage.add_hook(Noting())
        browser = wb.browse(task="t")
        settle(browser)
        assert browser.pager.shown.value == "showing 1 to 50 of more than 50"
        browser.close()
    assert done == [("counts", "error"), ("count", "error")]
