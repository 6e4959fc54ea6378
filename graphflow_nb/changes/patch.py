"""What differs between two states of a session: a JSON Patch (RFC 6902), read and applied.

Works on JSON texts, member by member, and never on numbers that were read: what a change does not
touch keeps every digit, and a context that no parser would read whole can still be mended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, Self, overload

from msgspec import Raw

from ..errors import ContextError, PatchError
from ..model import Context, Session, exactjson

__all__ = ["Change", "Patch", "apply", "diff", "python"]

Path = tuple[str, ...]
FIELDS: Final = ("graph_id", "current_task_id", "status_message")
MESSAGES: Final = ("context", "chat_history", "messages")
_OPS = {"add", "remove", "replace", "move", "copy", "test"}


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a patch.

    Attributes:
        op: ``add``, ``remove``, ``replace``; in a patch that was given also ``move``, ``copy`` and
            ``test``.
        path: keys and indexes from the session down, e.g. ``("context", "data", "amount")``.
        value: JSON text of what shall stand there; None for ``remove``, ``move`` and ``copy``.
        before: JSON text of what stood there, where a comparison made the change.
        source: where ``move`` and ``copy`` take from.
    """

    op: str
    path: Path
    value: Raw | None = None
    before: Raw | None = None
    source: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """As RFC 6902 has it, values as Python objects."""
        step: dict[str, Any] = {"op": self.op, "path": pointer(self.path)}
        if self.source is not None:
            step["from"] = pointer(self.source)
        if self.value is not None:
            step["value"] = exactjson.decode(self.value)
        return step

    def __str__(self) -> str:
        text = f"{self.op} {pointer(self.path)}"
        if self.source is not None:
            return f"{text} from {pointer(self.source)}"
        old, new = (_short(raw) for raw in (self.before, self.value))
        if self.op == "replace" and self.before is not None:
            return f"{text}: {old} → {new}"
        return f"{text}: {old if self.op == 'remove' and self.before is not None else new}"


def _short(raw: Raw | None) -> str:
    text = "" if raw is None else bytes(raw).decode(errors="replace")
    return text if len(text) <= 200 else f"{text[:200]} … ({len(text):,} characters)"


class Patch(Sequence[Change]):
    """Changes in the order in which they are applied.

    Args:
        changes: ``Change`` objects; or RFC 6902's form, as a list of dicts or as JSON text (which
            keeps the digits of every number).

    Raises:
        PatchError: it is no such patch.
    """

    __slots__ = ("_changes",)

    def __init__(self, changes: Patch | str | Iterable[Change | Mapping[str, Any]] = ()):
        if isinstance(changes, str):
            try:
                texts = exactjson.split_array(exactjson.typed(changes), "the patch")
                steps: list[Any] = [exactjson.split_object(text, "a change") for text in texts]
            except ContextError as error:
                raise PatchError(f"this is not JSON Patch: {error}") from error
        elif isinstance(changes, Iterable):
            steps = list(changes)
        else:
            raise PatchError(f"a patch is a list of changes, not {changes!r}")
        self._changes = tuple(s if isinstance(s, Change) else _step(s) for s in steps)

    def to_json(self) -> str:
        """RFC 6902's JSON text, with every digit."""
        steps = []
        for change in self:
            parts = {"op": change.op, "path": pointer(change.path)}
            if change.source is not None:
                parts["from"] = pointer(change.source)
            step = {name: Raw(exactjson.encode(text)) for name, text in parts.items()}
            if change.value is not None:
                step["value"] = change.value
            steps.append(Raw(exactjson.join(step)))
        return exactjson.join(steps).decode()

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Change | Self:
        found = self._changes[index]
        return type(self)(found) if isinstance(found, tuple) else found

    def __len__(self) -> int:
        return len(self._changes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patch) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "no change"


def _step(step: Any) -> Change:
    if not isinstance(step, Mapping):
        raise PatchError(f"a change is a mapping with op, path and value, not {step!r}")
    try:
        plain = {
            name: exactjson.decode(text) if isinstance(text := step[name], Raw) else text
            for name in ("op", "path", "from")
            if name in step
        }
        op, path = plain.get("op"), parse_pointer(plain.get("path"))
        source = parse_pointer(plain.get("from")) if op in ("move", "copy") else None
        value = None
        if op in ("add", "replace", "test"):
            if "value" not in step:
                raise PatchError(f"{op} {pointer(path)} has no value")
            value = step["value"]
            if not isinstance(value, Raw):
                value = Raw(exactjson.encode(value, f"the value for {pointer(path)}"))
    except ContextError as error:
        raise PatchError(str(error)) from error
    if op not in _OPS:
        raise PatchError(f"there is no change {op!r}; known are {', '.join(sorted(_OPS))}")
    return Change(op, path, value, source=source)


def pointer(path: Path) -> str:
    """A path as a JSON Pointer (RFC 6901)."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def parse_pointer(text: object) -> Path:
    """The inverse of ``pointer``."""
    if not isinstance(text, str) or not text.startswith("/"):
        raise PatchError(f"a path is a JSON Pointer such as /context/data/key, not {text!r}")
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in text[1:].split("/"))


# A session as one document


def document(session: Session) -> Raw:
    """JSON text of what a change can touch: graph_id, current_task_id, status_message, context."""
    parts = {name: Raw(exactjson.encode(getattr(session, name), name)) for name in FIELDS}
    text = session.context_json()
    parts["context"] = Raw(text.encode() if isinstance(text, str) else text)
    return Raw(exactjson.join(parts))


def with_document(session: Session, text: Raw) -> Session:
    """The same session at the same version with another content.

    Raises:
        PatchError: the document is no session's, or graph-flow could not read it.
    """
    parts = exactjson.split_object(text, "the session")
    unknown = sorted(parts.keys() - {*FIELDS, "context"})
    if unknown:
        raise PatchError(f"a session has no member {', '.join(unknown)} that can be changed")
    fields: dict[str, Any] = {}
    for name in FIELDS:
        if name not in parts:
            raise PatchError(f"{name} can't be taken away from a session")
        fields[name] = exactjson.decode(parts[name], name)
        if not isinstance(fields[name], str) and not (
            name == "status_message" and fields[name] is None
        ):
            raise PatchError(f"{name} is text, not {exactjson.show(fields[name])}")
    context = parts.get("context", Raw(b"null"))
    twin = copy(session)
    for name, value in fields.items():
        setattr(twin, name, value)
    before = document(session)
    if not exactjson.same(exactjson.split_object(before, "the session")["context"], context):
        # What is wrong with a context already does not keep the rest from being mended.
        if exactjson.kind(context) != "object":
            raise PatchError("the context is an object with data and chat_history")
        _check_context(context)
        twin = twin.with_context_json(bytes(context))
    return twin


def _check_context(text: Raw) -> None:
    """What graph-flow could not read back is not written."""
    try:
        parts = exactjson.split_object(text, "the context")
        data = parts.get("data", Raw(b"{}"))
        if exactjson.kind(data) != "object":
            raise PatchError("the context's data are an object")
        if _depth(bytes(data)) > exactjson.MAX_DEPTH + 1:
            raise PatchError(
                f"the data are nested more than {exactjson.MAX_DEPTH} levels deep, which "
                "graph-flow could not read back"
            )
        for _ in Context.from_json(bytes(text)).chat_history:
            pass  # each message is read, and complains if it is none
    except ContextError as error:
        raise PatchError(f"the context could not be read back: {error}") from error


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}]')


def _depth(text: bytes) -> int:
    deepest = depth = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest


# Comparing


def diff(before: Session, after: Session) -> Patch:
    """What makes one session's content the other's; ids, versions and times are not compared."""
    return Patch(compare(document(before), document(after)))


def compare(before: Raw, after: Raw, path: Path = ()) -> Iterator[Change]:
    """The changes from one JSON text to another."""
    if exactjson.same(before, after):
        return
    form = exactjson.kind(before)
    if form == exactjson.kind(after):
        try:
            if form == "object":
                return (yield from _compare_objects(before, after, path))
            if form == "array":
                return (yield from _compare_arrays(before, after, path))
        except (ContextError, RecursionError):
            pass  # too deep to look into: replaced as a whole
    yield Change("replace", path, after, before)


def _compare_objects(before: Raw, after: Raw, path: Path) -> Iterator[Change]:
    old, new = exactjson.split_object(before, ""), exactjson.split_object(after, "")
    for key, text in old.items():
        if key in new:
            yield from compare(text, new[key], (*path, key))
        else:
            yield Change("remove", (*path, key), None, text)
    for key, text in new.items():
        if key not in old:
            yield Change("add", (*path, key), text)


def _compare_arrays(before: Raw, after: Raw, path: Path) -> Iterator[Change]:
    old, new = exactjson.split_array(before, ""), exactjson.split_array(after, "")
    # What both begin and end with stays; between, elements are compared one by one.
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and exactjson.same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < shorter - head and exactjson.same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    both = shorter - tail
    for index in range(head, both):
        yield from compare(old[index], new[index], (*path, str(index)))
    for index in reversed(range(both, len(old) - tail)):
        yield Change("remove", (*path, str(index)), None, old[index])
    for index in range(both, len(new) - tail):
        yield Change("add", (*path, str(index)), new[index])


# Applying


def apply(session: Session, patch: Patch) -> Session:
    """The session, at the same version, with the changes made; the one given stays as it is.

    Raises:
        PatchError: a path that is not there, a ``test`` that fails, or a result that is no session
            graph-flow could read.
    """
    text = document(session)
    for change in patch:
        text = _apply(text, change)
    return with_document(session, text)


def _apply(text: Raw, change: Change) -> Raw:
    value = change.value
    if change.source is not None:
        value = value_at(text, change.source)
        if change.op == "move":
            if change.path[: len(change.source)] == change.source != change.path:
                raise PatchError(f"{change}: can't be moved into itself")
            text = edit(text, change.source, "remove", None)
        return edit(text, change.path, "add", value)
    if change.op == "test":
        if not exactjson.same(value_at(text, change.path), value):
            raise PatchError(f"{pointer(change.path)} is not what the patch was made for")
        return text
    return edit(text, change.path, change.op, value)


def value_at(text: Raw, path: Path) -> Raw:
    """The JSON text at a path.

    Raises:
        PatchError: there is nothing.
    """
    for depth, key in enumerate(path):
        members, place = _members(text, key, path, depth, adding=False)
        text = members[place]
    return text


def edit(text: Raw, path: Path, op: str, value: Raw | None) -> Raw:
    """The JSON text with one ``add``, ``replace`` or ``remove``."""
    return _edit(text, path, op, value, 0)


def _edit(text: Raw, path: Path, op: str, value: Raw | None, depth: int) -> Raw:
    last = depth == len(path) - 1
    members, place = _members(text, path[depth], path, depth, adding=last and op == "add")
    if not last:
        members[place] = _edit(members[place], path, op, value, depth + 1)
    elif op == "remove":
        del members[place]
    elif op == "add" and isinstance(members, list):
        members.insert(place, value)
    else:
        members[place] = value
    return Raw(exactjson.join(members))


def _members(text: Raw, key: str, path: Path, depth: int, *, adding: bool) -> tuple[Any, Any]:
    """The object or array that a text is, and the key or index in it."""
    try:
        form = exactjson.kind(text)
        if form == "object":
            members = exactjson.split_object(text, pointer(path[:depth]))
            if key in members or adding:
                return members, key
        elif form == "array":
            items = exactjson.split_array(text, pointer(path[:depth]))
            if adding and key == "-":
                return items, len(items)
            digits = key.isascii() and key.isdigit() and (key == "0" or key[0] != "0")
            if digits and len(key) < 10 and int(key) < len(items) + adding:
                return items, int(key)
    except (ContextError, RecursionError) as error:
        raise PatchError(f"{pointer(path[:depth])} can't be looked into: {error}") from error
    raise PatchError(
        f"there is no {pointer(path[: depth + 1])} in the session; what it has stands under "
        "/graph_id, /current_task_id, /status_message, /context/data and /context/chat_history"
    )


def python(patch: Patch) -> str:
    """A patch as Python source, exact: a list where Python's numbers say it, else JSON text."""
    try:
        steps = [change.to_dict() for change in patch]
        source = repr(steps)
        if Patch(json.loads(exactjson.encode(_plain(steps)))) == patch:
            return source
    except (ContextError, RecursionError, ValueError):
        pass
    return repr(patch.to_json())


def _plain(value: Any) -> Any:
    """Without the literals that a float's ``repr`` would not show."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, float) else value
