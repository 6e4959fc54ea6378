"""A workbench that is open makes the versions small that triggers note."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb.history import sweep as sweeping
from graphflow_nb.notebook import compacting, following

FOLLOWER = "graphflow_nb-live"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "INTERVAL", 0.02)
    # A busy machine makes a look long, and lets one begin in the middle of the saves.
    monkeypatch.setattr(following, "SHARE", 1)
    monkeypatch.setattr(sweeping, "_ENDED", 0.0)


def _wait_until_small(wb: g.Workbench) -> None:
    """Wait until one version alone has its whole context."""
    whole, until = 0, time.monotonic() + 30
    while whole != 1:
        assert time.monotonic() < until, whole
        time.sleep(0.01)  # which leaves the time to what it waits for
        whole = wb.bridge.run(wb.archive.table.count_whole(["a"])).get("a", 0)


def _save(wb: g.Workbench, times: int) -> None:
    found = wb.sessions(ids=["a"])
    session = wb.get("a") if len(found) else wb.create("a", "one", context={"p": "x" * 200})
    for n in range(times):
        session.context["n"] = n
        wb.save(session)


def _followers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == FOLLOWER}


def test_the_workbench_that_installed_it_compacts_until_it_is_closed(tmp_path: Path):
    before = _followers()
    with g.open(f"sqlite:{tmp_path}/s.db", create=True) as wb:
        wb.install_history()
        wb.install_history()
        (thread,) = _followers() - before
        _save(wb, 40)
        _wait_until_small(wb)
        assert wb.at("a", 5).context["n"] == 3
    thread.join(10)
    assert not thread.is_alive()


def test_another_one_goes_on_where_it_is_asked_to(tmp_path: Path):
    with g.open(f"sqlite:{tmp_path}/s.db", create=True) as wb:
        wb.install_history()
        _save(wb, 5)
    before = _followers()
    with g.open(f"sqlite:{tmp_path}/s.db", writable=True) as wb:
        assert wb.compact_history() == 5
        assert not _followers() - before
        assert wb.compact_history(follow=True) == 0
        assert _followers() - before
        _save(wb, 20)
        _wait_until_small(wb)
        (thread,) = _followers() - before
        with g.open(f"sqlite:{tmp_path}/s.db", writable=True) as other:
            other.remove_history()
        thread.join(30)
        assert not thread.is_alive()
        assert wb.get("a").context["n"] == 19
    with g.open(f"sqlite:{tmp_path}/s.db", writable=False) as wb, pytest.raises(g.StorageError):
        wb.compact_history(follow=True)


def test_what_is_observed_is_not_followed():
    with g.open("demo") as wb, wb.observe(), pytest.raises(g.QueryError):
        wb.compact_history(follow=True)


def test_a_workbench_that_is_gone_is_not_held(tmp_path: Path):
    before = _followers()
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    wb.install_history()
    (thread,) = _followers() - before
    del wb
    until = time.monotonic() + 30
    while thread.is_alive():  # a call that just ended may hold it
        assert time.monotonic() < until
        gc.collect()
        thread.join(0.1)
