"""What SQLite looks for before we read a context is in each context that meets the condition."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import product

import pytest

from graphflow_nb import Query, Session, SqliteSessionStorage
from graphflow_nb.storage.conditions import fold, holds
from graphflow_nb.storage.sqlite import odd, sql
from graphflow_nb.storage.sqlite.functions import register_functions
from graphflow_nb.storage.sqlite.needles import find_needles

#: JSON texts under the key "k": each value in the spellings that writers have.
VALUES = [
    '"a/b"', r'"a\/b"', r'"\u0061/b"', '"naïve"', r'"na\u00efve"', '"😀x"', r'"\ud83d\ude00x"',
    '"[*?]"', '"a\\nb"', r'"a\u000ab"', '"\\"q\\""', '""', "100", "1e2", "1E+2", "100.0", "1000e-1",
    "0.5", "5e-1", ".5", "-7", "-7.00", "-70e-1", "0", "-0", "0.0", "1.10", "1.1", "11e-1",
    "12345678901234567890", "1.2345678901234567890e19", "true", "null", "[1]", '{"a": 1}', '"100"',
    "1e400", "1" + "0" * 29 + "7", "1" + "0" * 29 + "7.50",
]  # fmt: skip
WANTED = [
    *("a/b", "naïve", "😀x", "[*?]", "a\nb", '"q"', "", 100, 0.5, -7, 0, 1.1, "100", True, None),
    *(12345678901234567890, [1], {"a": 1}, 2, "nothing", 10**30 + 7),
]


@pytest.fixture
def db(tmp_path):
    with closing(sqlite3.connect(tmp_path / "s.db")) as db:
        register_functions(db)
        db.executescript(sql.CREATE)
        rows = [f'{{"data":{{"k":{value},"o":{{"k":{value}}}}}}}' for value in VALUES]
        rows += [f'{{"data":{{"\\u006b":{value}}}}}' for value in VALUES[:3]]
        rows += ['{"data":{"o.k":1,"l":[{"k":"a/b"}],"c/k":1,"":1}}', "", "no json \\u"]
        rows += ['{"data":{}}', rows[0].encode(), b'{"data":{}}']
        for number, row in enumerate(rows):
            put = "INSERT INTO sessions VALUES (?, 'g', 't', NULL, ?, 1, 1, 1)"
            db.execute(put, (str(number), row))
        yield db


@pytest.mark.parametrize("path", ["k", "o.k", "l.0.k", "l.+0", "x", "c/k", ("",)])
def test_the_same_contexts_are_found_as_without_it(db, path):
    queries = [Query(context={path: value}) for value in WANTED]
    queries += [Query(has=[path]), Query(lacks=[path])]
    queries += [
        Query(compare=[(path, operator, value)])
        for operator, value in product((">", "!="), ("a", 1))
    ]
    rows = db.execute("SELECT id, context FROM sessions").fetchall()
    for query in queries:
        (condition,) = query.conditions()
        found = {row[0] for row in db.execute(*sql.select("id", query))}
        assert found == {id for id, context in rows if holds(context, condition)}, condition


def test_a_rare_value_is_looked_for_in_the_text_first(db):
    read = []
    db.create_function("holds", 4, lambda *values: read.append(values) or False)
    for condition in (
        {"context": {"k": "nothing"}},
        {"context": {"o.k": 7777}},
        {"has": ["absent"]},
        {"lacks": ["absent"]},
    ):
        read.clear()
        found = db.execute(*sql.select("id", Query(**condition))).fetchall()
        assert len(found) > 25 if "lacks" in condition else found == []
        # Where a value may be written in another way, it is read.
        assert len(read) < 16


def test_a_page_by_time_of_a_common_prefix_sorts_nothing(db):
    for query, sorts in (
        (Query(id_prefix="1", limit=9), False),
        (Query(id_prefix="1", limit=9, order="id"), False),
        (Query(id_prefix="1"), True),
    ):
        text, values = sql.select("*", query)
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values))
        assert ("TEMP B-TREE" in plan) == sorts
        found = [row[0] for row in db.execute(text, values)]
        assert len(found) == 9 or query.limit is None
        assert all(id.startswith("1") for id in found)


def test_a_page_by_time_of_a_rare_prefix_looks_up_the_ids(db):
    text, values = sql.select("*", Query(id_prefix="1", limit=9), sorts=True)
    plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values))
    assert "(id>? AND id<?)" in plan
    assert len(db.execute(text, values).fetchall()) == 9


@pytest.mark.parametrize("rare", [3, 30])
def test_pages_of_a_prefix_are_the_same_however_they_are_found(tmp_path, run, monkeypatch, rare):
    monkeypatch.setattr(odd, "_RARE", rare)

    async def compare():
        storage = await SqliteSessionStorage.connect(tmp_path / "pages.db")
        await storage.save_many([Session(f"{i % 3}-{i:02}", "t") for i in range(60)])
        for order in ("updated_at", "-updated_at"):
            ids, query = [], Query(id_prefix="1-", order=order, limit=8)
            while True:
                table = await storage.table(query)
                found = await storage.query(query)
                assert [session.id for session in found] == table.id
                ids += table.id
                if table.next is None:
                    break
                query = query.following(table.next, 8)
            wanted = [f"1-{i:02}" for i in range(1, 60, 3)]
            assert ids == (wanted[::-1] if order.startswith("-") else wanted)
        await storage.close()

    run(compare())


def test_case_is_ignored_alike_within_ascii_and_beyond(db):
    letters = [chr(point) for point in range(0x1_FFFF) if not 0xD800 <= point < 0xE000]
    assert not [c for c in letters if not c.isascii() and fold(c).isascii()]
    for number, status in enumerate(["WAITING für Ana", "Waiting FÜR ana", b"WAITING \xff", None]):
        db.execute("UPDATE sessions SET status_message = ? WHERE id = ?", (status, str(number)))
    for text, ids in (("waiting", "012"), ("FÜR", "01"), ("ANA", "01"), ("none", "")):
        query = Query(text=text, ignore_case=True, order="id", limit=9)
        assert "".join(row[0] for row in db.execute(*sql.select("id", query))) == ids


def test_the_text_that_is_looked_for_is_bounded():
    for value in ("x" * 100_000, 10**200, 1e-300, 1e300, [1] * 1000):
        (condition,) = Query(context={"k" * 60_000: value}).conditions()
        assert all(0 < len(needle.text) <= 101 for needle in find_needles(condition))
