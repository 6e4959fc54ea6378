"""Paths that a person may choose instead of typing them."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from ...changes import Path, value_at
from ...errors import GraphflowError
from ...model import exactjson
from ...storage.paths import path_text

__all__ = ["suggest_branches", "suggest_paths"]

MAX_PATHS: Final = 500
MAX_KEY: Final = 200  # characters of a key
MAX_DEPTH: Final = 5  # keys inside of keys


def suggest_paths(context: Raw) -> list[str]:
    """Return paths of a context's data, as a person types them; at most ``MAX_PATHS``."""
    return _collect_paths(context, branches_alone=False)


def suggest_branches(context: Raw) -> list[str]:
    """Return paths of objects and arrays in a context's data; at most ``MAX_PATHS``."""
    return _collect_paths(context, branches_alone=True)


def _collect_paths(context: Raw, *, branches_alone: bool) -> list[str]:
    found: list[str] = []

    def walk(raw: Raw, path: Path) -> None:
        for key, text in exactjson.split_object(raw, "").items():
            if len(found) >= MAX_PATHS or len(key) > MAX_KEY:
                continue
            kind = exactjson.kind(text)
            if not branches_alone or kind in ("object", "array"):
                found.append(path_text((*path, key)))
            if kind == "object" and len(path) < MAX_DEPTH:
                walk(text, (*path, key))

    try:
        walk(value_at(context, ("data",)), ())
    except GraphflowError:
        return []
    return found
