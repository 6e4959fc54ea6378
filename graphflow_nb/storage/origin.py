"""The rule by which a store decides whether a session was read from what it has stored.

Every write that replaces or deletes a session as it was read follows it.
"""

from __future__ import annotations

from ..model import Seen, Session
from ..model.times import micros_or_none

__all__ = ["is_as_read", "is_same_state"]


def is_as_read(session: Session, stored: Seen, created: int | None) -> bool:
    """Return whether a session was read in the state that is stored.

    The version must be the stored one. Beyond that:

    - A session that this store returned or saved must have the stored ``mark``, so one that was
      deleted and created again at the same version is noticed.
    - A session that another store returned must have a known time of creation that is equal to the
      stored one. Otherwise it may be another session with the same id and version.
    - A session without an origin (from JSON or a journal's file, or with a version that was set by
      hand) must have the stored time of creation where it knows one. ``Session.from_json`` knows
      none, so its version alone is compared, as graph-flow does.

    Example:
        >>> from graphflow_nb import Session
        >>> from graphflow_nb.model import Seen
        >>> from graphflow_nb.storage.origin import is_as_read
        >>> session = Session("claim-1", "intake", version=3)
        >>> is_as_read(session, Seen("memory:1", 3, "mark"), created=None)
        True
        >>> session.seen = Seen("memory:2", 3, "mark")
        >>> is_as_read(session, Seen("memory:1", 3, "mark"), created=None)
        False

    Args:
        session: The session that is to be written.
        stored: The stored state.
        created: The stored time of creation in µs since 1970 UTC, None where unknown.
    """
    if session.version != stored.version:
        return False
    seen = session.seen
    known = micros_or_none(session.raw_created)
    if seen is None or seen.version != session.version:
        return known is None or known == created
    if seen.store == stored.store:
        return seen.mark == stored.mark
    return known is not None and known == created


def is_same_state(expected: Session, stored: Session) -> bool:
    """Return whether a stored session is in the state in which another one was read.

    As ``is_as_read``; where no mark of this store is known, the time of the last save is compared
    too, if it is known.

    Args:
        expected: The session as it was read; its content is not compared.
        stored: The session as the store has just returned it.
    """
    state = stored.seen or Seen("", stored.version, "")
    if not is_as_read(expected, state, micros_or_none(stored.raw_created)):
        return False
    updated = micros_or_none(expected.raw_updated)
    marked = expected.seen is not None and expected.seen.store == state.store
    return marked or updated is None or updated == micros_or_none(stored.raw_updated)
