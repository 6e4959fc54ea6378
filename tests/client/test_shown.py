"""A version means the state that was shown at it, in every store."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import InMemorySessionStorage, Query, Session, SessionConflict, wrap
from graphflow_nb.client import shown as module
from graphflow_nb.client.shown import Shown
from graphflow_nb.model import Seen

from ..workflow.test_graph import answering, chain

CHANGE = [{"op": "replace", "path": "/status_message", "value": "changed"}]


@pytest.fixture
def wb(storage):
    return wrap(storage)


def recreate(run, storage, id):
    """Delete a session and save another one under its id; return that."""
    run(storage.delete(id))
    session = Session(id, "another", status_message="another")
    run(storage.save(session))
    return session


def show_by_table(wb, id):
    frame = wb.sessions().set_index("id")
    return frame.loc[id, "version"]


SHOW = {
    "get": lambda wb, id: wb.get(id).version,
    "sessions": show_by_table,
    "save": lambda wb, id: (session := wb.get(id), wb.save(session), session.version)[-1],
    "upsert": lambda wb, id: (session := Session(id, "t"), wb.upsert(session), session.version)[-1],
    "patch": lambda wb, id: wb.patch(id, CHANGE).version,
    "run": lambda wb, id: wb.run(chain(answering("t")).build(), id).after.version,
}


@pytest.mark.parametrize("way", ["get", "sessions"])
def test_another_session_at_the_version_that_was_shown_stays(wb, storage, store, run, way):
    id = store.id("a")
    first = wb.create(id, "t")
    version = SHOW[way](wb, id)
    other = wb.create(store.id("b"), "t")
    again = recreate(run, storage, id).version
    # Some stores never give a version twice, and there the version says it by itself.
    with pytest.raises(SessionConflict, match="created again" if again == version else "stored"):
        wb.patch(id, CHANGE, version=version)
    with pytest.raises(SessionConflict):
        wb.patch(id, CHANGE, version=first)
    assert wb.delete({id: version, other.id: other.version}) == [other.id]
    assert wb.delete({id: first}) == []
    assert wb.get(id).status_message == "another"
    # Now this one was shown.
    assert wb.patch(id, CHANGE, version=again).status_message == "changed"
    assert wb.delete({id: wb.get(id)}) == [id]


@pytest.fixture
def memory():
    return InMemorySessionStorage()


@pytest.mark.parametrize("way", SHOW)
def test_every_way_to_show_a_session(memory, run, way):
    wb = wrap(memory)
    wb.create("a", "t")
    version = int(SHOW[way](wb, "a"))
    run(memory.delete("a"))
    for _ in range(version):
        run(memory.upsert(Session("a", "another")))
    assert wb.delete({"a": version}) == []
    with pytest.raises(SessionConflict):
        wb.patch("a", CHANGE, version=version)
    assert wb.sessions()["version"].tolist() == [version]
    assert wb.delete({"a": version}) == ["a"]


def test_a_version_that_was_never_shown_is_a_number(memory, run):
    wb = wrap(memory)
    run(memory.save(Session("a", "t")))
    with pytest.raises(SessionConflict):
        wb.patch("a", CHANGE, version=2)
    assert wb.patch("a", CHANGE, version=np.int64(1)).version == 2
    assert wb.delete({"a": 1}) == []
    assert wb.delete({"a": np.int64(2)}) == ["a"]


@pytest.mark.parametrize("version", [True, 1.0, "1", None])
def test_what_is_no_version(memory, run, version):
    wb = wrap(memory)
    run(memory.save(Session("a", "t")))
    with pytest.raises(g.QueryError, match="must be an integer, or the Session"):
        wb.delete({"a": version})
    if version is not None:
        with pytest.raises(g.QueryError, match="must be an integer, or the Session"):
            wb.patch("a", CHANGE, version=version)
    assert wb.get("a").version == 1


def test_what_is_remembered_is_bounded(memory, run, monkeypatch):
    monkeypatch.setattr(module, "_SESSIONS", 3)
    monkeypatch.setattr(module, "_ROWS", 4)
    shown = Shown()
    sessions = [Session(f"s{i}", "t", version=7) for i in range(5)]
    for session in sessions:
        shown.note(session)
    assert [*shown.find({s.id: 7 for s in sessions})] == ["s2", "s3", "s4"]
    assert shown.find({"s4": 8}) == {}
    shown = Shown()
    tables = [
        run(InMemorySessionStorage.from_sessions(some).table(Query()))
        for some in (sessions[:2], sessions[2:4], sessions)
    ]
    shown.note_table(tables[0], "memory")
    shown.note_table(tables[1], "memory")
    assert {*shown.find({s.id: 7 for s in sessions})} == {"s0", "s1", "s2", "s3"}
    shown.note_table(tables[2], "memory")  # the newest is always kept
    found = shown.find({s.id: 7 for s in sessions})
    assert {id: s.raw_created for id, s in found.items()} == dict(
        zip(tables[2].id, tables[2].created.tolist(), strict=True)
    )


def test_who_writes_into_a_frame_changes_nothing_that_was_shown(memory, run):
    wb = wrap(memory)
    run(memory.save(Session("a", "t")))
    frame = wb.sessions()
    frame.loc[0, "version"] += 5
    run(memory.delete("a"))
    run(memory.save(Session("a", "another")))
    with pytest.raises(SessionConflict, match="created again"):
        wb.patch("a", CHANGE, version=1)


class SeenRow(Seen):
    """What a storage may keep of a row with the state of it."""

    row: object


class Row:
    """The row, which may be large."""


def test_what_was_shown_holds_no_rows():
    session = Session("a", "t", version=1)
    session.seen = SeenRow("store", 1, "mark")
    session.seen.row = row = Row()
    shown = Shown()
    shown.note(session)
    held = weakref.ref(row)
    del session, row
    gc.collect()
    assert held() is None
    assert shown.find({"a": 1})["a"].seen == Seen("store", 1, "mark")


@pytest.mark.parametrize("version", [0, 127, 128, -129, 2**31, 2**63 - 1, -(2**63)])
def test_a_version_of_any_size_is_found(memory, run, version):
    run(memory.save(Session("a", "t")))
    run(memory.save(Session("b", "t")))
    table = run(memory.table(Query(order="id")))
    table.version = np.array([version, 1])
    shown = Shown()
    shown.note_table(table, "store")
    versions = {"a": version, "b": 1}
    assert {id: each.version for id, each in shown.find(versions).items()} == versions
    assert shown.find({"a": 2}) == {}
