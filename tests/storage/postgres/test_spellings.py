"""Other spellings of one UUID name the same session, in everything that takes an id."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Query
from graphflow_nb.storage import Cursor

from ...stores import create_table
from .kit import connect

ID = "abcdef01-2345-4678-9abc-def012345678"


@pytest.mark.parametrize(
    "other", [f"urn:uuid:{ID}", f"{{{ID}}}", ID.upper(), ID.replace("-", ""), f"{{{ID.upper()}}}"]
)
def test_each_spelling_is_the_same_session(database, run, other):
    run(create_table(database, "crate-0.5"))
    storage = run(connect(database))
    run(storage.save(g.Session(ID, "t")))
    session = run(storage.get(other))
    assert session.id == ID
    assert run(storage.raw(other)) is not None
    assert [s.id for s in run(storage.query(Query(ids=[other])))] == [ID]
    after = Query(order="id", after=Cursor("id", other))
    assert run(storage.query(after)) == []
    with pytest.raises(g.SessionConflict):
        run(storage.save(g.Session(other, "t")))
    again = g.Session(other, "t", version=session.version)
    run(storage.save(again))
    assert again.version != session.version
    run(storage.upsert(g.Session(other, "t2")))
    assert run(storage.get(ID)).current_task_id == "t2"
    run(storage.delete(other))
    assert run(storage.get(ID)) is None
    run(storage.restore(g.Session(other, "t", version=1)))
    assert run(storage.delete_many([other])) == [other]
    run(storage.save_many([g.Session(other, "t")]))
    assert run(storage.get(ID)).id == ID
    run(storage.close())
    with g.open(database, writable=True) as wb:
        assert wb.get(other).id == ID
        assert wb.sessions(ids=[other])["id"].tolist() == [ID]
        wb.patch(other, [{"op": "add", "path": "/context/data/x", "value": 1}])
        wb.delete(other)
        assert wb.undo().context["x"] == 1


BEGINNINGS = ["abcdef0", "abcdef01", "abcdef01-", "abcdef01-23", ID[:30], ID]


@pytest.mark.parametrize("start", BEGINNINGS)
def test_the_beginning_of_each_spelling_finds_it(database, run, start):
    run(create_table(database, "crate-0.5"))
    storage = run(connect(database))
    run(storage.save(g.Session(ID, "t", status_message="ABCDEF01 is done")))
    run(storage.save(g.Session("bbcdef01-2345-4678-9abc-def012345678", "t")))
    for other in (
        start.upper(),
        start.replace("-", ""),
        f"{{{start}",
        f"urn:uuid:{start}",
        f"URN:UUID:{start.upper()}",
    ):
        found = run(storage.query(Query(id_prefix=other)))
        assert [session.id for session in found] == [ID], other
        if len(start) > 7:
            assert ID in [session.id for session in run(storage.query(Query(text=other)))], other
    for other in (f"{ID}0", "abcdef012-", "ABCDEF01X", ID.replace("-", "") + "0", "{g"):
        assert run(storage.query(Query(id_prefix=other))) == []
    assert len(run(storage.query(Query(text="ABCDEF01 is")))) == 1
    assert run(storage.query(Query(text="BCDEF0"))) != []  # in the status, as it is written there
    assert run(storage.count(Query(id_prefix=ID.upper()))) == 1
    run(storage.close())
