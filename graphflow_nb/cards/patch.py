"""The HTML of a patch: what changes, with the values before and after."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup
from msgspec import Raw

from ..changes import Change, Patch, Path
from ..model import exactjson
from ..storage.paths import DATA, place_text
from .parts import code

__all__ = ["patch_html", "place_html", "value_html"]

MAX_CHANGES: Final = 200  # of one patch


def value_html(raw: Raw | None) -> Markup:
    """Return a JSON text as HTML; ``nothing`` for None."""
    if raw is None:
        return Markup('<span class="q">nothing</span>')
    return code(_format_json(raw))


def _format_json(raw: Raw) -> str:
    text = bytes(raw).decode(errors="replace")
    # Long texts and strings are shown as they are; the rest is indented.
    return text if len(text) > 300 or exactjson.kind(raw) == "string" else exactjson.pretty(text)


_SIGNS = {"add": "+ add", "remove": "− remove", "replace": "± change"}


def patch_html(patch: Patch, nothing: str = "No change.") -> Markup:
    """Return a patch as a table: operation, path, and the values before and after.

    Args:
        patch: The changes; the first 200 are shown.
        nothing: The text for a patch without changes.
    """
    if not len(patch):
        return Markup("<p>%s</p>") % nothing
    rows = Markup("").join(_render_change(change) for change in patch[:MAX_CHANGES])
    if len(patch) > MAX_CHANGES:
        more = f"{len(patch) - MAX_CHANGES:,} more changes, not shown"
        rows += Markup('<tr><td class="q" colspan="4">%s</td></tr>') % more
    return (
        Markup(
            '<table class="gfnb-diff"><thead><tr><th></th><th>path</th><th>before</th>'
            "<th>after</th></tr></thead><tbody>%s</tbody></table>"
        )
        % rows
    )


_CHANGE: Final = Markup('<tr class="gfnb-%s"><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>')


def _render_change(change: Change) -> Markup:
    return _CHANGE % (
        change.op,
        _SIGNS.get(change.op, change.op),
        place_html(change.path),
        value_html(change.before),
        value_html(change.value),
    )


def place_html(path: Path) -> Markup:
    """Return a place in a session as HTML: a context path as code, to be copied by one click."""
    text = place_text(path)
    if path[: len(DATA)] != DATA or path == DATA:
        return Markup("%s") % text
    return Markup('<span class="gfnb-place">%s</span>') % code(text)
