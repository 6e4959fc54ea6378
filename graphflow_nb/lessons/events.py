"""The changes of two writers, each step of theirs as an event, and which changes a row has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Final, Literal

from ..errors import LessonError
from ..model import Session, exactjson
from ..printable import printable
from ..storage.paths import DATA
from .schedule import WRITERS

__all__ = [
    "Change",
    "Ending",
    "Event",
    "add",
    "as_change",
    "find_effects",
    "put",
    "put_all",
    "show_state",
]

MAX_STATE: Final = 60  # characters of a state

#: How a step ended: ``refused`` with an error, ``skipped`` without one.
Ending = Literal["done", "refused", "skipped", "nothing", "clash"]


@dataclass(frozen=True)
class Change:
    """What a writer does to a session between loading and saving it.

    ``add`` and ``put`` make one; any function of a session is one with a label.

    Example:
        >>> from graphflow_nb import Session
        >>> from graphflow_nb.lessons import add
        >>> session = Session("claim-1", "review", context={"balance": 100})
        >>> change = add("balance", 10)
        >>> change.apply(session)
        >>> change.label, session.context["balance"]
        ('balance + 10', 110)

    Attributes:
        label: The change in a few words.
        run: The function, which changes the session in place.
    """

    label: str
    run: Callable[[Session], object]

    def apply(self, session: Session) -> None:
        """Change a session in place.

        Raises:
            LessonError: The function failed.
        """
        try:
            self.run(session)
        except Exception as error:
            raise LessonError(
                f"the change {self.label!r} failed ({type(error).__name__}: {error}); nothing was "
                "saved"
            ) from error


def add(key: str, number: float) -> Change:
    """Return the change that adds a number to a value of the context."""

    def run(session: Session) -> None:
        session.context[key] = session.context[key] + number

    sign = "-" if number < 0 else "+"
    return Change(f"{key} {sign} {abs(number)}", run)


def put(key: str, value: Any) -> Change:
    """Return the change that sets a value of the context."""

    def run(session: Session) -> None:
        session.context[key] = value

    return Change(f"{key} = {exactjson.show(value)}", run)


def put_all(values: Mapping[str, Any]) -> Change:
    """Return the change that sets several values of the context."""
    changes = [put(key, value) for key, value in values.items()]

    def run(session: Session) -> None:
        for change in changes:
            change.run(session)

    return Change(", ".join(change.label for change in changes), run)


def as_change(change: object, writer: str) -> Change:
    """Return a change, or a function of a session, as a change.

    Raises:
        LessonError: It is neither.
    """
    if isinstance(change, Change):
        return change
    if callable(change):
        return Change(getattr(change, "__name__", "a function"), change)
    raise LessonError(
        "changes= has for each of 'A' and 'B' a Change, which add() and put() make, or a function "
        f"of a session; for {writer!r} it has {change!r}. Nothing was opened"
    )


@dataclass(frozen=True)
class Event:
    """One step of a writer, and what came of it.

    Example:
        >>> from graphflow_nb.lessons import Event
        >>> Event("A", "load", held="balance 100").describe()
        'A loads balance 100'

    Attributes:
        writer, action: Who did what.
        ending: How it ended.
        held: The state that the writer holds now, in words; empty for none.
        row: The state of the row now, in words, as a third connection read it after the last write;
            empty for no row.
        lost: The names of the saved changes that this step removed from the row.
        back: Whether this step stored a session again that was deleted since it was loaded.
        note: What an error said; empty for none.
    """

    writer: str
    action: str
    ending: Ending = "done"
    held: str = ""
    row: str = ""
    lost: tuple[str, ...] = ()
    back: bool = False
    note: str = ""

    def describe(self) -> str:
        """Return the event as a sentence."""
        who = self.writer
        text = {
            "load": f"{who} loads {self.held}",
            "change": f"{who} changes it to {self.held}",
            "begin": f"{who} begins the transaction of its save",
            "save": f"{who} saves {self.held}",
            "merge": f"{who} merges its change into the stored session: {self.held}",
            "delete": f"{who} deletes the row",
            "create": f"{who} creates it again",
        }[self.action]
        text += {
            "done": "",
            "refused": ": refused with SessionConflict",
            "skipped": ": nothing is written, and there is no error",
            "nothing": ": there is no row",
            "clash": ": both changed the same place, so it stops",
        }[self.ending]
        if self.lost:
            text += f"; the change of {' and '.join(self.lost)} is lost"
        if self.back:
            text += "; the deleted session is back"
        return text

    def __repr__(self) -> str:
        return printable(f"{self.describe()}. Row: {self.row or 'none'}")


def show_state(session: Session | None, *, version: bool = False) -> str:
    """Return the values of a session's context in words: ``balance 110``.

    Args:
        session: The session; None for no row.
        version: Whether to add the version.
    """
    if session is None:
        return ""
    values = session.mask.hide_object(dict(session.context), DATA)
    # Stores order them in different ways.
    text = ", ".join(f"{key} {exactjson.show(value)}" for key, value in sorted(values.items()))
    text = printable(text or "empty")
    if len(text) > MAX_STATE:
        text = f"{text[: MAX_STATE - 1]}…"
    return f"{text} · v{session.version}" if version else text


def find_effects(
    start: Session, row: Session | None, changes: Mapping[str, Change]
) -> frozenset[str] | None:
    """Return the changes that a row has, as many as fit; None if it fits no order of any of them.

    Args:
        start: The session at the beginning.
        row: What is stored; None for nothing.
        changes: The changes by name, ``A2`` after ``A``.
    """
    if row is None:
        return frozenset()
    for count in range(len(changes), -1, -1):
        for order in permutations(changes, count):
            if any(sorted(names := [n for n in order if n[0] == w]) != names for w in WRITERS):
                continue  # a writer's own changes are in its own order
            wanted = copy(start)
            try:
                for name in order:
                    changes[name].apply(wanted)
            except LessonError:
                continue  # a change that needs another one before it
            if wanted.context == row.context:
                return frozenset(order)
    return None
