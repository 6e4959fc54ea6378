"""What is shown of methods that are called or awaited."""

from __future__ import annotations

import inspect
import pydoc

import graphflow_nb as g


def test_methods_keep_their_documentation():
    wb = g.open("demo")
    assert "Return the session with this id." in wb.get.__doc__
    assert "SessionNotFound" in g.Workbench.get.__doc__
    assert str(inspect.signature(wb.get)) == "(id: 'str') -> 'Session'"


def test_help_shows_the_arguments():
    wb = g.open("demo")
    for method in (wb.sessions, type(wb).sessions):
        text = pydoc.plain(pydoc.render_doc(method))
        assert "graph: 'str | None' = None" in text
        assert "Return sessions as a DataFrame" in text
    assert len(type(wb).sessions(wb)) == len(wb.sessions())
    assert repr(wb.sessions) == "<Workbench.sessions(…), or await sessions.aio(…)>"
