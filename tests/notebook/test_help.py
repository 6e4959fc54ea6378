"""``help(wb.method)`` and ``wb.method?`` show what each public method takes and does."""

from __future__ import annotations

import inspect
import pydoc

import pytest
from IPython.core.oinspect import Inspector

import graphflow_nb as g

WB = g.open("demo")
METHODS = [
    name for name in dir(type(WB)) if not name.startswith("_") and callable(getattr(WB, name))
]


def arguments(name: str) -> list[str]:
    return list(inspect.signature(getattr(WB, name)).parameters)


def test_the_methods_are_found():
    assert {"get", "sessions", "browse", "run", "copy_to", "benchmark", "replay"} <= set(METHODS)
    assert "journal" not in METHODS


@pytest.mark.parametrize("name", METHODS)
def test_help_shows_the_arguments_and_what_it_does(name: str):
    text = pydoc.render_doc(getattr(WB, name), renderer=pydoc.plaintext)
    signature = text.splitlines()[2].removeprefix("async ")
    assert signature.startswith(f"{name}("), "a method is shown, and not a class"
    assert "self" not in arguments(name)
    assert all(argument in signature for argument in arguments(name))
    first = text.splitlines()[3].strip()
    assert first[0].isupper()
    assert "see ``__call__``" not in first


@pytest.mark.parametrize("name", METHODS)
def test_a_question_mark_shows_them_too(name: str):
    shown = Inspector(theme_name="nocolor").info(getattr(WB, name), oname=f"wb.{name}")
    assert str(shown["definition"]).startswith(f"wb.{name}(")
    assert all(argument in shown["definition"] for argument in arguments(name))
    assert "see ``__call__``" not in shown["docstring"]
