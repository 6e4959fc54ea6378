"""What a session holds, line by line: values of its context, messages of its chat.

The lines are made from the JSON text, so that each value is shown to the letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from msgspec import Raw

from ..changes import Path, value_at
from ..errors import ContextError, PatchError, QueryError
from ..model import Message, OddMessage, Session, exactjson
from ..model.masks import DEFAULT_MASK, Mask, is_shown
from ..printable import describe_count
from ..storage.paths import DATA, MESSAGES, ContextPath, path_text, resolve_path

__all__ = [
    "MAX_ITEMS",
    "MAX_MESSAGES",
    "Hidden",
    "Line",
    "Lines",
    "Values",
    "chat_lines",
    "context_lines",
    "count_items",
    "data_lines",
    "shown_text",
]

MAX_ITEMS: Final = 100  # of one object or array
MAX_LINES: Final = 2_000  # of one tree
MAX_MESSAGES: Final = 50


class Line(NamedTuple):
    """A value, or a message of the chat, as one line.

    Attributes:
        path: The keys and indexes from the session down.
        name: The key or index of the value; its path where lines of several places are mixed.
        raw: The JSON text of the value; of a message that of its content.
        level: The depth in the tree, from 1.
        items: The number of items of an object or array whose items follow; 0 for one value.
        more: The number of items that are left out after this line; 0 for none.
        message: The message; None for a value of the context.
        hidden: What is shown instead of the value; empty where it is shown.
        shown_path: The path that is shown, where keys in it are secrets; None for the path itself.
    """

    path: Path
    name: str
    raw: Raw
    level: int = 1
    items: int = 0
    more: int = 0
    message: Message | None = None
    hidden: str = ""
    shown_path: Path | None = None

    @property
    def text(self) -> str:
        """The value as a person reads it."""
        return self.hidden or shown_text(self.raw)

    @property
    def place(self) -> str:
        """The path as a person types it."""
        return _place(self.path if self.shown_path is None else self.shown_path)


def _place(path: Path) -> str:
    return path_text(path[len(DATA) :]) if path[len(DATA) :] else "data"


class Lines(NamedTuple):
    """A portion of what a session holds.

    Attributes:
        lines: The lines that are shown.
        first: The number of the first item, value or message, from 1; 0 for none.
        last: The number of the last one.
        total: How many there are.
        problem: What can't be read; empty if all can.
    """

    lines: Sequence[Line]
    first: int
    last: int
    total: int
    problem: str = ""


def count_items(line: Line) -> str:
    """Return how many keys or items an object or array has, in words."""
    unit = "key" if exactjson.kind(line.raw) == "object" else "item"
    return describe_count(line.items, unit)


def shown_text(raw: Raw) -> str:
    """Return a JSON text for people: numbers to the letter, strings without needless escapes."""
    if exactjson.kind(raw) != "string":
        return bytes(raw).decode(errors="replace")
    try:
        text = exactjson.decode(raw)
        return str(text) if is_shown(text) else exactjson.show(text)
    except ContextError:
        return bytes(raw).decode(errors="replace")


def context_lines(
    session: Session, *, below: ContextPath | None = None, find: str = "", start: int = 0
) -> Lines:
    """Return a portion of a session's context.

    Args:
        session: The session.
        below: The path of the object or array whose items are listed. Default: all of ``data``.
        find: A text: only values are listed where it occurs in the path or in the value, upper and
            lower case alike; empty for all, as a tree.
        start: The number of items or values that come before.

    Raises:
        QueryError: Nothing is at this path, or neither an object nor an array.
    """
    text = session.context_json()
    context = Raw(text.encode() if isinstance(text, str) else text)
    try:
        data = exactjson.split_object(context, "the context").get("data", Raw(b"{}"))
        exactjson.split_object(data, "data")
    except ContextError as error:
        return Lines([], 0, 0, 0, str(error))
    raw, path = _find_below(bytes(context), data, below, session.mask)
    if not find:
        return _list_tree(raw, path, start, Hidden(data, DATA, session.mask))
    wanted, hidden = find.casefold(), Hidden(data, DATA, session.mask)
    # What is hidden is not found by its value either.
    lines = map(hidden.conceal, _walk(raw, path))
    found = [
        line for line in lines if wanted in line.name.casefold() or wanted in line.text.casefold()
    ]
    return _cut(found, start, MAX_ITEMS)


def _find_below(
    context: bytes, data: Raw, below: ContextPath | None, mask: Mask
) -> tuple[Raw, Path]:
    """Return the object or array at a path of the data, and its path from the session down."""
    if below is None:
        return data, DATA
    keys = resolve_path(context, below)
    try:
        raw = value_at(data, keys)
    except PatchError as error:
        raise QueryError(f"nothing is at {path_text(keys)!r} in this context") from error
    if exactjson.kind(raw) not in ("object", "array"):
        place = mask.place_within(data, keys)  # also by the name beside it
        shown = shown_text(mask.hide(raw, (*DATA, *keys), place=place))[:100]
        raise QueryError(f"at {path_text(keys)!r} is one value, {shown}")
    return raw, (*DATA, *keys)


def data_lines(data: Raw, mask: Mask = DEFAULT_MASK) -> Lines:
    """Return the items of a context's data, and those in them, as a tree."""
    return _list_tree(data, DATA, 0, Hidden(data, DATA, mask))


def _list_tree(raw: Raw, path: Path, start: int, hidden: Hidden) -> Lines:
    items = _list_items(raw, path, start, 1, iter(range(MAX_LINES)))
    lines = list(map(hidden.conceal, items))
    total = len(_split(raw))
    shown = min(max(total - start, 0), MAX_ITEMS)
    return Lines(lines, start + 1 if shown else 0, start + shown if shown else 0, total)


def _split(raw: Raw) -> dict[str, Raw]:
    """Return the items of an object or array by key or index; none of what can't be read."""
    try:
        if exactjson.kind(raw) == "object":
            return exactjson.split_object(raw, "")
        if exactjson.kind(raw) == "array":
            return {str(n): item for n, item in enumerate(exactjson.split_array(raw, ""))}
    except (ContextError, RecursionError):
        pass
    return {}


class Values:
    """The values of one JSON text by their paths; each object and array is read once.

    Args:
        text: The JSON text.
    """

    def __init__(self, text: Raw):
        self._text = text
        self._items: dict[Path, dict[str, Raw]] = {}

    def find(self, path: Path) -> Raw | None:
        """Return the value at a path; None if nothing is there."""
        found: Raw | None = self._text
        for depth, key in enumerate(path):
            if found is None:
                break
            if path[:depth] not in self._items:
                self._items[path[:depth]] = _split(found)
            found = self._items[path[:depth]].get(key)
        return found


class Hidden:
    """What is shown of the values of one JSON text: secrets are hidden, some by what is beside.

    Args:
        text: The JSON text.
        path: Where it is, from the session down.
        mask: What is hidden.
    """

    def __init__(self, text: Raw, path: Path, mask: Mask):
        self._mask, self._start = mask, len(path)
        shown = mask.hide(text, path)
        self._shown = None if shown is text else Values(shown)

    def find(self, raw: Raw, path: Path) -> Raw:
        """Return what is shown of a value: the same object if nothing of it is hidden.

        Args:
            raw: The value.
            path: Where it is, from the session down.
        """
        if self._shown is None:
            return raw
        shown = self._shown.find(path[self._start :])
        if shown is None:  # the text can't be read as a whole
            return self._mask.hide(raw, path)
        return raw if shown == raw else shown

    def conceal(self, line: Line) -> Line:
        """Return a line with what is shown instead of its value and of keys that are masked."""
        path = self._mask.hide_path(line.path)
        if path is not line.path:
            name = line.name and (path[-1] if line.name == line.path[-1] else _place(path))
            line = line._replace(name=name, shown_path=path)
        if line.items or line.more:
            return line
        shown = self.find(line.raw, line.path)
        return line if shown is line.raw else line._replace(hidden=shown_text(shown))


def _list_items(
    raw: Raw, path: Path, start: int, level: int, budget: Iterator[int]
) -> Iterator[Line]:
    for name, item in islice(_split(raw).items(), start, start + MAX_ITEMS):
        here, count = (*path, name), len(_split(item))
        if not count:
            next(budget, None)
            yield Line(here, name, item, level)
            continue
        yield Line(here, name, item, level, count)
        if next(budget, None) is None:
            yield Line(here, "", item, level + 1, more=count)
        else:
            yield from _list_items(item, here, 0, level + 1, budget)
            if count > MAX_ITEMS:
                yield Line(here, "", item, level + 1, more=count - MAX_ITEMS)


def _walk(raw: Raw, path: Path) -> Iterator[Line]:
    """Yield each value that is neither an object nor an array with items."""
    items = _split(raw)
    if not items:
        line = Line(path, "", raw)
        yield line._replace(name=line.place)
    for name, item in items.items():
        yield from _walk(item, (*path, name))


def chat_lines(session: Session, *, find: str = "", start: int = 0) -> Lines:
    """Return a portion of a session's chat, newest first.

    Args:
        session: The session.
        find: A text that must occur in a message, upper and lower case alike; empty for all.
        start: The number of newer messages that come before.
    """
    try:
        messages = list(session.copy().context.chat_history)
    except ContextError as error:
        return Lines([], 0, 0, 0, str(error))
    shown = session.mask.hide_each([message.content for message in messages])
    wanted = find.casefold()
    found = [n for n, text in enumerate(shown) if wanted in (text or "").casefold()][::-1]
    lines = [_message_line(n, messages[n], shown[n] or "") for n in found]
    return _cut(lines, start, MAX_MESSAGES)


def _message_line(number: int, message: Message, shown: str) -> Line:
    odd = isinstance(message, OddMessage)
    path = (*MESSAGES, str(number)) if odd else (*MESSAGES, str(number), "content")
    raw = Raw(exactjson.encode_unchecked(message.content))
    hidden = "" if shown == message.content else exactjson.show(shown)
    return Line(path, str(number), raw, message=message, hidden=hidden)


def _cut(lines: Sequence[Line], start: int, size: int) -> Lines:
    shown = lines[start : start + size]
    return Lines(shown, start + 1 if shown else 0, start + len(shown) if shown else 0, len(lines))
