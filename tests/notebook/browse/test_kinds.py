"""The History page on every kind of store: versions, restore, fork and comparison."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.bridge import LoopThread
from graphflow_nb.history import HistoryStorage, history_of

from ...scope import one_in
from ...stores import KINDS, Store, empty_store
from .kit import Plain, said, save_theirs, settle

TRIGGERED = ("sqlite", "documented", "crate-0.5", "crate-0.6")
ELSEWHERE = "custom"


def make_custom() -> Any:
    return HistoryStorage(Plain(), archive=history_of(g.InMemorySessionStorage()))


@pytest.fixture(params=["memory", *TRIGGERED, "redis", "history-sqlite", "history-0.6", ELSEWHERE])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[g.Workbench, Store]]:
    """A workbench whose store keeps its history, as a person opens it."""
    kind = request.param
    with empty_store("memory" if kind == ELSEWHERE else kind, request, tmp_path) as store:
        loop = LoopThread.shared()
        if kind == ELSEWHERE:
            wb = g.wrap(make_custom())
        elif KINDS[kind].history:
            wb = g.wrap(loop.run(store.open()), loop=loop.loop)
        else:
            create = {"create": True} if kind == "sqlite" else {"writable": True}
            wb = g.open(store.url, **({} if kind == "memory" else create))
            wb.install_history()
        with wb:
            yield wb, store


@one_in(3)
def test_a_person_finds_restores_forks_and_compares(opened: tuple[g.Workbench, Store]):
    wb, store = opened
    ids = [store.id(name) for name in ("one", "two")]
    for id, last in zip(ids, ("review", "payout"), strict=True):
        session = wb.create(id, "intake", context={"exact": 1, "text": "ünï"})
        for task in ("decide", last):
            session.current_task_id = task
            wb.save(session)
    browser = wb.browse(session=ids[0])
    settle(browser)
    browser.reader.parts.value = "History"
    page, past = browser.reader.history, browser.stage.past
    assert [number for _, number in page.slider.options] == [1, 2, 3]
    found = past.compare(ids[1])
    assert found.parted == f"after decide: {ids[0]} went to review, {ids[1]} to payout"
    assert found.frame["differs"].tolist() == ["", "", f"only {ids[0]}", f"only {ids[1]}"]

    page.slider.value = 1
    page.restore.click()
    browser.reader.saving.preview.click()
    browser.reader.saving.save.click()
    assert "Saved" in said(browser)
    assert wb.get(ids[0]).current_task_id == "intake"
    assert len(wb.history(ids[0])) == 4

    browser.reader.parts.value = "History"
    page.slider.value = 2
    page.fork.button.click()
    page.fork.confirm.click()
    page = browser.reader.history
    browser.reader.saving.save.click()
    assert "Created" in said(browser)
    forked = browser.session.id
    assert wb.get(forked).current_task_id == "decide"
    browser.reader.parts.value = "History"
    assert [number for _, number in page.slider.options] == [1]
    assert f"history of <code>{forked}</code>" in browser.to_html()

    save_theirs(wb, forked, current_task_id="review")
    browser.stage.poll_once()
    assert [version.current_task_id for version in past.versions] == ["decide", "review"]
