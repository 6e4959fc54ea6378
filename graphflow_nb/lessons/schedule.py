"""The order in which two writers take their steps: one as a text, or all there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ..errors import LessonError

__all__ = [
    "ACTIONS",
    "WRITERS",
    "Step",
    "check_schedule",
    "interleavings",
    "mirror",
    "no_begin",
    "parse_schedule",
    "schedule_text",
]

#: The two writers.
WRITERS: Final = ("A", "B")
#: What a writer can do: a step of a workflow, and what happens to a session besides.
ACTIONS: Final = ("load", "change", "begin", "save", "delete", "create")


class Step(NamedTuple):
    """One action of one writer; its text is ``A.load``."""

    writer: str
    action: str

    def __str__(self) -> str:
        return f"{self.writer}.{self.action}"


def parse_schedule(text: str) -> tuple[Step, ...]:
    """Return the steps of a text such as ``A.load B.load A.save B.save``.

    Example:
        >>> from graphflow_nb.lessons.schedule import parse_schedule
        >>> parse_schedule("A.load B.load")
        (Step(writer='A', action='load'), Step(writer='B', action='load'))

    Raises:
        LessonError: The text has a word that is not a step, or none.
    """
    if not isinstance(text, str):
        raise LessonError(
            f"a schedule is a text such as 'A.load B.load A.save B.save', not {text!r}; nothing "
            "was played"
        )
    steps = []
    for word in text.replace(",", " ").split():
        writer, _, action = word.partition(".")
        if writer not in WRITERS or action not in ACTIONS:
            raise LessonError(
                f"{word!r} is not a step; nothing was played. A step is a writer, a dot and an "
                f"action, such as A.load; the writers are {', '.join(WRITERS)}, the actions "
                f"{', '.join(ACTIONS)}"
            )
        steps.append(Step(writer, action))
    if not steps:
        raise LessonError("the schedule has no step; write for example 'A.load A.save'")
    return tuple(steps)


def schedule_text(steps: Sequence[Step]) -> str:
    """Return steps as the text that ``parse_schedule`` reads."""
    return " ".join(map(str, steps))


def interleavings(
    actions: Sequence[str], others: Sequence[str] | None = None
) -> Iterator[tuple[Step, ...]]:
    """Yield every order in which two writers can do their actions, each in its own order.

    There are 20 for three actions each, 70 for four. Where both do the same, the first half begins
    with A, and the second half is the first one with the writers exchanged.

    Args:
        actions: The actions of A.
        others: The actions of B; None for the same.
    """
    theirs = actions if others is None else others

    def merge(done: tuple[Step, ...], a: int, b: int) -> Iterator[tuple[Step, ...]]:
        if a == len(actions) and b == len(theirs):
            yield done
        if a < len(actions):
            yield from merge((*done, Step("A", actions[a])), a + 1, b)
        if b < len(theirs):
            yield from merge((*done, Step("B", theirs[b])), a, b + 1)

    if others is not None:
        yield from merge((), 0, 0)
        return
    first = [steps for steps in merge((), 0, 0) if steps and steps[0].writer == "A"]
    yield from first
    yield from map(mirror, first)


def mirror(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return steps with the writers exchanged."""
    return tuple(Step("B" if step.writer == "A" else "A", step.action) for step in steps)


def check_schedule(steps: Sequence[Step], *, can_begin: bool) -> None:
    """Raise LessonError if a step can't be done where it is.

    Args:
        steps: The steps of both writers.
        can_begin: Whether the transaction of a save can be begun before it.
    """
    held: dict[str, list[str]] = {}
    for writer, action in steps:
        if action == "load":
            held[writer] = []
        elif action not in ("delete", "create"):
            if action == "begin" and not can_begin:
                raise no_begin()
            if writer not in held:
                raise LessonError(
                    f"{writer}.{action} has nothing to {action}: put {writer}.load before it; "
                    "nothing was played"
                )
            if action in held[writer]:
                raise LessonError(f"{writer}.{action} is there twice; nothing was played")
            held[writer].append(action)
            if action == "save":
                del held[writer]


def no_begin() -> LessonError:
    """Return the error for a step ``begin`` where it has no meaning."""
    return LessonError(
        "only the guard asks when the transaction of a save began, so nothing was done: begin "
        "belongs to rule='guard'"
    )
