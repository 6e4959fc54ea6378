"""Columns are the same whether the server packs them or sends rows."""

from __future__ import annotations

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.model.times import FINITE, UNKNOWN_TIME

from ...stores import create_table
from .kit import connect, execute, fetch


def test_texts_that_have_the_separator_inside_are_read_as_rows(database, run):
    storage = run(connect(database))
    assert run(storage.table(Query(), ["k"])).id == []
    run(storage.save(Session("a", "t", status_message="x\x1fy", context={"k": "\x1f"})))
    run(storage.save(Session("b", "t", context={"other": 1})))
    table = run(storage.table(Query(order="id"), ["k"]))
    assert table.status_message == ["x\x1fy", None]
    assert table.context == [[r'"\u001f"', None]]
    run(storage.save(Session("c", "t", status_message="")))
    assert run(storage.table(Query(order="-id", limit=2))).status_message == ["", None]
    run(storage.close())


def test_times_that_are_unknown_or_infinite(database, run):
    storage = run(connect(database))
    for name, updated in (("a", None), ("b", "infinity"), ("c", "-infinity"), ("d", "2026-01-01")):
        run(storage.save(Session(name, "t")))
        value = "NULL" if updated is None else f"'{updated}'"
        run(fetch(database, f"UPDATE sessions SET updated_at = {value} WHERE id = '{name}'"))
    table = run(storage.table(Query(order="id")))
    assert (table.updated == UNKNOWN_TIME).tolist() == [True, False, False, False]
    wb = g.open(database)
    assert wb.sessions(order="id")["updated_at"].isna().tolist() == [True, True, True, False]
    wb.summary()
    assert wb.get("b").updated_at is None
    for order in ("updated_at", "-updated_at"):
        pages, after = [], None
        for _ in range(9):
            page = run(storage.table(Query(order=order, limit=1, after=after)))
            pages += page.id
            after = page.next
            if after is None:
                break
        assert pages == (["c", "d", "b", "a"] if order == "updated_at" else ["a", "b", "d", "c"])
    assert "4 sessions" in repr(wb)
    wb.close()
    run(storage.close())


LACKING = {
    "parse_ident": "text",
    "pg_is_in_recovery": "",
    "int8send": "bigint",
    "int4send": "integer",
    "timestamptz_send": "timestamptz",
    "isfinite": "timestamptz",
}


@pytest.mark.parametrize("state", ["undefined_function", "feature_not_supported"])
@pytest.mark.parametrize("form", ["no-xmin", "crate-0.6"])
def test_functions_that_other_servers_lack_are_not_needed(database, run, form, state):
    run(create_table(database, form))
    run(execute(database, "CREATE SCHEMA other"))
    for name, argument in LACKING.items():
        run(
            execute(
                database,
                f"CREATE FUNCTION other.{name}({argument}) RETURNS bytea LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE {state}; END $$",
            )
        )
    url = f"{database}&search_path=other,pg_catalog,public"
    with pytest.raises(asyncpg.PostgresError):
        run(fetch(url, "SELECT int8send(1::bigint)"))
    storage = run(connect(url))
    moments = {"a": "2026-01-02", "b": "infinity", "c": "-infinity", "d": None}
    for id, moment in moments.items():
        run(storage.save(Session(id, "t", status_message=f"is {id}", context={"k": [id]})))
        value = "NULL" if moment is None else f"'{moment}'"
        run(execute(database, f"UPDATE sessions SET updated_at = {value} WHERE id = '{id}'"))
    lacking = run(storage.table(Query(order="id"), ["k"]))
    plain = run(connect(database))
    whole = run(plain.table(Query(order="id"), ["k"]))
    for name in ("id", "graph_id", "current_task_id", "status_message", "messages", "version"):
        assert list(getattr(lacking, name)) == list(getattr(whole, name))
    assert lacking.context == whole.context
    assert lacking.created.tolist() == whole.created.tolist()
    finite = [0, 3]
    assert lacking.updated[finite].tolist() == whole.updated[finite].tolist()
    assert (abs(lacking.updated[[1, 2]]) > FINITE).all()
    for order in ("updated_at", "-updated_at"):
        pages: dict[str, list[str]] = {"lacking": [], "whole": []}
        for name, one in (("lacking", storage), ("whole", plain)):
            after = None
            for _ in range(5):
                page = run(one.table(Query(order=order, limit=1, after=after)))
                pages[name] += page.id
                after = page.next
                if after is None:
                    break
        assert pages["lacking"] == pages["whole"]
        assert sorted(pages["whole"]) == list("abcd")
    assert len(run(storage.counts(Query()))) == 1
    run(plain.close())
    run(storage.close())
