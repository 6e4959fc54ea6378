"""What a saved notebook keeps of each view: its static form, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import IPython
import IPython.display
import pytest
from IPython.core.formatters import DisplayFormatter

import graphflow_nb as g
from graphflow_nb.cards import plain_box
from graphflow_nb.lessons.course import snapshot_and_event_log as lesson
from graphflow_nb.notebook import progress
from graphflow_nb.notebook.kernelwatch import KernelWatch, View
from graphflow_nb.notebook.panel import Panel

WIDGET = "application/vnd.jupyter.widget-view+json"


class Notebook:
    """The outputs of a cell, as the notebook has them."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []

    def display(self, thing: Any, *, raw: bool = False, display_id: bool = False) -> Any:
        if not raw:
            assert DisplayFormatter().format(thing) == ({}, {}), "it shows itself"
            return None
        self.outputs.append(dict(thing))
        place = len(self.outputs) - 1

        def update(data: dict[str, Any], *, raw: bool) -> None:
            self.outputs[place] = data

        return SimpleNamespace(update=update) if display_id else None


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    notebook = Notebook()
    shell = SimpleNamespace(kernel=object(), display_formatter=DisplayFormatter())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(IPython.display, "display", notebook.display)
    return notebook


VIEWS: dict[str, tuple[Callable[[], Any], str]] = {
    "browser": (lambda: g.open("demo").browse(), "showing 1 to 50"),
    "live": (lambda: g.open("demo").latency.live(), "operations"),
    "panel": (lambda: Panel("a panel", lambda: plain_box("drawn"), list), "drawn"),
    "prediction": (lambda: lesson.predict_rows, "How many rows"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_its_static_form_and_the_widget_which_hides_it(notebook: Notebook, name: str):
    make, shown = VIEWS[name]
    view = make()
    notebook.display(view)
    static, widget = notebook.outputs
    model = widget[WIDGET]["model_id"]
    assert WIDGET not in static
    assert shown in static["text/html"]
    assert "UTC. To use it, run this cell again." in static["text/html"]
    assert (
        f":root:has(.gfnb-view-{model}) .gfnb-saved-{model}{{display:none}}" in static["text/html"]
    )
    assert f'class="gfnb-saved gfnb-saved-{model}"' in static["text/html"]
    assert static["text/plain"]
    assert widget["text/html"] == "", "else the static form would be shown twice"
    if isinstance(view, View):
        assert f"gfnb-view-{model}" in view.get_state()["_dom_classes"]
        view.close()


def test_a_progress_says_in_the_saved_notebook_how_it_ended(notebook: Notebook):
    bar = progress.show_bar("copying …")
    assert bar is not None
    with bar:
        assert "copying …" in notebook.outputs[0]["text/html"]
        assert "Whether the work ended after that" in notebook.outputs[0]["text/html"]
        bar.show_count(7, 10, "sessions")
    assert notebook.outputs[0]["text/plain"] == "7 of 10 sessions: done"
    assert "The work has ended." in notebook.outputs[0]["text/html"]
    bar.show_step("stopped at 7 of 10")
    assert notebook.outputs[0]["text/plain"] == "stopped at 7 of 10"


def test_what_only_counts_has_ended_when_all_are_counted(notebook: Notebook):
    count = progress.show_count("deleting …", "sessions")
    assert count is not None
    count(3, 10)
    assert "The work has ended." not in notebook.outputs[0]["text/html"]
    count(10, 10)
    assert "The work has ended." in notebook.outputs[0]["text/html"]


def test_a_view_always_has_one_that_watches_its_kernel():
    view = View([])
    view.children = (View([]), *view.children)
    view.children = view.children[:1]
    inner, watch = view.children
    assert isinstance(inner, View)
    assert isinstance(watch, KernelWatch)


def test_the_watch_answers_a_ping_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    watch = View([]).watch
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(watch, "send", sent.append)
    for event in ("ping", "pong", None):
        watch.receive({"event": event})
    assert sent == [{"event": "pong"}]
