"""Sessions go from graph-flow to us and back: all its versions, the same database, real flows."""

from __future__ import annotations

import asyncio
import json
import random
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.model.validity import find_problems

from ..model.contexts import READABLE, UNREADABLE
from ..scope import size
from .peer import VERSIONS, Peer, PeerError

pytestmark = pytest.mark.timeout(1500)  # the first test builds the peer


@pytest.fixture(params=VERSIONS)
def peer(request: pytest.FixtureRequest, program: Path, database: str) -> Peer:
    return Peer(program, request.param, database)


@pytest.fixture
def wb(peer: Peer):
    """A workbench on the database, whose table the peer has made."""
    peer("write", count=1)
    wb = g.open(peer.url, writable=True)
    yield wb
    wb.close()


CLAIM = {
    "customer": {"name": "Ana Ü", "tier": "gold"},
    "amount": 900.25,
    "policy_number": 2**63 + 7,
    "iban": "PT50",
    "items": [{"price": 1.5, "what": None}],
}


def test_the_form_of_its_table_is_seen(peer, wb):
    form = wb.storage.inner.form
    assert form.uuid == (peer.version == "0.5")
    assert form.versioned == (peer.version != "0.5")


def test_rust_writes_python_edits_rust_continues(peer, wb):
    id = peer.id("claim-x")
    peer("new", id=id, graph="claims", set=CLAIM)
    assert peer("run", id=id)[-2]["status"] == "waiting"

    session = wb.get(id)
    assert session.graph_id == "claims"
    assert session.current_task_id == "await_documents"
    assert session.status_message == "waiting for documents"
    assert session.context["policy_number"] == 2**63 + 7
    assert session.context["fanout.coverage_check.response"] == "covered"
    roles = [message.role for message in session.context.chat_history]
    assert roles == ["User", "System", "Assistant"]
    session.context["documents"] = [{"name": "dach.jpg", "bytes": 2**53 + 1}]
    session.context.add_user_message("Hier sind die Fotos 🙂")
    session.status_message = "documents added by hand"
    wb.save(session)

    *steps, final = peer("run", id=id)
    assert [step["status"] for step in steps] == ["paused", "completed"]
    assert final["current_task_id"] == "payout"
    assert final["status_message"] == "paid"
    assert final["context"]["data"]["documents"] == [{"name": "dach.jpg", "bytes": 2**53 + 1}]
    assert final["context"]["data"]["policy_number"] == 2**63 + 7
    contents = [m["content"] for m in final["context"]["chat_history"]["messages"]]
    assert "Hier sind die Fotos 🙂" in contents

    done = wb.get(id)
    assert done.context["paid"] is True
    if peer.version != "0.5":
        assert done.version == final["version"]


def test_python_creates_rust_runs(peer, wb):
    id = peer.id("ticket-x")
    wb.create(id, "greet", graph_id="support", context={"question": "Why?", "turns_wanted": 1})
    assert [s["status"] for s in peer("run", id=id)[:-1]] == ["paused", "paused", "waiting"]
    *steps, final = peer("run", id=id, set={"customer_reply": "Because."})
    assert steps[-1]["status"] == "completed"
    session = wb.get(id)
    assert session.current_task_id == final["current_task_id"] == "closed"
    assert [m.content for m in session.context.last_messages(2)][-1] == "ticket closed"


def test_what_python_saves_rust_reads_the_same(peer, wb):
    id = peer.id("same")
    data = CLAIM | {
        "deep": None,
        "flag": False,
        "text": 'quote " back \\ tab\t nul-free ☃',
        "e": {},
    }
    deep: Any = 1
    for _ in range(123):
        deep = [deep]
    session = wb.create(id, "intake", graph_id="claims", context=data | {"deep": deep})
    session.context.add_assistant_message("ok")
    wb.save(session)
    (read,) = peer("read", id=id)
    mine = json.loads(session.to_json(version=peer.version != "0.5"))
    stamp = mine["context"]["chat_history"]["messages"][0]
    theirs = read["context"]["chat_history"]["messages"][0]
    assert theirs.pop("timestamp")[:23] == stamp.pop("timestamp")[:23]
    assert read == mine


def test_an_unchanged_save_changes_nothing_that_rust_sees(peer, wb):
    id = wb.sessions()["id"][0]
    (before,) = peer("read", id=id)
    session = wb.get(id)
    list(session.context.values())
    wb.save(session)
    (after,) = peer("read", id=id)
    assert after["context"] == before["context"]


def test_python_loses_the_race(peer, wb):
    id = peer.id("race")
    peer("new", id=id, graph="claims", set=CLAIM)
    session = wb.get(id)
    peer("run", id=id)
    session.status_message = "mine"
    with pytest.raises(g.SessionConflict) as caught:
        wb.save(session)
    assert caught.value.stored.status_message == "waiting for documents"
    assert peer("read", id=id)[0]["status_message"] == "waiting for documents"


def test_rust_loses_the_race(peer, wb):
    id = peer.id("race")
    peer("new", id=id, graph="claims", set=CLAIM)
    process = peer.start("hold", id=id, set={"late": True})
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"held": True}
    session = wb.get(id)
    session.status_message = "mine"
    wb.save(session)
    if peer.version == "0.5":
        # It compares nothing that a hand edit could change: the last write wins.
        assert peer.finish(process, "\n") == [{"saved": True}]
        assert wb.get(id).status_message is None
        with pytest.raises(g.SessionConflict):
            wb.save(session)
    else:
        with pytest.raises(PeerError, match="conflict"):
            peer.finish(process, "\n")
        assert wb.get(id).status_message == "mine"


def test_json_goes_through_serde_and_back(program):
    for version in VERSIONS:
        peer = Peer(program, version, "")
        session = g.Session("s", "t", graph_id="g", context=CLAIM, version=7)
        session.context.add_system_message("x")
        (echoed,) = peer("echo", session.to_json(version=version != "0.5") + "\n")
        again = g.Session.from_json(json.dumps(echoed))
        assert again.context == session.context
        assert again.version == (0 if version == "0.5" else 7)
        # Members that serde does not know do no harm.
        extra = session.to_json()[:-1] + ',"updated_at":"2026"}\n'
        assert len(peer("echo", extra)) == 1


def test_the_crate_reads_what_is_accepted_and_refuses_what_is_refused(program):
    def session(context: str) -> str:
        return g.Session("s", "t").with_context_json(context).to_json(version=False) + "\n"

    for version in VERSIONS:
        peer = Peer(program, version, "")
        assert len(peer("echo", "".join(map(session, READABLE)))) == len(READABLE)
        for context, says in UNREADABLE:
            with pytest.raises(PeerError):
                assert not peer("echo", session(context)), says


def test_the_crate_reads_every_damaged_context_that_is_accepted(program):
    chance = random.Random(7)
    pieces = [
        "0",
        "9",
        "-",
        "+",
        "e",
        ".",
        ":",
        '"',
        "{",
        "}",
        "[",
        "]",
        ",",
        "T",
        "Z",
        " ",
        "null",
    ]
    pieces += ["1e400", "9" * 20, "\\u0000", '"role":"User"', '"messages"', '"data":{}', "true"]
    contexts = [text for text in [*READABLE, *(text for text, _ in UNREADABLE)] if len(text) < 400]
    accepted = []
    for _ in range(size(30_000, 3_000)):
        text = chance.choice(contexts)
        for _ in range(chance.choice([1, 1, 2, 3])):
            at = chance.randrange(len(text) + 1)
            end = at + chance.choice([0, 1])
            text = text[:at] + chance.choice([*pieces, ""]) + text[end:]
        if all(problem.respelled for problem in find_problems(text)):
            accepted.append(g.Session("s", "t").with_context_json(text).to_json(version=False))
    for version in VERSIONS:
        assert len(Peer(program, version, "")("echo", "\n".join(accepted))) == len(accepted)


def test_many_sessions_of_real_flows(peer, database):
    written = peer("write", count=60, seed=3)
    with g.open(database) as wb:
        frame = wb.sessions(context=["customer.tier", "amount", "policy_number"])
        assert set(frame["id"]) == {row["id"] for row in written}
        tasks = {row["id"]: row["current_task_id"] for row in written}
        assert dict(zip(frame["id"], frame["current_task_id"], strict=True)) == tasks
        assert (frame["policy_number"].dropna() > 2**53).all()
        assert wb.summary()["sessions"].sum() == 60
        messages = wb.messages()
        assert set(messages["role"]) == {"User", "Assistant", "System"}
        assert messages["timestamp"].notna().all()


def test_a_worker_on_0_6_takes_over_a_table_of_0_5(program, database):
    old, new = Peer(program, "0.5", database), Peer(program, "0.6", database)
    id = old.id("x")
    old("new", id=id, graph="claims", set=CLAIM)
    with g.open(database, writable=True) as wb:
        session = wb.get(id)
        assert new("run", id=id)[-2]["status"] == "waiting"  # alters the table when it connects
        with pytest.raises(g.SessionConflict):
            wb.save(session)
        session = wb.get(id)
        session.context["documents"] = [1]
        wb.save(session)
        assert new("run", id=id)[-2]["status"] == "completed"


def test_our_migration_is_what_0_6_expects(program, database):
    old, new = Peer(program, "0.5", database), Peer(program, "0.8", database)
    id = old.id("x")
    old("new", id=id, graph="claims", set=CLAIM)
    with g.open(database, writable=True) as wb:
        assert len(wb.migrate().statements) == 2
        assert new("run", id=id)[-2]["status"] == "waiting"
        assert wb.get(id).current_task_id == "await_documents"


def rounded(value: Any) -> Any:
    """serde_json, as graph-flow uses it, may change the last digit of a float when it reads one."""
    if isinstance(value, float):
        return float(f"{value:.14g}")
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def test_the_demo_data_are_read_by_every_version(program):
    """They were written by 0.8; serde of each version takes them, nothing is lost on the way."""
    lines = files("graphflow_nb").joinpath("demo_data/sessions.jsonl").read_text().splitlines()
    for version in VERSIONS:
        echoed = Peer(program, version, "")("echo", "\n".join(lines) + "\n")
        assert len(echoed) == len(lines)
        for line, back in zip(lines, echoed, strict=True):
            mine = g.Session.from_json(line).context
            theirs = back["context"]
            assert rounded(dict(mine)) == rounded(theirs["data"])
            assert [m.content for m in mine.chat_history] == [
                m["content"] for m in theirs["chat_history"]["messages"]
            ]


def test_in_a_loop_of_ones_own(peer, wb):
    """Without a notebook: the storage alone."""
    id = peer.id("plain")

    async def main() -> None:
        storage = await g.connect(peer.url)
        await storage.save(g.Session(id, "intake", graph_id="claims", context=CLAIM))
        await storage.close()

    asyncio.run(main())
    assert peer("run", id=id)[-2]["status"] == "waiting"


@pytest.mark.parametrize("version", ["0.6", "0.8"])
@pytest.mark.parametrize("where", ["memory:", "PostgreSQL"])
def test_what_the_benchmark_times_is_done(program, database, version, where):
    peer = Peer(program, version, where if where == "memory:" else database)
    session = g.Session("claim-x", "intake", graph_id="claims", context=CLAIM)
    lines = [f"put {session.to_json()}", "get claim-x 7", "save claim-x 9", "delete gone- 3"]
    answers = peer("bench", "\n".join(lines))
    assert [len(answer) for answer in answers] == [0, 7, 9, 3]
    assert all(0 < nanos < 60e9 for answer in answers for nanos in answer)
    if where == "PostgreSQL":
        with g.open(database) as wb:
            stored = wb.get("claim-x")
        assert stored.version == 10
        assert stored.context["step"] == 8
    with pytest.raises(PeerError, match="missing"):
        peer("bench", "get nobody 1")
