"""What a workbench, a session and a patch look like: static HTML, and plain text for terminals.

Whatever comes from a store is escaped; long things are cut, and the cut is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Any

from msgspec import Raw

from ..changes import Change, Patch
from ..changes.patch import pointer
from ..errors import ContextError
from ..model import Message, Session, exactjson
from ..storage.paths import path_text
from ..storage.table import GroupCount

__all__ = [
    "CARD_CSS",
    "age",
    "card",
    "chat_html",
    "code",
    "context_html",
    "overview_html",
    "patch_html",
    "session_html",
    "session_text",
    "value_html",
    "workbench_html",
    "workbench_text",
]

MAX_ITEMS = 100  # of one object or array
MAX_NODES = 2_000  # of one tree
MAX_TEXT = 2_000  # characters of one text
MAX_MESSAGES = 50
MAX_TASKS = 20
MAX_CHANGES = 200  # of one patch

CARD_CSS = files(__package__).joinpath("card.css").read_text()
STYLE = f"<style>{CARD_CSS}</style>"


def card(title: str, body: str) -> str:
    """A box with a title, both HTML."""
    return f'{STYLE}<div class="gfnb"><h4>{title}</h4>{body}</div>'


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def code(text: str) -> str:
    """A text from a store: escaped, and cut where it is long."""
    shown = escape(text[:MAX_TEXT])
    if len(text) > MAX_TEXT:
        shown += f'</code> <span class="q">… {len(text):,} characters in all</span><code>'
    return f"<code>{shown}</code>"


def age(time: datetime | None) -> str:
    """How long ago, for people: ``3 min ago``."""
    if time is None or time.tzinfo is None:  # PostgreSQL's infinities are naive
        return "at a time unknown"
    seconds = (datetime.now(UTC) - time).total_seconds()
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{max(0, seconds) / size:.0f} {unit} ago"
    return f"{seconds / 86_400:,.0f} days ago"


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 10_000 else f"{count / 1000:,.0f} kB"


# A session


def _facts(session: Session) -> list[tuple[str, str]]:
    def when(time: datetime | None) -> str:
        return "unknown" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC, {age(time)}"

    return [
        ("graph", session.graph_id),
        ("task", session.current_task_id),
        ("status", session.status_message or "none"),
        ("version", "0, not saved yet" if session.is_new else str(session.version)),
        ("created", when(session.created_at)),
        ("updated", when(session.updated_at)),
    ]


def _content(session: Session) -> tuple[Any, Sequence[Message], str]:
    """Data, messages, and what is wrong with them if they can't be read."""
    try:
        context = exactjson.decode(session.context_json(), "the context")
        data = context.get("data", {}) if isinstance(context, dict) else context
        if not isinstance(data, dict):
            raise ContextError(f"data is no object but {type(data).__name__}")
    except ContextError as error:
        return {}, [], str(error)
    try:
        # A twin, so that looking at a session leaves nothing read in it.
        return data, session.copy().context.chat_history, ""
    except ContextError as error:
        return data, [], str(error)


def session_html(session: Session) -> str:
    """A session's card: facts, context as a collapsible tree, chat as messages."""
    body = overview_html(session)
    content, messages, wrong = _content(session)
    size = len(session.context_json())
    body += (
        f"<details open><summary><b>context</b> <span class=q>{_keys(content)}, {_size(size)}"
        f"</span></summary>{'' if wrong else _context(content)}</details>"
        f"<details open><summary><b>chat</b> <span class=q>{len(messages)} messages</span>"
        f"</summary>{_messages(messages)}</details>"
    )
    return card(f"session {code(session.id)}", body)


def overview_html(session: Session) -> str:
    """A session's facts, and what is wrong with its context if it can't be read."""
    body = _table([(name, code(value)) for name, value in _facts(session)])
    wrong = _content(session)[2]
    if wrong:
        body += f"<p><strong>The context can't be read:</strong> {code(wrong)}</p>"
    return body


def context_html(session: Session) -> str:
    """A session's context as a collapsible tree, with the path of each value."""
    content, _, wrong = _content(session)
    return code(wrong) if wrong and not content else _context(content)


def chat_html(session: Session) -> str:
    """A session's chat as a conversation."""
    return _messages(_content(session)[1])


def _keys(content: Any) -> str:
    return f"{len(content) if isinstance(content, dict) else 0} keys"


def _context(content: Any) -> str:
    budget = iter(range(MAX_NODES))
    return "".join(_tree(content, (), budget)) if content else '<div class="l q">empty</div>'


def _messages(messages: Sequence[Message]) -> str:
    try:
        return _chat(messages)
    except ContextError as error:
        return f"<p>{code(str(error))}</p>"


def _path(keys: tuple[str, ...]) -> str:
    """A path as ``sessions(context=[…])`` takes it, which one click selects."""
    return f'<span class="p" title="path: click and copy">{code(path_text(keys))}</span>'


def _tree(value: Any, path: tuple[str, ...], budget: Iterator[int]) -> Iterator[str]:
    """The inside of an object or array."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for name, item in items[:MAX_ITEMS]:
        if next(budget, None) is None:
            yield '<div class="l q">… more, not shown</div>'
            return
        key, here = f"<b>{code(str(name))}</b>", (*path, str(name))
        if isinstance(item, (dict, list)) and item:
            kind = "keys" if isinstance(item, dict) else "items"
            yield (
                f"<details><summary>{key} <span class=q>{len(item)} {kind}</span> {_path(here)}"
                "</summary>"
            )
            yield from _tree(item, here, budget)
            yield "</details>"
        else:
            yield f'<div class="l">{key}: {code(_scalar(item))} {_path(here)}</div>'
    if len(items) > MAX_ITEMS:
        yield f'<div class="l q">… {len(items) - MAX_ITEMS:,} more, not shown</div>'


def _scalar(value: Any) -> str:
    return exactjson.show(value)


def _chat(messages: Sequence[Message]) -> str:
    shown = messages[max(0, len(messages) - MAX_MESSAGES) :]
    cut = len(messages) - len(shown)
    parts = [f'<div class="l q">{cut:,} earlier ones not shown</div>'] if cut else []
    for message in shown:
        time = f"{message.timestamp:%Y-%m-%d %H:%M:%S}"
        parts.append(
            f'<div class="m {message.role.value}"><span class=q>{message.role.value}, {time} UTC'
            f"</span><br>{code(message.content)}</div>"
        )
    return "".join(parts) or '<div class="l q">none</div>'


def session_text(session: Session) -> str:
    """A session's card for a terminal."""
    data, messages, wrong = _content(session)
    lines = [f"session {session.id!r}"]
    lines += [
        f"  {name:<8} {value!r}" if name in ("graph", "task", "status") else f"  {name:<8} {value}"
        for name, value in _facts(session)
    ]
    if wrong:
        lines.append(f"  the context can't be read: {wrong}")
    lines.append(f"  context  {_size(len(session.context_json()))}")
    items = list(data.items()) if isinstance(data, dict) else []
    for key, value in items[:MAX_ITEMS]:
        lines.append(f"    {key!r}: {_cut(exactjson.show(value), 100)}")
    if len(items) > MAX_ITEMS:
        lines.append(f"    … {len(items) - MAX_ITEMS:,} more keys")
    lines.append(f"  chat     {len(messages)} messages")
    try:
        for message in messages[max(0, len(messages) - 10) :]:
            lines.append(f"    {message.role.value}: {_cut(repr(message.content), 100)}")
    except ContextError as error:
        lines.append(f"    {error}")
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[:width]} … ({len(text):,} characters)"


# Changes


def value_html(raw: Raw | None) -> str:
    """A JSON text, or that there is none."""
    return '<span class="q">nothing</span>' if raw is None else code(_json(raw))


def _json(raw: Raw) -> str:
    text = bytes(raw).decode(errors="replace")
    # Strings stand as they read, if that is shorter: without the escapes of JSON.
    return text if len(text) > 300 or exactjson.kind(raw) == "string" else exactjson.pretty(text)


_SIGNS = {"add": "+ add", "remove": "− remove", "replace": "± change"}


def patch_html(patch: Patch, nothing: str = "No change.") -> str:
    """A patch as a table: what happens, where, and the values before and after."""
    if not len(patch):
        return f"<p>{escape(nothing)}</p>"
    rows = "".join(_change(change) for change in patch[:MAX_CHANGES])
    if len(patch) > MAX_CHANGES:
        rows += (
            f'<tr><td class="q" colspan="4">{len(patch) - MAX_CHANGES:,} more changes, '
            "not shown</td></tr>"
        )
    heads = "<th></th><th>path</th><th>before</th><th>after</th>"
    return f'<table class="gfnb-diff"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _change(change: Change) -> str:
    return (
        f'<tr class="gfnb-{change.op}"><td>{_SIGNS.get(change.op, change.op)}</td>'
        f"<td>{code(pointer(change.path))}</td>"
        f"<td>{value_html(change.before)}</td><td>{value_html(change.value)}</td></tr>"
    )


# A workbench


def _where(counts: Sequence[GroupCount]) -> list[GroupCount]:
    return sorted(counts, key=lambda c: (c.graph_id, -c.sessions, c.current_task_id))


def _newest(counts: Sequence[GroupCount]) -> datetime | None:
    times = (c.newest for c in counts if c.newest is not None and c.newest.tzinfo is not None)
    return max(times, default=None)


def workbench_html(store: str, counts: Sequence[GroupCount] | None, note: str, ops: int) -> str:
    """A workbench's card: the store, and how many sessions stand where.

    Args:
        store: its name, without secrets.
        counts: by graph and task; None if the store can't count.
        note: what else to say, such as read-only or out of reach.
        ops: operations recorded.
    """
    rows = [("store", code(store))]
    if note:
        rows.append(("note", code(note)))
    if counts is not None:
        total, graphs = sum(c.sessions for c in counts), len({c.graph_id for c in counts})
        rows.append(("sessions", f"{total:,} in {graphs} graphs"))
        rows.append(("newest", escape(age(_newest(counts))) if counts else "none"))
    rows.append(("recorded", f"{ops:,} operations"))
    body = _table(rows)
    if counts:
        names = "<th>graph</th><th>task</th><th class=n>sessions</th><th>oldest update</th>"
        body += f"<table><tr>{names}</tr>"
        for c in _where(counts)[:MAX_TASKS]:
            body += (
                f"<tr><td>{code(c.graph_id)}</td><td>{code(c.current_task_id)}</td>"
                f"<td class=n>{c.sessions:,}</td><td>{escape(age(c.oldest))}</td></tr>"
            )
        body += "</table>"
        if len(counts) > MAX_TASKS:
            body += (
                f"<div class=q>showing {MAX_TASKS} of {len(counts):,}; wb.summary() has all</div>"
            )
    return card("graphflow_nb workbench", body)


def workbench_text(store: str, counts: Sequence[GroupCount] | None, note: str, ops: int) -> str:
    """A workbench's card for a terminal; arguments as for ``workbench_html``."""
    lines = [f"graphflow_nb workbench on {store}"]
    if note:
        lines.append(f"  {note}")
    if counts is not None:
        total, graphs = sum(c.sessions for c in counts), len({c.graph_id for c in counts})
        lines.append(f"  {total:,} sessions in {graphs} graphs, newest {age(_newest(counts))}")
        for c in _where(counts)[:MAX_TASKS]:
            place = f"{c.graph_id!r} {c.current_task_id!r}"
            lines.append(f"    {place}: {c.sessions:,}, oldest update {age(c.oldest)}")
        if len(counts) > MAX_TASKS:
            lines.append(f"    showing {MAX_TASKS} of {len(counts):,}; wb.summary() has all")
    lines.append(f"  {ops:,} operations recorded")
    return "\n".join(lines)
