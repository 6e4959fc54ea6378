"""Versions of a session as HTML: one with what it changed, and a list for use without a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from ...cards import age, card, code, fact_table, notice_html, patch_html, size
from ...history import Version
from ...model.masks import DEFAULT_MASK, Mask
from ...storage.history import OBSERVED, TRIGGER, WRITTEN
from .past import Look, Past

__all__ = [
    "describe_extent",
    "name_version",
    "render_changes",
    "render_facts",
    "static_history",
]

MAX_LISTED: Final = 20  # versions in the list
MAX_CELL: Final = 120  # characters of a text in it

SOURCES: Final = {
    WRITTEN: "recorded by graphflow_nb with the save",
    TRIGGER: "recorded by the database, for every writer",
    OBSERVED: "a sample: what was saved in between is unknown",
}


def name_version(version: Version) -> str:
    """Return a version as the slider names it."""
    return f"{version.number}, {version.at:%Y-%m-%d %H:%M:%S}"


def describe_extent(versions: Sequence[Version], *, more: bool) -> str:
    """Return of which versions one is shown.

    Args:
        versions: The versions of the page, oldest first.
        more: Whether there are older ones.
    """
    shown = f"of {versions[0].number:,} to {versions[-1].number:,}"
    return f"{shown}; there are older ones" if more else shown


def render_facts(version: Version, extent: str, mask: Mask = DEFAULT_MASK) -> Markup:
    """Return what is known of a version.

    Args:
        version: The version.
        extent: Of which versions it is one.
        mask: What is hidden of its status.
    """
    hint = Markup('%s <span class="q">%s</span>')
    stored = "" if version.version is None else f"; version {version.version} in the store"
    task = Markup("<b>deleted</b>, at task %s") if version.deleted else Markup("%s")
    writer = Markup("; writer %s") % code(version.writer) if version.writer else ""
    source = hint % (code(version.source), SOURCES.get(version.source, ""))
    rows = [
        ("version", hint % (Markup("<b>%s</b>") % version.number, extent + stored)),
        ("saved", hint % (f"{version.at:%Y-%m-%d %H:%M:%S.%f} UTC", age(version.at))),
        ("task", task % code(version.current_task_id, name=True)),
        ("status", code(mask.hide_in(version.status_message or "none"))),
        ("source", Markup("%s%s") % (source, writer)),
    ]
    return fact_table(rows)


def render_changes(look: Look, mask: Mask | None = None) -> Markup:
    """Return how a version differs from the one before, or why that is not known.

    Args:
        look: The version.
        mask: What is hidden of the values. Default: what the session's own mask hides.
    """
    if look.before is None and look.problem:
        return notice_html("warning", f"What it changed is not known: {look.problem}")
    if look.before is None:
        first = look.version.number == 1
        what = (
            "The first version that is kept: what was before it is not known."
            if first
            else "The version before this one is not kept: what this one changed is not known."
        )
        return Markup("<p>%s</p>") % what
    if look.version.deleted:
        return Markup("<p>The session was deleted; this is what was deleted.</p>")
    if look.before.deleted:
        return Markup("<p>The session was deleted before, and this is a new one.</p>")
    title = Markup("<b>Changes since version %s</b>%s")
    if look.changes is None:
        problem = f"These versions can't be compared: {look.problem}"
        return title % (look.before.number, notice_html("warning", problem))
    return title % (look.before.number, patch_html(look.changes, "Saved without a change.", mask))


def static_history(past: Past) -> Markup:
    """Return the newest versions of a page, and the one that is looked at, without a kernel."""
    look = past.look
    if look is None:
        return Markup("")
    shown = past.versions[: -MAX_LISTED - 1 : -1]
    more = past.more or len(shown) < len(past.versions)
    extent = describe_extent(past.versions, more=past.more)
    body = _render_list(shown, past.mask)
    if more:
        body += Markup('<p class="q">There are older ones.</p>')
    body += render_facts(look.version, extent, past.mask) + render_changes(look)
    return card(Markup("history of %s") % code(look.version.id), body)


def _render_list(versions: Sequence[Version], mask: Mask) -> Markup:
    row = Markup(
        '<tr><td class="n">%s</td><td>%s</td><td>%s</td><td class="long">%s</td>'
        '<td class="n">%s</td><td>%s</td></tr>'
    )
    rows = Markup("").join(
        row
        % (
            version.number,
            f"{version.at:%Y-%m-%d %H:%M:%S} UTC",
            Markup("deleted") if version.deleted else code(_cut(version.current_task_id)),
            code(_cut(mask.hide_in(version.status_message or ""))),
            size(version.bytes),
            version.source,
        )
        for version in versions
    )
    head = Markup("").join(
        Markup("<th>%s</th>") % name
        for name in ("version", "saved", "task", "status", "context", "source")
    )
    return Markup('<table class="gfnb-list"><tr>%s</tr>%s</table>') % (head, rows)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}…"
