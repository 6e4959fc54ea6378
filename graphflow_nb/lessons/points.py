"""The points of a save at which a process can be stopped, and which of them a store has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from .wire import Held

__all__ = ["ANSWERED", "BEFORE", "EFFECT", "HELD", "POINTS", "SENT", "find_points", "has_server"]

#: The points, in the order in which a process comes to them.
POINTS: Final = (
    "after an effect",
    "before the save",
    "request sent but not answered",
    "answered but not yet read",
    "after the save",
)
EFFECT, BEFORE, SENT, ANSWERED, _AFTER = POINTS

#: What the line to the server holds at a point.
HELD: Final[Mapping[str, Held]] = {SENT: "request", ANSWERED: "answer"}

# No longer than what a DataFrame shows of a text.
_TRUE_THERE: Final = (
    "the effect is out, and its task has not returned",
    "the step has run, nothing has left the process",
    "sent by the process, not yet at the server",
    "stored by the server, the answer is on the way",
    "the process knows that it is saved",
)
_NO_SERVER: Final = {
    "sqlite": "no server: the process itself writes the file",
    "memory": "no server: the store is in the process itself",
}
_TEXT: Final = pd.StringDtype(na_value=pd.NA)


def has_server(kind: str) -> bool:
    """Return whether a process reaches this kind of store by requests."""
    return kind not in _NO_SERVER


def find_points(kind: str) -> pd.DataFrame:
    """Return the points, and whether a kind of store has them.

    Args:
        kind: The kind of store.

    Returns:
        A row for each point, in order: ``exists`` (bool) and ``why`` (string), what is true at the
        point, or why there is none.
    """
    exists = [has_server(kind) or point not in HELD for point in POINTS]
    why = [
        true if there else _NO_SERVER[kind] for there, true in zip(exists, _TRUE_THERE, strict=True)
    ]
    index = pd.Index(POINTS, name="point", dtype=_TEXT)
    return pd.DataFrame({"exists": exists, "why": pd.array(why, dtype=_TEXT)}, index=index)
