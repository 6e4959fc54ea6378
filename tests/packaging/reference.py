"""Build the API reference from the docstrings: ``python -m tests.packaging.reference``.

The pages are written to ``build/reference``, or to the folder that is named. A warning (a type that
can't be resolved, a link to nothing) is an error.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pdoc

from graphflow_nb.dual import Dual

FOLDER = Path(__file__).parents[2] / "build" / "reference"
#: The packages whose names are public. Each gets a page, its modules get none of their own.
PUBLIC = ["benchmark", "changes", "figures", "journal", "monitoring", "storage", "testing"]


def build(folder: Path) -> None:
    """Write the pages of all public packages into a folder."""
    pdoc.render.configure(docformat="google", footer_text="graphflow_nb", show_source=False)
    packages = ["graphflow_nb", *(f"graphflow_nb.{name}" for name in PUBLIC)]
    classes = set()
    for package in packages:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            setattr(module, name, value)  # what a package imports on demand is there for pdoc too
            if inspect.isclass(value):
                classes.add(value)
    for kind in classes:
        _show_inherited(kind, classes)
    for kind in classes:
        _show_as_called(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # pdoc resolves the types of private attributes too, which it then does not show.
        warnings.filterwarnings("ignore", r"Error parsing type annotation .*\._\w+: ")
        pdoc.pdoc(*packages, r"!graphflow_nb\.\w+\.", output_directory=folder)


def _show_inherited(kind: type, public: Collection[type]) -> None:
    """Give a class what it inherits from classes of this package that have no page."""
    for base in kind.__mro__[1:]:
        if base.__module__.startswith("graphflow_nb.") and base not in public:
            for name, value in vars(base).items():
                if not name.startswith("_") and name not in vars(kind):
                    setattr(kind, name, value)


def _show_as_called(kind: type) -> None:
    """Replace a class's methods that can be called or awaited by functions, which pdoc knows."""
    for name, method in list(vars(kind).items()):
        if isinstance(method, Dual):
            # pdoc looks at what a function wraps, and would say "async def" of the coroutine.
            setattr(kind, name, _wrapped(_wrapped(method.__wrapped__)))


def _wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def called(*arguments: Any, **named: Any) -> Any:
        raise NotImplementedError

    return called


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    build(folder)
    print(folder / "graphflow_nb.html")
