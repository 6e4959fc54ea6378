"""A session that another store returned, or none, is written only over the one that it is."""

from __future__ import annotations

from copy import copy

import pytest

import graphflow_nb as g
from graphflow_nb import InMemorySessionStorage, Session, SessionConflict
from graphflow_nb.model import Seen, stored_session
from graphflow_nb.storage.origin import is_as_read

STORED = Seen("here", 3, "mark")


@pytest.mark.parametrize(
    ("seen", "known", "same"),
    [
        (Seen("here", 3, "mark"), 5, True),
        (Seen("here", 3, "other"), 5, False),  # deleted and created again
        (Seen("there", 3, "mark"), 5, True),  # a copy of this one
        (Seen("there", 3, "mark"), 6, False),
        (Seen("there", 3, "mark"), None, False),  # nothing says that it is this one
        (Seen("here", 2, "mark"), 5, True),  # its version was set by hand
        (Seen("here", 2, "mark"), 6, False),
        (None, 5, True),
        (None, 6, False),
        (None, None, True),  # from JSON
    ],
)
def test_the_rule(seen, known, same):
    session = stored_session("a", "g", "t", None, b"{}", 3, known, None, None, seen)
    assert is_as_read(session, STORED, 5) is same
    session.version = 4
    assert not is_as_read(session, STORED, 5)


def test_a_session_of_another_store_overwrites_nothing(store, storage, run):
    """Two sessions with one id at the same version are not one session."""
    other = InMemorySessionStorage()
    mine = Session(store.id("a"), "t", context={"whose": "mine"})
    theirs = Session(store.id("a"), "t", context={"whose": "theirs"})
    run(other.save(mine))
    run(storage.save(theirs))
    mine.version = theirs.version  # where a store numbers its versions itself
    for session in (mine, copy(mine)):
        session.seen = Seen(session.seen.store, theirs.version, session.seen.mark)
        with pytest.raises(SessionConflict):
            run(storage.save(session))
        assert len(run(storage.save_many([session]))) == 1
        assert run(storage.delete_unchanged([session])) == []
    assert run(storage.get(theirs.id)).context["whose"] == "theirs"


def test_a_session_of_another_store_is_saved_over_its_own_copy(store, storage, run):
    other = InMemorySessionStorage()
    mine = Session(store.id("a"), "t")
    run(other.save(mine))
    run(storage.import_many([mine]))
    mine.version = run(storage.get(mine.id)).version
    mine.seen = Seen(mine.seen.store, mine.version, mine.seen.mark)
    mine.status_message = "saved"
    run(storage.save(mine))
    assert run(storage.get(mine.id)).status_message == "saved"


def test_a_session_without_origin_is_compared_by_what_it_knows(store, storage, run):
    """``from_json`` knows the version alone, as graph-flow does."""
    session = Session(store.id("a"), "t")
    run(storage.save(session))
    for _ in range(2):
        again = Session.from_json(session.to_json())
        assert again.seen is None
        again.version, again.status_message = session.version, "from JSON"
        run(storage.save(again))
        stale = Session.from_json(session.to_json())
        with pytest.raises(SessionConflict):
            run(storage.save(stale))
        assert run(storage.delete_unchanged([stale])) == []
        session = again


def test_recreated_at_the_same_version(store, storage, run):
    """A session that was deleted and created again is another one, whatever its version."""
    first = Session(store.id("a"), "t", context={"which": 1})
    run(storage.save(first))
    held = [first, copy(first), run(storage.get(first.id))]
    run(storage.delete(first.id))
    second = Session(store.id("a"), "t", context={"which": 2})
    run(storage.save(second))
    for session in held:
        with pytest.raises(SessionConflict) as caught:
            run(storage.save(session))
        if second.version == first.version:
            assert "created again" in str(caught.value)
        assert len(run(storage.save_many([session]))) == 1
        assert run(storage.delete_unchanged([session])) == []
    assert run(storage.get(first.id)).context["which"] == 2
    assert run(storage.delete_unchanged([second])) == [second.id]


def test_every_way_to_a_session_tells_its_origin(store, storage, run):
    """What was returned, saved, restored or imported can be saved again at once."""
    identity = g.storage.attributes_of(storage).identity
    saved, upserted, batch = (Session(store.id(name), "t") for name in "abc")
    run(storage.save(saved))
    run(storage.upsert(upserted))
    run(storage.save_many([batch]))
    restored = run(storage.get(saved.id))
    run(storage.delete(saved.id))
    run(storage.restore(restored))
    found = run(storage.query(g.Query(order="id")))
    got = run(storage.get(batch.id))
    for session in (restored, upserted, batch, got, *found):
        assert session.seen == Seen(identity, session.version, session.seen.mark)
    for session in (restored, upserted, batch):
        run(storage.save(session))
        assert session.seen == Seen(identity, session.version, session.seen.mark)
    assert len(run(storage.save_many(found))) == 3
