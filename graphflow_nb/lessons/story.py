"""Story: what happened in a lesson, in order, with a column for each place where it happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import pandas as pd
from markupsafe import Markup

from ..cards import card, code
from ..errors import LessonError
from ..printable import describe_count, printable

__all__ = ["StoryLine", "Story"]

MAX_EVENTS: Final = 2_000
MAX_SHOWN: Final = 200
_TEXT: Final = pd.StringDtype(na_value=pd.NA)


class StoryLine(NamedTuple):
    """Something that happened.

    Example:
        >>> from graphflow_nb.lessons import StoryLine
        >>> StoryLine("store", "store", "version 2").what
        'version 2'

    Attributes:
        place: The column that it is shown in.
        actor: Who did it, such as ``process 1``.
        what: What happened.
    """

    place: str
    actor: str
    what: str


class Story:
    """What happened, in order: a swimlane with a column for each place.

    Example:
        >>> from graphflow_nb.lessons import Story
        >>> story = Story(("process", "store"))
        >>> story.add("process", "process 1", "runs charge")
        >>> story.add("store", "store", "version 2")
        >>> print(story)
         1  process  process 1: runs charge
         2  store    version 2

    Args:
        places: The columns, from left to right.
        events: What happened before.

    The newest 2,000 events are kept; their numbers go on.

    Attributes:
        places: As passed.
        events: What happened, as far as it is kept.
        count: The number of all events.
    """

    def __init__(self, places: Sequence[str], events: Iterable[StoryLine] = ()):
        self.places = tuple(places)
        self.events = deque(events, MAX_EVENTS)
        self.count = len(self.events)

    def add(self, place: str, actor: str, what: str) -> None:
        """Add an event at the end.

        Args:
            place: The column, one of ``places``.
            actor: Who did it.
            what: What happened.

        Raises:
            LessonError: There is no such column.
        """
        if place not in self.places:
            raise LessonError(f"the story has the columns {', '.join(self.places)}, not {place!r}")
        self.events.append(StoryLine(place, actor, what))
        self.count += 1

    def frame(self) -> pd.DataFrame:
        """Return the story as a DataFrame.

        Returns:
            A row for each event that is kept, by its number: ``place``, ``actor`` and ``what``
            (string).
        """
        columns = {name: [getattr(e, name) for e in self.events] for name in StoryLine._fields}
        frame = pd.DataFrame({name: pd.Series(v, dtype=_TEXT) for name, v in columns.items()})
        frame.index = pd.RangeIndex(self.count - len(frame) + 1, self.count + 1, name="number")
        return frame

    def __len__(self) -> int:
        return self.count

    def _cut(self) -> tuple[list[tuple[int, StoryLine]], str]:
        """Return the last events with their numbers, and what was left out."""
        numbered = list(enumerate(self.events, self.count - len(self.events) + 1))[-MAX_SHOWN:]
        left = self.count - len(numbered)
        before = describe_count(left, "event before these is", "events before these are")
        return numbered, f"{before} not shown" if left else ""

    def _lines(self) -> Iterator[str]:
        shown, note = self._cut()
        if note:
            yield note
        width = max(map(len, self.places))
        for number, event in shown:
            yield printable(f"{number:2}  {event.place:<{width}}  {_say(event)}")

    def __repr__(self) -> str:
        if not self.events:
            return "nothing has happened yet"
        return "\n".join(self._lines())

    def table(self) -> Markup:
        """Return the swimlane as HTML without a box around it."""
        if not self.events:
            return Markup('<p class="q">%s</p>') % "nothing has happened yet"
        shown, note = self._cut()
        heads = Markup("").join(Markup("<th>%s</th>") % place for place in self.places)
        rows = Markup("").join(
            Markup('<tr><td class="n q">%s</td>%s</tr>')
            % (
                number,
                Markup("").join(
                    Markup("<td>%s</td>") % (code(_say(event)) if place == event.place else "")
                    for place in self.places
                ),
            )
            for number, event in shown
        )
        body = Markup('<table class="gfnb-story"><tr><th></th>%s</tr>%s</table>') % (heads, rows)
        return body + (Markup('<p class="q">%s</p>') % note if note else Markup(""))

    def _repr_html_(self) -> str:
        return str(card("what happened", self.table()))


def _say(event: StoryLine) -> str:
    return event.what if event.actor == event.place else f"{event.actor}: {event.what}"
