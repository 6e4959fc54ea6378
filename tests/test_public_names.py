"""What `import graphflow_nb` gives."""

from __future__ import annotations

import ast
import json
import logging
import re
from pathlib import Path

import graphflow_nb as g
from graphflow_nb import Workbench
from graphflow_nb.model.times import UNKNOWN_TIME


def test_public_names_are_documented_and_typed():
    assert len(set(g.__all__)) == len(g.__all__)
    for name in g.__all__:
        assert getattr(g, name).__doc__, name
    assert (Path(g.__file__).parent / "py.typed").exists()
    assert json.dumps(g.__version__)
    assert UNKNOWN_TIME < 0
    assert logging.getLogger("graphflow_nb").level == logging.NOTSET


def _find_exports(tree: ast.Module) -> set[str] | None:
    """Return the names in ``__all__`` of a module; None without one."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return {name.value for name in node.value.elts}
    return None


def test_what_modules_share_is_public_and_documented():
    root = Path(g.__file__).parent
    trees = {path: ast.parse(path.read_text()) for path in root.rglob("*.py")}
    exports = {path: _find_exports(tree) for path, tree in trees.items()}
    wrong = []
    for path, tree in trees.items():
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        defined = {node.name: node for node in tree.body if isinstance(node, kinds)}
        wrong += [
            f"{path.relative_to(root)}: {name} has no docstring"
            for name in defined.keys() & (exports[path] or set())
            if not ast.get_docstring(defined[name])
        ]
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.level or node.module is None:
                continue
            folder = path.parents[node.level - 1]
            module = folder.joinpath(*node.module.split("."))
            source = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
            shared = exports[source]
            wrong += [
                f"{path.relative_to(root)} imports {name.name} of {source.relative_to(root)}"
                for name in node.names
                if shared is not None
                and name.name not in shared
                and not (source.name == "__init__.py" and (module / f"{name.name}.py").exists())
            ]
    assert wrong == []


def test_tab_completion_offers_what_is_public():
    packages = re.findall(r"^- ``graphflow_nb\.(\w+)``", g.__doc__, re.MULTILINE)
    assert dir(g) == sorted([*g.__all__, *packages, "__version__"])
    assert all(callable(getattr(g, name)) for name in g.__all__)
    wb = g.open("memory:")
    offered = {name for name in dir(wb) if not name.startswith("_")}
    assert {"get", "sessions", "browse", "latency", "storage", "journal", "undo"} <= offered
    inside = {"asking", "bridge", "filters", "hiding", "note_shown", "observed", "orders", "table"}
    assert not offered & inside
    assert offered <= {*dir(Workbench), *vars(wb)}
    assert not offered & {"scrubber", "hide_secrets"}
