"""The card of a session: HTML, and plain text for terminals.

Values from a store are escaped. Long ones are cut, and the card says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from markupsafe import Markup
from msgspec import Raw

from ..errors import ContextError
from ..model import OddMessage, Session, exactjson
from ..model.times import datetime_of, describe_time, micros_or_unknown
from ..printable import describe_count, printable_lines
from ..storage.paths import DATA
from .content import read_content, render_chat, render_tree
from .lines import shown_text
from .parts import card, code, fact_table, moment_text, size

__all__ = ["overview_html", "session_html", "session_text"]

MAX_ITEMS: Final = 100  # of the context, as plain text


def _collect_facts(session: Session) -> list[tuple[str, str]]:
    def when(raw: datetime | int | None) -> str:
        time = datetime_of(raw)
        if time is not None:
            return moment_text(time)
        return "unknown" if raw is None else describe_time(micros_or_unknown(raw))

    return [
        ("graph", session.graph_id),
        ("task", session.current_task_id),
        ("status", session.mask.hide_in(session.status_message or "none")),
        ("version", "0, not saved yet" if session.is_new else str(session.version)),
        ("created", when(session.raw_created)),
        ("updated", when(session.raw_updated)),
    ]


def session_html(session: Session) -> Markup:
    """Return the card of a session: facts, context as a collapsible tree, chat as messages."""
    body = overview_html(session)
    content, messages, wrong = read_content(session)
    extent = f"{describe_count(len(content), 'key')}, {size(len(session.context_json()))}"
    body += Markup(
        '<details open><summary><b>context</b> <span class="q">%s</span></summary>%s</details>'
        '<details open><summary><b>chat</b> <span class="q">%s</span></summary>%s'
        "</details>"
    ) % (
        extent,
        "" if wrong else render_tree(content, session.mask),
        describe_count(len(messages), "message"),
        render_chat(messages, session.mask),
    )
    return card(Markup("session %s") % code(session.id), body)


def overview_html(session: Session) -> Markup:
    """Return the facts of a session, and the error if its context can't be read."""
    body = fact_table([(name, code(value, name=True)) for name, value in _collect_facts(session)])
    wrong = read_content(session)[2]
    if wrong:
        body += Markup("<p><strong>The context can't be read:</strong> %s</p>") % code(wrong)
    return body


def session_text(session: Session) -> str:
    """Return the card of a session as plain text."""
    data, messages, wrong = read_content(session)
    lines = [f"session {session.id!r}"]
    lines += [
        f"  {name:<8} {value!r}" if name in ("graph", "task", "status") else f"  {name:<8} {value}"
        for name, value in _collect_facts(session)
    ]
    if wrong:
        lines.append(f"  the context can't be read: {wrong}")
    lines.append(f"  context  {size(len(session.context_json()))}")
    # As a whole: one key may name what is under another.
    hidden = session.mask.hide(Raw(exactjson.encode_unchecked(data)), DATA)
    items = list(exactjson.split_object(hidden, "").items())
    for key, value in items[:MAX_ITEMS]:
        lines.append(f"    {key!r}: {_cut(shown_text(value), 100)}")
    if len(items) > MAX_ITEMS:
        lines.append(f"    … {describe_count(len(items) - MAX_ITEMS, 'more key')}")
    lines.append(f"  chat     {describe_count(len(messages), 'message')}")
    try:
        for message in messages[max(0, len(messages) - 10) :]:
            role = "odd" if isinstance(message, OddMessage) else message.role.value
            lines.append(f"    {role}: {_cut(repr(session.mask.hide_text(message.content)), 100)}")
    except ContextError as error:
        lines.append(f"    {error}")
    return printable_lines("\n".join(lines))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[:width]} … ({len(text):,} characters)"
