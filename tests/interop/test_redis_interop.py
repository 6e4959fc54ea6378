"""The same in Redis, where graph-flow's documentation has workers bring a storage of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

import graphflow_nb as g
from graphflow_nb.model import exactjson

from .peer import VERSIONS, Peer, PeerError
from .test_interop import CLAIM, rounded

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


def hold(peer: RedisPeer, id: str, **values: Any) -> None:
    """Have the peer read a session, change it and save it, without a step of its flow."""
    peer.finish(peer.start("hold", id=id, set=values), "\n")


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


#: What JSON and serde hold without a change.
ODD = {
    "most": 2**64 - 1,
    "least": -(2**63),
    "text": 'quote " back \\ tab\t nul \0 ☃ 𝒳 \u2028 \ufeff',
    "": "no name",
    "a.b/c~d": {"ключ 🙂": [None, False, 0, "", [], {}]},
    "float": 0.5,
    "deep": json.loads("[" * 123 + "]" * 123),
}

#: What serde_json makes of numbers, as graph-flow uses it: what is no i64, u64 or double changes.
DIGITS = {
    "18446744073709551615": "18446744073709551615",
    "-9223372036854775808": "-9223372036854775808",
    "9007199254740993": "9007199254740993",
    "5e-324": "5e-324",
    "1.10": "1.1",
    "1E2": "100.0",
    "-0": "-0.0",
    "18446744073709551616": "1.8446744073709552e+19",
    "9007199254740993.0": "9007199254740994.0",
    "1e-400": "0.0",
}

IDS = ["ümläut 🙂", "a b", "a*[b]?\\", "{tag}:x", "flows:1", "'; DEL *", "nul\0"]


def content(session: g.Session | dict[str, Any]) -> dict[str, Any]:
    """All that both sides know of a session but its version; timestamps to the millisecond."""
    found = json.loads(session.to_json()) if isinstance(session, g.Session) else dict(session)
    found.pop("version", None)
    for message in found["context"]["chat_history"]["messages"]:
        message["timestamp"] = message["timestamp"][:23]
    return found


def raw(peer: RedisPeer) -> redis.Redis:
    return redis.Redis.from_url(peer.url)


def test_what_python_saves_rust_reads_the_same(peer, wb):
    session = wb.create("same", "intake", graph_id="claims", context=CLAIM | ODD)
    session.status_message = "läuft\n"
    session.context.add_user_message("Grüße 🙂")
    session.context.add_assistant_message("")
    session.context.add_system_message("nul \0")
    wb.save(session)
    (read,) = peer("read", id="same")
    assert read.get("version") == (None if peer.version == "0.5" else 2)
    assert content(read) == content(session)


def test_what_rust_saves_python_reads_the_same(peer, wb):
    odd = {name: value for name, value in (CLAIM | ODD).items() if "\0" not in str(value)}
    peer("new", id="same", graph="claims", set=odd)
    peer("run", id="same")
    (read,) = peer("read", id="same")
    session = wb.get("same")
    assert rounded(content(session)) == rounded(content(read))
    assert {name: session.context[name] for name in odd} == odd
    assert [message.role for message in session.context.chat_history] == [
        "User", "System", "Assistant"
    ]  # fmt: skip


def test_an_unchanged_save_leaves_the_context_to_the_letter(peer, wb):
    peer("new", id="a", graph="claims", set=CLAIM)
    peer("run", id="a")
    with raw(peer) as client:
        before = exactjson.split_object(client.get("a"), "session")
        session = wb.get("a")
        list(session.context.values())
        wb.save(session)
        after = exactjson.split_object(client.get("a"), "session")
    assert bytes(after["context"]) == bytes(before["context"])


@pytest.mark.parametrize("id", IDS)
def test_ids_are_keys_on_both_sides(program, redis_server, wb, id):
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
    peer = RedisPeer(program, "0.8", redis_server.url)
    if "\0" not in id:  # a command line can't name it
        peer("new", id=id, graph="claims", set=CLAIM)
        assert wb.get(id).id == id
        assert wb.sessions(id_prefix=id)["id"].tolist() == [id]
        assert wb.delete(id) == [id]
        assert peer("read", id=id) == [{"missing": True}]
    wb.create(id, "intake", graph_id="claims")
    with raw(peer) as client:
        (text,) = peer("echo", client.get(id).decode() + "\n")
    assert text["id"] == id


@pytest.mark.parametrize(("ours", "theirs"), DIGITS.items())
def test_serde_changes_only_numbers_that_it_can_not_hold(program, redis_server, wb, ours, theirs):
    peer = RedisPeer(program, "0.8", redis_server.url)
    text = f'{{"data":{{"n":{ours}}},"chat_history":{{"messages":[],"max_messages":1000}}}}'
    with raw(peer) as client:
        client.flushall()
        wb.create("a", "intake", graph_id="claims", context=g.Context.from_json(text))
        assert f'"n":{ours}}}' in client.get("a").decode()
        hold(peer, "a")
        assert f'"n":{theirs}}}' in client.get("a").decode()
        wb.save(wb.get("a"))
        assert f'"n":{theirs}}}' in client.get("a").decode()


def test_a_number_that_serde_can_not_read_stays_ours(peer, wb):
    text = b'{"data":{"n":1e400},"chat_history":{"messages":[],"max_messages":1000}}'
    session = g.Session("a", "intake", graph_id="claims", context=g.Context.from_json(text))
    with pytest.raises(g.ContextError, match="1e400"):
        wb.save(session)
    wb.bridge.run(wb.storage.save(session))  # as another program may have written it
    for command in ("read", "run"):
        with pytest.raises(PeerError, match="storage"):
            peer(command, id="a")
    assert wb.get("a").context.to_json() == text
    assert len(wb.sessions()) == 1


def test_our_times_do_no_harm_and_go_with_a_save_of_the_worker(peer, wb):
    wb.create("ours", "intake", graph_id="claims", context=CLAIM)
    wb.create("taken", "intake", graph_id="claims", context=CLAIM)
    peer("new", id="theirs", graph="claims", set=CLAIM)
    with raw(peer) as client:
        assert {"created_at", "updated_at"} < set(json.loads(client.get("taken")))
        assert peer("read", id="taken")[0]["id"] == "taken"
        peer("run", id="taken")
        assert not {"created_at", "updated_at"} & set(json.loads(client.get("taken")))
    frame = wb.sessions().set_index("id")
    for column in ("created_at", "updated_at"):
        assert str(frame[column].dtype) == "datetime64[us, UTC]"
        assert frame[column].notna().to_dict() == {"ours": True, "taken": False, "theirs": False}
    # Unknown times come first in this order, as in every store.
    assert wb.sessions(order="-updated_at")["id"].tolist() == ["theirs", "taken", "ours"]


def test_a_worker_that_counts_nothing_is_noticed(peer, wb):
    peer("new", id="race", graph="claims", set=CLAIM)
    session = wb.get("race")
    peer("run", id="race")
    session.status_message = "mine"
    with pytest.raises(g.SessionConflict) as caught:
        wb.save(session)
    assert caught.value.stored.status_message == "waiting for documents"
    assert peer("read", id="race")[0]["status_message"] == "waiting for documents"


def test_it_is_noticed_though_the_version_did_not_move(peer, wb):
    """Our count stays in the JSON where such a worker saves: the text tells."""
    mine = [wb.create(id, "intake", graph_id="claims", context=CLAIM) for id in ("a", "b", "c")]
    for session in mine:
        hold(peer, session.id, late=True)
        (read,) = peer("read", id=session.id)
        assert read.get("version") == (None if peer.version == "0.5" else 1)
        assert session.version == 1
        session.status_message = "mine"
    with pytest.raises(g.SessionConflict) as caught:
        wb.save(mine[0])
    stored = caught.value.stored
    assert stored.context["late"] is True
    conflicts = wb.bridge.run(wb.storage.save_many(mine[1:]))
    assert [conflict.session.id for conflict in conflicts] == ["b", "c"]
    with pytest.raises(g.SessionConflict):
        wb.undo()
    for id in ("a", "b", "c"):
        assert wb.get(id).context["late"] is True
        assert wb.get(id).status_message is None
    stored.status_message = "merged"
    wb.save(stored)
    (read,) = peer("read", id="a")
    assert (read["status_message"], read["context"]["data"]["late"]) == ("merged", True)


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


def test_versions_go_on_from_the_count_of_either_side(counting, wb):
    session = wb.create("a", "intake", graph_id="claims", context=CLAIM)
    for version in range(1, 7, 2):
        assert session.version == version
        hold(counting, "a", turn=version)
        session = wb.get("a")
        assert session.version == version + 1
        assert counting("read", id="a")[0]["version"] == version + 1
        assert wb.sessions()["version"].tolist() == [version + 1]
        wb.save(session)


def test_a_counting_worker_takes_over_what_nobody_counted(counting, wb):
    """From the first save of ours on there is a count, so its stale save is refused."""
    RedisPeer(counting.program, "0.5", counting.url)("new", id="a", graph="claims", set=CLAIM)
    process = counting.start("hold", id="a", set={"late": True})
    assert json.loads(process.stdout.readline()) == {"held": True}
    session = wb.get("a")
    session.status_message = "mine"
    wb.save(session)
    with pytest.raises(PeerError, match="conflict"):
        counting.finish(process, "\n")
    hold(counting, "a", late=True)
    found = wb.get("a")
    assert (found.version, found.status_message, found.context["late"]) == (2, "mine", True)


def test_a_version_is_a_guard_beside_a_worker_that_counts(counting, wb):
    wb.create("a", "intake", graph_id="claims", context=CLAIM)
    hold(counting, "a", late=True)
    with pytest.raises(g.SessionConflict):
        wb.patch("a", [{"op": "remove", "path": "/context/data/amount"}], version=1)
    assert wb.delete({"a": 1}) == []
    assert wb.delete({"a": 2}) == ["a"]


def test_0_5_has_no_version_to_count(program, redis_server):
    with pytest.raises(PeerError, match="usage"):
        RedisPeer(program, "0.5", redis_server.url)("read", id="a", counting="true")


def test_what_the_worker_deleted_is_gone(peer, wb):
    sessions = [wb.create(id, "intake", graph_id="claims", context=CLAIM) for id in ("a", "b")]
    for session in sessions:
        assert peer("delete", id=session.id) == [{"deleted": True}]
        assert peer("delete", id=session.id) == [{"deleted": True}]  # no error, as in the crate
    with pytest.raises(g.SessionNotFound):
        wb.get("a")
    assert len(wb.sessions()) == 0
    with pytest.raises(g.SessionConflict) as caught:
        wb.save(sessions[0])
    assert caught.value.stored is None
    assert len(wb.bridge.run(wb.storage.save_many(sessions))) == 2
    assert peer("read", id="a") == [{"missing": True}]
    wb.save(sessions[0].copy())
    assert peer("run", id="a")[-2]["status"] == "waiting"


@pytest.mark.parametrize("counts", [False, True], ids=["documented", "counting"])
def test_what_we_deleted_a_stale_save_of_the_worker_brings_back(program, redis_server, wb, counts):
    """As in the crate's own storages: where nothing is stored there is nothing to compare."""
    peer = RedisPeer(program, "0.8", redis_server.url)
    peer.counting = counts
    peer("delete", id="a")
    session = wb.create("a", "intake", graph_id="claims", context=CLAIM)
    process = peer.start("hold", id="a", set={"late": True})
    assert json.loads(process.stdout.readline()) == {"held": True}
    assert wb.delete("a") == ["a"]
    with pytest.raises(PeerError):
        peer("run", id="a")
    assert peer.finish(process, "\n") == [{"saved": True}]
    assert wb.get("a").context["late"] is True
    for write in (lambda: wb.save(session), wb.undo):  # neither knows the one that came back
        with pytest.raises(g.SessionConflict):
            write()
    assert wb.get("a").context["late"] is True


def test_many_sessions_of_real_flows(peer, wb):
    written = peer("write", count=60, seed=3)
    frame = wb.sessions(context=["customer.tier", "amount", "policy_number"])
    assert set(frame["id"]) == {row["id"] for row in written}
    tasks = {row["id"]: row["current_task_id"] for row in written}
    assert dict(zip(frame["id"], frame["current_task_id"], strict=True)) == tasks
    assert frame["updated_at"].isna().all()
    assert frame["created_at"].isna().all()
    assert set(wb.messages()["role"]) == {"User", "Assistant", "System"}
    assert (frame["policy_number"].dropna() > 2**53).all()
    assert wb.summary()["sessions"].sum() == 60
    assert wb.build_index() == 60
    assert len(wb.sessions(graph="claims", limit=5)) == 5
    copied = wb.copy_to(g.open("memory:"))
    assert copied.verified
    assert copied.copied == 60
