"""What a URL of SQLite names: the same as for SQLAlchemy where that has a meaning."""

from __future__ import annotations

import os

import pytest

import graphflow_nb as g
from graphflow_nb.storage.sqlite.location import read_location, url_of


@pytest.mark.parametrize(
    ("url", "path", "options"),
    [
        ("sqlite:notes.db", "notes.db", {}),
        ("sqlite:///notes.db", "notes.db", {}),
        ("sqlite:///sub/notes.db", "sub/notes.db", {}),
        ("sqlite:/data/notes.db", "/data/notes.db", {}),
        ("sqlite:////data/notes.db", "/data/notes.db", {}),
        ("sqlite:~/notes.db", "HOME/notes.db", {}),
        ("sqlite:///~/notes.db", "HOME/notes.db", {}),
        ("sqlite:./~/notes.db", "./~/notes.db", {}),
        ("sqlite:my notes#1 äé.db", "my notes#1 äé.db", {}),
        ("sqlite:my%20notes%3F.db", "my notes?.db", {}),
        ("sqlite:100%.db", "100%.db", {}),
        ("sqlite:100%25.db", "100%.db", {}),
        ("sqlite:a.db?mode=ro", "a.db", {"read_only": True}),
        ("sqlite:a.db?immutable=1", "a.db", {"read_only": True}),
        ("sqlite:a.db?mode=rw", "a.db", {"create": False}),
        ("sqlite:///a.db?mode=rwc&timeout=2.5", "a.db", {"create": True, "timeout": 2.5}),
        ("sqlite:///a.db?check_same_thread=false&cache=shared", "a.db", {}),
        ("sqlite:file:a.db?mode=ro", "a.db", {"read_only": True}),
        ("sqlite:///file:/data/a%20b.db?mode=ro&uri=true", "/data/a b.db", {"read_only": True}),
        ("sqlite:file:///data/a.db", "/data/a.db", {}),
        ("sqlite:file://localhost/data/a.db#x", "/data/a.db", {}),
        ("sqlite://", ":memory:", {}),
        ("sqlite:///", ":memory:", {}),
        ("sqlite::memory:", ":memory:", {}),
        ("sqlite:///:memory:", ":memory:", {}),
        ("sqlite:file:x?mode=memory&cache=shared", ":memory:", {}),
    ],
)
def test_each_form_has_one_meaning(url, path, options, monkeypatch):
    monkeypatch.setenv("HOME", "HOME")
    assert read_location(url) == (path, options)


@pytest.mark.parametrize(
    "name",
    ["a b.db", "what?.db", "c#1.db", "100%.db", "a%20b.db", "é ü.db", "a;b'\".db", "~x", "t\n"],
)
def test_what_a_store_says_of_its_place_opens_it_again(name, tmp_path, run):
    path = tmp_path / name
    storage = run(g.SqliteSessionStorage.connect(path))
    run(storage.save(g.Session("a", "t")))
    assert storage.address.namespace == str(path)
    run(storage.close())
    assert os.listdir(tmp_path) == [name]
    for url in (storage.place, storage.identity):
        with g.open(url) as wb:
            assert wb.get("a").id == "a"
    assert read_location(url_of(os.fsdecode(b"/a\xff?"))).path == os.fsdecode(b"/a\xff?")


def test_a_place_outlives_a_change_of_folder(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage = run(g.connect("sqlite:///a.db"))
    monkeypatch.chdir("/")
    assert storage.place == f"sqlite:{tmp_path}/a.db"
    run(storage.close())


def test_a_database_in_memory(run):
    one, other = g.open("sqlite://"), g.open("sqlite::memory:")
    one.create("a", "t")
    one.delete("a")
    one.undo()
    assert one.get("a").version == 2
    assert len(other.sessions()) == 0
    assert one.storage.identity != other.storage.identity
    with pytest.raises(g.StorageError, match="empty when it is opened"):
        g.open("sqlite::memory:", writable=False)
    one.close()
    other.close()
