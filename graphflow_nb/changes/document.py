"""A session as one JSON document: read, checked and edited member by member.

Nothing is parsed that a change does not touch: what stays keeps every digit, and a context that no
parser could read as a whole can still be repaired.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Final

from msgspec import Raw

from ..errors import ContextError, PatchError
from ..model import Context, Session, exactjson
from ..model.validity import describe, find_new_problems
from .patch import Path, pointer

__all__ = ["FIELDS", "MESSAGES", "check_context", "document", "edit", "value_at", "with_document"]

FIELDS: Final = ("graph_id", "current_task_id", "status_message")
MESSAGES: Final = ("context", "chat_history", "messages")


def document(session: Session) -> Raw:
    """Return a session's JSON text: graph_id, current_task_id, status_message and context."""
    parts = {name: Raw(exactjson.encode(getattr(session, name), name)) for name in FIELDS}
    text = session.context_json()
    parts["context"] = Raw(text.encode() if isinstance(text, str) else text)
    return Raw(exactjson.join(parts))


def with_document(session: Session, text: Raw) -> Session:
    """Return the session, at the same version, with the content of a document.

    Raises:
        PatchError: The document is not a session's, or graph-flow could not read it.
    """
    parts = exactjson.split_object(text, "the session")
    unknown = sorted(parts.keys() - {*FIELDS, "context"})
    if unknown:
        raise PatchError(f"a session has no member {', '.join(unknown)} that can be changed")
    fields: dict[str, Any] = {}
    for name in FIELDS:
        if name not in parts:
            raise PatchError(f"{name} can't be removed from a session")
        fields[name] = exactjson.decode(parts[name], name)
        if not isinstance(fields[name], str) and not (
            name == "status_message" and fields[name] is None
        ):
            raise PatchError(f"{name} must be text, not {exactjson.show(fields[name])}")
    context = parts.get("context", Raw(b"null"))
    twin = copy(session)
    for name, value in fields.items():
        setattr(twin, name, value)
    before = value_at(document(session), ("context",))
    if not exactjson.same(before, context):
        if exactjson.kind(context) != "object":
            raise PatchError("the context must be an object with data and chat_history")
        check_context(context, before)
        changed = Context.from_json(bytes(context))
        changed.origin = session.context.origin  # a save compares with what the store returned
        twin.context = changed
    return twin


def check_context(text: Raw, before: Raw | None = None) -> None:
    """Raise PatchError if graph-flow could not read a context's JSON text.

    Args:
        text: The JSON text.
        before: The context that was changed; what was wrong with it already is not refused.
    """
    problems = find_new_problems(before, text)
    unreadable = [problem for problem in problems if not problem.respelled]
    if unreadable:
        raise PatchError(
            f"the context could not be read back by graph-flow: {describe(unreadable)}; nothing "
            "was changed"
        )


def value_at(text: Raw, path: Path) -> Raw:
    """Return the JSON text at a path.

    Raises:
        PatchError: Nothing is there.
    """
    for depth, key in enumerate(path):
        members, place = _split(text, key, path, depth, adding=False)
        text = members[place]
    return text


def edit(text: Raw, path: Path, op: str, value: Raw | None) -> Raw:
    """Return a JSON text after one ``add``, ``replace`` or ``remove``.

    Args:
        text: The JSON text.
        path: The place to change.
        op: ``add``, ``replace`` or ``remove``.
        value: The new value; None for ``remove``.

    Raises:
        PatchError: The place does not exist.
    """
    return _edit(text, path, op, value, 0)


def _edit(text: Raw, path: Path, op: str, value: Raw | None, depth: int) -> Raw:
    last = depth == len(path) - 1
    members, place = _split(text, path[depth], path, depth, adding=last and op == "add")
    if not last:
        members[place] = _edit(members[place], path, op, value, depth + 1)
    elif op == "remove":
        del members[place]
    elif op == "add" and isinstance(members, list):
        members.insert(place, value)
    else:
        members[place] = value
    return Raw(exactjson.join(members))


def _split(text: Raw, key: str, path: Path, depth: int, *, adding: bool) -> tuple[Any, Any]:
    """Return the object or array of a JSON text, and the key or index in it."""
    try:
        form = exactjson.kind(text)
        if form == "object":
            members = exactjson.split_object(text, pointer(path[:depth]))
            if key in members or adding:
                return members, key
            for end in range(len(path), depth + 1, -1):
                if (dotted := ".".join(path[depth:end])) in members:
                    raise PatchError(
                        f"{pointer(path[: depth + 1])} does not exist in the session, but the key "
                        f"with dots {pointer((*path[:depth], dotted))} does"
                    )
        elif form == "array":
            items = exactjson.split_array(text, pointer(path[:depth]))
            if adding and key == "-":
                return items, len(items)
            digits = key.isascii() and key.isdigit() and (key == "0" or key[0] != "0")
            if digits and len(key) < 10 and int(key) < len(items) + adding:
                return items, int(key)
    except (ContextError, RecursionError) as error:
        raise PatchError(f"{pointer(path[:depth])} can't be read: {error}") from error
    raise PatchError(
        f"{pointer(path[: depth + 1])} does not exist in the session; its members are "
        "/graph_id, /current_task_id, /status_message, /context/data and /context/chat_history"
    )
