"""The examples of the docstrings run as they are written.

The example of a public name starts from nothing, in an empty folder: it imports what it uses, as a
reader must who copies it into a cell. The example of an internal name starts with the names of its
module. ``await`` at its top works as in a notebook. ``...`` represents what differs from run to
run, and runs of spaces are equal.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import graphflow_nb
from graphflow_nb.storage import stores

from .scope import one_in

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PUBLIC = [
    "",
    ".benchmark",
    ".changes",
    ".figures",
    ".history",
    ".journal",
    ".lessons",
    ".monitoring",
    ".storage",
    ".testing",
    ".workflow",
]
MOST_USED = [
    "browse",
    "create",
    "delete",
    "get",
    "messages",
    "patch",
    "run",
    "save",
    "sessions",
    "summary",
    "undo",
]


class _Awaited(ast.NodeTransformer):
    """Makes ``await x`` outside of functions ``_run(x)``, since doctest knows no ``await``."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_Await(self, node: ast.Await) -> ast.AST:
        run = ast.Name("_run", ast.Load())
        return ast.Call(run, [self.visit(node.value)], [])


def modules() -> Iterator[ModuleType]:
    """Import each module of the package."""
    yield graphflow_nb
    for found in pkgutil.walk_packages(graphflow_nb.__path__, "graphflow_nb."):
        if not found.name.endswith(".__main__"):
            yield importlib.import_module(found.name)


def _import(package: str) -> ModuleType:
    return importlib.import_module(f"graphflow_nb{package}")


def examples() -> Iterator[doctest.DocTest]:
    """Find the docstrings that have examples."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    known = {name for package in PUBLIC for name in _import(package).__all__}
    for module in modules():
        for test in finder.find(module, globs={}):
            if test.examples:
                if test.name.removeprefix(f"{module.__name__}.").partition(".")[0] not in known:
                    test.globs.update(vars(module))
                yield test


def public() -> Iterator[tuple[str, object]]:
    """Find what must have an example: the most used functions, and classes that are neither
    errors nor capabilities."""
    for package in PUBLIC:
        module = _import(package)
        for name in module.__all__:
            value = getattr(module, name)
            capability = name.startswith("Supports")
            if inspect.isclass(value) and not capability and not issubclass(value, BaseException):
                yield name, value
    yield from ((name, getattr(graphflow_nb, name)) for name in ("open", "wrap"))
    for name in MOST_USED:
        yield f"Workbench.{name}", inspect.getattr_static(graphflow_nb.Workbench, name)


@one_in(2)
@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_an_example_runs_as_it_is_written(
    example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    # What an example registers is forgotten when it ends.
    monkeypatch.setattr(stores, "STORES", dict(stores.STORES))
    for part in example.examples:
        if "await " in part.source:
            part.source = ast.unparse(_Awaited().visit(ast.parse(part.source))) + "\n"
    said: list[str] = []
    with asyncio.Runner() as runner:
        example.globs.update(__name__="__main__", _run=runner.run)
        doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)
    assert not said, "".join(said)


def test_what_is_used_most_has_an_example() -> None:
    without = {name for name, value in public() if ">>>" not in (value.__doc__ or "")}
    assert not without, "write an example of two to five lines for these"
