"""The rules by which no text can become HTML; ruff's S704 keeps Markup from all but literals."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphflow_nb

PACKAGE = Path(graphflow_nb.__file__).parent
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

#: The start or end of an element, in a text of any kind.
TAG = re.compile(
    r"</[a-z]|<!(doctype|--)|<(a|b|body|br|button|code|details|div|em|h[1-6]|head|html|hr|i|iframe"
    r"|img|input|li|link|meta|ol|p|picture|pre|script|small|source|span|strong|style|sub|summary"
    r"|sup|svg|table|tbody|td|th|thead|title|tr|u|ul)[\s>/]",
    re.IGNORECASE,
)

#: Where what others have escaped, or what we wrote ourselves, is taken for HTML.
TAKEN = {"benchmark/report.py", "cards/parts.py", "frames/sessions.py", "notebook/saved.py"}

#: What shows HTML, or would make some of a text.
SHOWING = {"HTML", "HTMLMath", "Markdown", "Latex", "Math", "Javascript", "SVG"}


def find_markup(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the texts with elements outside of Markup and docstrings, with their lines."""
    allowed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Markup":
            allowed |= {id(arg) for arg in node.args}
        if isinstance(node, ast.Expr):  # docstrings
            allowed.add(id(node.value))
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in allowed and TAG.search(text):
            yield node.lineno, text


def find_showing(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the names that show HTML or escape by hand, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if (node.module or "").startswith(("ipywidgets", "IPython")) and names & SHOWING:
                yield node.lineno, f"{node.module}: {names & SHOWING}"
            if node.module == "html" and not node.level:
                yield node.lineno, "html"
        elif isinstance(node, ast.Import) and any(alias.name == "html" for alias in node.names):
            yield node.lineno, "html"
        elif isinstance(node, ast.Attribute) and node.attr in SHOWING:
            yield node.lineno, node.attr
        elif isinstance(node, ast.keyword) and node.arg == "description_allow_html":
            yield node.value.lineno, node.arg


def test_markup_is_built_by_the_builder_alone():
    for file in FILES:
        source = PACKAGE.joinpath(file).read_text()
        if not TAG.search(source) and not re.search(
            "(?i)html|markdown|latex|Math|javascript|SVG", source
        ):
            continue  # quicker than to parse it
        tree = ast.parse(source)
        assert list(find_markup(tree)) == [], f"{file}: elements belong into Markup('…') % (…)"
        shown = list(find_showing(tree))
        assert (shown == []) == (file != "notebook/html.py"), f"{file}: use notebook.html.Html"


def test_what_is_taken_for_markup_is_known():
    found = {file for file in FILES if "S704" in PACKAGE.joinpath(file).read_text()}
    assert found == TAKEN


@pytest.mark.parametrize(
    "text",
    [
        "f'<b>{name}</b>'",
        "'<td>' + name + '</td>'",
        "'<img src=x alt=%s>' % name",
        "Markup(f'<b>{name}</b>')",
        "Markup('<b>' + name + '</b>')",
        "''.join(['<br>', name])",
        "'{}</p>'.format(name)",
    ],
)
def test_markup_elsewhere_is_found(text: str):
    assert list(find_markup(ast.parse(f"x = {text}")))


@pytest.mark.parametrize(
    "text",
    [
        "from ipywidgets import HTML, Button",
        "from IPython.display import Markdown",
        "from html import escape",
        "import html",
        "x = widgets.HTML()",
        "x = widgets.Button(description_allow_html=True)",
    ],
)
def test_what_shows_markup_is_found(text: str):
    assert list(find_showing(ast.parse(text)))
