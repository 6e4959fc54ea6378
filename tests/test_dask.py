"""``graphflow_nb.dask``: a Dask DataFrame has each session once, with the same dtypes."""

from __future__ import annotations

import json
import subprocess
import sys

import dask
import pytest

import graphflow_nb as g
from graphflow_nb.dask import read_sessions

from .scope import COMPLETE, only_complete
from .stores import Store

#: Orders differently in the collation of a language and in that of Unicode's numbers.
IDS = ["B-1", "a-1", "a_1", "A-2", "é", "z", "a 3", "Z"]


@pytest.fixture(autouse=True)
def _here():
    with dask.config.set(scheduler="synchronous"):
        yield


def filled(store: Store, count: int = 200) -> g.Workbench:
    wb = g.open(store.url, writable=True, **store.about.options)
    names = IDS[:] if store.about.form != "crate-0.5" else []
    names += [f"s-{n:05}" for n in range(count - len(names))]
    sessions = [
        g.Session(store.id(name), "intake" if n % 2 else "review", context={"n": n, "t": f"é{n}"})
        for n, name in enumerate(names)
    ]
    wb.bridge.run(wb.storage.save_many(sessions))
    return wb


KINDS = ["sqlite", "documented", "crate-0.5", "redis"] if COMPLETE else ["sqlite", "crate-0.5"]


@pytest.mark.parametrize("store", KINDS, indirect=True)
@pytest.mark.parametrize("parts", [1, 7] if COMPLETE else [7])
def test_it_has_what_one_process_reads(store, parts):
    with filled(store) as wb:
        expected = wb.sessions(context=["n", "t"], order="id", limit=None)
        frame = read_sessions(store.url, context={"n": "int64", "t": "string"}, parts=parts)
        found = frame.compute()
        assert found["id"].tolist() == expected["id"].tolist()
        for column in ("current_task_id", "version", "n", "t", "updated_at"):
            assert found[column].tolist() == expected[column].tolist()
        assert frame.npartitions == parts
        some = read_sessions(store.url, parts=parts, task="review").compute()
        assert len(some) == (expected["current_task_id"] == "review").sum()


def test_a_part_without_a_value_has_the_same_dtypes(tmp_path):
    url = f"sqlite:{tmp_path / 'a.db'}"
    with g.open(url, create=True) as wb:
        for n in range(6):
            wb.create(f"s-{n}", "t", context={"n": n} | ({"rare": "x"} if n == 5 else {}))
    frame = read_sessions(url, context={"n": "int64", "rare": "json"}, parts=3)
    assert frame.npartitions == 3
    assert all((part.compute().dtypes == frame.dtypes).all() for part in frame.partitions)
    assert str(frame.dtypes["n"]) == "Int64"
    assert frame["rare"].compute().dropna().tolist() == ['"x"']


@only_complete
@pytest.mark.parametrize("store", ["oldest"], indirect=True)  # the one that is built with ICU
def test_postgres_is_split_by_its_statistics_in_its_own_order(store):
    database = store.url

    async def collate(connection):
        await connection.execute(
            "CREATE COLLATION IF NOT EXISTS human (provider = icu, locale = 'en-US');"
            'ALTER TABLE sessions ALTER COLUMN id TYPE text COLLATE "human"'
        )

    with g.open(database, writable=True) as wb:
        wb.bridge.run(wb.storage.inner.run(collate))
        sessions = [g.Session(f"{'aB'[n % 2]}-{n:05}", "t", context={"n": n}) for n in range(3000)]
        wb.bridge.run(wb.storage.save_many(sessions))
        wb.bridge.run(
            wb.storage.inner.run(lambda connection: connection.execute("ANALYZE sessions"))
        )
        frame = read_sessions(database, context={"n": "int64"}, parts=6)
        sizes = [len(part.compute()) for part in frame.partitions]
        assert sum(sizes) == 3000
        assert len(sizes) == 6
        assert max(sizes) < 1000
        assert sorted(frame["n"].compute()) == list(range(3000))


def test_an_empty_store_has_the_same_columns(tmp_path):
    url = f"sqlite:{tmp_path / 'a.db'}"
    g.open(url, create=True).close()
    frame = read_sessions(url, context=["n"], parts=4)
    found = frame.compute()
    assert len(found) == 0
    assert list(found) == list(frame.columns)
    assert list(found)[-1] == "n"


def test_a_value_that_does_not_fit_is_an_error(tmp_path):
    url = f"sqlite:{tmp_path / 'a.db'}"
    with g.open(url, create=True) as wb:
        wb.create("a", "t", context={"n": 1})
        wb.create("b", "t", context={"n": "one"})
    frame = read_sessions(url, context={"n": "int64"})
    problem = r"1 value of 'n' is not int64, first that of 'b': \"one\""
    with pytest.raises(g.StorageError, match=problem):
        frame.compute()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"parts": 0}, "parts must be 1 to 10,000"),
        ({"parts": True}, "parts must be"),
        ({"context": {"a": "text"}}, "is json, string"),
        ({"context": 3}, "list of context paths"),
        ({"nonsense": 1}, "unknown filter"),
    ],
)
def test_a_wrong_argument_is_named_at_once(arguments, problem):
    with pytest.raises(g.QueryError, match=problem):
        read_sessions("demo", **arguments)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.dataframe", None)
    with pytest.raises(g.StorageError, match=r"graphflow_nb\[dask\]"):
        read_sessions("demo")


def test_no_password_is_shown(database):
    g.open(database, writable=True).close()
    frame = read_sessions(f"{database}&password=hunter2")
    assert len(frame.compute()) == 0
    assert "hunter2" not in repr(frame) + str(list(frame.dask)) + frame._repr_html_()


# In a program of its own, as a cluster starts it: its processes import the main module.
PROGRAM = """
import json, sys
from distributed import Client, LocalCluster
from graphflow_nb.dask import read_sessions

if __name__ == "__main__":
    at = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, **at) as cluster, Client(cluster) as client:
        frame = read_sessions(sys.argv[1], context={"n": "int64"}, parts=8)
        found = frame.groupby("current_task_id")["n"].sum().compute()
        print(json.dumps([len(client.scheduler_info()["workers"]), found.to_dict()]))
"""


@only_complete
def test_a_cluster_of_two_processes_gives_the_answer_of_one(tmp_path):
    url, program = f"sqlite:{tmp_path / 'a.db'}", tmp_path / "program.py"
    with g.open(url, create=True) as wb:
        sessions = [g.Session(f"s-{n:05}", f"t{n % 3}", context={"n": n}) for n in range(5000)]
        wb.bridge.run(wb.storage.save_many(sessions))
        expected = wb.sessions(context=["n"], limit=None).groupby("current_task_id", observed=True)
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), url], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [2, expected["n"].sum().to_dict()]


def test_nothing_that_dask_shows_has_a_secret_that_was_looked_for(tmp_path):
    url = f"sqlite:{tmp_path / 'a.db'}"
    with g.open(url, create=True) as wb:
        wb.create("a", "t", context={"password": "Zq7-0042", "n": "Zq7-0042"})
    frame = read_sessions(url, context={"password": "int64"}, where={"password": "Zq7-0042"})
    shown = [repr(frame), frame._repr_html_(), repr(frame.dask), frame.expr.tree_repr()]
    shown += [repr(dict(frame.__dask_graph__())), str(frame.expr)]
    with pytest.raises(g.StorageError) as error:
        frame.compute()
    assert "1 value of 'password'" in str(error.value)
    assert "Zq7-0042" not in "".join(shown) + str(error.value) + repr(error.value)
