"""What is ours asks nothing of one notebook alone, so that VS Code's and Colab's can show it."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import graphflow_nb

PACKAGE = Path(graphflow_nb.__file__).parent
SHOWN = sorted(
    str(path.relative_to(PACKAGE))
    for ending in ("js", "css")
    for path in PACKAGE.rglob(f"*.{ending}")
)
PYTHON = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))

#: What a page would ask of elsewhere, or find in JupyterLab alone.
FOREIGN = re.compile(
    r"""https?:|["'(]//|\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\bimport\b
    |\beval\(|new\s+Function|@import|url\(|jupyterapp|requirejs|\brequire\(|IPython\b|\bkernel\.
    |widget_manager|localStorage""",
    re.VERBOSE,
)
#: Elements and classes of JupyterLab. Its variables for colours are something else.
LAB = re.compile(r"(?<!var\(-)(?<!-)\b(?:jp|lm)-[A-Za-z]")
#: What an output would need a browser for, or JupyterLab.
ELSEWHERE = re.compile(r"(?i)<script|text/javascript|jupyterapp|\.jp-\w+|//cdn")
#: An attribute that keeps JupyterLab from taking keys, the theme, and what is called only where
#: it is; others leave them out.
HARMLESS = ("data-lm-suppress-shortcuts", "data-jp-theme-light", "widget_manager?.get_model?.(")
#: Packages with widgets or displays for front ends.
FRONT_ENDS = {"ipywidgets", "anywidget", "traitlets", "IPython"}
LIBRARIES = {"graphflow_nb", "markupsafe", "msgspec", "numpy", "pandas", "pyarrow"}


def source(name: str) -> str:
    text = PACKAGE.joinpath(name).read_text()
    for harmless in HARMLESS:
        text = text.replace(harmless, "")
    return text


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_shown_needs_a_network_or_one_notebook(name: str):
    text = re.sub(r"^\s*//.*$|/\*.*?\*/", "", source(name), flags=re.MULTILINE | re.DOTALL)
    assert FOREIGN.findall(text) == []
    assert LAB.findall(re.sub(r"var\(--jp-[\w-]+", "", text)) == []


@pytest.mark.parametrize("name", SHOWN)
def test_a_colour_of_jupyterlab_has_another_beside_it(name: str):
    alone = re.findall(r"var\(--(?:jp|vscode|colab)-[\w-]+\)", source(name))
    assert alone == [], "elsewhere this is no colour at all"


@pytest.mark.parametrize("name", [name for name in SHOWN if name.endswith(".css")])
def test_what_is_dark_in_jupyterlab_is_dark_elsewhere(name: str):
    rules = re.findall(
        r"[^\n]*data-jp-theme-light=\"false\"[^\n]*", PACKAGE.joinpath(name).read_text()
    )
    assert all(".vscode-dark" in rule and '[theme="dark"]' in rule for rule in rules), rules


def test_no_output_has_a_script_and_one_rule_is_for_jupyterlab():
    found: dict[str, set[str]] = {}
    for name in PYTHON:
        text = PACKAGE.joinpath(name).read_text()
        if not re.search(r"(?i)<script|javascript|jp-|jupyterapp|cdn", text):
            continue  # quicker than to parse it
        tree = ast.parse(text)
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = [] if id(node) in docs else ELSEWHERE.findall(node.value)
                found.setdefault(name, set()).update(words)
            if isinstance(node, ast.ImportFrom | ast.Import | ast.Attribute):
                assert "Javascript" not in ast.unparse(node), name
    assert {name: words for name, words in found.items() if words} == {
        # It hides the error that JupyterLab shows for a widget; elsewhere it matches nothing.
        "notebook/saved.py": {".jp-OutputArea"}
    }


@pytest.mark.parametrize("name", [name for name in SHOWN if name.endswith(".js")])
def test_every_module_may_load_late(name: str):
    if name != "notebook/module.js":
        assert "export default { initialize, render };" in source(name), "see module.js"


def test_its_widgets_are_of_ipywidgets_and_anywidget():
    roots = {
        root
        for name in PYTHON
        if name.startswith(("notebook/", "lessons/"))
        for root in re.findall(r"(?m)^ *(?:import|from) ([A-Za-z]\w*)", source(name))
    }
    others = roots - FRONT_ENDS - LIBRARIES - sys.stdlib_module_names
    assert others == set(), "a widget of another package may not be where the notebook is shown"
