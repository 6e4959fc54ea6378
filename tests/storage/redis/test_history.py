"""The history of sessions in Redis: beside each session, as long as it."""

from __future__ import annotations

from datetime import timedelta

import pytest

import graphflow_nb as g
from graphflow_nb import Session, StorageError
from graphflow_nb.history import HistoryStorage, Retention, history_of

from .conftest import worker_text


@pytest.fixture
def storage(run, url):
    inner = run(g.connect(url))
    run(history_of(inner).create())
    storage = HistoryStorage(inner)
    yield storage
    run(storage.close())


def test_a_history_expires_with_its_session_and_lasts_with_it(run, storage, raw):
    raw.set("brief", worker_text("brief"), ex=3600)
    session = run(storage.get("brief"))
    run(storage.save(session))
    (key,) = raw.keys("graphflow_nb:history:{brief}")
    assert 3_500_000 < raw.pttl(key) <= 3_600_000
    run(storage.delete("brief"))
    assert 3_500_000 < raw.pttl(key) <= 3_600_000
    run(storage.save(Session("brief", "again")))  # never expires
    assert raw.pttl(key) == -1
    assert [v.number for v in run(storage.archive.versions("brief"))] == [3, 2, 1]


def test_members_that_graph_flow_does_not_define_are_in_a_version(run, storage, raw):
    raw.set("a", worker_text("a")[:-1] + ', "note": {"n": 1.10}}')
    session = run(storage.get("a"))
    run(storage.save(session))
    text = run(storage.archive.session_at("a", 1)).to_json()
    assert '"note":{"n": 1.10}' in text
    session.context["pad"] = "x" * 300
    for n in range(3):
        session.context["n"] = n
        run(storage.save(session))
    assert run(storage.archive.compact("a")) == 2
    assert '"note":{"n": 1.10}' in run(storage.archive.session_at("a", 3)).to_json()
    assert run(storage.archive.session_at("a", 1)).to_json() == text


def test_ids_with_braces_have_histories_of_their_own(run, storage):
    ids = ["a", "{a}", "{{a}", "x{a}y", "{}a", "a{b"]
    if storage.inner._client.cluster:  # noqa: SLF001
        ids.remove("{}a")
        with pytest.raises(StorageError, match="can't have a history"):
            run(storage.save(Session("{}a", "one")))
        assert run(storage.get("{}a")) is None
    for id in ids:
        run(storage.save(Session(id, "one")))
    assert {id: len(run(storage.archive.versions(id))) for id in ids} == dict.fromkeys(ids, 1)
    assert run(storage.archive.table.ids(None, 99)) == sorted(ids)


def test_a_history_is_no_session_and_that_of_another_prefix_is_not_seen(run, storage, url):
    run(storage.save(Session("a", "one")))
    assert run(storage.count(g.Query())) == 1
    other = run(g.connect(url, prefix="flows:"))
    with pytest.raises(StorageError, match="no history table"):
        run(history_of(other).versions("a"))
    run(history_of(other).create())
    assert run(history_of(other).steps()).id == []
    run(other.close())


def test_a_save_whose_version_cannot_be_written_is_not_made(run, storage, raw):
    raw.set("graphflow_nb:history:{a}", "something else")
    with pytest.raises(StorageError):
        run(storage.save(Session("a", "one")))
    assert run(storage.get("a")) is None


def test_old_versions_go_and_the_rest_is_rebuilt(run, storage):
    session = Session("a", "one", context={"pad": "x" * 300})
    for n in range(40):
        session.context["n"] = n
        run(storage.save(session))
    run(storage.settle())
    assert run(storage.archive.prune(Retention(versions=5, age=timedelta(days=1)))).versions == 35
    assert [s.context["n"] for _, s in run(storage.archive.sessions("a", 1, 99))] == [
        *range(39, 34, -1)
    ]
    assert run(storage.archive.size()).versions == 5
