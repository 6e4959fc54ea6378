"""The card of a session: HTML, and plain text for terminals.

Values from a store are escaped. Long ones are cut, and the card says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from ..errors import ContextError
from ..model import Message, OddMessage, Session, exactjson
from ..model.times import datetime_of, describe_time, micros_or_unknown
from ..printable import printable_lines
from ..storage.paths import path_text
from .parts import age, card, code, fact_table, size

__all__ = ["chat_html", "context_html", "overview_html", "session_html", "session_text"]

MAX_ITEMS: Final = 100  # of one object or array
MAX_NODES: Final = 2_000  # of one tree
MAX_MESSAGES: Final = 50


def _collect_facts(session: Session) -> list[tuple[str, str]]:
    def when(raw: datetime | int | None) -> str:
        time = datetime_of(raw)
        if time is not None:
            return f"{time:%Y-%m-%d %H:%M:%S} UTC, {age(time)}"
        return "unknown" if raw is None else describe_time(micros_or_unknown(raw))

    return [
        ("graph", session.graph_id),
        ("task", session.current_task_id),
        ("status", session.status_message or "none"),
        ("version", "0, not saved yet" if session.is_new else str(session.version)),
        ("created", when(session.raw_created)),
        ("updated", when(session.raw_updated)),
    ]


def _read_content(session: Session) -> tuple[Any, Sequence[Message], str]:
    """Return data, messages, and the error if they can't be read."""
    try:
        context = exactjson.decode(session.context_json(), "the context")
        data = context.get("data", {}) if isinstance(context, dict) else context
        if not isinstance(data, dict):
            raise ContextError(f"data is not an object but {type(data).__name__}")
    except ContextError as error:
        return {}, [], str(error)
    try:
        # A copy, so that showing a session does not change its state.
        return data, session.copy().context.chat_history, ""
    except ContextError as error:
        return data, [], str(error)


def session_html(session: Session) -> Markup:
    """Return the card of a session: facts, context as a collapsible tree, chat as messages."""
    body = overview_html(session)
    content, messages, wrong = _read_content(session)
    extent = f"{_describe_keys(content)}, {size(len(session.context_json()))}"
    body += Markup(
        '<details open><summary><b>context</b> <span class="q">%s</span></summary>%s</details>'
        '<details open><summary><b>chat</b> <span class="q">%s messages</span></summary>%s'
        "</details>"
    ) % (
        extent,
        "" if wrong else _render_context(content),
        len(messages),
        _render_messages(messages),
    )
    return card(Markup("session %s") % code(session.id), body)


def overview_html(session: Session) -> Markup:
    """Return the facts of a session, and the error if its context can't be read."""
    body = fact_table([(name, code(value)) for name, value in _collect_facts(session)])
    wrong = _read_content(session)[2]
    if wrong:
        body += Markup("<p><strong>The context can't be read:</strong> %s</p>") % code(wrong)
    return body


def context_html(session: Session) -> Markup:
    """Return the context of a session as a collapsible tree, with the path of each value."""
    content, _, wrong = _read_content(session)
    return code(wrong) if wrong and not content else _render_context(content)


def chat_html(session: Session) -> Markup:
    """Return the chat of a session as a conversation."""
    return _render_messages(_read_content(session)[1])


def _describe_keys(content: Any) -> str:
    return f"{len(content) if isinstance(content, dict) else 0} keys"


def _render_context(content: Any) -> Markup:
    if not content:
        return Markup('<div class="l q">empty</div>')
    return Markup("").join(_render_tree(content, (), iter(range(MAX_NODES))))


def _render_messages(messages: Sequence[Message]) -> Markup:
    try:
        return _render_chat(messages)
    except ContextError as error:
        return Markup("<p>%s</p>") % code(str(error))


# With the path as ``sessions(context=[…])`` takes it; one click selects it.
_PATH: Final = Markup('<span class="p" title="path: click and copy">%s</span>')
_BRANCH: Final = (
    Markup('<details><summary><b>%s</b> <span class="q">%s %s</span> ')
    + _PATH
    + Markup("</summary>")
)
_LEAF: Final = Markup('<div class="l"><b>%s</b>: %s ') + _PATH + Markup("</div>")


def _render_tree(value: Any, path: tuple[str, ...], budget: Iterator[int]) -> Iterator[Markup]:
    """Return the items of an object or array as HTML."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for name, item in items[:MAX_ITEMS]:
        if next(budget, None) is None:
            yield Markup('<div class="l q">… more, not shown</div>')
            return
        key, here = code(str(name)), (*path, str(name))
        if isinstance(item, (dict, list)) and item:
            kind = "keys" if isinstance(item, dict) else "items"
            yield _BRANCH % (key, len(item), kind, code(path_text(here)))
            yield from _render_tree(item, here, budget)
            yield Markup("</details>")
        else:
            yield _LEAF % (key, code(_format_scalar(item)), code(path_text(here)))
    if len(items) > MAX_ITEMS:
        more = f"{len(items) - MAX_ITEMS:,}"
        yield Markup('<div class="l q">… %s more, not shown</div>') % more


def _format_scalar(value: Any) -> str:
    return exactjson.show(value)


def _render_chat(messages: Sequence[Message]) -> Markup:
    shown = messages[max(0, len(messages) - MAX_MESSAGES) :]
    cut = len(messages) - len(shown)
    hint = Markup('<div class="l q">%s earlier ones not shown</div>') % f"{cut:,}"
    parts = [hint] if cut else []
    for message in shown:
        if isinstance(message, OddMessage):
            parts.append(
                Markup(
                    '<div class="m"><span class="q">an odd message, as it is stored: %s</span>'
                    "<br>%s</div>"
                )
                % (code(message.problem), code(message.content))
            )
            continue
        time, role = f"{message.timestamp:%Y-%m-%d %H:%M:%S}", message.role.value
        parts.append(
            Markup('<div class="m %s"><span class="q">%s, %s UTC</span><br>%s</div>')
            % (role, role, time, code(message.content))
        )
    return Markup("").join(parts) or Markup('<div class="l q">none</div>')


def session_text(session: Session) -> str:
    """Return the card of a session as plain text."""
    data, messages, wrong = _read_content(session)
    lines = [f"session {session.id!r}"]
    lines += [
        f"  {name:<8} {value!r}" if name in ("graph", "task", "status") else f"  {name:<8} {value}"
        for name, value in _collect_facts(session)
    ]
    if wrong:
        lines.append(f"  the context can't be read: {wrong}")
    lines.append(f"  context  {size(len(session.context_json()))}")
    items = list(data.items()) if isinstance(data, dict) else []
    for key, value in items[:MAX_ITEMS]:
        lines.append(f"    {key!r}: {_cut(exactjson.show(value), 100)}")
    if len(items) > MAX_ITEMS:
        lines.append(f"    … {len(items) - MAX_ITEMS:,} more keys")
    lines.append(f"  chat     {len(messages)} messages")
    try:
        for message in messages[max(0, len(messages) - 10) :]:
            role = "odd" if isinstance(message, OddMessage) else message.role.value
            lines.append(f"    {role}: {_cut(repr(message.content), 100)}")
    except ContextError as error:
        lines.append(f"    {error}")
    return printable_lines("\n".join(lines))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[:width]} … ({len(text):,} characters)"
