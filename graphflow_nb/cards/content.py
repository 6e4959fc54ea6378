"""What a session holds, in portions: its context as a tree, its chat as a conversation.

Values from a store are escaped. Long ones are cut, and it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from markupsafe import Markup
from msgspec import Raw

from ..errors import ContextError
from ..model import Message, OddMessage, Session, exactjson
from ..model.masks import DEFAULT_MASK, Mask
from ..storage.paths import ContextPath
from .lines import (
    MAX_MESSAGES,
    Line,
    context_lines,
    count_items,
    data_lines,
)
from .parts import code, moment_text

__all__ = [
    "Portion",
    "context_portion",
    "read_content",
    "render_chat",
    "render_tree",
]


class Portion(NamedTuple):
    """A part of a session's context.

    Attributes:
        html: What is shown.
        first: The number of the first item, from 1; 0 for none.
        last: The number of the last one.
        total: How many there are.
    """

    html: Markup
    first: int
    last: int
    total: int


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
    Markup('<details><summary><b>%s</b> <span class="q">%s</span> ') + _PATH + Markup("</summary>")
)
_LEAF: Final = Markup('<div class="l"><b>%s</b>: %s ') + _PATH + Markup("</div>")
_FOUND: Final = Markup('<div class="l">') + _PATH + Markup(": %s</div>")
_MORE: Final = Markup('<div class="l q">… %s more below %s</div>')
_NOTHING: Final = Markup('<div class="l q">%s</div>')


def render_tree(data: dict[str, Any], mask: Mask = DEFAULT_MASK) -> Markup:
    """Return a context's data as a collapsible tree, with the path of each value.

    Args:
        data: The data.
        mask: What is hidden of them.
    """
    found = data_lines(Raw(exactjson.encode_unchecked(data)), mask=mask)
    more = _MORE % (f"{found.total - found.last:,}", "data") if found.last < found.total else ""
    return _render_lines(found.lines, "empty") + more


def context_portion(
    session: Session, *, below: ContextPath | None = None, find: str = "", start: int = 0
) -> Portion:
    """Return a part of a session's context; see ``context_lines``.

    Raises:
        QueryError: Nothing is at this path, or neither an object nor an array.
    """
    found = context_lines(session, below=below, find=find, start=start)
    if found.problem:
        return Portion(code(found.problem), 0, 0, 0)
    if find:
        lines = [_FOUND % (code(line.name), code(line.text)) for line in found.lines]
        html = Markup("").join(lines) or _NOTHING % "nothing found"
    else:
        html = _render_lines(found.lines, "empty")
    return Portion(html, found.first, found.last, found.total)


def _render_lines(lines: Sequence[Line], nothing: str) -> Markup:
    parts, depth = [], 1
    for line in lines:
        parts += [Markup("</details>")] * (depth - line.level)
        depth, place = line.level, code(line.place)
        if line.more:
            parts.append(_MORE % (f"{line.more:,}", place))
        elif line.items:
            parts.append(_BRANCH % (code(line.name), count_items(line), place))
            depth += 1
        else:
            parts.append(_LEAF % (code(line.name), code(line.text), place))
    parts += [Markup("</details>")] * (depth - 1)
    return Markup("").join(parts) if parts else _NOTHING % nothing


# The chat


def render_chat(messages: Sequence[Message], mask: Mask = DEFAULT_MASK) -> Markup:
    """Return the newest messages, oldest of them first, and how many are left out.

    Args:
        messages: The messages.
        mask: What is hidden of them.
    """
    try:
        cut = max(0, len(messages) - MAX_MESSAGES)
        lines = [_render_message(m, mask.hide_text(m.content)) for m in messages[cut:]]
    except ContextError as error:
        return Markup("<p>%s</p>") % code(str(error))
    hint = Markup('<div class="l q">%s earlier ones not shown</div>') % f"{cut:,}"
    return (hint if cut else Markup("")) + (Markup("").join(lines) or _NOTHING % "none")


def _render_message(message: Message, shown: str) -> Markup:
    if isinstance(message, OddMessage):
        return Markup(
            '<div class="m"><span class="q">an odd message, as it is stored: %s</span><br>%s</div>'
        ) % (code(message.problem), code(shown))
    role = message.role.value
    return Markup('<div class="m %s"><span class="q">%s, %s</span><br>%s</div>') % (
        role,
        role,
        moment_text(message.timestamp),
        code(shown),
    )
