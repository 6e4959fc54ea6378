"""axe-core in the page of a test: what is ours must break no rule of WCAG 2.1, A and AA."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

__all__ = ["check_accessible"]

_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
#: The notebook around them is JupyterLab's own.
_OURS = ".gfnb-browser, .gfnb-panel, .gfnb, .gfnb-view:has(.widget-hprogress)"
_CHECK = """async ours => {
    const roots = [...document.querySelectorAll(ours)].filter(root =>
        root.offsetParent && !root.parentElement.closest(ours));
    const found = await axe.run({include: roots}, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
        resultTypes: ['violations'],
    });
    return [roots.length, found.violations.flatMap(rule => rule.nodes.map(node =>
        `${rule.id} at ${node.target.join(' ')}: ${node.html.slice(0, 200)} | `
        + node.failureSummary.replaceAll('\\n', ' ')))];
}"""


def check_accessible(page: Any, state: str) -> None:
    """Check what is shown of ours, as it is now.

    Args:
        page: The page.
        state: The name of what is shown, for the error.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"() => {{ {_AXE} }}")
    roots, violations = page.evaluate(_CHECK, _OURS)
    assert roots, f"{state}: nothing of ours is shown"
    assert not violations, "\n".join([f"{state}:", *violations])
