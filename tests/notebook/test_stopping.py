"""Work in batches shows its progress in a notebook where there is much to do, and can stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import IPython
import IPython.display
import pytest
from ipywidgets import HTML, Button, FloatProgress, Widget

import graphflow_nb as g
from graphflow_nb.notebook import stopping


@pytest.fixture
def shown(monkeypatch) -> list[Widget]:
    """What is displayed, in a process that looks like a kernel's."""
    displayed: list[Widget] = []
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)

    def display(bar: Any) -> None:
        assert threading.current_thread() is threading.main_thread()  # whose cell waits for it
        displayed.append(bar.box)

    monkeypatch.setattr(IPython.display, "display", display)
    return displayed


@pytest.fixture
def wb() -> g.Workbench:
    """A workbench with one more deleted session than are undone without a bar."""
    wb = g.open("memory:")
    ids = [f"s{n}" for n in range(stopping.MANY + 1)]
    for id in ids:
        wb.create(id, "t", undo=False)
    wb.delete(ids)
    return wb


def part(shown: list[Widget], kind: type[Widget]) -> Widget:
    (box,) = shown
    (found,) = (child for child in box.children if isinstance(child, kind))
    return found


def test_many_are_undone_with_a_bar(wb, shown):
    assert wb.undo_all().left == []
    assert len(wb.sessions()) == stopping.MANY + 1
    assert part(shown, FloatProgress).value == 1
    assert part(shown, HTML).value == "done"
    assert part(shown, Button).layout.display == "none"


@pytest.fixture
def pressed(shown, monkeypatch) -> None:
    """The Stop button is pressed as soon as it is shown."""
    show = stopping.show_bar

    def press_at_once(*arguments):
        bar = show(*arguments)
        shown[-1].children[1].click()
        return bar

    monkeypatch.setattr(stopping, "show_bar", press_at_once)


def said(shown: list[Widget]) -> str:
    """What the last bar says at its end."""
    return str(shown[-1].children[2].value)


def test_the_button_stops_it_and_the_next_call_goes_on(wb, shown, pressed, monkeypatch):
    assert wb.undo_all().left == []
    assert len(wb.sessions()) == 0
    assert said(shown) == "stopped at 0 writes: wb.undo_all() continues"
    monkeypatch.undo()
    assert wb.undo_all().left == []
    assert len(wb.sessions()) == stopping.MANY + 1


def test_the_button_stops_a_delete(wb, shown, pressed):
    wb.undo_all(progress=lambda *_: None)
    ids = [f"s{n}" for n in range(stopping.MANY + 1)]
    assert wb.delete(iter(ids)) == []
    assert said(shown) == "stopped at 0 sessions: wb.delete(…) with the same ids continues"
    assert shown[-1].children[1].tooltip == "Stop, and keep what was deleted, which can be undone"
    assert wb.delete(ids[: stopping.MANY]) == ids[: stopping.MANY]
    assert len(shown) == 1


def test_a_bar_of_a_delete_that_was_interrupted_says_how_it_goes_on(wb, shown):
    wb.undo_all(progress=lambda *_: None)
    ids = [f"s{n}" for n in range(stopping.MANY + 1)]
    asked = []

    def interrupt() -> bool:
        asked.append(1)
        if len(asked) > 1:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        wb.delete(ids, stop=interrupt)
    left = len(wb.sessions())
    assert 0 < left < len(ids)
    assert said(shown).startswith(f"stopped at {len(ids) - left:,} of {len(ids):,} sessions: ")
    assert len(wb.delete(ids)) == left
    assert said(shown) == "done"


@pytest.fixture
def stores() -> tuple[g.Workbench, g.Workbench]:
    """One with sessions, and an empty one."""
    return g.open("demo"), g.open("memory:")


def test_the_button_stops_a_copy(stores, shown, pressed, monkeypatch):
    demo, copy = stores
    report = demo.copy_to(copy)
    assert (report.read, report.stopped, report.verified) == (0, True, False)
    assert "STOPPED before its end: the same copy again goes on" in str(report)
    assert said(shown) == "stopped at 0 sessions: the same wb.copy_to(…) continues"
    monkeypatch.undo()
    assert demo.copy_to(copy).verified


def test_nothing_is_shown_for_few_or_with_a_progress_of_ones_own(wb, shown):
    seen = []
    assert wb.undo_all(progress=lambda done, total: seen.append(total)).left == []
    assert seen[-1] == stopping.MANY + 1
    wb.delete("s1")
    assert wb.undo_all().left == []
    assert wb.undo_all().left == []
    assert shown == []


def test_what_is_refused_is_said_all_the_same(wb, shown):
    wb.create("s7", "another")
    wb.bridge.run(wb.storage.inner.upsert(g.Session("s7", "by a worker")))
    assert wb.undo_all().left == ["s7"]
    assert len(shown) == 1


@pytest.fixture
def noted(tmp_path) -> Iterator[g.Workbench]:
    """A workbench with 8 versions of each of 30 sessions, and a mask of its own."""
    with g.open(f"sqlite:{tmp_path}/s.db", create=True, mask=["dossier"]) as wb:
        wb.install_history(versions=None, age=None)
        for id in range(30):
            session = wb.create(f"s{id}", "g", undo=False)
            for n in range(7):
                session.context["n"] = n
                wb.save(session)
        yield wb


def test_pruning_stops_after_a_step_and_goes_on(noted, pressed, shown):
    report = noted.prune_history(versions=1, age=None)
    assert not report.done
    assert 0 < report.versions < 200
    assert part(shown, HTML).value == (
        f"stopped at {report.versions} versions: the same call continues"
    )
    said: list[int] = []
    rest = noted.prune_history(
        versions=1, age=None, progress=lambda done, total: said.append(done), stop=lambda: False
    )
    assert rest.done
    assert report.versions + rest.versions == 30 * 7
    assert said == sorted(said)
    assert said[-1] == rest.versions
    assert len(noted.history("s3")) == 1


def test_a_count_of_what_pruning_would_remove_and_compacting_stop_too(noted, pressed, shown):
    report = noted.prune_history(versions=1, age=None, dry_run=True, stop=lambda: True)
    assert not report.done
    assert report.dry_run
    shown.clear()
    done = noted.compact_history()
    assert part(shown, HTML).value == f"stopped at {done} contexts: the same call continues"
    with pytest.raises(g.QueryError, match="progress"):
        noted.prune_history(progress=3)
    with pytest.raises(g.QueryError, match="stop"):
        noted.compact_history(stop=True)
