"""A fork: a new session that begins as another one was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from ..cards import card, code, fact_table
from ..history import Version
from ..model import Session
from ..printable import printable_lines

__all__ = ["Fork", "ORIGIN", "mark_origin"]

#: The key of the context under which a fork names its origin.
ORIGIN: Final = "forked_from"


def mark_origin(session: Session, origin: Version) -> None:
    """Note in a new session of which version it is a fork."""
    session.context[ORIGIN] = {"id": origin.id, "version": origin.number}


@dataclass(frozen=True)
class Fork:
    """What ``wb.fork`` saved; it shows itself.

    Attributes:
        session: The new session, as it was saved.
        origin: The version where it begins.
        tasks: The tasks that the origin was at from that version on, in order, each once. They may
            run again, with all that they do outside of the store.
    """

    session: Session
    origin: Version
    tasks: tuple[str, ...]

    def _collect_facts(self) -> Iterator[tuple[str, str]]:
        yield "goes on at task", self.session.current_task_id
        again = ", ".join(self.tasks)
        yield f"tasks that {self.origin.id!r} was at from there on, and may run again", again

    def __repr__(self) -> str:
        head = (
            f"fork of session {self.origin.id!r} at version {self.origin.number}, saved as "
            f"{self.session.id!r}"
        )
        lines = [head, *(f"  {name}: {value}" for name, value in self._collect_facts())]
        return printable_lines("\n".join(lines))

    def _repr_html_(self) -> str:
        title = Markup("fork of %s at version %s, saved as %s") % (
            code(self.origin.id),
            self.origin.number,
            code(self.session.id),
        )
        return str(card(title, fact_table([(n, code(v)) for n, v in self._collect_facts()])))
