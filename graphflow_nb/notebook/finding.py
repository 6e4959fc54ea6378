"""One version of a session, found by number or by time; or what is said where it is not kept."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import index
from typing import Final, SupportsIndex

from ..cards import moment_text
from ..errors import HistoryError, QueryError
from ..history import HistoryArchive, Version
from ..model import Session
from ..model.moments import Moment, parse_moment

__all__ = ["MAX_NUMBER", "check_id", "describe_unknown", "find_version", "utc_text"]

MAX_NUMBER: Final = 2**31  # of a version


async def find_version(
    archive: HistoryArchive, id: str, when: int | Moment
) -> tuple[Version, Session]:
    """Return a version of a session, which was not deleted then, and the session.

    Args:
        archive: The history.
        id: The id of the session.
        when: The number of the version, or a time, as ``wb.at`` takes it.

    Raises:
        HistoryError: There was no such session then, or that version is not kept.
        QueryError: ``when`` is neither a number nor a time.
    """
    check_id(id)
    place: int | datetime
    if isinstance(when, SupportsIndex) and not isinstance(when, bool):
        place = index(when)  # an integer of a DataFrame too
    else:
        try:
            place = parse_moment(when)
        except ValueError as error:
            raise QueryError(
                f"a version is its number in wb.history({id!r}), or a time: {error}"
            ) from error
    named = f"version {place}" if isinstance(place, int) else f"version at {utc_text(place)}"
    if isinstance(place, int) and not 0 < place < MAX_NUMBER:  # which no store could look for
        raise HistoryError(await _describe_lack(archive, id, named))
    version = await archive.version_at(id, place)
    if version is None:
        raise HistoryError(await _describe_lack(archive, id, named))
    if version.deleted:
        raise HistoryError(await _describe_delete(archive, version))
    session = await archive.session_at(id, version.number)
    if session is None:  # pruned meanwhile
        raise HistoryError(await _describe_lack(archive, id, named))
    return version, session


def check_id(id: object) -> None:
    """Check that an id is a text.

    Raises:
        QueryError: It is not.
    """
    if not isinstance(id, str):
        raise QueryError(f"the id of a session is a text, not {id!r}")


async def _describe_lack(archive: HistoryArchive, id: str, named: str) -> str:
    """Return why a version is not there, and which are."""
    known = await archive.versions(id, limit=None)
    if not known:
        return describe_unknown(id)
    newest, oldest = known[0], known[-1]
    text = (
        f"the history of session {id!r} has no {named}; it has versions {oldest.number} "
        f"({moment_text(oldest.at)}) to {newest.number}"
    )
    if oldest.number > 1:
        text += "; older ones were not kept"
    missing = newest.number - oldest.number + 1 - len(known)
    return f"{text}; {missing:,} in between were not kept" if missing else text


async def _describe_delete(archive: HistoryArchive, version: Version) -> str:
    """Return which version to take instead of one that is a delete."""
    text = (
        f"session {version.id!r} was deleted at version {version.number}, {moment_text(version.at)}"
    )
    before = await archive.versions(version.id, limit=1, before=version.number)
    if not before or before[0].deleted:
        return f"{text}, and what it was before is not kept"
    return f"{text}: version {before[0].number} is what it was before"


def describe_unknown(id: str) -> str:
    """Return what is said of a session without any version in the history."""
    return f"the history has no version of session {id!r}: none was saved since the history is kept"


def utc_text(time: datetime) -> str:
    """Return a time as errors show it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
