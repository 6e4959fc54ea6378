"""apply: a session, or a JSON text, with the changes of a patch."""

from __future__ import annotations

from msgspec import Raw

from ..errors import PatchError
from ..model import Session, exactjson
from .document import document, edit, value_at, with_document
from .patch import Change, Patch, Path, pointer

__all__ = ["apply", "apply_to_text"]


def apply(session: Session, patch: Patch) -> Session:
    """Return the session, at the same version, with the changes of a patch.

    Args:
        session: The session, which is not changed.
        patch: The changes.

    Raises:
        PatchError: A path is not there, a ``test`` fails, a change of an element was made from
            another list, or graph-flow could not read the result.
    """
    return with_document(session, apply_to_text(document(session), patch))


def apply_to_text(text: Raw, patch: Patch) -> Raw:
    """Return a JSON text with the changes of a patch; what they don't touch keeps its spelling.

    Raises:
        PatchError: A path is not there, a ``test`` fails, or a change of an element was made from
            another list.
    """
    for change in patch:
        text = _apply_change(text, change)
    return text


def _apply_change(text: Raw, change: Change) -> Raw:
    value = change.value
    if change.inside is not None:
        _check_list(text, *change.inside)
    if change.source is not None:
        value = value_at(text, change.source)
        if change.op == "move":
            if change.path[: len(change.source)] == change.source != change.path:
                raise PatchError(f"{change}: a value can't be moved into itself")
            text = edit(text, change.source, "remove", None)
        return edit(text, change.path, "add", value)
    if change.op == "test":
        if not exactjson.same(value_at(text, change.path), value):
            raise PatchError(f"{pointer(change.path)} is not the value that the patch tests for")
        return text
    return edit(text, change.path, change.op, value)


def _check_list(text: Raw, path: Path, before: Raw) -> None:
    """Raise PatchError if the list at a path is not the one in which a change names an element."""
    now, known = exactjson.decode_exact(value_at(text, path)), exactjson.decode_exact(before)
    if not exactjson.equal(now, known):
        raise PatchError(
            f"{pointer(path)} is not the list from which this patch was made, so its indexes may "
            "name other elements; nothing was changed. Compare with the session as it is now, or "
            "merge by Merge"
        )
