"""A write that a trigger refuses without an error is a refusal: no success, and no conflict."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g

CHANGE = [{"op": "replace", "path": "/status_message", "value": "mine"}]


@pytest.fixture
def wb(tmp_path: Path) -> Iterator[g.Workbench]:
    """A workbench on a file in which nothing can be changed any more."""
    file = tmp_path / "sessions.db"
    with g.open(f"sqlite:{file}", create=True) as wb:
        for id in ("a", "b", "c"):
            wb.create(id, "t")
        wb.delete("c")
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            for op in ("INSERT", "UPDATE", "DELETE"):
                db.execute(
                    f"CREATE TRIGGER refuse_{op} BEFORE {op} ON sessions "
                    "BEGIN SELECT RAISE(IGNORE); END"
                )
        yield wb


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda wb: wb.patch("a", CHANGE), id="patch"),
        pytest.param(lambda wb: wb.save(wb.get("a")), id="save"),
        pytest.param(lambda wb: wb.upsert(wb.get("a")), id="upsert"),
        pytest.param(lambda wb: wb.create("new", "t"), id="create"),
        pytest.param(lambda wb: wb.delete("a"), id="delete"),
        pytest.param(lambda wb: wb.delete({"a": 1}), id="delete at a version"),
        pytest.param(lambda wb: wb.delete_unchanged([wb.get("a")]), id="delete unchanged"),
        pytest.param(lambda wb: wb.delete("a", undo=False), id="delete without undo"),
        pytest.param(lambda wb: wb.undo(), id="undo"),
        pytest.param(lambda wb: run(wb, "save_many", [wb.get("a")]), id="save many"),
        pytest.param(lambda wb: run(wb, "import_many", [g.Session("n", "t")]), id="import many"),
        pytest.param(lambda wb: run(wb, "delete_many", ["a"]), id="delete many"),
        pytest.param(lambda wb: run(wb, "delete_many", ["a"], [1]), id="delete many at versions"),
    ],
)
def test_a_refused_write_says_so(wb: g.Workbench, write: Callable[[g.Workbench], Any]):
    before = [wb.raw(id) for id in ("a", "b")]
    noted = len(wb.journal)
    with pytest.raises(g.StorageError, match="accepted the statement but changed no row") as raised:
        write(wb)
    assert raised.value.nothing_written
    assert not isinstance(raised.value, g.SessionConflict)
    assert [wb.raw(id) for id in ("a", "b")] == before
    assert wb.sessions()["id"].sort_values().tolist() == ["a", "b"]
    assert len(wb.journal) == noted


def test_what_is_not_there_is_no_refusal(wb: g.Workbench):
    assert wb.delete("nobody") == []
    assert wb.delete({"a": 7}) == []
    assert run(wb, "import_many", [g.Session("a", "t")]) == ["a"]


def run(wb: g.Workbench, method: str, *arguments: Any) -> Any:
    return wb.bridge.run(getattr(wb.storage.inner, method)(*arguments))
