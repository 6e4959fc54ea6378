"""What happened in one round of a race, and who lost what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import Session
from .events import Event, show_state
from .lanes import Lanes

__all__ = ["Round"]


@dataclass(frozen=True)
class Round:
    """One round of a race; it shows itself as a picture, and as text.

    Example:
        >>> from graphflow_nb.lessons import Race
        >>> with Race("memory", rule="versions") as race:
        ...     race.play("A.load B.load A.save B.save").lost
        ()

    Attributes:
        store, rule: Where and how the writers saved.
        changes: What each writer does, in words. A second change of A has the name ``A2``.
        start: The state of the row at the beginning, in words.
        events: What happened, in order.
        row: What is stored at the end, read by a third connection; None for nothing.
        effects: Those of ``changes`` that are in the row; None if it fits no order of them.
        accepted: Those of ``changes`` whose save returned without an error.
        raised: For each writer that was a function, the error that it ended with, if any.
    """

    store: str
    rule: str
    changes: Mapping[str, str]
    start: str
    events: tuple[Event, ...]
    row: Session | None
    effects: frozenset[str] | None
    accepted: frozenset[str]
    raised: Mapping[str, str] = field(default_factory=dict)

    @property
    def lost(self) -> tuple[str, ...]:
        """Those of ``changes`` whose save returned without an error, and which are not stored."""
        if self.row is None or self.effects is None:
            return ()
        return tuple(sorted(self.accepted - self.effects))

    @property
    def refused(self) -> tuple[str, ...]:
        """The writers whose last save was refused with an error."""
        ends = {e.writer: e.ending for e in self.events if e.action in ("save", "merge")}
        return tuple(sorted(w for w, ending in ends.items() if ending in ("refused", "clash")))

    @property
    def skipped(self) -> tuple[str, ...]:
        """Those of ``lost`` whose save wrote nothing."""
        overwritten = {name for event in self.events for name in event.lost}
        return tuple(name for name in self.lost if name not in overwritten)

    @property
    def back(self) -> bool:
        """Whether a session that was deleted is stored again."""
        return self.row is not None and any(event.back for event in self.events)

    @property
    def outcome(self) -> str:
        """What is stored at the end, in words."""
        return "no row" if self.row is None else show_state(self.row)

    def describe(self) -> str:
        """Return what came out as a sentence."""
        text = f"The row has {self.outcome}." if self.row is not None else "There is no row."
        if self.effects is None:
            text += " That fits no order of the changes."
        for name in self.lost:
            text += f" The change of {name} ({self.changes[name]}) is lost: its save " + (
                "wrote nothing and returned no error."
                if name in self.skipped
                else "returned no error, and another save replaced it."
            )
        for writer in self.refused:
            text += f" {writer} knows that its change is not stored: its save was refused."
        if self.back:
            text += " The session was deleted, and came back."
        if self.accepted and not (self.lost or self.refused or self.back or self.effects is None):
            text += " Nothing is lost."
        return text

    @property
    def picture(self) -> Lanes:
        """The picture: the writers as lanes, the row between them, time downwards."""
        title = f"{self.store}, {self.rule}"
        return Lanes(title, self.changes, self.start, self.events, self.describe())

    def __repr__(self) -> str:
        return self.picture.to_text()

    def _repr_html_(self) -> str:
        return str(self.picture.to_card())
