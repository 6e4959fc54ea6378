"""The HTML of a patch: what changes, with the values before and after."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup
from msgspec import Raw

from ..changes import Change, Patch, Path
from ..model import exactjson
from ..model.masks import DEFAULT_MASK, Mask, is_shown
from ..printable import describe_count
from ..storage.paths import DATA, place_text
from .parts import breakable, code

__all__ = ["patch_html", "place_html", "value_html"]

MAX_CHANGES: Final = 200  # of one patch


def value_html(raw: Raw | None, path: Path = (), mask: Mask = DEFAULT_MASK) -> Markup:
    """Return a JSON text as HTML; ``nothing`` for None.

    Args:
        raw: The value.
        path: The keys and indexes from the session down to it.
        mask: What is hidden of it.
    """
    raw = mask.hide_or_none(raw, path)
    if raw is None:
        return Markup('<span class="q">nothing</span>')
    return code(_format_json(raw), name=True)


def _format_json(raw: Raw) -> str:
    text = bytes(raw).decode(errors="replace")
    if is_shown(text[1:-1]):
        return text[1:-1]  # it is no text of the session
    # Long texts and strings are shown as they are; the rest is indented.
    return text if len(text) > 300 or exactjson.kind(raw) == "string" else exactjson.pretty(text)


_SIGNS = {"add": "+ add", "remove": "− remove", "replace": "± change"}


def patch_html(patch: Patch, nothing: str = "No change.", mask: Mask | None = None) -> Markup:
    """Return a patch as a table: operation, path, and the values before and after.

    Args:
        patch: The changes; the first 200 are shown.
        nothing: The text for a patch without changes.
        mask: What is hidden of the values. Default: the mask of the patch.
    """
    if not len(patch):
        return Markup("<p>%s</p>") % nothing
    rows = Markup("").join(
        _render_change(change, patch.mask if mask is None else mask)
        for change in patch[:MAX_CHANGES]
    )
    if len(patch) > MAX_CHANGES:
        more = f"{describe_count(len(patch) - MAX_CHANGES, 'more change')}, not shown"
        rows += Markup('<tr><td class="q" colspan="4">%s</td></tr>') % more
    return (
        Markup(
            '<table class="gfnb-diff"><thead><tr><th></th><th>path</th><th>before</th>'
            "<th>after</th></tr></thead><tbody>%s</tbody></table>"
        )
        % rows
    )


_CHANGE: Final = Markup('<tr class="gfnb-%s"><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>')


def _render_change(change: Change, mask: Mask) -> Markup:
    return _CHANGE % (
        change.op,
        _SIGNS.get(change.op, change.op),
        place_html(mask.hide_path(change.path)),
        value_html(change.before, change.path, mask),
        value_html(change.value, change.path, mask),
    )


def place_html(path: Path) -> Markup:
    """Return a place in a session as HTML: a context path as code, to be copied by one click."""
    text = place_text(path)
    if path[: len(DATA)] != DATA or path == DATA:
        return breakable(text)
    return Markup('<span class="gfnb-place">%s</span>') % code(text, name=True)
