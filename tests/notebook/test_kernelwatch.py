"""A view that is closed leaves nothing behind, neither in the kernel nor in the page."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import pytest

import graphflow_nb as g
from graphflow_nb.notebook.kernelwatch import View
from graphflow_nb.notebook.progress import Bar

from ..scope import one_in
from ..storage.postgres.kit import wait_until


def known() -> set[str]:
    """Return the ids of the widgets that are kept."""
    return set(widgets.Widget.get_manager_state()["state"])


VIEWS: dict[str, Callable[[g.Workbench], Any]] = {
    "browse": lambda wb: wb.browse(),
    "browse one": lambda wb: wb.browse(session="claim-0014"),
    "explore": lambda wb: wb.latency.explore(),
    "live": lambda wb: wb.latency.live(),
}


@one_in(8)
@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("read_only", [False, True])
def test_closing_a_view_closes_all_of_its_widgets(name, read_only, tmp_path, monkeypatch):
    url = f"sqlite:{tmp_path}/s.db"
    with g.open("demo") as demo, g.open(url, create=True) as wb:
        demo.copy_to(wb, graph="claims", id_prefix="claim-001")
    with g.open(url, writable=not read_only) as wb:
        wb.get("claim-0014")
        before = known()
        view = VIEWS[name](wb)
        assert len(known() - before) > 3
        view.close()
        assert known() == before
        there = weakref.ref(view)
        del view
        wait_until(lambda: gc.collect() >= 0 and there() is None)  # a picture may still be made


def test_a_view_that_is_closed_twice_and_one_that_was_never_displayed():
    before = known()
    view = View([widgets.HBox([widgets.Label("a"), widgets.Button(style={"text_color": "red"})])])
    view.spare = [widgets.Label("b")]
    view.close()
    view.close()
    bar = Bar(None)
    bar.view.close()
    assert known() == before


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_short_in_a_terminal(name):
    wb = g.open("demo")
    view = VIEWS[name](wb)
    assert len(repr(view)) < 500
    assert "VBox" not in repr(view)
    view.close()
    assert len(repr(view)) < 500
