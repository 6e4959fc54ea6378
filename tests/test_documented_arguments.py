"""What a docstring says of arguments is said of each of them, and of no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import graphflow_nb as g

FOLDER = Path(g.__file__).parent
_ARGS = re.compile(r"^Args:\n(.*?)(?=\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)
#: The names before a colon, which may go over several lines.
_NAMES = re.compile(r"^    (\*{0,2}\w+(?:,\s+\*{0,2}\w+)*):", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _documented(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | Function, Function]]:
    """Yield what has a docstring, and the function whose arguments it is about."""
    for node in ast.walk(tree):
        for inner in node.body if isinstance(node, (ast.Module, ast.ClassDef)) else ():
            if isinstance(inner, Function):
                about = node if isinstance(node, ast.ClassDef) else inner
                yield (about if inner.name == "__init__" else inner), inner  # type: ignore[misc]


def test_each_argument_is_documented_where_some_are() -> None:
    wrong = []
    seen = 0
    for path in sorted(FOLDER.rglob("*.py")):
        for node, function in _documented(ast.parse(path.read_text())):
            found = _ARGS.search(ast.get_docstring(node) or "")
            if found is None:
                continue
            seen += 1
            told = {
                name.strip("*") for m in _NAMES.findall(found[1]) for name in re.split(r",\s+", m)
            }
            of = function.args
            names = [each.arg for each in (*of.posonlyargs, *of.args, *of.kwonlyargs)]
            names += [of.vararg.arg] if of.vararg else []
            taken = {name for name in names if name not in ("self", "cls") and name[0] != "_"}
            # **filters stands for names of its own.
            extra = set() if of.kwarg else told - taken
            if taken - told or extra:
                place = f"{path.relative_to(FOLDER)}: {node.name}"
                wrong.append(f"{place} lacks {sorted(taken - told)}, has {sorted(extra)}")
    assert wrong == []
    assert seen > 500
