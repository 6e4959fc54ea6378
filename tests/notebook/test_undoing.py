"""``wb.undo_all`` shows its progress in a notebook where there is much to undo, and can stop."""

from __future__ import annotations

from types import SimpleNamespace

import IPython
import IPython.display
import pytest
from ipywidgets import HTML, Button, FloatProgress, Widget

import graphflow_nb as g
from graphflow_nb.notebook import undoing


@pytest.fixture
def shown(monkeypatch) -> list[Widget]:
    """What is displayed, in a process that looks like a kernel's."""
    displayed: list[Widget] = []
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(IPython.display, "display", lambda bar: displayed.append(bar.box))
    return displayed


@pytest.fixture
def wb() -> g.Workbench:
    """A workbench with one more deleted session than are undone without a bar."""
    wb = g.open("memory:")
    ids = [f"s{n}" for n in range(undoing.MANY + 1)]
    for id in ids:
        wb.create(id, "t", undo=False)
    wb.delete(ids)
    return wb


def part(shown: list[Widget], kind: type[Widget]) -> Widget:
    (box,) = shown
    (found,) = (child for child in box.children if isinstance(child, kind))
    return found


def test_many_are_undone_with_a_bar(wb, shown):
    assert wb.undo_all() == []
    assert len(wb.sessions()) == undoing.MANY + 1
    assert part(shown, FloatProgress).value == 1
    assert part(shown, HTML).value == "done"
    assert part(shown, Button).layout.display == "none"


def test_the_button_stops_it_and_the_next_call_goes_on(wb, shown, monkeypatch):
    show = undoing.show_bar

    def press_at_once(*arguments):
        bar = show(*arguments)
        part(shown, Button).click()
        return bar

    monkeypatch.setattr(undoing, "show_bar", press_at_once)
    assert wb.undo_all() == []
    assert len(wb.sessions()) == 0
    assert part(shown, HTML).value.startswith("stopped")
    monkeypatch.undo()
    assert wb.undo_all() == []
    assert len(wb.sessions()) == undoing.MANY + 1


def test_nothing_is_shown_for_few_or_with_a_progress_of_ones_own(wb, shown):
    seen = []
    assert wb.undo_all(progress=lambda done, total: seen.append(total)) == []
    assert seen[-1] == undoing.MANY + 1
    wb.delete("s1")
    assert wb.undo_all() == []
    assert wb.undo_all() == []
    assert shown == []


def test_what_is_refused_is_said_all_the_same(wb, shown):
    wb.create("s7", "another")
    wb.bridge.run(wb.storage.inner.upsert(g.Session("s7", "by a worker")))
    assert wb.undo_all() == ["s7"]
    assert len(shown) == 1
