"""Whether others have changed since what our writes changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import Raw

from ..changes import Path, diff, document, value_at
from ..errors import ContextError, GraphflowError, JournalError, PatchError
from ..model import Session, exactjson
from ..storage.protocols import SessionStorage
from .entries import Entry
from .noting import read_sessions
from .undoing import is_same

__all__ = ["Overwritten", "find_overwritten"]

#: Sessions that are read to see what became of them, those of the newest writes.
MAX_READ: Final = 200


class Overwritten(NamedTuple):
    """What became of writes.

    Attributes:
        answers: For the number of each entry of which it is known, whether others have changed
            since what it changed.
        note: What was not looked at; empty if all was.
    """

    answers: dict[int, bool]
    note: str


async def find_overwritten(entries: Sequence[Entry], storage: SessionStorage) -> Overwritten:
    """Find out for each write whether others have changed since what it changed.

    The journal knows what was stored before the next write of ours; for the newest write on each
    session the session is read. What only moves beside our change does not count.

    Args:
        entries: The writes on a store, oldest first.
        storage: The storage that is read; nothing is changed.
    """
    following: dict[int, Entry] = {}
    newest: dict[str, Entry] = {}
    for entry in entries:
        before = newest.pop(entry.id, None)
        if before is not None:
            following[before.number] = entry
        newest[entry.id] = entry
    asked = [e.id for e in newest.values() if _is_asked(e)]
    stored: dict[str, Session] = {}
    known: set[str] = set()
    note = ""
    try:
        found = await read_sessions(storage, asked[-MAX_READ:], exact=asked)
        stored, known = found.sessions, set(asked[-MAX_READ:]) - set(found.odd)
    except GraphflowError as error:
        note = f"what became of the newest writes could not be read: {error}"
    else:
        if len(asked) > MAX_READ:
            note = f"only the {MAX_READ:,} sessions written last were read for overwritten_since"
    answers: dict[int, bool] = {}
    for entry in entries:
        next_ = following.get(entry.number)
        if not _is_asked(entry) or (next_ is None and entry.id not in known):
            continue
        try:
            now = stored.get(entry.id) if next_ is None else next_.before
            answers[entry.number] = _is_overwritten(entry, now)
        except JournalError:
            continue  # of a line that was damaged meanwhile
    return Overwritten(answers, note)


def _is_asked(entry: Entry) -> bool:
    return entry.version_after is not None and entry.state == "done"


def _is_overwritten(entry: Entry, now: Session | None) -> bool:
    before, after = entry.sides()
    assert after is not None
    if now is None:
        return True
    if is_same(now, after, by_mark=True):
        return False
    if before is None:
        return True
    mine, theirs = document(after), document(now)
    return any(
        not _is_equal(_value_or_none(mine, change.path), _value_or_none(theirs, change.path))
        for change in diff(before, after)
    )


def _value_or_none(text: Raw, path: Path) -> Raw | None:
    try:
        return value_at(text, path)
    except PatchError:
        return None


def _is_equal(mine: Raw | None, theirs: Raw | None) -> bool:
    """Return whether two values are equal; a store may have written a number in another form."""
    if mine is None or theirs is None or exactjson.kind(mine) != exactjson.kind(theirs):
        return mine is theirs
    if exactjson.same(mine, theirs):
        return True
    try:
        return bool(exactjson.decode(mine) == exactjson.decode(theirs))
    except ContextError:
        return False
