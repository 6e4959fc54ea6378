"""The record and its exact JSON form."""

from __future__ import annotations

import copy
import json
import math
import pickle
from datetime import UTC, datetime
from enum import StrEnum

import pytest

from graphflow_nb import (
    ChatHistory,
    Context,
    ContextError,
    Message,
    MessageRole,
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


class Colour(StrEnum):
    RED = "red"


class Name(str):
    __slots__ = ()


def test_a_context_is_a_mapping():
    context = Context({"a": 1})
    context.set("b", (1, [None, 2.5, "ü", False], {"c": Colour.RED, "d": Name("x")}))
    context["big"] = 2**70
    assert context["b"] == [1, [None, 2.5, "ü", False], {"c": "red", "d": "x"}]
    assert context["big"] == 2**70
    assert list(context) == ["a", "b", "big"]
    assert "a" in context
    assert context.get("zz") is None
    assert context.remove("a") == 1
    assert context.remove("a") is None
    assert dict(context.items()).keys() == {"b", "big"}
    context.clear()
    assert len(context) == 0
    with pytest.raises(KeyError):
        context["a"]


def test_values_are_copied_when_set_and_live_when_got():
    value = {"list": [1]}
    context = Context({"k": value})
    value["list"].append(2)
    assert context["k"] == {"list": [1]}
    context["k"]["list"].append(3)
    assert Context.from_json(context.to_json())["k"] == {"list": [1, 3]}


def test_setdefault_returns_what_is_stored():
    context = Context()
    context.setdefault("items", []).append(1)
    context.setdefault("items", []).append(2)
    assert Context.from_json(context.to_json())["items"] == [1, 2]


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


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        {1, 2},
        b"x",
        {1: 2},
        {None: 2},
        "\ud800",
        {"\udfff": 1},
        object(),
        datetime(2026, 1, 1, tzinfo=UTC),
        1j,
    ],
    ids=repr,
)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [0, {"deep": v}]], ids=["plain", "deep"])
def test_what_json_cannot_hold_is_refused_by_name(value, wrap):
    context = Context({"k": 1})
    with pytest.raises(ContextError, match="'amount'"):
        context.set("amount", wrap(value))
    assert dict(context) == {"k": 1}
    context["k"] = [1]
    context["k"].append(wrap(value))
    with pytest.raises(ContextError, match="'k'"):
        context.to_json()


def test_what_graph_flow_could_not_read_back_is_refused():
    deep: list[object] = []
    for _ in range(130):
        deep = [deep]
    with pytest.raises(ContextError, match="levels"):
        Context({"k": deep})
    with pytest.raises(ContextError):
        Context().set(7, 1)  # type: ignore[arg-type]
    with pytest.raises(ContextError):
        Context({"\ud800": 1})


def test_numbers_that_a_float_would_change():
    context = Context.from_json('{"data":{"a":[1.10,1e400,0.1,123456789.123456789123]}}')
    values = context["a"]
    assert values[:3] == [1.1, math.inf, 0.1]
    assert pickle.loads(pickle.dumps(values)) == values
    values.append(1)
    assert b"[1.10,1e400,0.1,123456789.123456789123,1]" in context.to_json()


def test_a_nan_in_the_place_of_a_null_is_noticed():
    context = Context({"k": [None, {"x": None}]})
    context["k"]
    context.to_json()
    context["k"][1]["x"] = math.nan
    with pytest.raises(ContextError, match="nan"):
        context.to_json()


def test_changes_in_place_are_seen_again_and_again():
    context = Context({"k": [1]})
    for i in range(3):
        context["k"].append(i)
        assert Context.from_json(context.to_json())["k"] == context["k"]
    context["k"] = [9]
    assert Context.from_json(context.to_json())["k"] == [9]


def test_equality_is_that_of_json():
    assert Context({"a": 1, "b": [1.0]}) == Context({"b": [1], "a": 1.0})
    assert Context({"a": 1}) != Context({"a": True})
    assert Context({"a": 1}) != Context({"a": 1}, max_messages=5)
    assert Context() != {}


def test_chat_history_prunes_as_the_crate_does():
    context = Context(max_messages=3)
    for i in range(5):
        context.add_user_message(f"m{i}")
    assert [m.content for m in context.chat_history] == ["m2", "m3", "m4"]
    assert [m.content for m in context.last_messages(2)] == ["m3", "m4"]
    assert len(context.last_messages(99)) == 3
    assert context.last_messages(0) == []
    context.add_assistant_message("a")
    context.add_system_message("s")
    assert [m.role for m in context.chat_history] == ["User", "Assistant", "System"]
    again = Context.from_json(context.to_json())
    assert again.chat_history.max_messages == 3
    again.chat_history.clear()
    assert json.loads(again.to_json())["chat_history"] == {"messages": [], "max_messages": 3}
    unlimited = ChatHistory(max_messages=None)
    for _ in range(1500):
        unlimited.add(Message("User", "x"))
    assert len(unlimited) == 1500


def test_messages():
    message = Message(MessageRole.USER, "hi")
    assert abs((datetime.now(UTC) - message.timestamp).total_seconds()) < 60
    assert pickle.loads(pickle.dumps(message)) == message
    assert hash(message) == hash(pickle.loads(pickle.dumps(message)))
    for wrong in (
        ("Tool", "x"),
        ("User", 7),
        ("User", "\ud800"),
        ("User", "x", datetime(2026, 1, 1)),
    ):
        with pytest.raises(ContextError):
            Message(*wrong)
    with pytest.raises(AttributeError):
        message.content = "other"  # type: ignore[misc]
    stored = '{"data":{},"chat_history":{"messages":[%s],"max_messages":null}}'
    early = '{"role":"User","content":"x","timestamp":"0001-01-01T00:00:00+05:00"}'
    for wrong in (
        early,
        '{"role":"Tool","content":"x","timestamp":"2026-01-01T00:00:00Z"}',
        "7",
        "{}",
    ):
        context = Context.from_json(stored % wrong)
        assert len(context.chat_history) == 1
        with pytest.raises(ContextError, match=r"messages\[0\]|role"):
            context.chat_history[0]
        context["k"] = 1
        assert wrong.encode() in context.to_json()


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
