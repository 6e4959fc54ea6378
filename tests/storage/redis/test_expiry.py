"""A session that expires keeps its remaining time, whatever is done to it by hand."""

from __future__ import annotations

from copy import copy

import pytest
import redis

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.cards.copying import report_html
from graphflow_nb.frames import sessions_frame

from .conftest import worker_text

HOUR = 3600


@pytest.fixture
def wb(url, raw):
    for id in ("brief", "brief2"):
        raw.set(id, worker_text(id), ex=HOUR)
    raw.set("lasting", worker_text("lasting"))
    with g.open(url, writable=True) as wb:
        yield wb


def left(raw, id):
    """Whether a session has the time that it had, less what the test took."""
    return "the rest" if HOUR * 800 < raw.pttl(id) <= HOUR * 1000 else raw.pttl(id)


def test_undo_of_a_delete(wb, raw):
    ids = ["brief", "lasting", "brief2"]
    for delete in (
        lambda: [wb.delete(id) for id in ids],
        lambda: wb.delete(ids),
        lambda: wb.delete({id: wb.get(id).version for id in ids}),
        lambda: [wb.bridge.run(wb.journaled.delete(id)) for id in ids],
        lambda: wb.delete_unchanged([wb.get(id) for id in ids]),
    ):
        delete()
        assert not raw.exists("brief")
        assert wb.undo_all().left == []
        assert [left(raw, id) for id in ids] == ["the rest", -1, "the rest"]


def test_undo_after_a_restart(wb, url, raw, tmp_path):
    with g.open(url, writable=True, journal=tmp_path / "journal") as first:
        first.delete(["brief", "lasting"])
    with g.open(url, writable=True, journal=tmp_path / "journal") as again:
        assert again.undo_all().left == []
    assert [left(raw, "brief"), raw.pttl("lasting")] == ["the rest", -1]


def test_what_never_expired_does_not_expire_after_an_undo(url, raw):
    raw.set("lasting", worker_text("lasting"))
    with g.open(url, writable=True, ttl=100) as wb:
        wb.delete("lasting")
        wb.undo()
    assert raw.pttl("lasting") == -1


def test_writes_by_hand_and_their_undo(wb, raw):
    change = [{"op": "replace", "path": "/context/data/n", "value": 2}]
    wb.patch("brief", change)
    assert left(raw, "brief") == "the rest"
    session = wb.get("brief")
    session.status_message = "by hand"
    wb.save(session)
    wb.upsert(Session("brief", "elsewhere"))
    assert wb.bridge.run(wb.storage.save_many([wb.get("brief")])) == []
    assert left(raw, "brief") == "the rest"
    assert wb.undo_all().left in ([], ["brief"])
    assert left(raw, "brief") == "the rest"


def test_a_copy_to_another_redis(wb, raw, connect, run):
    target = connect(prefix="copy:")
    found = run(connect().query(Query(order="id")))
    assert [bool(s.expires_in) for s in found] == [True, True, False]
    assert run(target.import_many(found)) == []
    ids = ("brief", "brief2", "lasting")
    assert [left(raw, f"copy:{id}") for id in ids] == ["the rest", "the rest", -1]
    brief = connect(prefix="brief:", ttl=100)
    run(brief.import_many(found))
    assert left(raw, "brief:brief") == "the rest"
    assert 0 < raw.pttl("brief:lasting") <= 100_000


def test_what_a_copy_loses_is_said(wb, url, raw, run, tmp_path):
    report = wb.copy_to(f"sqlite:{tmp_path / 'a.db'}")
    assert report.unexpiring == 2
    assert "2 expire in the source, but not in the target" in str(report)
    assert "expire in the source" in report_html(report)
    with g.open(url, prefix="copy:", writable=True) as target:
        report = wb.copy_to(target, redact=lambda s: s.copy())
    assert (report.copied, report.unexpiring) == (3, 0)
    assert "expire" not in str(report)
    assert [left(raw, f"copy:{id}") for id in ("brief", "lasting")] == ["the rest", -1]


def test_one_that_expires_is_found_among_many(connect, raw, run):
    storage = connect()
    run(storage.save_many([Session(f"s{i:02}", "t") for i in range(60)]))
    for count in (0, 1):
        expiring = [s.id for s in run(storage.query(Query(order="id"))) if s.expires_in]
        frame = sessions_frame(run(storage.table(Query())), [])
        assert expiring == frame[frame["expires_at"].notna()]["id"].tolist() == ["s33"] * count
        raw.expire("s33", HOUR)


def test_many_are_put_back_at_once(connect, raw, run):
    """As one by one: times, versions, expiry, the index, and a conflict where an id is taken."""
    storage = connect()
    run(storage.build_index())
    run(storage.save_many([Session(f"s{i:04}", "t") for i in range(1200)]))
    raw.pexpire("s0007", 900_000)
    before = {s.id: s for s in run(storage.query(Query(order="id")))}
    assert len(run(storage.delete_unchanged([*before.values()]))) == 1200
    run(storage.save(Session("s0003", "taken")))
    conflicts = run(storage.restore_many([copy(s) for s in before.values()]))
    assert [(c.session.id, c.stored.current_task_id) for c in conflicts] == [("s0003", "taken")]
    after = {s.id: s for s in run(storage.query(Query(order="id")))}
    del after["s0003"], before["s0003"]
    assert {id: s.created_at for id, s in after.items()} == {
        id: s.created_at for id, s in before.items()
    }
    assert {s.version for s in after.values()} == {2}
    assert 0 < raw.pttl("s0007") <= 900_000
    assert raw.pttl("s0008") == -1
    assert len(run(storage.table(Query(limit=2000)))) == 1200  # by the index


def test_copies_in_memory_keep_the_time(connect, raw, run):
    raw.set("brief", worker_text("brief"), ex=HOUR)
    (session,) = run(connect().query(Query()))
    assert 0 < session.with_context_json(session.context_json()).expires_in <= HOUR * 1000
    assert session.copy().expires_in is None  # a new session
    assert run(connect().get("brief")).expires_in is None  # not asked


def test_a_user_who_may_not_ask_for_expiries_reads_all_the_same(redis_server, run):
    url = redis_server.url.replace("//", "//reader:any@")
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        client.set("brief", worker_text("brief"), ex=HOUR)
        client.acl_setuser(
            "reader", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-pttl", "-info"]
        )
        storage = run(g.connect(url))
        (session,) = run(storage.query(Query()))
        assert session.expires_in is None
        assert run(storage.table(Query())).id == ["brief"]
        for i in range(30):
            client.set(f"s{i}", worker_text(f"s{i}"))
        assert {s.expires_in for s in run(storage.query(Query()))} == {None}
        run(storage.close())
        client.acl_deluser("reader")
