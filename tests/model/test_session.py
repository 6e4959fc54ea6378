"""Session: graph-flow's exact JSON form, and what is no session."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from graphflow_nb import (
    ChatHistory,
    Context,
    ContextError,
    Message,
    Session,
    SessionFormatError,
)

# As graph-flow 0.6.0 wrote it, nanoseconds and all.
WRITTEN = (
    '{"id":"s1","graph_id":"claims","current_task_id":"pay","status_message":null,"context":'
    '{"data":{"n":9007199254740993,"price":1.10,"tiny":1e-400,"k":{"b":[1.50,{"c":2}]}},'
    '"chat_history":{"messages":[{"role":"User","content":"hi","timestamp":'
    '"2026-11-23T06:47:43.820714232Z"}],"max_messages":1000}},"version":3}'
)


def test_new_from_task_is_the_crates():
    session = Session.new_from_task("s1", "start")
    assert json.loads(session.to_json()) == {
        "id": "s1",
        "graph_id": "default",
        "current_task_id": "start",
        "status_message": None,
        "context": {"data": {}, "chat_history": {"messages": [], "max_messages": 1000}},
        "version": 0,
    }
    assert session.is_new
    assert session.created_at is session.updated_at is None


def test_json_comes_back_to_the_letter():
    session = Session.from_json(WRITTEN)
    assert session.to_json() == WRITTEN
    assert session.version == 3
    assert not session.is_new
    session.context["k"]["b"]
    session.context.chat_history[0]
    assert session.to_json() == WRITTEN
    assert '"version"' not in session.to_json(version=False)
    assert Session.from_json(session.to_json(version=False)).version == 0


def test_a_change_leaves_every_other_digit_alone():
    session = Session.from_json(WRITTEN)
    session.context["k"]["b"][1]["c"] = True
    session.context["new"] = 1
    text = session.to_json()
    for piece in ('"n":9007199254740993', '"price":1.10', '"tiny":1e-400', "820714232Z"):
        assert piece in text
    assert '"k":{"b":[1.50,{"c":true}]}' in text


def test_unknown_members_are_kept():
    text = WRITTEN[:-1] + ',"owner":{"x":1.0}}'
    text = text.replace('"data":', '"trace":[1.0],"data":').replace('"content"', '"w":1,"content"')
    session = Session.from_json(text)
    session.context["new"] = 1
    session.context.add_user_message("more")
    for piece in ('"owner":{"x":1.0}', '"trace":[1.0]', '"w":1,"content":"hi"'):
        assert piece in session.to_json()


def test_a_context_is_not_read_before_it_is_touched():
    broken = WRITTEN.replace('"data":{', '"data":{{')
    context = Context.from_json(broken)
    assert context.to_json() is broken
    with pytest.raises(ContextError, match="the context can't be read"):
        len(context)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "object"),
        ("{", "JSON"),
        ("{}", "id"),
        (WRITTEN.replace('"s1"', "7"), "id"),
        (WRITTEN.replace('"version":3', '"version":-1'), "version"),
        (WRITTEN.replace('"version":3', '"version":true'), "version"),
        (WRITTEN.replace('"status_message":null', '"status_message":1'), "status_message"),
        ('{"id":"a","graph_id":"b","current_task_id":"c"}', "context"),
        ('{"id":"a","graph_id":"b","current_task_id":"c","context":[]}', "context"),
    ],
)
def test_what_is_no_session(text, what):
    with pytest.raises(SessionFormatError, match=what):
        Session.from_json(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Context([1]),
        lambda: Context("x"),
        lambda: Context(max_messages=-1),
        lambda: ChatHistory(max_messages="3"),
        lambda: Message("User", "x", "2024-01-01T00:00:00Z"),
        lambda: Context({"k": 10**5000}),
        lambda: Session.from_json({"id": "a"}),
        lambda: Session("a", "t", version="1"),
        lambda: Session("a", "t", version=-1),
    ],
)
def test_wrong_types_raise_our_own_errors(make):
    with pytest.raises((ContextError, SessionFormatError)):
        make()


def test_copies_are_independent():
    session = Session.from_json(WRITTEN)
    session.context["k"]["b"].append(1)
    twin = session.copy("s2")
    assert (twin.id, twin.version, twin.is_new) == ("s2", 0, True)
    assert twin.context == session.context
    twin.context["k"]["b"].append(2)
    assert session.context["k"]["b"][-1] == 1
    for clone in (copy.deepcopy(session), pickle.loads(pickle.dumps(session))):
        assert clone.to_json() == session.to_json()
        clone.context["x"] = 1
        assert "x" not in session.context


def test_reprs_are_short_and_true():
    assert repr(Session("a", "t")) == "Session('a', 't', graph_id='default', version=0)"
    assert "1000" in repr(Context())
