"""The HTML of a patch: what changes, with the values before and after."""

from __future__ import annotations

from html import escape
from typing import Final

from msgspec import Raw

from ..changes import Change, Patch, pointer
from ..model import exactjson
from .parts import code

__all__ = ["patch_html", "value_html"]

MAX_CHANGES: Final = 200  # of one patch


def value_html(raw: Raw | None) -> str:
    """Return a JSON text as HTML; ``nothing`` for None."""
    return '<span class="q">nothing</span>' if raw is None else code(_format_json(raw))


def _format_json(raw: Raw) -> str:
    text = bytes(raw).decode(errors="replace")
    # Long texts and strings are shown as they are; the rest is indented.
    return text if len(text) > 300 or exactjson.kind(raw) == "string" else exactjson.pretty(text)


_SIGNS = {"add": "+ add", "remove": "− remove", "replace": "± change"}


def patch_html(patch: Patch, nothing: str = "No change.") -> str:
    """Return a patch as a table: operation, path, and the values before and after.

    Args:
        patch: The changes; the first 200 are shown.
        nothing: The text for a patch without changes.
    """
    if not len(patch):
        return f"<p>{escape(nothing)}</p>"
    rows = "".join(_render_change(change) for change in patch[:MAX_CHANGES])
    if len(patch) > MAX_CHANGES:
        rows += (
            f'<tr><td class="q" colspan="4">{len(patch) - MAX_CHANGES:,} more changes, '
            "not shown</td></tr>"
        )
    heads = "<th></th><th>path</th><th>before</th><th>after</th>"
    return f'<table class="gfnb-diff"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _render_change(change: Change) -> str:
    return (
        f'<tr class="gfnb-{change.op}"><td>{_SIGNS.get(change.op, change.op)}</td>'
        f"<td>{code(pointer(change.path))}</td>"
        f"<td>{value_html(change.before)}</td><td>{value_html(change.value)}</td></tr>"
    )
