"""The documented form, beside workers that count nothing."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from graphflow_nb import Query, Session, SessionConflict
from graphflow_nb.storage.redis.form import UNCOUNTED

from .conftest import worker_text


def test_what_we_save_is_the_documented_form(connect, raw, run):
    session = Session("a", "t", graph_id="g", context={"n": 1})
    run(connect().save(session))
    stored = json.loads(raw.get("a"))
    assert list(stored)[:6] == [
        "id", "graph_id", "current_task_id", "status_message", "context", "version"
    ]  # fmt: skip
    assert stored["version"] == 1
    assert datetime.fromisoformat(stored["updated_at"]) == session.updated_at
    assert raw.pttl("a") == -1


@pytest.mark.parametrize("version", [{}, {"version": 0}], ids=["0.5", "0.6"])
def test_a_save_of_a_worker_that_counts_nothing_is_noticed(connect, raw, run, version):
    raw.set("a", worker_text(n=1, **version))
    storage = connect()
    mine = run(storage.get("a"))
    assert mine.version >= UNCOUNTED
    assert mine.created_at is None
    raw.set("a", worker_text(n=2, **version))
    mine.context["n"] = 3
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(mine))
    assert caught.value.stored.context["n"] == 2
    assert run(storage.delete_many(["a"], [mine.version])) == []
    again = caught.value.stored
    again.context["n"] = 3
    run(storage.save(again))
    assert again.version == 1
    stored = json.loads(raw.get("a"))
    assert (stored["version"], stored["context"]["data"]["n"]) == (1, 3)
    assert "created_at" not in stored  # nobody knows it


def test_a_worker_that_saves_ours_with_the_version_it_read_is_noticed(connect, raw, run):
    storage = connect()
    mine = Session("a", "t", context={"n": 1})
    run(storage.save(mine))
    theirs = json.loads(raw.get("a"))
    del theirs["created_at"], theirs["updated_at"]  # serde drops what it doesn't know
    theirs["context"]["data"]["n"] = 2
    raw.set("a", json.dumps(theirs))
    mine.context["n"] = 3
    with pytest.raises(SessionConflict):
        run(storage.save(mine))
    found = run(storage.get("a"))
    assert (found.version, found.context["n"], found.updated_at) == (1, 2, None)


def test_a_worker_that_counts_is_shown_as_it_counts(connect, raw, run):
    raw.set("a", worker_text(version=7))
    storage = connect()
    session = run(storage.get("a"))
    assert session.version == 7
    run(storage.save(session))
    assert json.loads(raw.get("a"))["version"] == 8


def test_what_was_not_touched_is_written_to_the_letter(connect, raw, run):
    text = worker_text(version=3, owner={"n": 1.10}).replace('"n": 1}', '"n": 1.10, "m": 1e400}')
    raw.set("a", text)
    storage = connect()
    session = run(storage.get("a"))
    session.status_message = "touched"
    run(storage.save(session))
    stored = raw.get("a").decode()
    assert '{"n": 1.10, "m": 1e400}' in stored
    assert '"owner":{"n": 1.1}' in stored


def test_a_save_from_json_is_taken_at_its_version(connect, run):
    storage = connect()
    session = Session("a", "t")
    run(storage.save(session))
    twin = Session.from_json(session.to_json())
    twin.status_message = "from JSON"
    run(storage.save(twin))
    assert (twin.version, twin.created_at) == (2, session.created_at)
    with pytest.raises(SessionConflict):
        run(storage.save(Session.from_json(session.to_json())))


@pytest.mark.parametrize("name", ["text", "counted", "created", "updated", "context_bytes"])
def test_members_of_a_worker_s_own_are_kept_whatever_their_names(connect, raw, run, name):
    raw.set("a", worker_text(**{name: "hello there"}))
    storage = connect()
    (found,) = run(storage.query(Query()))
    assert run(storage.table(Query())).problems == {}
    found.context["n"] = 2
    run(storage.save(found))
    assert json.loads(raw.get("a"))[name] == "hello there"
