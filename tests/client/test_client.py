"""Sessions by hand, in every kind of place where a storage can live."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import graphflow_nb as g
from graphflow_nb import Session

from ..stores import Store
from ..two_sessions import PLACES, open_with_two_sessions


@pytest.fixture
def wb(store: Store) -> Iterator[g.Workbench]:
    with open_with_two_sessions(store) as wb:
        yield wb


@pytest.mark.parametrize("store", [*PLACES, "crate-0.5", "redis"], indirect=True)
def test_crud(store, wb):
    session = wb.get(store.id("a"))
    session.status_message = "changed"
    wb.save(session)
    assert wb.get(store.id("a")).status_message == "changed"
    with pytest.raises(g.SessionConflict):
        wb.create(store.id("a"), "t")
    assert wb.get_or_create(store.id("a"), "zz").current_task_id == "t1"
    wb.upsert(Session(store.id("a"), "t9"))
    assert wb.get(store.id("a")).current_task_id == "t9"
    wb.delete(store.id("a"))
    with pytest.raises(g.SessionNotFound, match=store.id("a")):
        wb.get(store.id("a"))


def test_wrong_arguments_raise_our_own_errors():
    wb = g.open("memory:")
    for call in (
        lambda: wb.save(None),
        lambda: wb.upsert("x"),
        lambda: wb.get("\ud800"),
        lambda: wb.create("a", "t", context=[1]),
    ):
        with pytest.raises(g.GraphflowError):
            call()
    assert wb.latency.frame()["session_id"].tolist() == ["?"]


def test_a_patch_of_what_is_there_no_more_is_a_conflict():
    wb = g.open("memory:")
    wb.create("a", "t", context={"jobs": [1, 2]})
    wb.patch("a", [{"op": "remove", "path": "/context/data/jobs/1"}])
    change = [{"op": "replace", "path": "/context/data/jobs/1", "value": 3}]
    with pytest.raises(g.SessionConflict):
        wb.patch("a", change, version=1)
    with pytest.raises(g.PatchError, match="does not exist"):
        wb.patch("a", change, version=2)
    assert wb.get("a").context["jobs"] == [1]


def test_what_is_noted_of_a_delete_is_what_is_stored():
    """Not what the caller has made of the session since it was read."""
    with g.open("memory:") as wb:
        wb.create("a", "t", context={"k": "stored"})
        session = wb.get("a")
        session.context["k"] = "never stored"
        assert wb.delete_unchanged([session]) == ["a"]
        assert wb.undo().context["k"] == "stored"
        assert wb.delete({"a": session}) == []  # it is at a higher version now
        session = wb.get("a")
        session.context["k"] = "never stored"
        assert wb.delete({"a": session}) == ["a"]
        assert wb.undo().context["k"] == "stored"
