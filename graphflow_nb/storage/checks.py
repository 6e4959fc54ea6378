"""Checks of what no store, or not this one, can hold, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import StorageError
from ..model import Session

__all__ = ["check_ids_once", "check_text", "check_texts"]


def check_texts(session: Session, *, nul: bool) -> None:
    """Raise StorageError naming the field that is no storable text, before anything is sent.

    Args:
        nul: whether the store can hold the character U+0000 in a text.
    """
    check_text(session.id, "id", nul=nul)
    check_text(session.graph_id, "graph_id", nul=nul)
    check_text(session.current_task_id, "current_task_id", nul=nul)
    if session.status_message is not None:
        check_text(session.status_message, "status_message", nul=nul)


def check_ids_once(ids: Iterable[str]) -> None:
    """Raise StorageError if a batch has two sessions of one id."""
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise StorageError(f"the batch has session {id!r} twice; nothing was written")
        seen.add(id)


def check_text(value: object, name: str, *, nul: bool) -> None:
    """As ``check_texts``, for one value."""
    if nul and type(value) is str and value.isascii():
        return
    if not isinstance(value, str):
        raise StorageError(f"{name} must be text, not {type(value).__name__}: {value!r}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise StorageError(
                f"{name} holds a lone surrogate at position {error.start}, which no store can hold"
            ) from error
    if not nul and "\0" in value:
        raise StorageError(f"{name} holds the character U+0000, which this store can't hold")
