"""What a process does that writes, and is killed, or that reads what is left."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any, Protocol

from ...errors import ContextError, SessionFormatError
from ...model import Session
from ...storage import connect

__all__ = ["Lesson", "fill", "read", "read_number", "write"]

_BLOCKS = 8  # of 64 characters each in a row's padding


class Lesson(Protocol):
    """The lesson's end of the line, in a process that it started."""

    plan: dict[str, Any]

    def tell(self, **message: Any) -> None:
        """Send a message to the lesson."""


def fill(session: Session, number: int) -> None:
    """Set what the save with a number stores."""
    session.context["number"] = number
    session.context["padding"] = _padding_of(number)


def read_number(session: Session) -> int | None:
    """Return the number of the save that a row holds; None if its parts do not belong together."""
    number = session.context.get("number")
    whole = isinstance(number, int) and session.context.get("padding") == _padding_of(number)
    return number if whole else None


def _padding_of(number: int) -> str:
    """Return a text that differs from that of every other number in each of its blocks."""
    return "".join(sha256(b"%d/%d" % (number, block)).hexdigest() for block in range(_BLOCKS))


async def write(lesson: Lesson) -> None:
    """Save numbers in a session, and tell of each when the store has acknowledged it."""
    plan = lesson.plan
    storage = await connect(plan["url"])
    session = Session(plan["id"], "count")
    for number in range(1, plan["most"] + 1):
        fill(session, number)
        await storage.save(session)
        lesson.tell(acknowledged=number)
        if plan["pace"]:
            await asyncio.sleep(plan["pace"])
    lesson.tell(finished=True)
    # It keeps what it has, as memory, until it is killed or the lesson has ended.
    await asyncio.Event().wait()


async def read(lesson: Lesson) -> None:
    """Tell what the store has."""
    storage = await connect(lesson.plan["url"])
    try:
        session = await storage.get(lesson.plan["id"])
    except (SessionFormatError, ContextError) as error:
        lesson.tell(odd=str(error))
        return
    if session is None:
        lesson.tell(row=None)
        return
    times = [time and time.isoformat() for time in (session.created_at, session.updated_at)]
    lesson.tell(row=session.to_json(), times=times)
