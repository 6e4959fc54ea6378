"""What a session holds, in portions: its context as a tree, its chat as a conversation.

Values from a store are escaped. Long ones are cut, and it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from markupsafe import Markup

from ..errors import ContextError, QueryError
from ..model import Message, OddMessage, Session, exactjson
from ..storage.paths import ContextPath, parse_path, path_text
from .parts import code

__all__ = [
    "Portion",
    "chat_portion",
    "context_portion",
    "read_content",
    "render_chat",
    "render_tree",
]

MAX_ITEMS: Final = 100  # of one object or array
MAX_NODES: Final = 2_000  # of one tree
MAX_MESSAGES: Final = 50


class Portion(NamedTuple):
    """A part of what a session holds.

    Attributes:
        html: What is shown.
        first: The number of the first item or message, from 1; 0 for none.
        last: The number of the last one.
        total: How many there are.
    """

    html: Markup
    first: int
    last: int
    total: int

    @property
    def has_next(self) -> bool:
        """Whether there is a portion after this one."""
        return self.last < self.total


class Content(NamedTuple):
    """What a session holds, as far as it can be read.

    Attributes:
        data: The context's data; empty if it can't be read.
        messages: The messages, oldest first.
        problem: The error if one of them can't be read; empty otherwise.
    """

    data: dict[str, Any]
    messages: Sequence[Message]
    problem: str


def read_content(session: Session) -> Content:
    """Return data and messages of a session; showing it does not change its state."""
    try:
        context = exactjson.decode(session.context_json(), "the context")
        data = context.get("data", {}) if isinstance(context, dict) else context
        if not isinstance(data, dict):
            raise ContextError(f"data is not an object but {type(data).__name__}")
    except ContextError as error:
        return Content({}, [], str(error))
    try:
        return Content(data, session.copy().context.chat_history, "")
    except ContextError as error:
        return Content(data, [], str(error))


# The context

# With the path as ``sessions(context=[…])`` takes it; one click selects it.
_PATH: Final = Markup('<span class="p" title="path: click and copy">%s</span>')
_BRANCH: Final = (
    Markup('<details><summary><b>%s</b> <span class="q">%s %s</span> ')
    + _PATH
    + Markup("</summary>")
)
_LEAF: Final = Markup('<div class="l"><b>%s</b>: %s ') + _PATH + Markup("</div>")
_FOUND: Final = Markup('<div class="l">') + _PATH + Markup(": %s</div>")
_MORE: Final = Markup('<div class="l q">… %s more below %s</div>')


def render_tree(data: dict[str, Any]) -> Markup:
    """Return a context's data as a collapsible tree, with the path of each value."""
    html, _, last, total = _tree_portion(data, (), 0)
    return html + (_MORE % (f"{total - last:,}", "data") if last < total else "")


def context_portion(
    session: Session, *, below: ContextPath | None = None, find: str = "", start: int = 0
) -> Portion:
    """Return a part of a session's context.

    Args:
        session: The session.
        below: The path of the object or array whose items are shown. Default: all of ``data``.
        find: A text: only values are shown where it occurs in the path or in the value, upper and
            lower case alike; empty for all, as a tree.
        start: The number of items or values that come before.

    Raises:
        QueryError: Nothing is at this path, or neither an object nor an array.
    """
    content = read_content(session)
    if content.problem and not content.data:
        return Portion(code(content.problem), 0, 0, 0)
    value, path = _find_below(content.data, below)
    if not find:
        return _tree_portion(value, path, start)
    wanted = find.casefold()
    found = [
        (where, text)
        for where, text in _walk(value, path)
        if wanted in where.casefold() or wanted in text.casefold()
    ]
    lines = [_FOUND % (code(where), code(text)) for where, text in found[start : start + MAX_ITEMS]]
    return _join(lines, start, len(found), "nothing found")


def _find_below(data: dict[str, Any], below: ContextPath | None) -> tuple[Any, tuple[str, ...]]:
    """Return the object or array at a path, and its keys."""
    if below is None:
        return data, ()
    dotted = isinstance(below, str) and below in data  # a key with dots in it
    path = (str(below),) if dotted else parse_path(below)
    value: Any = data
    for key in path:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise QueryError(f"nothing is at {path_text(path)!r} in this context")
    if not isinstance(value, (dict, list)):
        raise QueryError(f"at {path_text(path)!r} is one value, {exactjson.show(value)[:100]}")
    return value, path


def _tree_portion(value: Any, path: tuple[str, ...], start: int) -> Portion:
    lines = list(_render_items(value, path, start, iter(range(MAX_NODES))))
    return _join(lines, start, len(value), "empty", min(len(value) - start, MAX_ITEMS))


def _render_items(
    value: Any, path: tuple[str, ...], start: int, budget: Iterator[int]
) -> Iterator[Markup]:
    """Yield items of an object or array as HTML."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in islice(items, start, start + MAX_ITEMS):
        key, here = code(str(name)), (*path, str(name))
        if not isinstance(item, (dict, list)) or not item:
            next(budget, None)
            yield _LEAF % (key, code(exactjson.show(item)), code(path_text(here)))
            continue
        kind = "keys" if isinstance(item, dict) else "items"
        yield _BRANCH % (key, f"{len(item):,}", kind, code(path_text(here)))
        if next(budget, None) is None:
            yield _MORE % (f"{len(item):,}", code(path_text(here)))
        else:
            yield from _render_items(item, here, 0, budget)
            if len(item) > MAX_ITEMS:
                yield _MORE % (f"{len(item) - MAX_ITEMS:,}", code(path_text(here)))
        yield Markup("</details>")


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield path and text of each value that is neither an object nor an array with items."""
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from _walk(item, (*path, str(name)))
    else:
        yield path_text(path) if path else "", exactjson.show(value)


def _join(
    lines: Sequence[Markup], start: int, total: int, nothing: str, shown: int | None = None
) -> Portion:
    if not lines:
        return Portion(Markup('<div class="l q">%s</div>') % nothing, 0, 0, total)
    shown = len(lines) if shown is None else shown
    return Portion(Markup("").join(lines), start + 1, start + shown, total)


# The chat


def render_chat(messages: Sequence[Message]) -> Markup:
    """Return the newest messages, oldest of them first, and how many are left out."""
    try:
        cut = max(0, len(messages) - MAX_MESSAGES)
        lines = [_render_message(message) for message in messages[cut:]]
    except ContextError as error:
        return Markup("<p>%s</p>") % code(str(error))
    hint = Markup('<div class="l q">%s earlier ones not shown</div>') % f"{cut:,}"
    return (hint if cut else Markup("")) + _join(lines, 0, len(lines), "none").html


def chat_portion(session: Session, *, find: str = "", start: int = 0) -> Portion:
    """Return a part of a session's chat, newest first.

    Args:
        session: The session.
        find: A text that must occur in a message, upper and lower case alike; empty for all.
        start: The number of newer messages that come before.
    """
    content = read_content(session)
    if content.problem:
        return Portion(Markup("<p>%s</p>") % code(content.problem), 0, 0, 0)
    wanted = find.casefold()
    found = [message for message in content.messages if wanted in message.content.casefold()][::-1]
    lines = [_render_message(message) for message in found[start : start + MAX_MESSAGES]]
    return _join(lines, start, len(found), "nothing found" if find else "none")


def _render_message(message: Message) -> Markup:
    if isinstance(message, OddMessage):
        return Markup(
            '<div class="m"><span class="q">an odd message, as it is stored: %s</span><br>%s</div>'
        ) % (code(message.problem), code(message.content))
    time, role = f"{message.timestamp:%Y-%m-%d %H:%M:%S}", message.role.value
    return Markup('<div class="m %s"><span class="q">%s, %s UTC</span><br>%s</div>') % (
        role,
        role,
        time,
        code(message.content),
    )
