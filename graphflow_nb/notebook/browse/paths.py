"""Paths that a person may choose instead of typing them."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from ...changes import Path, value_at
from ...errors import GraphflowError
from ...model import Session, exactjson
from ...model.masks import Mask, contains_mask, is_shown, mask_in_use
from ...storage.paths import path_text
from .typed import type_value

__all__ = ["PathSource", "suggest_branches", "suggest_paths"]

MAX_PATHS: Final = 500
MAX_KEY: Final = 200  # characters of a key
MAX_DEPTH: Final = 5  # keys inside of keys
MAX_VALUES: Final = 50  # of a path
MAX_VALUE: Final = 60  # bytes of a suggested value


def suggest_paths(context: Raw) -> list[str]:
    """Return paths of a context's data, as a person types them; at most ``MAX_PATHS``."""
    return _collect_paths(context, branches_alone=False)


def suggest_branches(context: Raw) -> list[str]:
    """Return paths of objects and arrays in a context's data; at most ``MAX_PATHS``."""
    return _collect_paths(context, branches_alone=True)


def _collect_paths(context: Raw, *, branches_alone: bool) -> list[str]:
    return [path for path, _, kind in _walk(context) if not branches_alone or kind in _BRANCHES]


_BRANCHES = ("object", "array")


def _collect_values(context: Raw, mask: Mask) -> dict[str, str | None]:
    """Return the paths of a context with the values there; None for one that nobody types."""
    found: dict[str, str | None] = {}
    for path, raw, kind in _walk(mask.hide(context, ("context",))):
        short = kind not in _BRANCHES and len(raw_bytes := bytes(raw)) <= MAX_VALUE
        value = type_value(raw_bytes.decode(errors="replace")) if short else None
        found[path] = None if value is None or contains_mask(raw) else value
    return found


def _walk(context: Raw) -> list[tuple[str, Raw, str]]:
    """Return paths of a context's data, each with its value and the kind of the value."""
    found: list[tuple[str, Raw, str]] = []

    def walk(raw: Raw, path: Path) -> None:
        for key, text in exactjson.split_object(raw, "").items():
            # A key that is a secret, or was hidden, is not suggested.
            if len(found) >= MAX_PATHS or len(key) > MAX_KEY or is_shown(key):
                continue
            if mask_in_use().hides_key(key):
                continue
            kind = exactjson.kind(text)
            found.append((path_text((*path, key)), text, kind))
            if kind == "object" and len(path) < MAX_DEPTH:
                walk(text, (*path, key))

    try:
        walk(value_at(context, ("data",)), ())
    except GraphflowError:
        return []
    return found


class PathSource:
    """The paths and values that are suggested: those of some of the listed sessions.

    Example:
        >>> from graphflow_nb import Session
        >>> source = PathSource()
        >>> source.add(Session("claim-1", "intake", context={"customer": {"tier": "gold"}}))
        >>> source.paths, source.values["customer.tier"]
        (('customer', 'customer.tier'), ('gold',))

    Attributes:
        paths: The paths, in order.
        values: The values that were found at each path, as a person types them.
        sessions: The number of sessions that were read.
    """

    def __init__(self) -> None:
        self.paths: tuple[str, ...] = ()
        self.values: dict[str, tuple[str, ...]] = {}
        self.sessions = 0
        self._found: dict[str, dict[str, None]] = {}
        self._seen: set[str] = set()

    def add(self, session: Session) -> None:
        """Take up the paths of a session."""
        if session.id in self._seen:
            return
        self._seen.add(session.id)
        self.sessions += 1
        for path, value in _collect_values(Raw(session.context_json()), session.mask).items():
            if path not in self._found and len(self._found) >= MAX_PATHS:
                continue
            values = self._found.setdefault(path, {})
            if value is not None and len(values) < MAX_VALUES:
                values[value] = None
        self.paths = tuple(sorted(self._found))
        self.values = {path: tuple(sorted(values)) for path, values in self._found.items()}
