"""The same in Redis, where graph-flow's documentation has workers bring a storage of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

import graphflow_nb as g

from .peer import VERSIONS, Peer, PeerError
from .test_interop import CLAIM

pytestmark = pytest.mark.timeout(1500)  # the first test builds the peer


class RedisPeer(Peer):
    """A worker whose storage is the documented one, or one that counts versions."""

    counting = False

    def start(self, command: str, **options: Any) -> Any:
        more = {"counting": "true"} if self.counting else {}
        return super().start(command, **options, **more)

    def id(self, name: str) -> str:
        return name


@pytest.fixture(params=VERSIONS)
def peer(request, program, redis_server):
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
    return RedisPeer(program, request.param, redis_server.url)


@pytest.fixture(params=["0.6", "0.8"])
def counting(request, program, redis_server):
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
    peer = RedisPeer(program, request.param, redis_server.url)
    peer.counting = True
    return peer


@pytest.fixture
def wb(redis_server):
    with g.open(redis_server.url, writable=True) as wb:
        yield wb


def test_rust_writes_python_edits_rust_continues(peer, wb):
    peer("new", id="claim-x", graph="claims", set=CLAIM)
    assert peer("run", id="claim-x")[-2]["status"] == "waiting"
    session = wb.get("claim-x")
    assert session.status_message == "waiting for documents"
    assert session.context["policy_number"] == 2**63 + 7
    assert session.updated_at is None
    session.context["documents"] = [{"name": "dach.jpg", "bytes": 2**53 + 1}]
    session.context.add_user_message("Hier sind die Fotos 🙂")
    wb.save(session)
    assert session.updated_at is not None

    *steps, final = peer("run", id="claim-x")
    assert [step["status"] for step in steps] == ["paused", "completed"]
    assert final["context"]["data"]["documents"] == [{"name": "dach.jpg", "bytes": 2**53 + 1}]
    assert final["context"]["data"]["policy_number"] == 2**63 + 7
    done = wb.get("claim-x")
    assert done.context["paid"] is True
    assert done.context.chat_history[-1].content.startswith("Your claim")
    assert done.updated_at is None  # a worker tells no times


def test_python_creates_rust_runs(peer, wb):
    wb.create("t", "greet", graph_id="support", context={"question": "Why?", "turns_wanted": 1})
    assert [s["status"] for s in peer("run", id="t")[:-1]] == ["paused", "paused", "waiting"]
    *steps, final = peer("run", id="t", set={"customer_reply": "Because."})
    assert steps[-1]["status"] == "completed"
    assert wb.get("t").current_task_id == final["current_task_id"] == "closed"


def test_what_python_saves_rust_reads_the_same(peer, wb):
    data = CLAIM | {"deep": None, "flag": False, "text": 'quote " back \\ tab\t nul \0 ☃', "e": {}}
    session = wb.create("same", "intake", graph_id="claims", context=data)
    (read,) = peer("read", id="same")
    assert read == json.loads(session.to_json(version=peer.version != "0.5"))


def test_a_worker_that_counts_nothing_is_noticed(peer, wb):
    peer("new", id="race", graph="claims", set=CLAIM)
    session = wb.get("race")
    peer("run", id="race")
    session.status_message = "mine"
    with pytest.raises(g.SessionConflict) as caught:
        wb.save(session)
    assert caught.value.stored.status_message == "waiting for documents"
    assert peer("read", id="race")[0]["status_message"] == "waiting for documents"


def test_such_a_worker_overwrites_and_that_is_noticed_too(peer, wb):
    peer("new", id="race", graph="claims", set=CLAIM)
    process = peer.start("hold", id="race", set={"late": True})
    assert json.loads(process.stdout.readline()) == {"held": True}
    session = wb.get("race")
    session.status_message = "mine"
    wb.save(session)
    assert session.version == 1
    assert peer.finish(process, "\n") == [
        {"saved": True}
    ]  # the documented storage compares nothing
    assert wb.get("race").status_message is None
    session.status_message = "mine again"
    with pytest.raises(g.SessionConflict):
        wb.save(session)


def test_one_that_counts_is_shown_as_it_counts(counting, wb):
    counting("new", id="race", graph="claims", set=CLAIM)
    assert wb.get("race").version == 1
    counting("run", id="race")
    session = wb.get("race")
    assert session.version == counting("read", id="race")[0]["version"] > 1
    before = session.version
    wb.save(session)
    assert counting("read", id="race")[0]["version"] == before + 1


def test_one_that_counts_loses_the_race_and_wins_it(counting, wb):
    counting("new", id="race", graph="claims", set=CLAIM)
    process = counting.start("hold", id="race", set={"late": True})
    assert json.loads(process.stdout.readline()) == {"held": True}
    session = wb.get("race")
    session.status_message = "mine"
    wb.save(session)
    with pytest.raises(PeerError, match="conflict"):
        counting.finish(process, "\n")
    assert wb.get("race").status_message == "mine"
    counting("run", id="race")
    with pytest.raises(g.SessionConflict):
        wb.save(session)


def test_many_sessions_of_real_flows(peer, wb):
    written = peer("write", count=60, seed=3)
    frame = wb.sessions(context=["customer.tier", "amount", "policy_number"])
    assert set(frame["id"]) == {row["id"] for row in written}
    tasks = {row["id"]: row["current_task_id"] for row in written}
    assert dict(zip(frame["id"], frame["current_task_id"], strict=True)) == tasks
    assert frame["updated_at"].isna().all()
    assert (frame["policy_number"].dropna() > 2**53).all()
    assert wb.summary()["sessions"].sum() == 60
    assert wb.build_index() == 60
    assert len(wb.sessions(graph="claims", limit=5)) == 5
    copied = wb.copy_to(g.open("memory:"))
    assert copied.verified
    assert copied.copied == 60
